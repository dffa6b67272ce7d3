// The column maps of a plan in lanes, float64: what MapForward and MapInverse say of one number, of many at a time.
// Points in lanes for tiles of rows, columns in lanes for a single row, with the same bits in both. MapForward is the
// reference: it agrees to rounding (a few units in the last place of each elementary function).
//
// Immutable and thread-safe; built once when a density is made.
#ifndef CREAMERY_MODELS_PLAN_FUSED_COLUMN_MAPS_H_
#define CREAMERY_MODELS_PLAN_FUSED_COLUMN_MAPS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "models/plan/fused/aligned.h"
#include "models/plan/plan.h"

namespace creamery {

// Up to 8 columns whose maps have the same steps, and their numbers.
struct ColumnBlock {
  static constexpr int64_t kColumns = 8;

  bool is_log = false;
  bool is_zoomed = false;
  ColumnMap::Space space = ColumnMap::Space::kStandardized;
  int64_t bins = 0;               // of the splines, at most; 0 without
  std::vector<int64_t> columns;   // at most kColumns
  AlignedVector<double> numbers;  // (MapNumber, kColumns); places beyond the columns repeat the first one
  AlignedVector<double> spline;   // (BinNumber, bins, kColumns), in float64
};

class ColumnMaps {
 public:
  // `columns` have passed CheckColumnMap.
  explicit ColumnMaps(absl::Span<const ColumnMap> columns);

  // Tiles. theta: (rows, d). y and y_adjoint: (d, stride), a line per column, with rows in lanes; stride is at least
  // rows rounded up to a multiple of 8, and lanes beyond `rows` hold the last row again.

  // theta, finite -> y, and ladj: (stride), log |det dy/dtheta|, natural log, summed over the columns in their order;
  // -inf where a column is at or beyond a bound (y is then some finite number). Never NaN.
  void Forward(const double* theta, int64_t rows, int64_t stride, double* y, double* ladj) const;
  // y -> theta, strictly inside the bounds.
  void Inverse(const double* y, int64_t rows, int64_t stride, double* theta) const;
  // theta and d f / dy -> gradient: (rows, d) = d (f + ladj) / dtheta. In columns at or beyond a bound 0.
  void Gradient(const double* theta, const double* y_adjoint, int64_t rows, int64_t stride, double* gradient) const;

  // The same of one row; all arrays are (d) but ladj, a single number.
  void ForwardOne(const double* theta, double* y, double* ladj) const;
  void InverseOne(const double* y, double* theta) const;
  void GradientOne(const double* theta, const double* y_adjoint, double* gradient) const;

  int64_t memory_bytes() const;

 private:
  int64_t d_;
  std::vector<ColumnBlock> blocks_;
};

// Phi^-1 of p in [smallest normal number, 1 - 2^-53] and Phi, of `count` numbers, bit-identical whatever the count;
// in place if the arrays are the same.
void NormalQuantiles(const double* p, int64_t count, double* x);
void NormalCdfs(const double* x, int64_t count, double* p);

}  // namespace creamery

#endif  // CREAMERY_MODELS_PLAN_FUSED_COLUMN_MAPS_H_
