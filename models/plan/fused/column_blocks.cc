// How column maps are laid out for lanes.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "models/plan/fused/base.h"
#include "models/plan/fused/column_maps.h"

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kLargest = std::numeric_limits<double>::max();
constexpr double kLogSqrtTwoPi = 0.91893853320467274178;

using Scale = ColumnMap::Scale;
using Space = ColumnMap::Space;

bool Fits(const ColumnBlock& block, const ColumnMap& map) {
  return static_cast<int64_t>(block.columns.size()) < ColumnBlock::kColumns && block.space == map.space &&
         block.is_log == (map.scale_of_t != Scale::kLinear) && block.is_zoomed == (map.zoom_scale > 0) &&
         (block.bins > 0) == !map.spline.x.empty();
}

// theta of a bound of t.
double FromScale(const ColumnMap& map, double t) {
  if (map.scale_of_t == Scale::kLinear) return t;
  return map.scale_of_t == Scale::kLogAbove ? map.origin + std::exp(t) : map.origin - std::exp(t);
}

// A log of a theta that was found inside must not be found outside by another log: four roundings are left.
double SafeBound(const ColumnMap& map, double t, double towards) {
  if (map.scale_of_t == Scale::kLinear || std::isinf(t)) return t;
  for (int i = 0; i < 4; ++i) t = std::nextafter(t, towards);
  return t;
}

void SetZoom(const ColumnMap& map, double* numbers[]) {
  const double ends[] = {(map.lower - map.zoom_center) / map.zoom_scale,
                         (map.upper - map.zoom_center) / map.zoom_scale};
  const double mirrored[] = {-ends[0], -ends[1]};
  double below[2];
  double above[2];
  NormalCdfs(ends, 2, below);
  NormalCdfs(mirrored, 2, above);
  *numbers[MapNumber::kLowerS] = ends[0];
  *numbers[MapNumber::kUpperS] = ends[1];
  *numbers[MapNumber::kBelowLower] = below[0];
  *numbers[MapNumber::kAboveLower] = above[0];
  *numbers[MapNumber::kBelowUpper] = below[1];
  *numbers[MapNumber::kAboveUpper] = above[1];
  // From the tails that do not cancel.
  const double mass = ends[0] > 0 ? above[0] - above[1] : below[1] - below[0];
  *numbers[MapNumber::kMass] = mass;
  *numbers[MapNumber::kUnitConstant] = -kLogSqrtTwoPi - std::log(map.zoom_scale) - std::log(mass);
}

void SetNumbers(const ColumnMap& map, int64_t place, AlignedVector<double>& to) {
  double* numbers[MapNumber::kCount];
  for (int n = 0; n < MapNumber::kCount; ++n) numbers[n] = &to[n * ColumnBlock::kColumns + place];
  const bool is_bounded = map.space != Space::kStandardized;
  *numbers[MapNumber::kSign] = map.scale_of_t == Scale::kLogBelow ? -1 : 1;
  *numbers[MapNumber::kOrigin] = map.origin;
  *numbers[MapNumber::kShift] = map.shift;
  *numbers[MapNumber::kScale] = map.scale;
  *numbers[MapNumber::kLower] = map.lower;
  *numbers[MapNumber::kUpper] = map.upper;
  *numbers[MapNumber::kSafeLower] = SafeBound(map, map.lower, kInfinity);
  *numbers[MapNumber::kSafeUpper] = SafeBound(map, map.upper, -kInfinity);
  double low = map.scale_of_t == Scale::kLogAbove ? map.origin : -kLargest;
  double high = map.scale_of_t == Scale::kLogBelow ? map.origin : kLargest;
  if (is_bounded) {
    const double a = FromScale(map, map.lower);
    const double b = FromScale(map, map.upper);
    low = std::max(low, std::min(a, b));
    high = std::min(high, std::max(a, b));
  }
  *numbers[MapNumber::kLow] = low;
  *numbers[MapNumber::kHigh] = high;
  *numbers[MapNumber::kWidth] = map.upper - map.lower;
  *numbers[MapNumber::kZoomCenter] = map.zoom_center;
  *numbers[MapNumber::kZoomScale] = map.zoom_scale;
  double constant = 0;
  if (is_bounded) {
    *numbers[MapNumber::kUnitConstant] = -std::log(map.upper - map.lower);
    if (map.zoom_scale > 0) SetZoom(map, numbers);
    constant = *numbers[MapNumber::kUnitConstant];
  }
  if (map.space == Space::kProbit) constant += kLogSqrtTwoPi;
  if (map.space != Space::kUnit) constant -= std::log(map.scale);
  *numbers[MapNumber::kConstant] = constant;
}

