// A plan's layers on one row, with units in lanes: the shape that answers single points soonest. Included once per
// instruction set, hence no ordinary include guard.
#if defined(CREAMERY_MODELS_PLAN_FUSED_ROW_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CREAMERY_MODELS_PLAN_FUSED_ROW_INL_H_
#undef CREAMERY_MODELS_PLAN_FUSED_ROW_INL_H_
#else
#define CREAMERY_MODELS_PLAN_FUSED_ROW_INL_H_
#endif

#include <algorithm>

#include "models/plan/fused/tile_inl.h"

HWY_BEFORE_NAMESPACE();
namespace creamery {
namespace HWY_NAMESPACE {

// The lanes of kLines cache lines from `lane` on: each is a sum of its own, so they are as many as can be on their way
// at the same time.
template <bool kTanh, int kLines, typename T>
HWY_INLINE void LaneSums(const PackedMap<T>& map, int64_t lane, const T* HWY_RESTRICT in, T* HWY_RESTRICT out) {
  const LanesOf<T> lanes;
  constexpr int64_t kLanesT = kLanesOf<T>;
  constexpr int kVectors = static_cast<int>(kLines * PackedMap<T>::kPerVector / kLanesT);
  VectorOf<T> sum[kVectors];
  for (int v = 0; v < kVectors; ++v) sum[v] = hn::Load(lanes, map.lane_bias.data() + lane + v * kLanesT);
  int64_t seen = 0;  // what the others do not see has weight 0
  for (int line = 0; line < kLines; ++line) seen = std::max(seen, map.lane_seen[lane / map.kPerVector + line]);
  const T* weight = map.lane_weight.data() + lane;
  for (int64_t i = 0; i < seen; ++i, weight += map.lanes) {
    const VectorOf<T> x = hn::Set(lanes, in[i]);
    for (int v = 0; v < kVectors; ++v) sum[v] = hn::MulAdd(hn::Load(lanes, weight + v * kLanesT), x, sum[v]);
  }
  for (int v = 0; v < kVectors; ++v) {
    hn::Store(kTanh ? Tanh(sum[v]) : sum[v], lanes, out + lane + v * kLanesT);
  }
}

template <bool kTanh, typename T>
HWY_INLINE void LaneProduct(const PackedMap<T>& map, const T* in, T* out) {
  constexpr int64_t kStep = 4 * PackedMap<T>::kPerVector;
  int64_t lane = 0;
  for (; lane + kStep <= map.lanes; lane += kStep) LaneSums<kTanh, 4>(map, lane, in, out);
  switch ((map.lanes - lane) / map.kPerVector) {
    case 3:
      return LaneSums<kTanh, 3>(map, lane, in, out);
    case 2:
      return LaneSums<kTanh, 2>(map, lane, in, out);
    case 1:
      return LaneSums<kTanh, 1>(map, lane, in, out);
    default:
      return;
  }
}

// y' = W y.
HWY_INLINE void WhitenRow(const double* whitening_lanes, int64_t d, int64_t padded_d, double* state, double* whitened) {
  for (int64_t lane = 0; lane < padded_d; lane += kLanes64) {
    Vector64 sum = hn::Zero(Lanes64());
    for (int64_t j = 0; j < d; ++j) {
      sum = hn::MulAdd(Load64(whitening_lanes + j * padded_d + lane), Number64(state[j]), sum);
    }
    Store64(sum, whitened + lane);
  }
  std::copy(whitened, whitened + padded_d, state);
}

// z and the sums over layers -> log p.
template <typename T>
HWY_INLINE void FinishOneRow(const PackedPlan<T>& plan, KernelMemory<T>& memory) {
  for (int64_t lane = 0; lane < plan.padded_d; lane += kLanes64) {
    const Vector64 part = LogDensityOfColumn(plan, memory.state + lane, memory.ladj + lane);
    Store64(Trusted(part, Load64(memory.size + lane)), memory.ladj + lane);
  }
  double total = *memory.total + plan.constant;
  for (int64_t j = 0; j < plan.d; ++j) total += memory.ladj[j];
  *memory.total = total;
}

template <typename T>
HWY_INLINE void ForwardOneRow(const PackedPlan<T>& plan, KernelMemory<T>& memory) {
  const int64_t d = plan.d;
  if (!plan.whitening.empty()) WhitenRow(plan.whitening_lanes.data(), d, plan.padded_d, memory.state, memory.ladj);
  std::fill(memory.ladj, memory.ladj + plan.padded_d, 0.0);
  std::fill(memory.size, memory.size + plan.padded_d, 0.0);
  for (const PackedLayer<T>& layer : plan.layers) {
    for (int64_t lane = 0; lane < plan.padded_d; lane += kLanes64) Enlarge(memory.state + lane, memory.size + lane);
    for (int64_t i = 0; i < d; ++i) memory.input[i] = static_cast<T>(memory.state[layer.order[i]]);
    const T* below = memory.input;
    for (size_t h = 0; h + 1 < layer.network.size(); ++h) {
      T* hidden = memory.hidden + (h % 2) * plan.most_lanes;
      LaneProduct<true>(layer.network[h], below, hidden);
      below = hidden;
    }
    LaneProduct<false>(layer.network.back(), below, memory.raw);
    TransformForward(layer, plan.padded_d, memory.raw, memory.state, memory.ladj);
  }
  FinishOneRow(plan, memory);
}

}  // namespace HWY_NAMESPACE
}  // namespace creamery
HWY_AFTER_NAMESPACE();

#endif  // per target
