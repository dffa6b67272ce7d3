// Elementary functions of float64 vectors; what is not finite comes out as not finite. The same operations on every
// instruction set. Included once per instruction set, hence no ordinary include guard.
#if defined(CREAMERY_MODELS_PLAN_FUSED_MATH64_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CREAMERY_MODELS_PLAN_FUSED_MATH64_INL_H_
#undef CREAMERY_MODELS_PLAN_FUSED_MATH64_INL_H_
#else
#define CREAMERY_MODELS_PLAN_FUSED_MATH64_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace creamery {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Lanes64 = hn::CappedTag<double, 8>;
using BitLanes64 = hn::RebindToUnsigned<Lanes64>;
using Vector64 = hn::Vec<Lanes64>;
constexpr int64_t kLanes64 = hn::MaxLanes(Lanes64());

HWY_INLINE Vector64 Number64(double value) { return hn::Set(Lanes64(), value); }

// NaN stays NaN on every instruction set.
HWY_INLINE Vector64 Clamp64(Vector64 x, double low, double high) {
  const Vector64 above = hn::IfThenElse(hn::Lt(x, Number64(low)), Number64(low), x);
  return hn::IfThenElse(hn::Gt(above, Number64(high)), Number64(high), above);
}

// x = n ln 2 + r with |r| <= ln(2) / 2: `power` is 2^n, the answer exp(r) - 1 to 2e-16. For |x| < 709.
HWY_INLINE Vector64 ExpParts(Vector64 x, Vector64& power) {
  constexpr double kShift = 0x1.8p52;  // added, it leaves n in the lowest bits
  const Vector64 shifted = hn::MulAdd(x, Number64(1.4426950408889634), Number64(kShift));
  const Vector64 n = hn::Sub(shifted, Number64(kShift));
  const auto bits = hn::Add(hn::BitCast(BitLanes64(), shifted), hn::Set(BitLanes64(), uint64_t{1023}));
  power = hn::BitCast(Lanes64(), hn::ShiftLeft<52>(bits));
  // ln 2 in two parts, so that r keeps all of its digits.
  const Vector64 r = hn::NegMulAdd(n, Number64(0x1.a39ef35793c76p-33), hn::NegMulAdd(n, Number64(0x1.62e42feep-1), x));
  // Taylor's series, its even and its odd terms side by side: half as long to wait for.
  const Vector64 square = hn::Mul(r, r);
  Vector64 even = Number64(1.0 / 479001600);
  even = hn::MulAdd(even, square, Number64(1.0 / 3628800));
  even = hn::MulAdd(even, square, Number64(1.0 / 40320));
  even = hn::MulAdd(even, square, Number64(1.0 / 720));
  even = hn::MulAdd(even, square, Number64(1.0 / 24));
  even = hn::MulAdd(even, square, Number64(0.5));
  Vector64 odd = Number64(1.0 / 6227020800);
  odd = hn::MulAdd(odd, square, Number64(1.0 / 39916800));
  odd = hn::MulAdd(odd, square, Number64(1.0 / 362880));
  odd = hn::MulAdd(odd, square, Number64(1.0 / 5040));
  odd = hn::MulAdd(odd, square, Number64(1.0 / 120));
  odd = hn::MulAdd(odd, square, Number64(1.0 / 6));
  return hn::MulAdd(hn::MulAdd(odd, r, even), square, r);
}

// Relative error below 4e-16; infinity above 708.4, 3e-308 below -708.
HWY_INLINE Vector64 Exp(Vector64 x) {
  const auto overflows = hn::Gt(x, Number64(708.4));
  Vector64 power;
  const Vector64 rest = ExpParts(Clamp64(x, -708, 708.4), power);
  const Vector64 result = hn::MulAdd(power, rest, power);
  return hn::IfThenElse(overflows, Number64(std::numeric_limits<double>::infinity()), result);
}

