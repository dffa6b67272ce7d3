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

// What the maps compute with; see ColumnMap. A struct around an enum keeps the names apart and the numbers integers.
struct MapNumber {
  enum : int {
    kSign,    // of theta - origin
    kOrigin,  // of a log
    kShift,
    kScale,
    kLower,  // bounds of t
    kUpper,
    kSafeLower,  // the same, a few roundings of a log further in
    kSafeUpper,
    kLow,  // bounds of theta
    kHigh,
    kWidth,  // upper - lower
    kZoomCenter,
    kZoomScale,
    kLowerS,  // (lower - zoom_center) / zoom_scale
    kUpperS,
    kBelowLower,  // Phi of it
    kAboveLower,  // 1 - Phi of it
    kBelowUpper,  // and of the upper bound
    kAboveUpper,
    kMass,          // Phi(upper) - Phi(lower)
    kConstant,      // what is the same everywhere of log |dy/dtheta|
    kUnitConstant,  // of log |du/dt|
    kCount
  };
};

// A bin [x, x + dx] of a spline, mapped to [y, y + dy].
struct BinNumber {
  enum : int { kX, kY, kDx, kDy, kSlope, kD0, kD1, kXAbove, kYAbove, kCount };  // kXAbove: 1 - x - dx
};

// Up to 8 columns whose maps take the same steps, and their numbers.
struct ColumnBlock {
  static constexpr int64_t kColumns = 8;

  bool is_log = false;
  bool is_zoomed = false;
  ColumnMap::Space space = ColumnMap::Space::kStandardized;
  int64_t bins = 0;               // of the spline with the most; 0 without splines
  std::vector<int64_t> columns;   // at most kColumns
  AlignedVector<double> numbers;  // (MapNumber::kCount, kColumns); places beyond the columns repeat the first one
  AlignedVector<double> spline;   // (BinNumber::kCount, bins, kColumns)
};

struct ColumnBlocks {
  struct Place {
    int64_t block;
    int64_t column;  // within the block
  };
  std::vector<ColumnBlock> blocks;
  std::vector<Place> places;  // (d): where each column is
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
  // theta and d f / dy -> gradient: (rows, d) = d (f + ladj) / dtheta. 0 in columns where ladj
  // is -inf.
  void Gradient(const double* theta, const double* y_adjoint, int64_t rows, int64_t stride, double* gradient) const;

  // The same of one row; all arrays are (d), ladj too: a number per column, to be summed in their order.
  void ForwardOne(const double* theta, double* y, double* ladj) const;
  void InverseOne(const double* y, double* theta) const;
  void GradientOne(const double* theta, const double* y_adjoint, double* gradient) const;

  int64_t memory_bytes() const;

 private:
  ColumnBlocks blocks_;
};

}  // namespace creamery

#endif  // CREAMERY_MODELS_PLAN_FUSED_COLUMN_MAPS_H_
