// A trained flow as a density: a leaf of a DensityTree.
#ifndef CREAMERY_MODELS_DENSITIES_FLOW_DENSITY_H_
#define CREAMERY_MODELS_DENSITIES_FLOW_DENSITY_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "models/estimator.h"
#include "models/plan/fused/fused_plan.h"
#include "models/plan/plan.h"

namespace creamery {

// Answers with the vector kernels of plan/fused. Immutable; safe to use from any number of threads.
class FlowDensity final : public Density {
 public:
  // `plan` has passed CheckPlan.
  explicit FlowDensity(Plan plan) : plan_(std::move(plan)), fused_(plan_) {}

  int64_t num_parameters() const override { return plan_.d(); }
  absl::Status LogProb(absl::Span<const double> theta, absl::Span<double> log_prob,
                       const StopToken& stop) const override;
  absl::Status PriorTransform(absl::Span<const double> u, absl::Span<double> theta,
                              const StopToken& stop) const override;
  absl::Status LogProbGradient(absl::Span<const double> theta, absl::Span<double> log_prob, absl::Span<double> gradient,
                               const StopToken& stop) const override;
  absl::Status InversePriorTransform(absl::Span<const double> theta, absl::Span<double> u,
                                     const StopToken& stop) const override;
  absl::Status ContractedLogProb(absl::Span<const double> theta, double temperature, absl::Span<double> log_prob,
                                 const StopToken& stop) const override;
  // By the interpreter.
  std::unique_ptr<const Density> InDoublePrecision() const override;
  int64_t prepared_bytes() const override { return fused_.memory_bytes(); }

 private:
  const Plan plan_;
  const FusedPlan fused_;
};

}  // namespace creamery

#endif  // CREAMERY_MODELS_DENSITIES_FLOW_DENSITY_H_
