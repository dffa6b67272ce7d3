// A sum of densities of the same parameters: the pieces of a piecewise flow, the members of an ensemble.
#ifndef CREAMERY_MODELS_DENSITIES_MIXTURE_DENSITY_H_
#define CREAMERY_MODELS_DENSITIES_MIXTURE_DENSITY_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "models/estimator.h"

namespace creamery {

// p(theta) = sum_k w_k p_k(theta) over all children (Bevins & Handley 2023, arXiv:2305.02930).
// PriorTransform is exact and deterministic: the child is the first with C_k > u_0, C the cumulative weights, and gets
// u_0' = (u_0 - C_{k-1}) / w_k in place of u_0; rows keep their places.
// Immutable; safe to use from any number of threads.
class MixtureDensity final : public Density {
 public:
  // At least one child, all of the same number of parameters; a positive weight each, scaled here to sum to 1.
  MixtureDensity(std::vector<std::shared_ptr<const Density>> children, std::vector<double> weight);

  int64_t num_parameters() const override { return children_[0]->num_parameters(); }
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
  std::unique_ptr<const Density> InDoublePrecision() const override;
  int64_t prepared_bytes() const override;

 private:
  int64_t size() const { return static_cast<int64_t>(children_.size()); }
  double Before(int64_t k) const { return k == 0 ? 0 : end_[k - 1]; }  // C_{k-1}

  const std::vector<std::shared_ptr<const Density>> children_;
  std::vector<double> weight_;
  std::vector<double> log_weight_;
  std::vector<double> end_;  // C_k; the last is 1
};

}  // namespace creamery

#endif  // CREAMERY_MODELS_DENSITIES_MIXTURE_DENSITY_H_
