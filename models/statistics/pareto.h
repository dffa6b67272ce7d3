// Pareto-smoothed importance sampling: how heavy the tail of importance weights is, and weights with that tail smoothed
// (Vehtari, Simpson, Gelman, Yao & Gabry 2024, arXiv:1507.02646, section 2).
// A generalised Pareto distribution is fitted to the largest min(0.2 N, 3 sqrt(N)) weights by the empirical-Bayes
// method of Zhang & Stephens 2009 (Technometrics 51, 316), with the weakly informative prior of the former's appendix
// C.
#ifndef CREAMERY_MODELS_STATISTICS_PARETO_H_
#define CREAMERY_MODELS_STATISTICS_PARETO_H_

#include <vector>

#include "absl/types/span.h"

namespace creamery {

// Above it, importance weights are not to be trusted: the estimate's error is not what it says (section 2.4 there).
inline constexpr double kLargestTrustedKHat = 0.7;

// Shape k of the generalised Pareto tail of exp(log_weight), any normalisation. log_weight: (n,), natural logs, in any
// order; -inf is a weight of zero, NaN is not allowed. Below 0.5 the variance of the weights is finite.
// 0 if the largest weights are all equal; +inf if fewer than 5 weights are in the tail (n below about 25), where
// nothing can be said.
double ParetoKHat(absl::Span<const double> log_weight);

// The same weights, the tail replaced by the expected order statistics of the fitted distribution, in the same order,
// none above the largest given one (eq. 4 and step 3 there). Left as they are where there is no tail to fit.
std::vector<double> SmoothLogWeights(absl::Span<const double> log_weight);

// Shape and scale of a generalised Pareto distribution fitted to exceedances: positive, increasing, at least 5.
struct ParetoFit {
  double k = 0;
  double sigma = 0;
};
ParetoFit FitGeneralisedPareto(absl::Span<const double> exceedance);

}  // namespace creamery

#endif  // CREAMERY_MODELS_STATISTICS_PARETO_H_
