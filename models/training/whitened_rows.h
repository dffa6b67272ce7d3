// Rows in a space where distances mean something: mapped column by column, then of mean 0 and covariance I.
#ifndef CREAMERY_MODELS_TRAINING_WHITENED_ROWS_H_
#define CREAMERY_MODELS_TRAINING_WHITENED_ROWS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "models/data_preparation.h"
#include "models/plan/plan.h"

namespace creamery {

// The space, found from weighted rows: column maps, then y' = L^-1 (y - mean) with L L^T the weighted covariance of y.
struct WhitenedSpace {
  std::vector<ColumnMap> columns;  // d
  std::vector<double> mean;        // (d)
  std::vector<double> cholesky;    // (d, d) row-major lower triangular L

  int64_t d() const { return static_cast<int64_t>(columns.size()); }
};

// (n, d): column maps of rows `use` of `data`.
std::vector<double> MapColumns(absl::Span<const ColumnMap> columns, const PreparedData& data,
                               absl::Span<const int64_t> use);

// FAILED_PRECONDITION naming a parameter that is a combination of others.
absl::StatusOr<WhitenedSpace> FindWhitenedSpace(const std::vector<ColumnMap>& columns, const PreparedData& data,
                                                absl::Span<const int64_t> use);

// (n, d): rows `use` of `data` in `space`.
std::vector<double> Whiten(const WhitenedSpace& space, const PreparedData& data, absl::Span<const int64_t> use);

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_WHITENED_ROWS_H_
