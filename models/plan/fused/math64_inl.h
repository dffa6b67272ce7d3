// Elementary functions of float64 vectors. Included once per instruction set, hence no ordinary include guard.
#if defined(CREAMERY_MODELS_PLAN_FUSED_MATH64_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CREAMERY_MODELS_PLAN_FUSED_MATH64_INL_H_
#undef CREAMERY_MODELS_PLAN_FUSED_MATH64_INL_H_
#else
#define CREAMERY_MODELS_PLAN_FUSED_MATH64_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace creamery {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Lanes64 = hn::CappedTag<double, 8>;
using WordLanes64 = hn::RebindToUnsigned<Lanes64>;
using Vector64 = hn::Vec<Lanes64>;
using Mask64 = hn::Mask<Lanes64>;
constexpr int64_t kLanes64 = hn::MaxLanes(Lanes64());

HWY_INLINE Vector64 Number64(double value) { return hn::Set(Lanes64(), value); }
HWY_INLINE Vector64 Load64(const double* from) { return hn::LoadU(Lanes64(), from); }
HWY_INLINE void Store64(Vector64 value, double* to) { hn::StoreU(value, Lanes64(), to); }

// The first `count` lanes, all if there are more; memory beyond is not touched, the lanes beyond are 0.
HWY_INLINE Vector64 LoadSome64(const double* from, int64_t count) {
  if (count >= kLanes64) return Load64(from);
#if HWY_MEM_OPS_MIGHT_FAULT
  double lanes[kLanes64] = {};
  std::copy_n(from, count, lanes);
  return Load64(lanes);
#else
  return hn::MaskedLoad(hn::FirstN(Lanes64(), count), Lanes64(), from);
#endif
}
HWY_INLINE void StoreSome64(Vector64 value, int64_t count, double* to) {
  if (count >= kLanes64) return Store64(value, to);
#if HWY_MEM_OPS_MIGHT_FAULT
  double lanes[kLanes64];
  Store64(value, lanes);
  std::copy_n(lanes, count, to);
#else
  hn::BlendedStore(value, hn::FirstN(Lanes64(), count), Lanes64(), to);
#endif
}

// NaN stays NaN: x86's minimum and maximum give their second operand if one of the two is NaN, others give NaN.
HWY_INLINE Vector64 Clamp64(Vector64 x, double low, double high) {
  return hn::Min(Number64(high), hn::Max(Number64(low), x));
}

// Coefficients from the constant term upwards. Even and odd powers are summed apart, which halves the wait for a single
// vector.
template <size_t N>
HWY_INLINE Vector64 Polynomial64(Vector64 x, const double (&coefficients)[N]) {
  static_assert(N >= 2, "there are odd powers");
  constexpr int kEven = static_cast<int>((N - 1) / 2 * 2);
  constexpr int kOdd = static_cast<int>((N - 2) / 2 * 2 + 1);
  const Vector64 square = hn::Mul(x, x);
  Vector64 even = Number64(coefficients[kEven]);
  Vector64 odd = Number64(coefficients[kOdd]);
  for (int i = kEven - 2; i >= 0; i -= 2) even = hn::MulAdd(even, square, Number64(coefficients[i]));
  for (int i = kOdd - 2; i >= 0; i -= 2) odd = hn::MulAdd(odd, square, Number64(coefficients[i]));
  return hn::MulAdd(odd, x, even);
}

// 2^n of whole numbers n in [-1022, 1023].
HWY_INLINE Vector64 PowerOfTwo64(Vector64 n) {
  // The sum leaves n + 1023 in the lowest bits.
  const auto bits = hn::BitCast(WordLanes64(), hn::Add(n, Number64(0x1.8p52 + 1023)));
  return hn::BitCast(Lanes64(), hn::ShiftLeft<52>(bits));
}

constexpr double kShift64 = 0x1.8p52;  // added and taken away, it leaves a whole number

