// What weighted rows are worth, by the kind of sampling they came from. Weights and values may be of any size: 2^k
// times them give the same answers, or 2^k times the answers, digit for digit.
#ifndef CREAMERY_MODELS_STATISTICS_WEIGHTS_H_
#define CREAMERY_MODELS_STATISTICS_WEIGHTS_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace creamery {

// (sum w)^2 / sum w^2; 0 if all weights are 0.
double KishSize(absl::Span<const double> weight);

// sum w f / sum w, and the variance sum w (f - mean)^2 / sum w. weight: (n), or empty for equal weights.
struct WeightedMoments {
  double mean = 0;
  double variance = 0;   // infinite or 0 for values beyond 1e154 or below 1e-162
  double deviation = 0;  // its root, right for values of any size
};
WeightedMoments Moments(absl::Span<const double> value, absl::Span<const double> weight);

// Standard error of the weighted mean of `value` over Markov chains: rows in their order, multiplicities or importance
// in `weight` (empty: equal), ids in `chain` (empty: one chain). The series w (f - mean), summed with its
// autocovariance by Geyer's initial monotone positive sequence (Geyer 1992, Statist. Sci. 7, 473); deviations are from
// the mean of all chains together, so chains that disagree show it.
double ChainError(absl::Span<const double> value, absl::Span<const double> weight, absl::Span<const int64_t> chain);

// Number of independent rows with the same error: variance / ChainError^2; 0 for a constant.
double AutocorrelationSize(absl::Span<const double> value, absl::Span<const double> weight,
                           absl::Span<const int64_t> chain);

// A nested-sampling run as shells of prior volume (Skilling 2006; Higson et al. 2018, arXiv:1704.03459). Dead and live
// points come together, in any order. Immutable, thread-safe.
class NestedRun {
 public:
  // Natural logs; birth may be -inf. INVALID_ARGUMENT for unequal lengths, NaN, no rows, or birth above death (the row
  // is named).
  static absl::StatusOr<NestedRun> Create(absl::Span<const double> log_likelihood,
                                          absl::Span<const double> log_likelihood_birth);

  // log of L_i dX_i by row, mean volumes: log X_i = sum_{j <= i} log(n_j / (n_j + 1)), dX_i = (X_{i-1} - X_{i+1}) / 2.
  std::vector<double> LogWeights() const;
  // The same with random volumes, log X_i = sum_{j <= i} log(U_j) / n_j; `realisation` counts from 0.
  std::vector<double> LogWeights(uint64_t seed, uint64_t realisation) const;

  // Statistics of the whole run with mean volumes: log Z, D_KL and d_G over all sampled parameters.
  struct Summary {
    double log_z = 0;
    double kl = 0;
    double dimensionality = 0;
  };
  Summary Summarize() const;

  // Row indices by increasing log_likelihood, and the live count as each point dies.
  const std::vector<int64_t>& order() const { return order_; }
  const std::vector<double>& live() const { return live_; }

 private:
  NestedRun() = default;
  std::vector<double> FromVolumes(const std::vector<double>& log_x) const;

  std::vector<double> log_likelihood_;
  std::vector<int64_t> order_;
  std::vector<double> live_;
};

// exp(log_weight) scaled to mean 1.
std::vector<double> MeanOneWeights(absl::Span<const double> log_weight);

}  // namespace creamery

#endif  // CREAMERY_MODELS_STATISTICS_WEIGHTS_H_