// Beyond the bins of this spline, ones that hold nothing.
void SetSpline(const SplineKnots& knots, int64_t place, int64_t bins, AlignedVector<double>& to) {
  const auto own = static_cast<int64_t>(knots.x.size()) - 1;
  const auto at = [&](int number, int64_t k) -> double& {
    return to[(number * bins + k) * ColumnBlock::kColumns + place];
  };
  for (int64_t k = 0; k < bins; ++k) {
    if (k >= own) {
      at(BinNumber::kX, k) = kInfinity;
      at(BinNumber::kY, k) = kInfinity;
      continue;
    }
    at(BinNumber::kX, k) = knots.x[k];
    at(BinNumber::kY, k) = knots.y[k];
    at(BinNumber::kDx, k) = knots.x[k + 1] - knots.x[k];
    at(BinNumber::kDy, k) = knots.y[k + 1] - knots.y[k];
    at(BinNumber::kSlope, k) = at(BinNumber::kDy, k) / at(BinNumber::kDx, k);
    at(BinNumber::kD0, k) = knots.slope[k];
    at(BinNumber::kD1, k) = knots.slope[k + 1];
    at(BinNumber::kXAbove, k) = 1 - knots.x[k + 1];
    at(BinNumber::kYAbove, k) = 1 - knots.y[k + 1];
  }
}

}  // namespace

ColumnMaps::ColumnMaps(absl::Span<const ColumnMap> columns) {
  for (size_t j = 0; j < columns.size(); ++j) {
    const ColumnMap& map = columns[j];
    size_t b = 0;
    while (b < blocks_.blocks.size() && !Fits(blocks_.blocks[b], map)) ++b;
    if (b == blocks_.blocks.size()) {
      blocks_.blocks.emplace_back();
      blocks_.blocks[b].is_log = map.scale_of_t != Scale::kLinear;
      blocks_.blocks[b].is_zoomed = map.zoom_scale > 0;
      blocks_.blocks[b].space = map.space;
    }
    ColumnBlock& block = blocks_.blocks[b];
    block.bins = std::max(block.bins, map.spline.x.empty() ? 0 : static_cast<int64_t>(map.spline.x.size()) - 1);
    blocks_.places.push_back({static_cast<int64_t>(b), static_cast<int64_t>(block.columns.size())});
    block.columns.push_back(static_cast<int64_t>(j));
  }
  for (ColumnBlock& block : blocks_.blocks) {
    block.numbers.resize(MapNumber::kCount * ColumnBlock::kColumns);
    block.spline.resize(BinNumber::kCount * block.bins * ColumnBlock::kColumns);
    for (int64_t place = 0; place < ColumnBlock::kColumns; ++place) {
      const bool is_own = place < static_cast<int64_t>(block.columns.size());
      const ColumnMap& map = columns[block.columns[is_own ? place : 0]];
      SetNumbers(map, place, block.numbers);
      if (block.bins > 0) SetSpline(map.spline, place, block.bins, block.spline);
    }
  }
}

int64_t ColumnMaps::memory_bytes() const {
  size_t bytes = sizeof(*this) + blocks_.places.size() * sizeof(ColumnBlocks::Place);
  for (const ColumnBlock& block : blocks_.blocks) {
    bytes += sizeof(block) + block.columns.size() * sizeof(int64_t);
    bytes += (block.numbers.size() + block.spline.size()) * sizeof(double);
  }
  return static_cast<int64_t>(bytes);
}

}  // namespace creamery
