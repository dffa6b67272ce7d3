// One-dimensional mixtures of normal densities of unit width: distribution function and quantile, in float64.
#ifndef CREAMERY_MODELS_DENSITIES_NORMAL_MIXTURE_H_
#define CREAMERY_MODELS_DENSITIES_NORMAL_MIXTURE_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace creamery {

// F(v) = sum_k w_k Phi(v - c_k) / sum_k w_k. Weights: not negative, at least one positive. In (0, 1): what rounds to an
// end is the nearest number inside.
double NormalMixtureCdf(absl::Span<const double> weight, absl::Span<const double> center, double v);

// The v with F(v) = u, for u in (0, 1), to the precision of float64: solved in the tail that u lies in, by Newton steps
// on Phi^-1(F(v)), kept inside a bracket that halves where a step leaves it. Sums over all kernels at every step.
double NormalMixtureQuantile(absl::Span<const double> weight, absl::Span<const double> center, double u);

// Quantiles of one mixture of many kernels, without a sum over them at every step: kernels are gathered in cells a
// quarter wide, each of which acts through the first moments of its kernels about its middle e,
//   Phi(x - e) = Phi(x) - N(x) sum_{n >= 1} e^n / n! He_{n-1}(x),
// an expansion that is exact to 1e-17 of the total weight after twelve terms. Not thread-safe while it is made.
class BinnedNormalMixture {
 public:
  // Copies nothing: both must outlive this. May be called again.
  void Reset(absl::Span<const double> weight, absl::Span<const double> center);

  // As NormalMixtureQuantile, and by it where the cells would not do: in the outermost 1e-4 of either tail, for few
  // kernels, and for kernels so far apart that most cells would be empty.
  double Quantile(double u) const;

 private:
  // sum_k w_k Phi(sign (v - c_k)) and, through `height`, sum_k w_k N(v - c_k).
  double Tail(double sign, double v, double& height) const;

  absl::Span<const double> weight_;
  absl::Span<const double> center_;
  bool binned_ = false;
  double origin_ = 0;  // the middle of cell 0
  double low_ = 0;     // the outermost centres
  double high_ = 0;
  double mean_ = 0;
  double deviation_ = 0;  // of F
  double total_ = 0;
  std::vector<double> moments_;  // (cells, terms): sum_k w_k (c_k - middle)^n / n!
  std::vector<double> before_;   // (cells + 1): weight of the cells below
};

}  // namespace creamery

#endif  // CREAMERY_MODELS_DENSITIES_NORMAL_MIXTURE_H_
