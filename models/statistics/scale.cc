#include "models/statistics/scale.h"

#include <cmath>
#include <cstddef>

namespace creamery {
namespace {

constexpr int kHarmless = 200;

}  // namespace

int ScaleExponent(absl::Span<const double> values) { return ScaleExponent(values, {}); }

int ScaleExponent(absl::Span<const double> values, absl::Span<const double> weight) {
  double largest = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double magnitude = std::fabs(values[i]);
    if (magnitude > largest && std::isfinite(magnitude) && (weight.empty() || weight[i] > 0)) largest = magnitude;
  }
  if (largest == 0) return 0;
  const int exponent = std::ilogb(largest);
  return exponent < -kHarmless || exponent > kHarmless ? exponent : 0;
}

std::vector<double> TakeOut(int exponent, absl::Span<const double> values) {
  std::vector<double> scaled(values.begin(), values.end());
  if (exponent == 0) return scaled;
  for (double& value : scaled) value = std::ldexp(value, -exponent);
  return scaled;
}

}  // namespace creamery
