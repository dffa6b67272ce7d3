// Masked linear maps backwards: delta_in = weight^T delta_out, for points in lanes and for units in lanes, with the
// same bits: sums start from 0 and run over the outputs in ascending order, one fused multiply-add each; entries that
// the mask forbids add nothing. Included once per instruction set, hence no ordinary include guard.
#if defined(CREAMERY_MODELS_PLAN_FUSED_BACKWARD_PRODUCTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CREAMERY_MODELS_PLAN_FUSED_BACKWARD_PRODUCTS_INL_H_
#undef CREAMERY_MODELS_PLAN_FUSED_BACKWARD_PRODUCTS_INL_H_
#else
#define CREAMERY_MODELS_PLAN_FUSED_BACKWARD_PRODUCTS_INL_H_
#endif

#include <algorithm>

#include "models/plan/fused/products_inl.h"

HWY_BEFORE_NAMESPACE();
namespace creamery {
namespace HWY_NAMESPACE {

// A masked linear map seen from its outputs, wherever its numbers lie. Borrowed.
template <typename T>
struct MaskedAdjoint {
  int64_t in;
  int64_t out;
  const T* weight;        // (out, in); what the mask forbids is 0
  const int64_t* viewer;  // (in): input i is seen by outputs [viewer[i], out); non-decreasing
};

template <typename T>
HWY_INLINE MaskedAdjoint<T> AdjointOf(const PackedMap<T>& map) {
  return {map.in, map.out, map.weight.data(), map.viewer.data()};
}

// What is below a linear map: hidden units, whose tanh is to be gone through (times 1 - hidden^2), or inputs, to whose
// delta the map's is added.
enum class Below { kHidden, kInput };

// Inputs begin..begin + kBlock - 1 of BackwardProduct, those beyond `last` computed again as the last.
template <Below kBelow, int kRows, int kBlock, typename T>
HWY_INLINE void BackwardBlock(const MaskedAdjoint<T>& map, int64_t begin, int64_t last, const T* HWY_RESTRICT delta_out,
                              const T* HWY_RESTRICT hidden, T* HWY_RESTRICT delta_in) {
  const LanesOf<T> lanes;
  constexpr int64_t kLanesT = kLanesOf<T>;
  constexpr int64_t kVectors = std::min<int64_t>(kManyRegisters ? 4 : 2, kRows / kLanesT);  // of rows at a time
  const int64_t viewer = map.viewer[begin];
  int64_t unit[kBlock];
  for (int u = 0; u < kBlock; ++u) unit[u] = std::min(begin + u, last);
  for (int64_t lane = 0; lane < kRows; lane += kVectors * kLanesT) {
    VectorOf<T> sum[kBlock][kVectors];
    for (int u = 0; u < kBlock; ++u) {
      for (int v = 0; v < kVectors; ++v) sum[u][v] = hn::Zero(lanes);
    }
    const T* y = delta_out + viewer * kRows + lane;
    const T* row = map.weight + viewer * map.in;
    for (int64_t o = viewer; o < map.out; ++o, y += kRows, row += map.in) {
      VectorOf<T> value[kVectors];
      for (int v = 0; v < kVectors; ++v) value[v] = hn::Load(lanes, y + v * kLanesT);
      for (int u = 0; u < kBlock; ++u) {
        const VectorOf<T> w = hn::Set(lanes, row[unit[u]]);
        for (int v = 0; v < kVectors; ++v) sum[u][v] = hn::MulAdd(w, value[v], sum[u][v]);
      }
    }
    for (int u = 0; u < kBlock && begin + u <= last; ++u) {
      for (int v = 0; v < kVectors; ++v) {
        const int64_t at = unit[u] * kRows + lane + v * kLanesT;
        if (kBelow == Below::kHidden) {
          const VectorOf<T> h = hn::Load(lanes, hidden + at);
          hn::Store(hn::Mul(sum[u][v], hn::NegMulAdd(h, h, hn::Set(lanes, 1))), lanes, delta_in + at);
        } else {
          hn::Store(hn::Add(sum[u][v], hn::Load(lanes, delta_in + at)), lanes, delta_in + at);
        }
      }
    }
  }
}

// Points in lanes: arrays are (unit, kRows). `hidden`: the values of hidden units below, or null.
template <Below kBelow, int kRows, typename T>
HWY_INLINE void BackwardProduct(const MaskedAdjoint<T>& map, const T* delta_out, const T* hidden, T* delta_in) {
  int64_t i = 0;
  for (; map.in - i > 2; i += kUnits) {
    const int64_t last = std::min(i + kUnits, map.in) - 1;
    BackwardBlock<kBelow, kRows, kUnits>(map, i, last, delta_out, hidden, delta_in);
  }
  if (i < map.in) BackwardBlock<kBelow, kRows, 2>(map, i, map.in - 1, delta_out, hidden, delta_in);
}

// Units in lanes: the inputs in kLines cache lines from `lane` on.
template <Below kBelow, int kLines, typename T>
HWY_INLINE void BackwardLanes(const PackedMap<T>& map, int64_t lane, const T* HWY_RESTRICT delta_out,
                              const T* HWY_RESTRICT hidden, T* HWY_RESTRICT delta_in) {
  const LanesOf<T> lanes;
  constexpr int64_t kLanesT = kLanesOf<T>;
  constexpr int kVectors = static_cast<int>(kLines * PackedMap<T>::kPerVector / kLanesT);
  VectorOf<T> sum[kVectors];
  for (int v = 0; v < kVectors; ++v) sum[v] = hn::Zero(lanes);
  const int64_t viewer = map.viewer[lane];
  const T* row = map.weight.data() + viewer * map.in + lane;
  for (int64_t o = viewer; o < map.out; ++o, row += map.in) {
    const VectorOf<T> y = hn::Set(lanes, delta_out[o]);
    for (int v = 0; v < kVectors; ++v) sum[v] = hn::MulAdd(hn::LoadU(lanes, row + v * kLanesT), y, sum[v]);
  }
  for (int v = 0; v < kVectors; ++v) {
    const int64_t at = lane + v * kLanesT;
    if (kBelow == Below::kHidden) {
      const VectorOf<T> h = hn::Load(lanes, hidden + at);
      hn::Store(hn::Mul(sum[v], hn::NegMulAdd(h, h, hn::Set(lanes, 1))), lanes, delta_in + at);
    } else {
      hn::Store(hn::Add(sum[v], hn::Load(lanes, delta_in + at)), lanes, delta_in + at);
    }
  }
}

// delta_out: (out). `hidden` and delta_in: (in), padded to whole cache lines, in which delta_in gets some numbers.
template <Below kBelow, typename T>
HWY_INLINE void BackwardRow(const PackedMap<T>& map, const T* delta_out, const T* hidden, T* delta_in) {
  constexpr int64_t kPerVector = PackedMap<T>::kPerVector;
  const auto padded = Padded<T>(map.in);
  int64_t lane = 0;
  for (; lane + 4 * kPerVector <= padded; lane += 4 * kPerVector) {
    BackwardLanes<kBelow, 4>(map, lane, delta_out, hidden, delta_in);
  }
  switch ((padded - lane) / kPerVector) {
    case 3:
      return BackwardLanes<kBelow, 3>(map, lane, delta_out, hidden, delta_in);
    case 2:
      return BackwardLanes<kBelow, 2>(map, lane, delta_out, hidden, delta_in);
    case 1:
      return BackwardLanes<kBelow, 1>(map, lane, delta_out, hidden, delta_in);
    default:
      return;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace creamery
HWY_AFTER_NAMESPACE();

#endif  // per target
