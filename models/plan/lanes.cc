#include "models/plan/lanes.h"

namespace creamery {
namespace {

// Inlined into a function per instruction set, of which the compiler makes vectors.
#define CREAMERY_INLINE inline __attribute__((always_inline))

CREAMERY_INLINE void Sum(float bias, const float* weight, int64_t count, const double* in, double* out) {
  double sum[kWideLanes];
  for (int b = 0; b < kWideLanes; ++b) sum[b] = bias;
  for (int64_t k = 0; k < count; ++k) {
    const double w = weight[k];
    for (int b = 0; b < kWideLanes; ++b) sum[b] += w * in[k * kWideLanes + b];
  }
  for (int b = 0; b < kWideLanes; ++b) out[b] = sum[b];
}

CREAMERY_INLINE void SumTanh(float bias, const float* weight, int64_t count, const double* in, double* out) {
  double sum[kWideLanes];
  Sum(bias, weight, count, in, sum);
  for (int b = 0; b < kWideLanes; ++b) out[b] = Tanh(sum[b]);
}

using Function = void (*)(float bias, const float* weight, int64_t count, const double* in, double* out);

struct Functions {
  Function sum;
  Function sum_tanh;
};

#define CREAMERY_FUNCTIONS(name, attribute)                                                                     \
  attribute void Sum##name(float bias, const float* weight, int64_t count, const double* in, double* out) {     \
    Sum(bias, weight, count, in, out);                                                                          \
  }                                                                                                             \
  attribute void SumTanh##name(float bias, const float* weight, int64_t count, const double* in, double* out) { \
    SumTanh(bias, weight, count, in, out);                                                                      \
  }

CREAMERY_FUNCTIONS(Baseline, )
#if defined(__x86_64__)
CREAMERY_FUNCTIONS(Avx2, __attribute__((target("avx2"))))
#if defined(__clang__)
CREAMERY_FUNCTIONS(Avx512, __attribute__((target("avx512f,avx512dq"))))
#else
CREAMERY_FUNCTIONS(Avx512, __attribute__((target("avx512f,avx512dq,prefer-vector-width=512"))))
#endif
#endif

Functions Best() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) return {&SumAvx512, &SumTanhAvx512};
  if (__builtin_cpu_supports("avx2")) return {&SumAvx2, &SumTanhAvx2};
#endif
  return {&SumBaseline, &SumTanhBaseline};
}

const Functions kBest = Best();

}  // namespace

template <>
void Accumulate<kWideLanes>(float bias, const float* weight, int64_t count, const double* in, double* out) {
  kBest.sum(bias, weight, count, in, out);
}

template <>
void AccumulateTanh<kWideLanes>(float bias, const float* weight, int64_t count, const double* in, double* out) {
  kBest.sum_tanh(bias, weight, count, in, out);
}

}  // namespace creamery
