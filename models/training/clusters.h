// Weighted k-means (Lloyd 1982) and silhouettes (Rousseeuw 1987). Every row counts by its weight: in the seeding, in
// the centres, in the mean distances. Functions of their arguments alone.
#ifndef CREAMERY_MODELS_TRAINING_CLUSTERS_H_
#define CREAMERY_MODELS_TRAINING_CLUSTERS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "proto/support/stop_token.h"

namespace creamery {

// k centres of d columns, by increasing first coordinate.
struct Clusters {
  int64_t d = 0;
  std::vector<double> center;  // (k, d)
  double spread = 0;           // weighted mean squared distance to the nearest centre

  int64_t k() const { return static_cast<int64_t>(center.size()) / d; }
  // The nearest centre of each row of y: (n, d); the lower number of two that are equally near.
  std::vector<int64_t> Assign(absl::Span<const double> y) const;
};

// y: (n, d), weight: (n), positive. The best of ten runs of at most 100 iterations, seeded by k-means++ (Arthur &
// Vassilvitskii 2007), on at most 20 000 rows: more are resampled by weight. FAILED_PRECONDITION for fewer than k
// distinct rows; CANCELLED or DEADLINE_EXCEEDED from `stop`.
absl::StatusOr<Clusters> FindClusters(absl::Span<const double> y, int64_t d, absl::Span<const double> weight, int64_t k,
                                      uint64_t seed, const StopToken& stop);

// Weighted mean over rows of (b - a) / max(a, b), a the weighted mean distance to the row's own cluster and b to the
// nearest other one; in [-1, 1], larger for clusters further apart; 0 for one cluster. At most 1000 rows, resampled by
// weight, since the work grows as their square.
double Silhouette(const Clusters& clusters, absl::Span<const double> y, absl::Span<const double> weight, uint64_t seed);

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_CLUSTERS_H_
