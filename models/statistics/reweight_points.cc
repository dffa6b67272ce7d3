#include "models/statistics/reweight_points.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <numeric>
#include <utility>

#include "models/random.h"

namespace creamery {
namespace {

// The c with sum min(1, w_i / c) = points, for fewer points than rows.
double Threshold(absl::Span<const double> weight, int64_t points) {
  std::vector<double> sorted(weight.begin(), weight.end());
  std::sort(sorted.begin(), sorted.end(), std::greater<double>());
  double rest = std::accumulate(sorted.begin(), sorted.end(), 0.0);
  // With the k heaviest rows taken for certain, c = rest / (points - k); right once the next row is not above it.
  for (int64_t k = 0; k < points; ++k) {
    const double c = rest / static_cast<double>(points - k);
    if (sorted[k] <= c) return c;
    rest -= sorted[k];
  }
  return sorted[points - 1];
}

uint32_t ReverseBits(uint32_t value) {
  uint32_t reversed = 0;
  for (int bit = 0; bit < 32; ++bit) reversed |= ((value >> bit) & 1u) << (31 - bit);
  return reversed;
}

}  // namespace

ChainPoints ThinChain(absl::Span<const double> weight, int64_t points, uint64_t seed) {
  const auto n = static_cast<int64_t>(weight.size());
  ChainPoints chosen;
  if (points >= n) {
    chosen.row.resize(n);
    std::iota(chosen.row.begin(), chosen.row.end(), int64_t{0});
    chosen.weight.assign(weight.begin(), weight.end());
  } else if (points > 0) {
    const double c = Threshold(weight, points);
    const double start = RandomStream(seed, RandomPurpose::kStatistics).Uniform(0);
    double position = 0;  // sum of the probabilities so far; a row is taken where it passes start + an integer
    for (int64_t i = 0; i < n; ++i) {
      const double before = position;
      position += std::min(1.0, weight[i] / c);
      if (std::floor(position - start) == std::floor(before - start)) continue;
      chosen.row.push_back(i);
      chosen.weight.push_back(std::max(weight[i], c));
    }
  }
  const auto size = static_cast<uint32_t>(chosen.row.size());
  std::vector<uint32_t> order(size);
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [](uint32_t a, uint32_t b) { return ReverseBits(a) < ReverseBits(b); });
  const double mean = std::accumulate(chosen.weight.begin(), chosen.weight.end(), 0.0) / std::max(1u, size);
  ChainPoints ordered;
  for (const uint32_t i : order) {
    ordered.row.push_back(chosen.row[i]);
    ordered.weight.push_back(chosen.weight[i] / mean);
  }
  return ordered;
}

}  // namespace creamery
