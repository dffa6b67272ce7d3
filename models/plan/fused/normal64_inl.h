// The normal distribution function and its inverse, of float64 vectors. Included once per instruction set, hence no
// ordinary include guard.
#if defined(CREAMERY_MODELS_PLAN_FUSED_NORMAL64_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CREAMERY_MODELS_PLAN_FUSED_NORMAL64_INL_H_
#undef CREAMERY_MODELS_PLAN_FUSED_NORMAL64_INL_H_
#else
#define CREAMERY_MODELS_PLAN_FUSED_NORMAL64_INL_H_
#endif

#include <hwy/highway.h>

#include <limits>

#include "models/plan/fused/math64_inl.h"
#include "models/plan/normal_quantile.h"

HWY_BEFORE_NAMESPACE();
namespace creamery {
namespace HWY_NAMESPACE {

// A position in the unit interval by its distances from both ends, so that one near 1 keeps its precision.
struct UnitPosition64 {
  Vector64 below;  // u
  Vector64 above;  // 1 - u
};

// Phi(x) and Phi(-x), each with a relative error below 1e-15 where it is a normal number.
HWY_INLINE UnitPosition64 NormalCdf(Vector64 x) {
  // Phi(-a) = exp(-a^2 / 2) p(t) / (a + 5), t = (a - 5) / (a + 5), a >= 0: Chebyshev's polynomial of degree 22 on
  // [0, 40], whose own error is 6e-17. The change of variable is that of Shepherd & Laframboise 1981,
  // doi:10.1090/S0025-5718-1981-0595058-X.
  constexpr double kTail[] = {
      0.769193049750063,      -0.6653825028900567,    0.4953056159699766,      -0.31353315667130516,
      0.16502036617037502,    -0.06911863870629469,   0.02079506680009146,     -0.002993376770649268,
      -0.0007978694007392487, 0.000544899065037323,   -5.937571381647131e-05,  -4.9762810377903036e-05,
      1.6681160364586646e-05, 3.980871285666973e-06,  -2.7691457822822777e-06, -3.3651220434990697e-07,
      4.329837037415609e-07,  4.209183333886914e-08,  -6.58488684007974e-08,   -9.144502081289173e-09,
      7.667236107202653e-09,  1.6891057665153782e-09, -1.8073212078146044e-10};
  const Vector64 a = Clamp64(hn::Abs(x), 0.0, 40.0);
  const Vector64 inverse = hn::Div(Number64(1), hn::Add(a, Number64(5)));
  const Vector64 t = hn::Mul(hn::Sub(a, Number64(5)), inverse);
  // The square's rounding would cost the exponential hundreds of units in the last place.
  const Vector64 square = hn::Mul(a, a);
  const Vector64 rest = hn::MulSub(a, a, square);
  Vector64 e = Exp(hn::Mul(Number64(-0.5), square));
  e = hn::NegMulAdd(hn::Mul(Number64(0.5), rest), e, e);
  const Vector64 near = hn::Mul(hn::Mul(Polynomial64(t, kTail), inverse), e);
  const Vector64 far = hn::Sub(Number64(1), near);
  const Mask64 is_negative = hn::Lt(x, hn::Zero(Lanes64()));
  return {hn::IfThenElse(is_negative, near, far), hn::IfThenElse(is_negative, far, near)};
}

// Phi^-1 of a position: Wichura 1988, Algorithm AS 241, as NormalQuantile of column_map.h, to a relative error below
// 1e-15 or an absolute one of 1e-16; beyond the smallest normal number at either end, that number's. In two parts, as
// the second costs several times the first and one number in seven wants it.
struct QuantilePart64 {
  Vector64 p;         // the distance to the nearer end
  Mask64 is_below;    // the nearer end is 0
  Vector64 distance;  // 1/2 - p
};

HWY_INLINE QuantilePart64 StartQuantile(const UnitPosition64& u) {
  const Mask64 is_below = hn::Le(u.below, u.above);
  const Vector64 p = hn::Max(hn::IfThenElse(is_below, u.below, u.above), Number64(std::numeric_limits<double>::min()));
  return {p, is_below, hn::Sub(Number64(0.5), p)};
}

HWY_INLINE Mask64 IsInTail(const QuantilePart64& part) { return hn::Gt(part.distance, Number64(0.425)); }

// Where it is not in a tail.
HWY_INLINE Vector64 CentralQuantile(const QuantilePart64& part) {
  using C = NormalQuantileCoefficients;
  const Vector64 q = part.distance;
  const Vector64 r = hn::NegMulAdd(q, q, Number64(0.180625));
  const Vector64 x =
      hn::Div(hn::Mul(q, Polynomial64(r, C::kCentralNumerator)), Polynomial64(r, C::kCentralDenominator));
  return hn::IfThenElse(part.is_below, hn::Neg(x), x);
}

// Where it is.
HWY_INLINE Vector64 TailQuantile(const QuantilePart64& part) {
  using C = NormalQuantileCoefficients;
  const Vector64 root = hn::Sqrt(hn::Neg(Log(part.p)));
  const Vector64 middle = hn::Sub(root, Number64(1.6));
  Vector64 x = hn::Div(Polynomial64(middle, C::kMiddleNumerator), Polynomial64(middle, C::kMiddleDenominator));
  const Mask64 is_far = hn::Gt(root, Number64(5));
  if (!hn::AllFalse(Lanes64(), is_far)) {
    const Vector64 far = hn::Sub(root, Number64(5));
    x = hn::IfThenElse(is_far, hn::Div(Polynomial64(far, C::kFarNumerator), Polynomial64(far, C::kFarDenominator)), x);
  }
  return hn::IfThenElse(part.is_below, hn::Neg(x), x);
}

HWY_INLINE Vector64 NormalQuantile(const UnitPosition64& u) {
  const QuantilePart64 part = StartQuantile(u);
  const Vector64 x = CentralQuantile(part);
  const Mask64 in_tail = IsInTail(part);
  if (hn::AllFalse(Lanes64(), in_tail)) return x;
  return hn::IfThenElse(in_tail, TailQuantile(part), x);
}

}  // namespace HWY_NAMESPACE
}  // namespace creamery
HWY_AFTER_NAMESPACE();

#endif  // per target
