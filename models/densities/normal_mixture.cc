#include "models/densities/normal_mixture.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "models/plan/column_map.h"

namespace creamery {
namespace {

constexpr double kSmallest = std::numeric_limits<double>::min();
constexpr double kSqrtHalf = 0.70710678118654752440;
// Halving alone needs about 60 steps from a bracket of 1e3 to 1e-15.
constexpr int kMostSteps = 120;

// sum_k w_k Phi(sign (v - c_k))
double Tail(absl::Span<const double> weight, absl::Span<const double> center, double sign, double v) {
  double sum = 0;
  for (size_t k = 0; k < weight.size(); ++k) sum += weight[k] * std::erfc(sign * kSqrtHalf * (center[k] - v));
  return 0.5 * sum;
}

// sum_k w_k N(v; c_k, 1) sqrt(2 pi)
double Height(absl::Span<const double> weight, absl::Span<const double> center, double v) {
  double sum = 0;
  for (size_t k = 0; k < weight.size(); ++k) {
    const double x = v - center[k];
    sum += weight[k] * std::exp(-0.5 * x * x);
  }
  return sum;
}

}  // namespace

double NormalMixtureCdf(absl::Span<const double> weight, absl::Span<const double> center, double v) {
  const double below = Tail(weight, center, 1, v);
  const double above = Tail(weight, center, -1, v);
  return std::clamp(below / (below + above), kSmallest, 1 - 0x1p-53);
}

double NormalMixtureQuantile(absl::Span<const double> weight, absl::Span<const double> center, double u) {
  double total = 0;
  double mean = 0;
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  for (size_t k = 0; k < weight.size(); ++k) {
    total += weight[k];
    mean += weight[k] * center[k];
    low = std::min(low, center[k]);
    high = std::max(high, center[k]);
  }
  mean /= total;
  double variance = 1;
  for (size_t k = 0; k < weight.size(); ++k) {
    variance += weight[k] / total * (center[k] - mean) * (center[k] - mean);
  }
  // `sign` turns the axis so that the tail is a lower one, of probability p <= 1/2.
  const double sign = u <= 0.5 ? 1 : -1;
  const double p = std::max(u <= 0.5 ? u : 1 - u, kSmallest);
  const double z = NormalQuantile(p);
  // Every kernel's own quantile is on the root's one side or the other.
  low += sign * z;
  high += sign * z;
  double v = std::clamp(mean + sign * z * std::sqrt(variance), low, high);
  for (int step = 0; step < kMostSteps && low < high; ++step) {
    const double tail = Tail(weight, center, sign, v) / total;
    ((tail < p) == (sign > 0) ? low : high) = v;
    const double x = tail > 0 && tail < 1 ? NormalQuantile(tail) : std::numeric_limits<double>::infinity();
    // d/dv Phi^-1(tail) = density / N(x)
    const double slope = Height(weight, center, v) / total * std::exp(0.5 * x * x);
    const double next = v + sign * (z - x) / slope;
    if (next >= low && next <= high) {
      const double moved = std::fabs(next - v);
      v = next;
      // Newton's error is of the order of the square of its last step.
      if (moved <= 1e-9 * (1 + std::fabs(v))) break;
    } else {
      const double middle = 0.5 * low + 0.5 * high;
      if (middle == low || middle == high) break;
      v = middle;
    }
  }
  return v;
}

}  // namespace creamery
