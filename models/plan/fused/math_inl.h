// Elementary functions of float32 vectors; infinities and NaN come out as not finite. Included once per instruction
// set, hence no ordinary include guard.
#if defined(CREAMERY_MODELS_PLAN_FUSED_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CREAMERY_MODELS_PLAN_FUSED_MATH_INL_H_
#undef CREAMERY_MODELS_PLAN_FUSED_MATH_INL_H_
#else
#define CREAMERY_MODELS_PLAN_FUSED_MATH_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace creamery {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Lanes = hn::CappedTag<float, 16>;
using IntLanes = hn::RebindToSigned<Lanes>;
using Vector = hn::Vec<Lanes>;
constexpr int64_t kLanes = hn::MaxLanes(Lanes());

HWY_INLINE Vector Number(float value) { return hn::Set(Lanes(), value); }
HWY_INLINE Vector Load(const float* from) { return hn::Load(Lanes(), from); }
HWY_INLINE void Store(Vector value, float* to) { hn::Store(value, Lanes(), to); }

// NaN stays NaN: x86's minimum and maximum give their second operand if one of the two is NaN, others give NaN.
HWY_INLINE Vector Clamp(Vector x, float low, float high) { return hn::Min(Number(high), hn::Max(Number(low), x)); }

// Relative error below 2e-7; infinity above 88.37, 1.2e-38 below -87.3.
HWY_INLINE Vector Exp(Vector x) {
  const IntLanes di;
  const auto overflows = hn::Gt(x, Number(88.37f));
  const Vector y = Clamp(x, -87.3f, 88.37f);
  const auto power = hn::NearestInt(hn::Mul(y, Number(1.44269504088896341f)));
  const Vector n = hn::ConvertTo(Lanes(), power);
  // ln 2 in two parts, so that the rest keeps all of its digits.
  const Vector r = hn::NegMulAdd(n, Number(-2.12194440e-4f), hn::NegMulAdd(n, Number(0.693359375f), y));
  Vector p = Number(1.9875691500e-4f);
  p = hn::MulAdd(p, r, Number(1.3981999507e-3f));
  p = hn::MulAdd(p, r, Number(8.3334519073e-3f));
  p = hn::MulAdd(p, r, Number(4.1665795894e-2f));
  p = hn::MulAdd(p, r, Number(1.6666665459e-1f));
  p = hn::MulAdd(p, r, Number(5.0000001201e-1f));
  p = hn::Add(hn::MulAdd(hn::Mul(r, r), p, r), Number(1));
  const auto bits = hn::ShiftLeft<23>(hn::Add(power, hn::Set(di, 127)));
  const Vector result = hn::Mul(p, hn::BitCast(Lanes(), bits));
  return hn::IfThenElse(overflows, Number(std::numeric_limits<float>::infinity()), result);
}

// Relative error below 2e-7 for normal numbers; NaN for zero, negative numbers and what is not finite.
HWY_INLINE Vector Log(Vector x) {
  const IntLanes di;
  const auto bits = hn::BitCast(di, x);
  // x = 2^n m with m in [sqrt(1/2), sqrt(2)), whose lower end has these bits.
  const auto power = hn::ShiftRight<23>(hn::Sub(bits, hn::Set(di, 0x3f3504f3)));
  const Vector m = hn::BitCast(Lanes(), hn::Sub(bits, hn::ShiftLeft<23>(power)));
  const Vector n = hn::ConvertTo(Lanes(), power);
  const Vector f = hn::Sub(m, Number(1));
  const Vector square = hn::Mul(f, f);
  Vector p = Number(7.0376836292e-2f);
  p = hn::MulAdd(p, f, Number(-1.1514610310e-1f));
  p = hn::MulAdd(p, f, Number(1.1676998740e-1f));
  p = hn::MulAdd(p, f, Number(-1.2420140846e-1f));
  p = hn::MulAdd(p, f, Number(1.4249322787e-1f));
  p = hn::MulAdd(p, f, Number(-1.6668057665e-1f));
  p = hn::MulAdd(p, f, Number(2.0000714765e-1f));
  p = hn::MulAdd(p, f, Number(-2.4999993993e-1f));
  p = hn::MulAdd(p, f, Number(3.3333331174e-1f));
  p = hn::Mul(hn::Mul(p, f), square);
  p = hn::MulAdd(n, Number(-2.12194440e-4f), p);
  p = hn::NegMulAdd(Number(0.5f), square, p);
  const Vector result = hn::MulAdd(n, Number(0.693359375f), hn::Add(f, p));
  const auto valid = hn::And(hn::Gt(x, hn::Zero(Lanes())), hn::Lt(x, Number(std::numeric_limits<float>::infinity())));
  return hn::IfThenElse(valid, result, Number(std::numeric_limits<float>::quiet_NaN()));
}

// x P(x^2) / Q(x^2), of degrees 4 and 4: of such quotients the one with the least relative error up to 8.7, 3e-8; with
// its roundings below 3.5e-7. It comes to 1 and not above it, which fixes the digits of the end.
HWY_INLINE Vector Tanh(Vector input) {
  const Vector x = Clamp(input, -8.23206234f, 8.23206234f);
  const Vector square = hn::Mul(x, x);
  Vector p = Number(1.47189931e-8f);
  p = hn::MulAdd(p, square, Number(2.16065964e-5f));
  p = hn::MulAdd(p, square, Number(3.55685386e-3f));
  p = hn::MulAdd(p, square, Number(0.13432838f));
  p = hn::MulAdd(p, square, Number(1));
  Vector q = Number(8.33857257e-7f);
  q = hn::MulAdd(q, square, Number(3.38536047e-4f));
  q = hn::MulAdd(q, square, Number(0.0261107646f));
  q = hn::MulAdd(q, square, Number(0.467661738f));
  q = hn::MulAdd(q, square, Number(1));
  return hn::Div(hn::Mul(x, p), q);
}

// log(1 + exp(x)) and its derivative 1 / (1 + exp(-x)).
HWY_INLINE Vector Softplus(Vector x, Vector& derivative) {
  const Vector one = Number(1);
  const Vector e = Exp(hn::Neg(hn::Abs(x)));
  const Vector sum = hn::Add(one, e);
  const Vector inverse = hn::Div(one, sum);
  derivative = hn::IfThenElse(hn::Ge(x, hn::Zero(Lanes())), inverse, hn::Mul(e, inverse));
  // The second term gives back what 1 + e lost by rounding.
  const Vector log1p = hn::MulAdd(hn::Sub(e, hn::Sub(sum, one)), inverse, Log(sum));
  return hn::Add(hn::IfThenElse(hn::Gt(x, hn::Zero(Lanes())), x, hn::Zero(Lanes())), log1p);
}

}  // namespace HWY_NAMESPACE
}  // namespace creamery
HWY_AFTER_NAMESPACE();

#endif  // per target
