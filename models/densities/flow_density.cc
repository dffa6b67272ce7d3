#include "models/densities/flow_density.h"

#include "models/densities/contraction.h"
#include "models/plan/gradient.h"
#include "models/plan/interpreter.h"

namespace creamery {

absl::Status FlowDensity::LogProb(absl::Span<const double> theta, absl::Span<double> log_prob,
                                  const StopToken& stop) const {
  return PlanLogProb(plan_, theta, log_prob, stop);
}

absl::Status FlowDensity::PriorTransform(absl::Span<const double> u, absl::Span<double> theta,
                                         const StopToken& stop) const {
  return PlanInverse(plan_, u, theta, stop);
}

absl::Status FlowDensity::LogProbGradient(absl::Span<const double> theta, absl::Span<double> log_prob,
                                          absl::Span<double> gradient, const StopToken& stop) const {
  return PlanLogProbGradient(plan_, theta, log_prob, gradient, stop);
}

absl::Status FlowDensity::InversePriorTransform(absl::Span<const double> theta, absl::Span<double> u,
                                                const StopToken& stop) const {
  return PlanForward(plan_, theta, u, stop);
}

absl::Status FlowDensity::ContractedLogProb(absl::Span<const double> theta, double temperature,
                                            absl::Span<double> log_prob, const StopToken& stop) const {
  return ContractThroughTransform(*this, theta, temperature, log_prob, stop);
}

}  // namespace creamery
