#include "models/plan/fused/gradient_kernels.h"

#include "models/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/plan/fused/gradient_kernels.cc"
#include <hwy/foreach_target.h>  // compiles this file once per instruction set
#include <hwy/highway.h>

#include <algorithm>

#include "models/plan/fused/backward_products_inl.h"
#include "models/plan/fused/backward_transforms_inl.h"
#include "models/plan/fused/row_inl.h"
#include "models/plan/fused/tile_inl.h"

HWY_BEFORE_NAMESPACE();
namespace creamery {
namespace HWY_NAMESPACE {

// ForwardRows, leaving in the memory what the way back needs.
template <int kRows, typename T>
HWY_INLINE void RecordRows(const PackedPlan<T>& plan, GradientMemory<T>& memory) {
  KernelMemory<T>& forward = memory.forward;
  const int64_t d = plan.d;
  std::fill(forward.ladj, forward.ladj + d * kRows, 0.0);
  std::fill(forward.size, forward.size + kRows, 0.0);
  if (!plan.whitening.empty()) Whiten<kRows>(plan.whitening.data(), d, forward.state);
  for (size_t l = 0; l < plan.layers.size(); ++l) {
    const PackedLayer<T>& layer = plan.layers[l];
    std::copy(forward.state, forward.state + d * kRows, memory.State(l));
    for (int64_t i = 0; i < d; ++i) {
      ToInput(kRows, forward.state + layer.order[i] * kRows, forward.input + i * kRows, forward.size);
    }
    const T* below = forward.input;
    T* hidden = memory.Hidden(l);
    for (size_t h = 0; h + 1 < layer.network.size(); ++h) {
      ForwardProduct<true, kRows>(layer.network[h].map(), 0, layer.network[h].out, below, hidden);
      below = hidden;
      hidden += layer.network[h].out * kRows;
    }
    const int64_t outputs = layer.outputs * kRows;
    ForwardProduct<false, kRows>(layer.network.back().map(), 0, d * layer.outputs, below, memory.Raw(l));
    std::copy(memory.Raw(l), memory.Raw(l) + d * outputs, memory.raw_adjoint);  // which transforms overwrite
    for (int64_t i = 0; i < d; ++i) {
      const int64_t column = layer.order[i] * kRows;
      TransformForward(layer, kRows, memory.raw_adjoint + i * outputs, forward.state + column, forward.ladj + column);
    }
  }
  FinishRows<kRows>(plan, forward);
}

// The same of one row, as ForwardOneRow.
template <typename T>
HWY_INLINE void RecordOneRow(const PackedPlan<T>& plan, GradientMemory<T>& memory) {
  KernelMemory<T>& forward = memory.forward;
  const int64_t padded_d = plan.padded_d;
  if (!plan.whitening.empty()) WhitenRow(plan.whitening_lanes.data(), plan.d, padded_d, forward.state, forward.ladj);
  std::fill(forward.ladj, forward.ladj + padded_d, 0.0);
  std::fill(forward.size, forward.size + padded_d, 0.0);
  for (size_t l = 0; l < plan.layers.size(); ++l) {
    const PackedLayer<T>& layer = plan.layers[l];
    std::copy(forward.state, forward.state + padded_d, memory.State(l));
    for (int64_t lane = 0; lane < padded_d; lane += kLanes64) Enlarge(forward.state + lane, forward.size + lane);
    for (int64_t i = 0; i < plan.d; ++i) forward.input[i] = static_cast<T>(forward.state[layer.order[i]]);
    const T* below = forward.input;
    T* hidden = memory.Hidden(l);
    for (size_t h = 0; h + 1 < layer.network.size(); ++h, hidden += plan.most_lanes) {
      LaneProduct<true>(layer.network[h], below, hidden);
      below = hidden;
    }
    LaneProduct<false>(layer.network.back(), below, memory.Raw(l));
    std::copy(memory.Raw(l), memory.Raw(l) + layer.network.back().lanes, memory.raw_adjoint);
    TransformForward(layer, padded_d, memory.raw_adjoint, forward.state, forward.ladj);
  }
  FinishOneRow(plan, forward);
}

// adjoint of the base: -z of a normal one. `count` numbers.
template <typename T>
HWY_INLINE void StartBackward(const PackedPlan<T>& plan, int64_t count, GradientMemory<T>& memory) {
  for (int64_t lane = 0; lane < count; lane += kLanes64) {
    const Vector64 z = Load64(memory.forward.state + lane);
    Store64(plan.is_normal ? hn::Neg(z) : hn::Zero(Lanes64()), memory.adjoint + lane);
  }
}

// z of layer l: what the next one found.
template <typename T>
HWY_INLINE const double* AfterLayer(const PackedPlan<T>& plan, const GradientMemory<T>& memory, size_t l) {
  return l + 1 < plan.layers.size() ? memory.State(l + 1) : memory.forward.state;
}

// The adjoint of a layer's output becomes that of its input.
template <int kRows, typename T>
HWY_INLINE void LayerBackward(const PackedPlan<T>& plan, size_t l, GradientMemory<T>& memory) {
  const PackedLayer<T>& layer = plan.layers[l];
  const double* z = AfterLayer(plan, memory, l);
  const int64_t outputs = layer.outputs * kRows;
  for (int64_t i = 0; i < plan.d; ++i) {
    const int64_t column = layer.order[i] * kRows;
    TransformBackward(layer, kRows, memory.Raw(l) + i * outputs, memory.State(l) + column, z + column,
                      memory.adjoint + column, memory.raw_adjoint + i * outputs);
  }
  const T* above = memory.raw_adjoint;
  const T* hidden = memory.Hidden(l);
  for (size_t h = 0; h + 2 < layer.network.size(); ++h) hidden += layer.network[h].out * kRows;
  for (size_t h = layer.network.size() - 1; h > 0; --h) {
    T* delta = memory.hidden_adjoint[h % 2];
    BackwardProduct<Below::kHidden, kRows>(AdjointOf(layer.network[h]), above, hidden, delta);
    above = delta;
    if (h > 1) hidden -= layer.network[h - 2].out * kRows;
  }
  std::fill(memory.input_adjoint, memory.input_adjoint + plan.d * kRows, T{0});
  BackwardProduct<Below::kInput, kRows>(AdjointOf(layer.network[0]), above, static_cast<const T*>(nullptr),
                                        memory.input_adjoint);
  for (int64_t i = 0; i < plan.d; ++i) {
    double* adjoint = memory.adjoint + layer.order[i] * kRows;
    for (int64_t lane = 0; lane < kRows; lane += kLanes64) {
      const Vector64 through_network = LoadRaw(memory.input_adjoint + i * kRows + lane);
      Store64(hn::Add(Load64(adjoint + lane), through_network), adjoint + lane);
    }
  }
}

template <typename T>
HWY_INLINE void LayerBackwardOneRow(const PackedPlan<T>& plan, size_t l, GradientMemory<T>& memory) {
  const PackedLayer<T>& layer = plan.layers[l];
  TransformBackward(layer, plan.padded_d, memory.Raw(l), memory.State(l), AfterLayer(plan, memory, l), memory.adjoint,
                    memory.raw_adjoint);
  for (int64_t i = 0; i < plan.d; ++i) {
    for (int64_t k = 0; k < layer.outputs; ++k) {
      memory.row_adjoint[i * layer.outputs + k] = memory.raw_adjoint[k * plan.padded_d + layer.order[i]];
    }
  }
  const T* above = memory.row_adjoint;
  for (size_t h = layer.network.size() - 1; h > 0; --h) {
    T* delta = memory.hidden_adjoint[h % 2];
    BackwardRow<Below::kHidden>(layer.network[h], above, memory.Hidden(l) + (h - 1) * plan.most_lanes, delta);
    above = delta;
  }
  std::fill(memory.input_adjoint, memory.input_adjoint + Padded<T>(plan.d), T{0});
  BackwardRow<Below::kInput>(layer.network[0], above, static_cast<const T*>(nullptr), memory.input_adjoint);
  for (int64_t i = 0; i < plan.d; ++i) {
    memory.adjoint[layer.order[i]] += static_cast<double>(memory.input_adjoint[i]);
  }
}

// adjoint of y' = W y -> that of y, in place. kRows = 1: one row, whose numbers go through vectors as well, for the
// fused multiply-add.
template <int kRows>
HWY_INLINE void UnwhitenAdjoint(const double* whitening, int64_t d, double* adjoint) {
  for (int64_t j = 0; j < d; ++j) {
    for (int64_t lane = 0; lane < kRows; lane += kLanes64) {
      const auto load = [&](int64_t i)
                            HWY_ATTR { return kRows == 1 ? Number64(adjoint[i]) : Load64(adjoint + i * kRows + lane); };
      Vector64 sum = hn::Zero(Lanes64());
      for (int64_t i = j; i < d; ++i) sum = hn::MulAdd(Number64(whitening[i * d + j]), load(i), sum);
      if (kRows == 1) {
        adjoint[j] = hn::GetLane(sum);
      } else {
        Store64(sum, adjoint + j * kRows + lane);
      }
    }
  }
}

template <int kRows, typename T>
HWY_INLINE void GradientRows(const PackedPlan<T>& plan, GradientMemory<T>& memory) {
  const int64_t d = plan.d;
  RecordRows<kRows>(plan, memory);
  StartBackward(plan, d * kRows, memory);
  for (size_t l = plan.layers.size(); l-- > 0;) LayerBackward<kRows>(plan, l, memory);
  if (!plan.whitening.empty()) UnwhitenAdjoint<kRows>(plan.whitening.data(), d, memory.adjoint);
  for (int64_t lane = 0; lane < kRows; lane += kLanes64) {
    Vector64 check = hn::Zero(Lanes64());
    for (int64_t j = 0; j < d; ++j) {
      check = hn::MulAdd(hn::Zero(Lanes64()), Load64(memory.adjoint + j * kRows + lane), check);
    }
    Store64(check, memory.forward.size + lane);
  }
}

template <typename T>
HWY_INLINE void GradientOneRow(const PackedPlan<T>& plan, GradientMemory<T>& memory) {
  RecordOneRow(plan, memory);
  StartBackward(plan, plan.padded_d, memory);
  for (size_t l = plan.layers.size(); l-- > 0;) LayerBackwardOneRow(plan, l, memory);
  if (!plan.whitening.empty()) UnwhitenAdjoint<1>(plan.whitening.data(), plan.d, memory.adjoint);
  double check = 0;
  for (int64_t j = 0; j < plan.d; ++j) check += 0 * memory.adjoint[j];
  *memory.forward.size = check;
}

template <typename T>
HWY_INLINE void GradientOf(const PackedPlan<T>& plan, int64_t rows, GradientMemory<T>& memory) {
  if (rows == 1) return GradientOneRow(plan, memory);
  if (rows == kTileOfFew) return GradientRows<kTileOfFew>(plan, memory);
  GradientRows<kTileOfMany>(plan, memory);
}

void GradientFloat(const PackedPlan<float>& plan, int64_t rows, GradientMemory<float>& memory) {
  GradientOf(plan, rows, memory);
}
void GradientDouble(const PackedPlan<double>& plan, int64_t rows, GradientMemory<double>& memory) {
  GradientOf(plan, rows, memory);
}

}  // namespace HWY_NAMESPACE
}  // namespace creamery
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace creamery {

HWY_EXPORT(GradientFloat);
HWY_EXPORT(GradientDouble);

void RunGradient(const PackedPlan<float>& plan, int64_t rows, GradientMemory<float>& memory) {
  HWY_DYNAMIC_DISPATCH(GradientFloat)(plan, rows, memory);
}
void RunGradient(const PackedPlan<double>& plan, int64_t rows, GradientMemory<double>& memory) {
  HWY_DYNAMIC_DISPATCH(GradientDouble)(plan, rows, memory);
}

}  // namespace creamery
#endif  // HWY_ONCE
