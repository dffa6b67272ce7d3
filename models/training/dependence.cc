#include "models/training/dependence.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "models/plan/column_map.h"
#include "models/statistics/weights.h"
#include "models/training/resampling.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr int kDegrees = 3;
constexpr int64_t kRows = 20000;
// Of a_11^2, so that columns that determine each other have a finite information.
constexpr double kMostCorrelation = 1 - 1e-12;

std::array<double, kDegrees> Hermite(double x) {
  return {x, (x * x - 1) / std::sqrt(2.0), (x * x * x - 3 * x) / std::sqrt(6.0)};
}

}  // namespace

std::vector<double> NormalScores(absl::Span<const double> value, absl::Span<const double> weight) {
  std::vector<size_t> order(value.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return value[a] < value[b]; });
  const double total = std::accumulate(weight.begin(), weight.end(), 0.0);
  std::vector<double> score(value.size());
  double below = 0;
  for (size_t i = 0; i < order.size();) {
    size_t end = i;
    double tied = 0;
    for (; end < order.size() && value[order[end]] == value[order[i]]; ++end) tied += weight[order[end]];
    const double middle = NormalQuantile(std::clamp((below + tied / 2) / total, 1e-12, 1 - 1e-12));
    for (; i < end; ++i) score[order[i]] = middle;
    below += tied;
  }
  return score;
}

double MutualInformation(absl::Span<const double> x, absl::Span<const double> y, absl::Span<const double> weight) {
  std::array<double, kDegrees * kDegrees> a{};
  double total = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const auto hx = Hermite(x[i]);
    const auto hy = Hermite(y[i]);
    total += weight[i];
    for (int k = 0; k < kDegrees; ++k) {
      for (int l = 0; l < kDegrees; ++l) a[k * kDegrees + l] += weight[i] * hx[k] * hy[l];
    }
  }
  double others = 0;
  for (size_t kl = 1; kl < a.size(); ++kl) others += a[kl] * a[kl];
  const double squared = std::min(a[0] * a[0] / (total * total), kMostCorrelation);
  return -0.5 * std::log1p(-squared) + 0.5 * others / (total * total);
}

double InformationNoise(double effective_rows, int64_t pairs) {
  constexpr double kFreedom = kDegrees * kDegrees;
  const double t = std::log(100.0 * static_cast<double>(std::max<int64_t>(1, pairs)));
  return (kFreedom + 2 * std::sqrt(kFreedom * t) + 2 * t) / (2 * effective_rows);
}

absl::StatusOr<std::vector<std::vector<int64_t>>> FindBlocks(absl::Span<const double> theta, int64_t d,
                                                             absl::Span<const double> weight, double effective_rows,
                                                             double threshold, double offset, const StopToken& stop) {
  const WeightedRows rows = SystematicResample(weight, kRows, offset);
  std::vector<std::vector<double>> score;
  for (int64_t j = 0; j < d; ++j) {
    ABSL_RETURN_IF_ERROR(stop.Check());
    std::vector<double> column;
    for (const int64_t row : rows.row) column.push_back(theta[row * d + j]);
    score.push_back(NormalScores(column, rows.weight));
  }
  const double size = std::min(effective_rows, KishSize(rows.weight));
  const double least = threshold + InformationNoise(size, d * (d - 1) / 2);
  std::vector<int64_t> first(d);  // the lowest parameter of each one's block
  std::iota(first.begin(), first.end(), 0);
  for (int64_t a = 0; a < d; ++a) {
    for (int64_t b = a + 1; b < d; ++b) {
      ABSL_RETURN_IF_ERROR(stop.Check());
      if (first[a] == first[b] || MutualInformation(score[a], score[b], rows.weight) <= least) continue;
      const auto [low, high] = std::minmax(first[a], first[b]);
      const int64_t from = high;
      const int64_t to = low;
      std::replace(first.begin(), first.end(), from, to);
    }
  }
  std::vector<std::vector<int64_t>> blocks;
  for (int64_t lowest = 0; lowest < d; ++lowest) {
    std::vector<int64_t> block;
    for (int64_t j = 0; j < d; ++j) {
      if (first[j] == lowest) block.push_back(j);
    }
    if (!block.empty()) blocks.push_back(std::move(block));
  }
  return blocks;
}

}  // namespace creamery
