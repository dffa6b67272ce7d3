// The inner loops of a masked network on 16 rows at a time, in float64, in the widest vectors the processor has. The
// same operations in the same order on every processor and for a single row: the bits do not depend on either.
#ifndef CREAMERY_MODELS_PLAN_LANES_H_
#define CREAMERY_MODELS_PLAN_LANES_H_

#include <cmath>
#include <cstdint>
#include <cstring>

namespace creamery {

constexpr int kWideLanes = 16;

// Several times faster in vectors than the tanh of the library, which would be most of the time of a flow.s
// evaluation. Relative error below 6e-16; NaN for NaN.
inline double Tanh(double x) {
  // tanh(a) = e / (e + 2) with e = exp(2 a) - 1, and exp(y) = 2^n exp(r) with n the integer nearest to y / ln 2.
  constexpr double kShift = 0x1.8p52;  // added, it leaves n in the lowest bits
  const double a = std::abs(x);
  const double y = 2 * (a > 20 ? 20 : a);  // beyond, tanh is 1 in float64
  const double shifted = y * 1.4426950408889634 + kShift;
  const double n = shifted - kShift;
  const double r = (y - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33;  // ln 2 in two parts
  double p = 1.0 / 6227020800;
  p = p * r + 1.0 / 479001600;
  p = p * r + 1.0 / 39916800;
  p = p * r + 1.0 / 3628800;
  p = p * r + 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  p = p * r * r + r;  // exp(r) - 1
  uint64_t bits;
  std::memcpy(&bits, &shifted, sizeof(bits));
  bits = (bits + 1023) << 52;
  double power;  // 2^n
  std::memcpy(&power, &bits, sizeof(power));
  const double e = power * p + (power - 1);
  return std::copysign(e / (e + 2), x);
}

// out[b] = bias + sum over k < count of weight[k] in[k * B + b], for b < B. Arrays are (unit, lane).
template <int B>
void Accumulate(float bias, const float* weight, int64_t count, const double* in, double* out) {
  double sum[B];
  for (int b = 0; b < B; ++b) sum[b] = bias;
  for (int64_t k = 0; k < count; ++k) {
    const double w = weight[k];
    for (int b = 0; b < B; ++b) sum[b] += w * in[k * B + b];
  }
  for (int b = 0; b < B; ++b) out[b] = sum[b];
}

// The same through tanh.
template <int B>
void AccumulateTanh(float bias, const float* weight, int64_t count, const double* in, double* out) {
  Accumulate<B>(bias, weight, count, in, out);
  for (int b = 0; b < B; ++b) out[b] = Tanh(out[b]);
}

template <>
void Accumulate<kWideLanes>(float bias, const float* weight, int64_t count, const double* in, double* out);
template <>
void AccumulateTanh<kWideLanes>(float bias, const float* weight, int64_t count, const double* in, double* out);

}  // namespace creamery

#endif  // CREAMERY_MODELS_PLAN_LANES_H_
