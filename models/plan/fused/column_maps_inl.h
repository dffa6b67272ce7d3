// The maps of ColumnBlock on float64 vectors: with points in lanes the numbers of one column in all lanes, with columns
// in lanes those of a column in each. The formulas and the care at the ends are those of column_map.cc. Included once
// per instruction set, hence no ordinary include guard.
#if defined(CREAMERY_MODELS_PLAN_FUSED_COLUMN_MAPS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CREAMERY_MODELS_PLAN_FUSED_COLUMN_MAPS_INL_H_
#undef CREAMERY_MODELS_PLAN_FUSED_COLUMN_MAPS_INL_H_
#else
#define CREAMERY_MODELS_PLAN_FUSED_COLUMN_MAPS_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>
#include <limits>

#include "models/plan/fused/column_maps.h"
#include "models/plan/fused/normal64_inl.h"

HWY_BEFORE_NAMESPACE();
namespace creamery {
namespace HWY_NAMESPACE {

using IndexLanes64 = hn::RebindToSigned<Lanes64>;
using IndexVector64 = hn::Vec<IndexLanes64>;

// The numbers of one column in all lanes.
class OneColumn {
 public:
  OneColumn(const ColumnBlock& block, int64_t column)
      : block(block), first(column), numbers_(block.numbers.data() + column), spline_(block.spline.data() + column) {}

  HWY_INLINE Vector64 operator()(int number) const { return Number64(numbers_[number * ColumnBlock::kColumns]); }
  HWY_INLINE Vector64 Knot(int number, int64_t bin) const {
    return Number64(spline_[(number * block.bins + bin) * ColumnBlock::kColumns]);
  }
  HWY_INLINE IndexVector64 Places() const { return hn::Set(IndexLanes64(), first); }

  const ColumnBlock& block;
  const int64_t first;

 private:
  const double* numbers_;
  const double* spline_;
};

// Those of columns first, first + 1, ... of the block, one in each lane.
class ManyColumns {
 public:
  ManyColumns(const ColumnBlock& block, int64_t first)
      : block(block), first(first), numbers_(block.numbers.data() + first), spline_(block.spline.data() + first) {}

  HWY_INLINE Vector64 operator()(int number) const { return Load64(numbers_ + number * ColumnBlock::kColumns); }
  HWY_INLINE Vector64 Knot(int number, int64_t bin) const {
    return Load64(spline_ + (number * block.bins + bin) * ColumnBlock::kColumns);
  }
  HWY_INLINE IndexVector64 Places() const { return hn::Iota(IndexLanes64(), first); }

  const ColumnBlock& block;
  const int64_t first;

 private:
  const double* numbers_;
  const double* spline_;
};

// A bin of a spline of the unit interval, [x, x + dx] to [y, y + dy]; `x_above` and `y_above` are 1 - x - dx and
// 1 - y - dy.
struct Bin64 {
  Vector64 x, y, dx, dy, s, d0, d1, x_above, y_above;
};

// The bin that holds `value`, of x for kX, of y for kY.
template <class Column>
HWY_INLINE Bin64 FindBin(const Column& column, int knots, Vector64 value) {
  const IndexLanes64 di;
  const int64_t bins = column.block.bins;
  IndexVector64 place = column.Places();
  for (int64_t k = 1; k < bins; ++k) {
    const auto beyond = hn::RebindMask(di, hn::Ge(value, column.Knot(knots, k)));
    place = hn::Add(place, hn::IfThenElseZero(beyond, hn::Set(di, ColumnBlock::kColumns)));
  }
  const double* numbers = column.block.spline.data();
  const auto get = [&](int number) HWY_ATTR {
    return hn::GatherIndex(Lanes64(), numbers + number * bins * ColumnBlock::kColumns, place);
  };
  return {get(BinNumber::kX),  get(BinNumber::kY),      get(BinNumber::kDx),
          get(BinNumber::kDy), get(BinNumber::kSlope),  get(BinNumber::kD0),
          get(BinNumber::kD1), get(BinNumber::kXAbove), get(BinNumber::kYAbove)};
}

// A place in a bin with what the formulas of the spline share.
struct SplinePlace64 {
  HWY_INLINE SplinePlace64(const Bin64& bin, const UnitPosition64& u) : bin(bin) {
    const Vector64 half = Number64(0.5);
    const Vector64 one = Number64(1);
    xi = Clamp64(hn::Div(hn::Sub(u.below, bin.x), bin.dx), 0, 1);
    const Vector64 from_top = hn::Div(hn::Sub(u.above, bin.x_above), bin.dx);
    eta = Clamp64(hn::IfThenElse(hn::Gt(u.below, half), from_top, hn::Sub(one, xi)), 0, 1);
    product = hn::Mul(xi, eta);
    bend = hn::NegMulAdd(Number64(2), bin.s, hn::Add(bin.d0, bin.d1));
    denominator = hn::MulAdd(bend, product, bin.s);
    const Vector64 middle = hn::Mul(hn::Add(bin.s, bin.s), product);
    slope_numerator = hn::MulAdd(hn::Mul(bin.d1, xi), xi, hn::MulAdd(hn::Mul(bin.d0, eta), eta, middle));
  }

