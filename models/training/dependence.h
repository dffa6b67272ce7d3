// Which parameters depend on each other, from weighted rows.
#ifndef CREAMERY_MODELS_TRAINING_DEPENDENCE_H_
#define CREAMERY_MODELS_TRAINING_DEPENDENCE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "proto/support/stop_token.h"

namespace creamery {

// Normal scores of a column: Phi^-1 of the weighted ranks, in the order of the rows. Ties share a score.
std::vector<double> NormalScores(absl::Span<const double> value, absl::Span<const double> weight);

// An estimate of the mutual information of two columns of normal scores, nats. With a_kl = E[h_k(x) h_l(y)] for the
// normalised Hermite polynomials h_1, h_2, h_3 (coefficients of the copula density; Lancaster 1958):
//   -1/2 log(1 - a_11^2) + 1/2 sum of the other a_kl^2.
// The first term is all of it for a Gaussian copula; the others see dependence without correlation, such as rings.
// Dependence that only three parameters together show is not seen.
double MutualInformation(absl::Span<const double> x, absl::Span<const double> y, absl::Span<const double> weight);

// What MutualInformation says of independent columns of this many effective rows, in all but 1 % of cases for the
// largest of `pairs`: chi-squared with nine degrees of freedom over 2 n (tail bound of Laurent & Massart 2000,
// eq. 4.3).
double InformationNoise(double effective_rows, int64_t pairs);

// Connected components of the parameters joined by more than `threshold` plus the noise: a partition of 0..d-1, each
// increasing, ordered by their first. theta: (n, d), weight: (n), positive; more than 20 000 rows are resampled by
// weight down to that, `offset` in (0, 1) is the random number. CANCELLED or DEADLINE_EXCEEDED from `stop`.
absl::StatusOr<std::vector<std::vector<int64_t>>> FindBlocks(absl::Span<const double> theta, int64_t d,
                                                             absl::Span<const double> weight, double effective_rows,
                                                             double threshold, double offset, const StopToken& stop);

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_DEPENDENCE_H_