// Error below 4e-16 max(1, |log x|) for normal numbers; NaN for zero, denormal and negative numbers and what is not
// finite. The polynomial is that of fdlibm's e_log.c.
HWY_INLINE Vector64 Log(Vector64 x) {
  const BitLanes64 du;
  // x = 2^n m with m in [sqrt(1/2), sqrt(2)), whose lower end has these bits.
  constexpr uint64_t kLow = 0x3fe6a09e667f3bcd;
  constexpr uint64_t kOne = 0x3ff0000000000000;
  const auto moved = hn::Add(hn::BitCast(du, x), hn::Set(du, kOne - kLow));
  const auto mantissa = hn::And(moved, hn::Set(du, uint64_t{0x000fffffffffffff}));
  const Vector64 m = hn::BitCast(Lanes64(), hn::Add(mantissa, hn::Set(du, kLow)));
  // An integer below 2^52 put behind the bits of 2^52 is a number.
  const auto biased = hn::Or(hn::ShiftRight<52>(moved), hn::Set(du, uint64_t{0x4330000000000000}));
  const Vector64 n = hn::Sub(hn::BitCast(Lanes64(), biased), Number64(0x1p52 + 1023));
  const Vector64 f = hn::Sub(m, Number64(1));
  const Vector64 s = hn::Div(f, hn::Add(f, Number64(2)));
  const Vector64 z = hn::Mul(s, s);
  Vector64 p = Number64(1.479819860511658591e-01);
  p = hn::MulAdd(p, z, Number64(1.531383769920937332e-01));
  p = hn::MulAdd(p, z, Number64(1.818357216161805012e-01));
  p = hn::MulAdd(p, z, Number64(2.222219843214978396e-01));
  p = hn::MulAdd(p, z, Number64(2.857142874366239149e-01));
  p = hn::MulAdd(p, z, Number64(3.999999999940941908e-01));
  p = hn::MulAdd(p, z, Number64(6.666666666666735130e-01));
  p = hn::Mul(p, z);
  const Vector64 half_square = hn::Mul(Number64(0.5), hn::Mul(f, f));
  const Vector64 low = hn::MulAdd(s, hn::Add(half_square, p), hn::Mul(n, Number64(0x1.a39ef35793c76p-33)));
  const Vector64 result = hn::MulAdd(n, Number64(0x1.62e42feep-1), hn::Sub(f, hn::Sub(half_square, low)));
  const auto valid = hn::And(hn::Ge(x, Number64(std::numeric_limits<double>::min())),
                             hn::Lt(x, Number64(std::numeric_limits<double>::infinity())));
  return hn::IfThenElse(valid, result, Number64(std::numeric_limits<double>::quiet_NaN()));
}

// Relative error below 1e-15.
HWY_INLINE Vector64 Tanh(Vector64 x) {
  // tanh(a) = e / (e + 2) with e = exp(2 a) - 1; beyond 20 it is 1 in float64.
  const Vector64 a = Clamp64(hn::Abs(x), 0, 20);
  Vector64 power;
  const Vector64 rest = ExpParts(hn::Add(a, a), power);
  const Vector64 e = hn::MulAdd(power, rest, hn::Sub(power, Number64(1)));
  return hn::CopySign(hn::Div(e, hn::Add(e, Number64(2))), x);
}

// log(1 + exp(x)).
HWY_INLINE Vector64 Softplus(Vector64 x) {
  const Vector64 one = Number64(1);
  const Vector64 e = Exp(hn::Neg(hn::Abs(x)));
  const Vector64 sum = hn::Add(one, e);
  // The second term gives back what 1 + e lost by rounding.
  const Vector64 log1p = hn::Add(Log(sum), hn::Div(hn::Sub(e, hn::Sub(sum, one)), sum));
  return hn::Add(hn::IfThenElse(hn::Gt(x, hn::Zero(Lanes64())), x, hn::Zero(Lanes64())), log1p);
}

}  // namespace HWY_NAMESPACE
}  // namespace creamery
HWY_AFTER_NAMESPACE();

#endif  // per target
