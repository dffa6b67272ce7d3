// Analytic priors as a density, and a trained density with some of its prior mixed in: a proposal for nested sampling
// that covers the prior (Alsing & Handley 2021, arXiv:2102.12478).
#ifndef CREAMERY_MODELS_DENSITIES_PRIOR_DENSITY_H_
#define CREAMERY_MODELS_DENSITIES_PRIOR_DENSITY_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "creamery/v1/dataset.pb.h"
#include "creamery/v1/model.pb.h"
#include "models/estimator.h"
#include "proto/support/rows.h"

namespace creamery {

// The product over parameters of uniform, normal and log-uniform densities. On and outside bounds log_prob is -inf.
// Immutable; safe to use from any number of threads.
class PriorDensity final : public Density {
 public:
  // Every prior has a density with numbers as CheckSchema wants them.
  explicit PriorDensity(std::vector<v1::Prior> priors);

  int64_t num_parameters() const override { return static_cast<int64_t>(priors_.size()); }
  absl::Status LogProb(absl::Span<const double> theta, absl::Span<double> log_prob,
                       const StopToken& stop) const override;
  absl::Status PriorTransform(absl::Span<const double> u, absl::Span<double> theta,
                              const StopToken& stop) const override;
  absl::Status LogProbGradient(absl::Span<const double> theta, absl::Span<double> log_prob, absl::Span<double> gradient,
                               const StopToken& stop) const override;
  absl::Status InversePriorTransform(absl::Span<const double> theta, absl::Span<double> u,
                                     const StopToken& stop) const override;

 private:
  const std::vector<v1::Prior> priors_;
  std::vector<Bounds> bounds_;  // of each parameter; -inf and +inf where there is none
};

// The declared priors of all parameters. FAILED_PRECONDITION naming the parameters that have none.
absl::StatusOr<std::unique_ptr<Density>> MakePriorDensity(const v1::Signature& signature);

// (1 - fraction) density + fraction prior, of the signature's parameters and their declared priors; points with
// u_0 < fraction go to the prior. Checks rows as CheckedDensity does. `density` must outlive the answer.
// INVALID_ARGUMENT for a fraction outside [0, 1), FAILED_PRECONDITION without analytic priors of all parameters unless
// the fraction is 0, where the answer is the density's own.
absl::StatusOr<std::unique_ptr<Density>> MixWithPrior(const Density& density, const v1::Signature& signature,
                                                      double fraction);

}  // namespace creamery

#endif  // CREAMERY_MODELS_DENSITIES_PRIOR_DENSITY_H_
