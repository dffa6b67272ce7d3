// Masked linear maps with points in lanes. Included once per instruction set, hence no ordinary include guard.
#if defined(CREAMERY_MODELS_PLAN_FUSED_PRODUCTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CREAMERY_MODELS_PLAN_FUSED_PRODUCTS_INL_H_
#undef CREAMERY_MODELS_PLAN_FUSED_PRODUCTS_INL_H_
#else
#define CREAMERY_MODELS_PLAN_FUSED_PRODUCTS_INL_H_
#endif

#include <algorithm>

#include "models/plan/fused/math64_inl.h"
#include "models/plan/fused/math_inl.h"
#include "models/plan/fused/packed_plan.h"

HWY_BEFORE_NAMESPACE();
namespace creamery {
namespace HWY_NAMESPACE {

// Widest vectors, of at most 64 bytes.
template <typename T>
using LanesOf = hn::CappedTag<T, kAlignment / sizeof(T)>;
template <typename T>
using VectorOf = hn::Vec<LanesOf<T>>;
template <typename T>
constexpr int64_t kLanesOf = hn::MaxLanes(LanesOf<T>());

// With 32 registers, 16 sums stay in them; with 16, 8.
constexpr bool kManyRegisters = kLanesOf<float> == 16;
constexpr int kUnits = 4;  // units of a linear map at a time

// Units begin..begin + kBlock - 1, those beyond `last` computed again as the last. `out` is the line of unit `begin`.
template <bool kTanh, int kRows, int kBlock, typename T>
HWY_INLINE void BlockProduct(const MaskedMap<T>& map, int64_t begin, int64_t last, const T* HWY_RESTRICT in,
                             T* HWY_RESTRICT out) {
  const LanesOf<T> lanes;
  constexpr int64_t kLanesT = kLanesOf<T>;
  constexpr int64_t kWidth = std::min<int64_t>(kManyRegisters ? 4 : 2, kRows / kLanesT);  // vectors of rows at a time
  static_assert(kRows % (kWidth * kLanesT) == 0, "vectors divide a block of rows");
  const int64_t seen = map.seen[last];  // entries beyond what the others see are 0
  int64_t unit[kBlock];
  const T* row[kBlock];
  for (int u = 0; u < kBlock; ++u) {
    unit[u] = std::min(begin + u, last);
    row[u] = map.weight + unit[u] * map.in;
  }
  for (int64_t lane = 0; lane < kRows; lane += kWidth * kLanesT) {
    VectorOf<T> sum[kBlock][kWidth];
    for (int u = 0; u < kBlock; ++u) {
      for (int v = 0; v < kWidth; ++v) sum[u][v] = hn::Set(lanes, map.bias[unit[u]]);
    }
    const T* x = in + lane;
    for (int64_t i = 0; i < seen; ++i, x += kRows) {
      VectorOf<T> value[kWidth];
      for (int v = 0; v < kWidth; ++v) value[v] = hn::Load(lanes, x + v * kLanesT);
      for (int u = 0; u < kBlock; ++u) {
        const VectorOf<T> w = hn::Set(lanes, row[u][i]);
        for (int v = 0; v < kWidth; ++v) sum[u][v] = hn::MulAdd(w, value[v], sum[u][v]);
      }
    }
    for (int u = 0; u < kBlock; ++u) {
      T* y = out + (unit[u] - begin) * kRows + lane;
      for (int v = 0; v < kWidth; ++v) hn::Store(kTanh ? Tanh(sum[u][v]) : sum[u][v], lanes, y + v * kLanesT);
    }
  }
}

// out = weight in + bias for units [begin, end), through tanh for hidden units. `in` is the line of input 0, `out` that
// of unit `begin`.
template <bool kTanh, int kRows, typename T>
HWY_INLINE void ForwardProduct(const MaskedMap<T>& map, int64_t begin, int64_t end, const T* in, T* out) {
  int64_t o = begin;
  if constexpr (kRows == kLanesOf<T>) {  // a single vector of rows: more units, so that as many sums are on their way
    for (; end - o > kUnits; o += 2 * kUnits) {
      BlockProduct<kTanh, kRows, 2 * kUnits>(map, o, std::min(o + 2 * kUnits, end) - 1, in, out + (o - begin) * kRows);
    }
  }
  for (; end - o > 2; o += kUnits) {
    BlockProduct<kTanh, kRows, kUnits>(map, o, std::min(o + kUnits, end) - 1, in, out + (o - begin) * kRows);
  }
  if (o < end) BlockProduct<kTanh, kRows, 2>(map, o, end - 1, in, out + (o - begin) * kRows);
}

}  // namespace HWY_NAMESPACE
}  // namespace creamery
HWY_AFTER_NAMESPACE();

#endif  // per target
