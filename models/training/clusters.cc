#include "models/training/clusters.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "models/random.h"
#include "models/training/resampling.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr int64_t kRows = 20000;
constexpr int64_t kSilhouetteRows = 1000;
constexpr int kRuns = 10;
constexpr int kIterations = 100;

double SquaredDistance(const double* a, const double* b, int64_t d) {
  double sum = 0;
  for (int64_t j = 0; j < d; ++j) sum += (a[j] - b[j]) * (a[j] - b[j]);
  return sum;
}

// The rows that are kept, and their weights, sum 1.
struct Points {
  int64_t d = 0;
  std::vector<double> y;
  std::vector<double> weight;

  int64_t n() const { return static_cast<int64_t>(weight.size()); }
  const double* row(int64_t i) const { return &y[i * d]; }
};

Points Thin(absl::Span<const double> y, int64_t d, absl::Span<const double> weight, int64_t most, double offset) {
  WeightedRows rows = SystematicResample(weight, most, offset);
  Points points;
  points.d = d;
  for (const int64_t row : rows.row) points.y.insert(points.y.end(), y.begin() + row * d, y.begin() + (row + 1) * d);
  points.weight = std::move(rows.weight);
  return points;
}

struct Nearest {
  int64_t center = 0;
  double squared = 0;
};

Nearest FindNearest(const std::vector<double>& center, const double* row, int64_t d) {
  Nearest nearest{0, std::numeric_limits<double>::infinity()};
  for (int64_t c = 0; c * d < static_cast<int64_t>(center.size()); ++c) {
    const double squared = SquaredDistance(&center[c * d], row, d);
    if (squared < nearest.squared) nearest = {c, squared};
  }
  return nearest;
}

// The index where the running sum of `mass` passes u times its total.
int64_t Draw(const std::vector<double>& mass, double u) {
  const double target = u * std::accumulate(mass.begin(), mass.end(), 0.0);
  double passed = 0;
  int64_t last = 0;
  for (size_t i = 0; i < mass.size(); ++i) {
    if (mass[i] <= 0) continue;
    passed += mass[i];
    last = static_cast<int64_t>(i);
    if (passed > target) break;
  }
  return last;
}

// k-means++: each further centre is a row drawn by its weight times its squared distance to the centres so far.
absl::StatusOr<std::vector<double>> SeedCenters(const Points& points, int64_t k, const RandomStream& stream, int run) {
  std::vector<double> center;
  std::vector<double> mass = points.weight;
  for (int64_t c = 0; c < k; ++c) {
    if (*std::max_element(mass.begin(), mass.end()) <= 0) {
      return absl::FailedPreconditionError(absl::StrCat("only ", c, " distinct rows for ", k, " clusters"));
    }
    const int64_t row = Draw(mass, stream.Uniform(c, static_cast<uint32_t>(run + 1)));
    center.insert(center.end(), points.row(row), points.row(row) + points.d);
    for (int64_t i = 0; i < points.n(); ++i) {
      mass[i] = points.weight[i] * FindNearest(center, points.row(i), points.d).squared;
    }
  }
  return center;
}

// One look at every row: moves each centre to the weighted mean of its rows. Returns the spread before the move.
double MoveCenters(const Points& points, std::vector<double>& center) {
  const int64_t d = points.d;
  std::vector<double> sum(center.size(), 0.0);
  std::vector<double> mass(center.size() / d, 0.0);
  double spread = 0;
  for (int64_t i = 0; i < points.n(); ++i) {
    const Nearest nearest = FindNearest(center, points.row(i), d);
    const double w = points.weight[i];
    spread += w * nearest.squared;
    mass[nearest.center] += w;
    for (int64_t j = 0; j < d; ++j) sum[nearest.center * d + j] += w * points.row(i)[j];
  }
  for (size_t at = 0; at < center.size(); ++at) {
    if (mass[at / d] > 0) center[at] = sum[at] / mass[at / d];  // a centre without rows stays
  }
  return spread;
}

void SortByFirstCoordinate(Clusters& clusters) {
  const int64_t d = clusters.d;
  std::vector<int64_t> order(clusters.k());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return clusters.center[a * d] < clusters.center[b * d]; });
  std::vector<double> sorted;
  for (const int64_t c : order) {
    sorted.insert(sorted.end(), clusters.center.begin() + c * d, clusters.center.begin() + (c + 1) * d);
  }
  clusters.center = std::move(sorted);
}

}  // namespace

std::vector<int64_t> Clusters::Assign(absl::Span<const double> y) const {
  std::vector<int64_t> assigned;
  for (size_t at = 0; at < y.size(); at += d) assigned.push_back(FindNearest(center, &y[at], d).center);
  return assigned;
}

absl::StatusOr<Clusters> FindClusters(absl::Span<const double> y, int64_t d, absl::Span<const double> weight, int64_t k,
                                      uint64_t seed, const StopToken& stop) {
  const RandomStream stream(seed, RandomPurpose::kClusters);
  const Points points = Thin(y, d, weight, kRows, stream.Uniform(0));
  Clusters best;
  best.d = d;
  best.spread = std::numeric_limits<double>::infinity();
  for (int run = 0; run < (k == 1 ? 1 : kRuns); ++run) {
    ABSL_ASSIGN_OR_RETURN(std::vector<double> center, SeedCenters(points, k, stream, run));
    double spread = std::numeric_limits<double>::infinity();
    for (int iteration = 0; iteration < kIterations; ++iteration) {
      ABSL_RETURN_IF_ERROR(stop.Check());
      const double before = std::exchange(spread, MoveCenters(points, center));
      if (!(spread < before * (1 - 1e-9))) break;
    }
    if (spread < best.spread) {
      best.spread = spread;
      best.center = std::move(center);
    }
  }
  SortByFirstCoordinate(best);
  return best;
}

double Silhouette(const Clusters& clusters, absl::Span<const double> y, absl::Span<const double> weight,
                  uint64_t seed) {
  const int64_t k = clusters.k();
  if (k < 2) return 0;
  const Points points =
      Thin(y, clusters.d, weight, kSilhouetteRows, RandomStream(seed, RandomPurpose::kClusters).Uniform(0));
  const std::vector<int64_t> assigned = clusters.Assign(points.y);
  std::vector<double> mass(k, 0.0);
  for (int64_t i = 0; i < points.n(); ++i) mass[assigned[i]] += points.weight[i];
  double sum = 0;
  for (int64_t i = 0; i < points.n(); ++i) {
    std::vector<double> distance(k, 0.0);
    for (int64_t j = 0; j < points.n(); ++j) {
      distance[assigned[j]] += points.weight[j] * std::sqrt(SquaredDistance(points.row(i), points.row(j), clusters.d));
    }
    // The row itself is no neighbour of its own.
    const double others = mass[assigned[i]] - points.weight[i];
    if (others <= 0) continue;
    const double own = distance[assigned[i]] / others;
    double nearest = std::numeric_limits<double>::infinity();
    for (int64_t c = 0; c < k; ++c) {
      if (c != assigned[i] && mass[c] > 0) nearest = std::min(nearest, distance[c] / mass[c]);
    }
    if (std::isfinite(nearest)) sum += points.weight[i] * (nearest - own) / std::max(nearest, own);
  }
  return sum;
}

}  // namespace creamery
