#include "models/training/whitened_rows.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "models/plan/column_map.h"

namespace creamery {
namespace {

// Least part of a column's variance that the columns before it leave unexplained.
constexpr double kLeastPivot = 1e-10;

}  // namespace

std::vector<double> MapColumns(absl::Span<const ColumnMap> columns, const PreparedData& data,
                               absl::Span<const int64_t> use) {
  const int64_t d = data.d();
  std::vector<double> y;
  y.reserve(use.size() * d);
  for (const int64_t row : use) {
    for (int64_t j = 0; j < d; ++j) y.push_back(MapForward(columns[j], data.theta[row * d + j]).y);
  }
  return y;
}

absl::StatusOr<WhitenedSpace> FindWhitenedSpace(const std::vector<ColumnMap>& columns, const PreparedData& data,
                                                absl::Span<const int64_t> use) {
  const int64_t d = data.d();
  const std::vector<double> y = MapColumns(columns, data, use);
  WhitenedSpace space;
  space.columns = columns;
  space.mean.assign(d, 0.0);
  space.cholesky.assign(d * d, 0.0);
  double total = 0;
  for (size_t i = 0; i < use.size(); ++i) {
    total += data.weight[use[i]];
    for (int64_t j = 0; j < d; ++j) space.mean[j] += data.weight[use[i]] * y[i * d + j];
  }
  for (double& mean : space.mean) mean /= total;
  std::vector<double>& factor = space.cholesky;  // the covariance first
  for (size_t i = 0; i < use.size(); ++i) {
    for (int64_t a = 0; a < d; ++a) {
      const double scaled = data.weight[use[i]] / total * (y[i * d + a] - space.mean[a]);
      for (int64_t b = 0; b <= a; ++b) factor[a * d + b] += scaled * (y[i * d + b] - space.mean[b]);
    }
  }
  for (int64_t a = 0; a < d; ++a) {
    const double variance = factor[a * d + a];
    for (int64_t b = 0; b <= a; ++b) {
      double sum = factor[a * d + b];
      for (int64_t k = 0; k < b; ++k) sum -= factor[a * d + k] * factor[b * d + k];
      if (a != b) {
        factor[a * d + b] = sum / factor[b * d + b];
      } else if (sum > kLeastPivot * variance) {
        factor[a * d + a] = std::sqrt(sum);
      } else {
        return absl::FailedPreconditionError(absl::StrCat("parameter '", data.parameters[a].name(),
                                                          "' is a linear combination of parameters before it: leave "
                                                          "it out"));
      }
    }
  }
  return space;
}

std::vector<double> Whiten(const WhitenedSpace& space, const PreparedData& data, absl::Span<const int64_t> use) {
  const int64_t d = space.d();
  std::vector<double> y = MapColumns(space.columns, data, use);
  for (size_t i = 0; i < use.size(); ++i) {
    for (int64_t a = 0; a < d; ++a) {
      double sum = y[i * d + a] - space.mean[a];
      for (int64_t k = 0; k < a; ++k) sum -= space.cholesky[a * d + k] * y[i * d + k];
      y[i * d + a] = sum / space.cholesky[a * d + a];
    }
  }
  return y;
}

}  // namespace creamery
