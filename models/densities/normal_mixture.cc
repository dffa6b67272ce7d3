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
constexpr double kInverseSqrtTwoPi = 0.39894228040143267794;
// Halving alone needs about 60 steps from a bracket of 1e3 to 1e-15.
constexpr int kMostSteps = 120;

constexpr double kCellWidth = 0.25;
// The moments 0..12: (width / 2)^13 / 13 times the largest N(x) He_12(x), 1e4, is 1e-9 / 12!, below 1e-17.
constexpr int kTerms = 13;
// Beyond this many widths Phi is 0 or 1 to 1e-17.
constexpr double kReach = 8.5;
constexpr double kBinnedTail = 1e-4;
constexpr size_t kFewKernels = 200;

// Solves Tail(v) = p, p the part of the total weight, for the lower (sign 1) or the upper tail (sign -1).
// tail(v, height): part of the weight, and its slope. [low, high] holds the root, v is the first guess.
template <typename TailOf>
double Solve(double sign, double p, double low, double high, double v, const TailOf& tail_of) {
  const double z = NormalQuantile(p);
  for (int step = 0; step < kMostSteps && low < high; ++step) {
    double height = 0;
    const double tail = tail_of(v, height);
    ((tail < p) == (sign > 0) ? low : high) = v;
    const double x = tail > 0 && tail < 1 ? NormalQuantile(tail) : std::numeric_limits<double>::infinity();
    // d/dv Phi^-1(tail) = height / N(x)
    const double next = v + sign * (z - x) * kInverseSqrtTwoPi * std::exp(-0.5 * x * x) / height;
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

// The distance from the nearer end, and which end that is: sign 1 turns to the lower tail, -1 to the upper one.
double TailOf(double u, double& sign) {
  sign = u <= 0.5 ? 1 : -1;
  return std::max(u <= 0.5 ? u : 1 - u, kSmallest);
}

struct Shape {
  double total = 0;
  double mean = 0;
  double deviation = 0;
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
};

Shape ShapeOf(absl::Span<const double> weight, absl::Span<const double> center) {
  Shape shape;
  double first = 0;
  double second = 0;
  const double origin = center[0];
  for (size_t k = 0; k < weight.size(); ++k) {
    const double x = center[k] - origin;
    shape.total += weight[k];
    first += weight[k] * x;
    second += weight[k] * x * x;
    shape.low = std::min(shape.low, center[k]);
    shape.high = std::max(shape.high, center[k]);
  }
  first /= shape.total;
  shape.mean = origin + first;
  shape.deviation = std::sqrt(1 + std::max(second / shape.total - first * first, 0.0));
  return shape;
}

}  // namespace

double NormalMixtureCdf(absl::Span<const double> weight, absl::Span<const double> center, double v) {
  double below = 0;
  double above = 0;
  for (size_t k = 0; k < weight.size(); ++k) {
    const double x = (v - center[k]) * kSqrtHalf;
    // The smaller tail; the larger one follows without a loss.
    const double tail = 0.5 * weight[k] * std::erfc(std::fabs(x));
    below += x > 0 ? weight[k] - tail : tail;
    above += x > 0 ? tail : weight[k] - tail;
  }
  return std::clamp(below / (below + above), kSmallest, 1 - 0x1p-53);
}

double NormalMixtureQuantile(absl::Span<const double> weight, absl::Span<const double> center, double u) {
  const Shape shape = ShapeOf(weight, center);
  double sign = 1;
  const double p = TailOf(u, sign);
  const double z = sign * NormalQuantile(p);
  // Every kernel's own quantile is on the root's one side or the other.
  const double low = shape.low + z;
  const double high = shape.high + z;
  const double guess = std::clamp(shape.mean + z * shape.deviation, low, high);
  return Solve(sign, p, low, high, guess, [&](double v, double& height) {
    double tail = 0;
    for (size_t k = 0; k < weight.size(); ++k) {
      const double x = v - center[k];
      tail += weight[k] * std::erfc(-sign * kSqrtHalf * x);
      height += weight[k] * std::exp(-0.5 * x * x);
    }
    height *= kInverseSqrtTwoPi / shape.total;
    return 0.5 * tail / shape.total;
  });
}

void BinnedNormalMixture::Reset(absl::Span<const double> weight, absl::Span<const double> center) {
  weight_ = weight;
  center_ = center;
  binned_ = false;
  if (weight.size() < kFewKernels) return;
  const Shape shape = ShapeOf(weight, center);
  const double width = (shape.high - shape.low) / kCellWidth;
  if (!(width < static_cast<double>(weight.size()))) return;
  binned_ = true;
  low_ = shape.low;
  high_ = shape.high;
  mean_ = shape.mean;
  deviation_ = shape.deviation;
  total_ = shape.total;
  origin_ = low_ + 0.5 * kCellWidth;
  const size_t cells = static_cast<size_t>(width) + 1;
  moments_.assign(cells * kTerms, 0);
  for (size_t k = 0; k < weight.size(); ++k) {
    const auto cell = static_cast<size_t>((center[k] - low_) * (1 / kCellWidth));
    const double e = center[k] - (origin_ + kCellWidth * static_cast<double>(cell));
    double* moment = &moments_[cell * kTerms];
    double term = weight[k];
    for (int n = 0; n < kTerms; ++n) {
      moment[n] += term;
      term *= e;
    }
  }
  before_.assign(cells + 1, 0);
  for (size_t cell = 0; cell < cells; ++cell) {
    double factorial = 1;
    for (int n = 1; n < kTerms; ++n) {
      factorial *= n;
      moments_[cell * kTerms + n] /= factorial;
    }
    before_[cell + 1] = before_[cell] + moments_[cell * kTerms];
  }
}

double BinnedNormalMixture::Tail(double sign, double v, double& height) const {
  const auto cells = static_cast<int64_t>(before_.size()) - 1;
  const auto cell_of = [&](double x) {
    return static_cast<int64_t>(std::clamp((x - low_) / kCellWidth, 0.0, static_cast<double>(cells)));
  };
  const int64_t begin = cell_of(v - kReach);
  const int64_t end = std::min(cell_of(v + kReach) + 1, cells);
  double tail = sign > 0 ? before_[begin] : before_[cells] - before_[end];
  height = 0;
  for (int64_t cell = begin; cell < end; ++cell) {
    const double* moment = &moments_[cell * kTerms];
    if (moment[0] == 0) continue;
    const double x = v - (origin_ + kCellWidth * static_cast<double>(cell));
    // Hermite polynomials He_n, He_{n-1} of x.
    double hermite = 1;
    double previous = 0;
    double below = 0;
    double density = moment[0];
    for (int n = 1; n < kTerms; ++n) {
      below += moment[n] * hermite;  // He_{n-1}
      const double next = x * hermite - (n - 1) * previous;
      previous = hermite;
      hermite = next;
      density += moment[n] * hermite;
    }
    const double normal = kInverseSqrtTwoPi * std::exp(-0.5 * x * x);
    height += normal * density;
    tail += moment[0] * NormalCdf(sign * x) - sign * normal * below;
  }
  return tail;
}

double BinnedNormalMixture::Quantile(double u) const {
  double sign = 1;
  const double p = TailOf(u, sign);
  if (!binned_ || p < kBinnedTail) return NormalMixtureQuantile(weight_, center_, u);
  const double z = sign * NormalQuantile(p);
  const double guess = std::clamp(mean_ + z * deviation_, low_ + z, high_ + z);
  return Solve(sign, p, low_ + z, high_ + z, guess, [&](double v, double& height) {
    const double tail = Tail(sign, v, height) / total_;
    height /= total_;
    return tail;
  });
}

}  // namespace creamery
