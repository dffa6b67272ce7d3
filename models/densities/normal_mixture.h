// One-dimensional mixtures of normal densities of unit width: distribution function and quantile, in float64.
#ifndef CREAMERY_MODELS_DENSITIES_NORMAL_MIXTURE_H_
#define CREAMERY_MODELS_DENSITIES_NORMAL_MIXTURE_H_

#include "absl/types/span.h"

namespace creamery {

// F(v) = sum_k w_k Phi(v - c_k) / sum_k w_k. Weights: not negative, at least one positive. In (0, 1): what rounds to an
// end is the nearest number inside.
double NormalMixtureCdf(absl::Span<const double> weight, absl::Span<const double> center, double v);

// The v with F(v) = u, for u in (0, 1), to the precision of float64: solved in the tail that u lies in, by Newton steps
// on Phi^-1(F(v)), kept inside a bracket that halves where a step leaves it.
double NormalMixtureQuantile(absl::Span<const double> weight, absl::Span<const double> center, double u);

}  // namespace creamery

#endif  // CREAMERY_MODELS_DENSITIES_NORMAL_MIXTURE_H_