// x = n ln 2 + r with a whole number n and |r| <= ln(2) / 2: exp(r) - 1. For |x| below 2^20.
HWY_INLINE Vector64 ExpMinusOneOfRest64(Vector64 x, Vector64& n) {
  n = hn::Sub(hn::MulAdd(x, Number64(1.4426950408889634), Number64(kShift64)), Number64(kShift64));
  // ln 2 in two parts, so that the rest keeps all of its digits.
  const Vector64 r = hn::NegMulAdd(n, Number64(0x1.a39ef35793c76p-33), hn::NegMulAdd(n, Number64(0x1.62e42feep-1), x));
  constexpr double kTaylor[] = {1.0 / 2,       1.0 / 6,        1.0 / 24,        1.0 / 120,
                                1.0 / 720,     1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
                                1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
  return hn::MulAdd(hn::Mul(r, r), Polynomial64(r, kTaylor), r);
}

// Relative error below 2.5e-16 where the result is a normal number; 0 and infinity far out; NaN of NaN.
HWY_INLINE Vector64 Exp(Vector64 x) {
  Vector64 n;
  const Vector64 p = hn::Add(ExpMinusOneOfRest64(Clamp64(x, -746.0, 710.0), n), Number64(1));
  // 2^n in two factors: at the ends of the range one would overflow.
  const Vector64 half = hn::Sub(hn::MulAdd(n, Number64(0.5), Number64(kShift64)), Number64(kShift64));
  return hn::Mul(hn::Mul(p, PowerOfTwo64(half)), PowerOfTwo64(hn::Sub(n, half)));
}

// Relative error below 2e-12: nothing next to what a float32 network says, and little enough for exp(x) exp(-x) to
// be 1. Infinity from 709.5 on; 3e-308 below -708; NaN of NaN.
HWY_INLINE Vector64 QuickExp(Vector64 x) {
  const Vector64 y = Clamp64(x, -708.0, 710.0);
  const Vector64 n = hn::Sub(hn::MulAdd(y, Number64(1.4426950408889634), Number64(kShift64)), Number64(kShift64));
  const Vector64 r = hn::NegMulAdd(n, Number64(0.6931471805599453), y);
  // The polynomial 1 + r + ... of degree 8 with the least relative error for |r| <= ln(2) / 2.
  constexpr double kLeast[] = {0.5000000000427155,    0.1666666678451224,    0.04166666440373835,
                               0.008333281787540982,  0.0013889197249496936, 0.0001990895243285309,
                               2.4708272488956303e-05};
  const Vector64 p = hn::Add(hn::MulAdd(hn::Mul(r, r), Polynomial64(r, kLeast), r), Number64(1));
  return hn::Mul(p, PowerOfTwo64(n));
}

// Error below one unit in the last place. -infinity of 0, infinity of infinity, NaN of NaN and of negative numbers.
// FreeBSD's e_log.c (fdlibm): log(1 + f) = f - f^2/2 + s (f^2/2 + R(s^2)), s = f / (2 + f).
HWY_INLINE Vector64 Log(Vector64 x) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const WordLanes64 dw;
  const Mask64 is_denormal = hn::Lt(x, Number64(std::numeric_limits<double>::min()));
  const auto bits = hn::BitCast(dw, hn::IfThenElse(is_denormal, hn::Mul(x, Number64(0x1p54)), x));
  // x = 2^n m with m in [sqrt(1/2), sqrt(2)), whose lower end has these bits. `power` is n + 1023.
  constexpr uint64_t kRootHalf = 0x3fe6a09e667f3bcd;
  const auto above = hn::Sub(bits, hn::Set(dw, kRootHalf - (uint64_t{1023} << 52)));
  const auto power = hn::ShiftRight<52>(above);
  const Vector64 m =
      hn::BitCast(Lanes64(), hn::Sub(bits, hn::Sub(hn::ShiftLeft<52>(power), hn::Set(dw, uint64_t{1023} << 52))));
  const Vector64 biased = hn::BitCast(Lanes64(), hn::Or(power, hn::Set(dw, 0x4330000000000000)));  // 2^52 + power
  const Vector64 n = hn::Sub(biased, hn::IfThenElse(is_denormal, Number64(0x1p52 + 1077), Number64(0x1p52 + 1023)));
  const Vector64 f = hn::Sub(m, Number64(1));
  const Vector64 s = hn::Div(f, hn::Add(f, Number64(2)));
  const Vector64 z = hn::Mul(s, s);
  constexpr double kLog[] = {6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
                             2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01,
                             1.479819860511658591e-01};
  const Vector64 half_square = hn::Mul(Number64(0.5), hn::Mul(f, f));
  const Vector64 sum = hn::MulAdd(z, Polynomial64(z, kLog), half_square);
  const Vector64 low = hn::MulAdd(n, Number64(0x1.a39ef35793c76p-33), hn::Mul(s, sum));
  const Vector64 result = hn::MulAdd(n, Number64(0x1.62e42feep-1), hn::Sub(f, hn::Sub(half_square, low)));
  const Vector64 end = hn::IfThenElse(
      hn::Eq(x, hn::Zero(Lanes64())), Number64(-kInfinity),
      hn::IfThenElse(hn::Eq(x, Number64(kInfinity)), x, Number64(std::numeric_limits<double>::quiet_NaN())));
  const Mask64 ordinary = hn::And(hn::Gt(x, hn::Zero(Lanes64())), hn::Lt(x, Number64(kInfinity)));
  return hn::IfThenElse(ordinary, result, end);
}

// Relative error below 1e-15; NaN of NaN.
HWY_INLINE Vector64 Tanh(Vector64 x) {
  // tanh(a) = e / (e + 2) with e = exp(2 a) - 1; beyond 20 it is 1 in float64.
  const Vector64 a = Clamp64(hn::Abs(x), 0, 20);
  Vector64 n;
  const Vector64 rest = ExpMinusOneOfRest64(hn::Add(a, a), n);
  const Vector64 power = PowerOfTwo64(n);
  const Vector64 e = hn::MulAdd(power, rest, hn::Sub(power, Number64(1)));
  return hn::CopySign(hn::Div(e, hn::Add(e, Number64(2))), x);
}

// log(1 + exp(x)) to a relative 1e-15; NaN of NaN.
HWY_INLINE Vector64 Softplus(Vector64 x) {
  const Vector64 e = Exp(hn::Neg(hn::Abs(x)));
  const Vector64 sum = hn::Add(Number64(1), e);
  // The second term gives back what 1 + e lost by rounding.
  const Vector64 lost = hn::Sub(e, hn::Sub(sum, Number64(1)));
  const Vector64 log1p = hn::Add(Log(sum), hn::Div(lost, sum));
  return hn::Add(hn::IfThenElse(hn::Gt(x, hn::Zero(Lanes64())), x, hn::Zero(Lanes64())), log1p);
}

}  // namespace HWY_NAMESPACE
}  // namespace creamery
HWY_AFTER_NAMESPACE();

#endif  // per target
