#include "models/densities/flow_density.h"

#include "models/densities/contraction.h"
#include "models/plan/gradient.h"
#include "models/plan/interpreter.h"

namespace creamery {
namespace {

// A plan, borrowed, in float64.
class InterpretedFlow final : public Density {
 public:
  explicit InterpretedFlow(const Plan& plan) : plan_(plan) {}

  int64_t num_parameters() const override { return plan_.d(); }
  absl::Status LogProb(absl::Span<const double> theta, absl::Span<double> log_prob,
                       const StopToken& stop) const override {
    return PlanLogProb(plan_, theta, log_prob, stop);
  }
  absl::Status PriorTransform(absl::Span<const double> u, absl::Span<double> theta,
                              const StopToken& stop) const override {
    return PlanInverse(plan_, u, theta, stop);
  }
  absl::Status LogProbGradient(absl::Span<const double> theta, absl::Span<double> log_prob, absl::Span<double> gradient,
                               const StopToken& stop) const override {
    return PlanLogProbGradient(plan_, theta, log_prob, gradient, stop);
  }
  absl::Status InversePriorTransform(absl::Span<const double> theta, absl::Span<double> u,
                                     const StopToken& stop) const override {
    return PlanForward(plan_, theta, u, stop);
  }
  absl::Status ContractedLogProb(absl::Span<const double> theta, double temperature, absl::Span<double> log_prob,
                                 const StopToken& stop) const override {
    return ContractThroughTransform(*this, theta, temperature, log_prob, stop);
  }

 private:
  const Plan& plan_;
};

}  // namespace

absl::Status FlowDensity::LogProb(absl::Span<const double> theta, absl::Span<double> log_prob,
                                  const StopToken& stop) const {
  return fused_.LogProb(theta, log_prob, stop);
}

absl::Status FlowDensity::PriorTransform(absl::Span<const double> u, absl::Span<double> theta,
                                         const StopToken& stop) const {
  return fused_.Inverse(u, theta, stop);
}

absl::Status FlowDensity::LogProbGradient(absl::Span<const double> theta, absl::Span<double> log_prob,
                                          absl::Span<double> gradient, const StopToken& stop) const {
  return fused_.LogProbGradient(theta, log_prob, gradient, stop);
}

absl::Status FlowDensity::InversePriorTransform(absl::Span<const double> theta, absl::Span<double> u,
                                                const StopToken& stop) const {
  return fused_.Forward(theta, u, stop);
}

absl::Status FlowDensity::ContractedLogProb(absl::Span<const double> theta, double temperature,
                                            absl::Span<double> log_prob, const StopToken& stop) const {
  return ContractThroughTransform(*this, theta, temperature, log_prob, stop);
}

std::unique_ptr<const Density> FlowDensity::InDoublePrecision() const {
  return std::make_unique<InterpretedFlow>(plan_);
}

}  // namespace creamery