  const Bin64& bin;
  Vector64 xi, eta, product, bend, denominator, slope_numerator;
};

HWY_INLINE UnitPosition64 SplineForward(const SplinePlace64& at) {
  const Bin64& bin = at.bin;
  const Vector64 share = hn::Div(bin.dy, at.denominator);
  const Vector64 from_low = hn::MulAdd(hn::Mul(bin.s, at.xi), at.xi, hn::Mul(bin.d0, at.product));
  const Vector64 from_high = hn::MulAdd(hn::Mul(bin.s, at.eta), at.eta, hn::Mul(bin.d1, at.product));
  return {hn::MulAdd(share, from_low, bin.y), hn::MulAdd(share, from_high, bin.y_above)};
}

HWY_INLINE Vector64 SplineLadj(const SplinePlace64& at) {
  const Vector64 ratio = hn::Div(at.bin.s, at.denominator);
  return Log(hn::Mul(hn::Mul(ratio, ratio), at.slope_numerator));
}

// d ladj / du.
HWY_INLINE Vector64 SplineLadjSlope(const SplinePlace64& at) {
  const Bin64& bin = at.bin;
  const Vector64 turn = hn::Sub(at.eta, at.xi);
  Vector64 rise = hn::MulAdd(bin.d1, at.xi, hn::Mul(bin.s, turn));
  rise = hn::NegMulAdd(bin.d0, at.eta, rise);
  const Vector64 first = hn::Div(hn::Add(rise, rise), at.slope_numerator);
  const Vector64 second = hn::Div(hn::Mul(hn::Add(at.bend, at.bend), turn), at.denominator);
  return hn::Div(hn::Sub(first, second), bin.dx);
}

// Fraction of a bin, from the end that has slope `near`, at a distance `offset` in y from that end.
HWY_INLINE Vector64 SolveBin(const Bin64& bin, Vector64 near, Vector64 far, Vector64 offset) {
  const Vector64 bend = hn::NegMulAdd(Number64(2), bin.s, hn::Add(near, far));
  const Vector64 a = hn::MulAdd(offset, bend, hn::Mul(bin.dy, hn::Sub(bin.s, near)));
  const Vector64 b = hn::NegMulAdd(offset, bend, hn::Mul(bin.dy, near));
  const Vector64 c = hn::Neg(hn::Mul(bin.s, offset));
  const Vector64 square = hn::NegMulAdd(hn::Mul(Number64(4), a), c, hn::Mul(b, b));
  const Vector64 root = hn::Sqrt(Clamp64(square, 0, std::numeric_limits<double>::max()));
  return Clamp64(hn::Div(hn::Add(c, c), hn::Neg(hn::Add(b, root))), 0, 1);
}

template <class Column>
HWY_INLINE UnitPosition64 SplineInverse(const Column& column, const UnitPosition64& v) {
  const Vector64 one = Number64(1);
  const Bin64 bin = FindBin(column, BinNumber::kY, v.below);
  const Mask64 is_low = hn::Le(v.below, Number64(0.5));
  const Vector64 offset = hn::IfThenElse(is_low, hn::Sub(v.below, bin.y), hn::Sub(v.above, bin.y_above));
  const Vector64 part = SolveBin(bin, hn::IfThenElse(is_low, bin.d0, bin.d1), hn::IfThenElse(is_low, bin.d1, bin.d0),
                                 Clamp64(offset, 0, 1));
  const Vector64 near = hn::MulAdd(bin.dx, part, hn::IfThenElse(is_low, bin.x, bin.x_above));
  const Vector64 far = hn::Sub(one, near);
  return {hn::IfThenElse(is_low, near, far), hn::IfThenElse(is_low, far, near)};
}

// theta on its way to y.
struct Mapped64 {
  Mask64 is_inside;
  Vector64 distance;  // theta - origin, of a log
  Vector64 t;
  Vector64 s;       // (t - zoom_center) / zoom_scale
  Vector64 u_ladj;  // log du/dt, of a spline's u
  Vector64 x;       // Phi^-1 of the unit interval
  Vector64 y;
  Vector64 ladj;
};

// theta -> t. Where it is not inside the scale's domain, t is some number.
template <class Column>
HWY_INLINE void ToScale(const Column& column, Vector64 theta, Mapped64& at) {
  constexpr double kLargest = std::numeric_limits<double>::max();
  if (!column.block.is_log) {
    at.t = theta;
    at.is_inside = hn::Eq(theta, theta);
    return;
  }
  at.distance = hn::Sub(theta, column(MapNumber::kOrigin));
  const Vector64 outwards = hn::Mul(at.distance, column(MapNumber::kSign));
  at.is_inside = hn::Gt(outwards, hn::Zero(Lanes64()));
  at.t = Log(Clamp64(outwards, 0, kLargest));
}

template <class Column>
HWY_INLINE Mask64 IsBetween(const Column& column, const Mapped64& at, int lower, int upper) {
  if (column.block.space == ColumnMap::Space::kStandardized) return at.is_inside;
  return hn::And(at.is_inside, hn::And(hn::Gt(at.t, column(lower)), hn::Lt(at.t, column(upper))));
}

// Phi(s) - Phi(end), or the other way round, where it is small for a small width = |s - end|; see NormalMass.
HWY_INLINE Vector64 NearMass(Vector64 s, Vector64 end, Vector64 width, Vector64 mass) {
  const Vector64 one = Number64(1);
  const Vector64 middle = hn::Mul(Number64(0.5), hn::Add(s, end));
  const Vector64 size = hn::Abs(middle);
  const Mask64 is_near = hn::Lt(hn::Mul(width, hn::IfThenElse(hn::Gt(size, one), size, one)), Number64(1e-3));
  if (hn::AllFalse(Lanes64(), is_near)) return mass;
  const Vector64 square = hn::Mul(middle, middle);
  const Vector64 bend = hn::Mul(hn::Mul(width, width), hn::Mul(hn::Sub(square, one), Number64(1.0 / 24)));
  const Vector64 density = hn::Mul(Number64(0.39894228040143267794), Exp(hn::Mul(Number64(-0.5), square)));
  return hn::IfThenElse(is_near, hn::Mul(hn::Mul(width, density), hn::Add(one, bend)), mass);
}

// The part of the mass between the bounds that lies on either side of at.s; sets at.u_ladj but for a constant.
template <class Column>
HWY_INLINE UnitPosition64 ZoomForward(const Column& column, Mapped64& at) {
  const Vector64 zero = hn::Zero(Lanes64());
  at.s = hn::Div(hn::Sub(at.t, column(MapNumber::kZoomCenter)), column(MapNumber::kZoomScale));
  const UnitPosition64 cdf = NormalCdf(at.s);
  // From the tails that do not cancel.
  Vector64 below =
      hn::IfThenElse(hn::Gt(column(MapNumber::kLowerS), zero), hn::Sub(column(MapNumber::kAboveLower), cdf.above),
                     hn::Sub(cdf.below, column(MapNumber::kBelowLower)));
  Vector64 above = hn::IfThenElse(hn::Gt(at.s, zero), hn::Sub(cdf.above, column(MapNumber::kAboveUpper)),
                                  hn::Sub(column(MapNumber::kBelowUpper), cdf.below));
  const Vector64 scale = column(MapNumber::kZoomScale);
  below = NearMass(at.s, column(MapNumber::kLowerS), hn::Div(hn::Sub(at.t, column(MapNumber::kLower)), scale), below);
  above = NearMass(at.s, column(MapNumber::kUpperS), hn::Div(hn::Sub(column(MapNumber::kUpper), at.t), scale), above);
  at.u_ladj = hn::Mul(hn::Mul(Number64(-0.5), at.s), at.s);
  return {hn::Div(below, column(MapNumber::kMass)), hn::Div(above, column(MapNumber::kMass))};
}

// What MapForward says. kSlope: and at.u_ladj in full. d ladj / du of the spline goes to *spline_slope.
template <bool kSlope, class Column>
HWY_INLINE Mapped64 ForwardLanes(const Column& column, Vector64 theta, Vector64* spline_slope = nullptr) {
  constexpr double kLargest = std::numeric_limits<double>::max();
  const ColumnBlock& block = column.block;
  const bool is_unit = block.space == ColumnMap::Space::kUnit;
  Mapped64 at;
  ToScale(column, theta, at);
  at.is_inside = IsBetween(column, at, MapNumber::kLower, MapNumber::kUpper);
  at.ladj = block.is_log ? hn::Sub(column(MapNumber::kConstant), at.t) : column(MapNumber::kConstant);
  if (block.space == ColumnMap::Space::kStandardized) {
    at.y = Clamp64(hn::Div(hn::Sub(at.t, column(MapNumber::kShift)), column(MapNumber::kScale)), -kLargest, kLargest);
  } else {
    UnitPosition64 u;
    if (block.is_zoomed) {
      u = ZoomForward(column, at);
      at.ladj = hn::Add(at.ladj, at.u_ladj);
    } else {
      u = {hn::Div(hn::Sub(at.t, column(MapNumber::kLower)), column(MapNumber::kWidth)),
           hn::Div(hn::Sub(column(MapNumber::kUpper), at.t), column(MapNumber::kWidth))};
      at.u_ladj = hn::Zero(Lanes64());
    }
    if (block.bins > 0) {
      const Bin64 bin = FindBin(column, BinNumber::kX, u.below);
      const SplinePlace64 place(bin, u);
      u = SplineForward(place);
      at.ladj = hn::Add(at.ladj, SplineLadj(place));
      if (kSlope) *spline_slope = SplineLadjSlope(place);
    }
    if (is_unit) {
      at.y = Clamp64(u.below, 0, 1);
    } else {
      at.x = NormalQuantile(u);
      at.y = hn::Div(hn::Sub(at.x, column(MapNumber::kShift)), column(MapNumber::kScale));
      at.ladj = hn::MulAdd(hn::Mul(Number64(0.5), at.x), at.x, at.ladj);
    }
  }
  at.y = hn::IfThenElse(at.is_inside, at.y, Number64(is_unit ? 0.5 : 0.0));
  at.ladj = hn::IfThenElse(at.is_inside, at.ladj, Number64(-std::numeric_limits<double>::infinity()));
  return at;
}

// d (f + ladj) / dtheta, given d f / dy; see MapForwardSlope. 0 where ladj is -inf, never NaN.
template <class Column>
HWY_INLINE Vector64 GradientLanes(const Column& column, Vector64 theta, Vector64 y_adjoint) {
  const ColumnBlock& block = column.block;
  Vector64 spline_slope = hn::Zero(Lanes64());
  const Mapped64 at = ForwardLanes<true>(column, theta, &spline_slope);
  // dt/dtheta; of a log 1 / (theta - origin), and log |dt/dtheta| changes by the negative of it.
  const Vector64 t_slope = block.is_log ? hn::Div(Number64(1), at.distance) : Number64(1);
  const Vector64 slope = hn::CopySign(Exp(at.ladj), t_slope);
  Vector64 t_part = block.is_log ? Number64(-1) : hn::Zero(Lanes64());  // d ladj / dt
  Vector64 x_part = hn::Zero(Lanes64());
  if (block.space != ColumnMap::Space::kStandardized) {
    if (block.is_zoomed) t_part = hn::Sub(t_part, hn::Div(at.s, column(MapNumber::kZoomScale)));
    if (block.bins > 0)
      t_part = hn::MulAdd(Exp(hn::Add(at.u_ladj, column(MapNumber::kUnitConstant))), spline_slope, t_part);
    // log |dx/dv| = -log N(x) grows by x dx; y = (x - shift) / scale.
    if (block.space == ColumnMap::Space::kProbit) x_part = hn::Mul(at.x, column(MapNumber::kScale));
  }
  const Vector64 gradient = hn::MulAdd(hn::Add(y_adjoint, x_part), slope, hn::Mul(t_slope, t_part));
  // Beyond float64, within a rounding of a bound: not a number.
  const Mask64 is_number = hn::Eq(gradient, gradient);
  const Mask64 is_positive = hn::Gt(at.ladj, Number64(-std::numeric_limits<double>::infinity()));
  return hn::IfThenElseZero(hn::And(is_positive, is_number), gradient);
}

template <class Column>
HWY_INLINE Mask64 IsSafelyInside(const Column& column, Vector64 theta) {
  Mapped64 at;
  ToScale(column, theta, at);
  return IsBetween(column, at, MapNumber::kSafeLower, MapNumber::kSafeUpper);
}

// The nearest theta whose t is strictly inside the bounds: rounding may have put it on one.
template <class Column>
HWY_INLINE Vector64 MoveInside(const Column& column, Vector64 theta) {
  constexpr double kLargest = std::numeric_limits<double>::max();
  const Lanes64 lanes;
  theta = Clamp64(hn::IfThenElseZero(hn::Eq(theta, theta), theta), -kLargest, kLargest);
  Mask64 pending = hn::Not(IsSafelyInside(column, theta));
  if (hn::AllFalse(lanes, pending)) return theta;
  const Vector64 low = column(MapNumber::kLow);
  const Vector64 high = column(MapNumber::kHigh);
  const Mask64 at_low = hn::Le(hn::Sub(theta, low), hn::Sub(high, theta));
  const Vector64 start = hn::IfThenElse(hn::Lt(theta, low), low, hn::IfThenElse(hn::Gt(theta, high), high, theta));
  Vector64 step = hn::Max(hn::Mul(hn::Abs(start), Number64(0x1p-52)), Number64(std::numeric_limits<double>::min()));
  for (int tries = 0; tries < 60 && !hn::AllFalse(lanes, pending); ++tries, step = hn::Add(step, step)) {
    const Vector64 moved = hn::Add(start, hn::IfThenElse(at_low, step, hn::Neg(step)));
    const Mask64 found = hn::And(pending, IsSafelyInside(column, moved));
    theta = hn::IfThenElse(found, moved, theta);
    pending = hn::AndNot(found, pending);
  }
  const Vector64 half = Number64(0.5);
  return hn::IfThenElse(pending, hn::MulAdd(half, low, hn::Mul(half, high)), theta);
}

// What MapInverse says.
template <class Column>
HWY_INLINE Vector64 InverseLanes(const Column& column, Vector64 y) {
  const ColumnBlock& block = column.block;
  Vector64 t = hn::MulAdd(y, column(MapNumber::kScale), column(MapNumber::kShift));
  if (block.space != ColumnMap::Space::kStandardized) {
    UnitPosition64 u =
        block.space == ColumnMap::Space::kUnit ? UnitPosition64{y, hn::Sub(Number64(1), y)} : NormalCdf(t);
    if (block.bins > 0) u = SplineInverse(column, u);
    if (block.is_zoomed) {
      const UnitPosition64 whole = {hn::MulAdd(column(MapNumber::kMass), u.below, column(MapNumber::kBelowLower)),
                                    hn::MulAdd(column(MapNumber::kMass), u.above, column(MapNumber::kAboveUpper))};
      t = hn::MulAdd(column(MapNumber::kZoomScale), NormalQuantile(whole), column(MapNumber::kZoomCenter));
    } else {
      t = hn::IfThenElse(hn::Le(u.below, u.above),
                         hn::MulAdd(column(MapNumber::kWidth), u.below, column(MapNumber::kLower)),
                         hn::NegMulAdd(column(MapNumber::kWidth), u.above, column(MapNumber::kUpper)));
    }
  }
  return MoveInside(column,
                    block.is_log ? hn::MulAdd(column(MapNumber::kSign), Exp(t), column(MapNumber::kOrigin)) : t);
}

}  // namespace HWY_NAMESPACE
}  // namespace creamery
HWY_AFTER_NAMESPACE();

#endif  // per target
