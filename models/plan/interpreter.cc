#include "models/plan/interpreter.h"

#include "models/plan/plan_runner.h"
#include "models/plan/row_status.h"
#include "proto/support/status_macros.h"

namespace creamery {

absl::Status PlanLogProb(const Plan& plan, absl::Span<const double> theta, absl::Span<double> log_prob,
                         const StopToken& stop) {
  const int64_t n = static_cast<int64_t>(log_prob.size());
  const int64_t d = plan.d();
  ABSL_RETURN_IF_ERROR(CheckRowShape("theta", theta.size(), n, d));
  return RunRows<PlanRunner>(plan, n, stop, [&](auto& runner, int64_t row) {
    runner.LogProb(theta.data() + row * d, log_prob.data() + row);
    return absl::OkStatus();
  });
}

absl::Status PlanInverse(const Plan& plan, absl::Span<const double> u, absl::Span<double> theta,
                         const StopToken& stop) {
  const int64_t d = plan.d();
  const int64_t n = static_cast<int64_t>(theta.size()) / d;
  ABSL_RETURN_IF_ERROR(CheckRowShape("u", u.size(), n, d));
  ABSL_RETURN_IF_ERROR(CheckRowShape("theta", theta.size(), n, d));
  return RunRows<PlanRunner>(plan, n, stop, [&](auto& runner, int64_t row) {
    runner.Inverse(u.data() + row * d, theta.data() + row * d);
    return absl::OkStatus();
  });
}

absl::Status PlanForward(const Plan& plan, absl::Span<const double> theta, absl::Span<double> u,
                         const StopToken& stop) {
  const int64_t d = plan.d();
  const int64_t n = static_cast<int64_t>(u.size()) / d;
  ABSL_RETURN_IF_ERROR(CheckRowShape("theta", theta.size(), n, d));
  ABSL_RETURN_IF_ERROR(CheckRowShape("u", u.size(), n, d));
  return RunRows<PlanRunner>(plan, n, stop, [&](auto& runner, int64_t row) {
    const int64_t lane = runner.Forward(theta.data() + row * d, u.data() + row * d);
    return lane == runner.kLanes ? absl::OkStatus() : OutsideSupport(row + lane);
  });
}

}  // namespace creamery
