// A plan's layers with points in lanes, forwards and backwards. Included once per instruction set, hence no ordinary
// include guard.
#if defined(CREAMERY_MODELS_PLAN_FUSED_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CREAMERY_MODELS_PLAN_FUSED_TILE_INL_H_
#undef CREAMERY_MODELS_PLAN_FUSED_TILE_INL_H_
#else
#define CREAMERY_MODELS_PLAN_FUSED_TILE_INL_H_
#endif

#include <algorithm>
#include <limits>
#include <type_traits>

#include "models/plan/fused/kernels.h"
#include "models/plan/fused/products_inl.h"
#include "models/plan/fused/transforms_inl.h"

HWY_BEFORE_NAMESPACE();
namespace creamery {
namespace HWY_NAMESPACE {

HWY_INLINE void StoreInput(Vector64 value, float* to) {
  const hn::Rebind<float, Lanes64> narrow;
  hn::StoreU(hn::DemoteTo(narrow, value), narrow, to);
}
HWY_INLINE void StoreInput(Vector64 value, double* to) { Store64(value, to); }

// The largest size so far, which does not depend on the order, so that both shapes agree on it. The bits of sizes are
// in their order, those of NaN above those of infinity.
HWY_INLINE void Enlarge(const double* state, double* size) {
  const hn::RebindToSigned<Lanes64> bits;
  const auto value = hn::BitCast(bits, hn::Abs(Load64(state)));
  Store64(hn::BitCast(Lanes64(), hn::Max(value, hn::BitCast(bits, Load64(size)))), size);
}

// Inputs of a network, and the largest size of them.
template <typename T>
HWY_INLINE void ToInput(int64_t count, const double* state, T* input, double* size) {
  for (int64_t lane = 0; lane < count; lane += kLanes64) {
    const Vector64 value = Load64(state + lane);
    Enlarge(state + lane, size + lane);
    StoreInput(value, input + lane);
  }
}

// Transforms of one position on the rows of a tile, or of all columns of a row.
template <typename T>
HWY_INLINE void TransformForward(const PackedLayer<T>& layer, int64_t count, T* raw, double* state, double* ladj) {
  if constexpr (std::is_same_v<T, double>) {
    if (layer.kind == AutoregressiveLayer::Kind::kSpline) {
      return SplineForward(layer.bins, count, count, raw, state, ladj);
    }
  }
  AffineForward(count, count, raw, state, ladj);
}
template <typename T>
HWY_INLINE void TransformInverse(const PackedLayer<T>& layer, int64_t count, T* raw, double* state) {
  if constexpr (std::is_same_v<T, double>) {
    if (layer.kind == AutoregressiveLayer::Kind::kSpline) return SplineInverse(layer.bins, count, count, raw, state);
  }
  AffineInverse(count, count, raw, state);
}

// y' = W y, from the last column up, so that y' can take the place of y.
template <int kRows>
HWY_INLINE void Whiten(const double* whitening, int64_t d, double* state) {
  for (int64_t i = d; i-- > 0;) {
    const double* row = whitening + i * d;
    for (int64_t lane = 0; lane < kRows; lane += kLanes64) {
      Vector64 sum = hn::Zero(Lanes64());
      for (int64_t j = 0; j <= i; ++j) sum = hn::MulAdd(Number64(row[j]), Load64(state + j * kRows + lane), sum);
      Store64(sum, state + i * kRows + lane);
    }
  }
}

template <int kRows>
HWY_INLINE void Unwhiten(const double* whitening, int64_t d, double* state) {
  for (int64_t i = 0; i < d; ++i) {
    const double* row = whitening + i * d;
    for (int64_t lane = 0; lane < kRows; lane += kLanes64) {
      Vector64 sum = Load64(state + i * kRows + lane);
      for (int64_t j = 0; j < i; ++j) sum = hn::NegMulAdd(Number64(row[j]), Load64(state + j * kRows + lane), sum);
      Store64(hn::Div(sum, Number64(row[i])), state + i * kRows + lane);
    }
  }
}

template <int kRows, typename T>
HWY_INLINE void ForwardLayer(const PackedLayer<T>& layer, int64_t d, KernelMemory<T>& memory) {
  for (int64_t i = 0; i < d; ++i) {
    ToInput(kRows, memory.state + layer.order[i] * kRows, memory.input + i * kRows, memory.size);
  }
  const T* below = memory.input;
  T* hidden = memory.hidden;
  for (size_t h = 0; h + 1 < layer.network.size(); ++h) {
    ForwardProduct<true, kRows>(layer.network[h].map(), 0, layer.network[h].out, below, hidden);
    below = hidden;
    hidden += layer.network[h].out * kRows;
  }
  // As many positions at a time as fill a block of units.
  const int64_t step = std::max<int64_t>(1, kUnits / layer.outputs);
  for (int64_t begin = 0; begin < d; begin += step) {
    const int64_t end = std::min(begin + step, d);
    ForwardProduct<false, kRows>(layer.network.back().map(), begin * layer.outputs, end * layer.outputs, below,
                                 memory.raw);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t column = layer.order[i] * kRows;
      TransformForward(layer, kRows, memory.raw + (i - begin) * layer.outputs * kRows, memory.state + column,
                       memory.ladj + column);
    }
  }
}

template <int kRows, typename T>
HWY_INLINE void InverseLayer(const PackedLayer<T>& layer, int64_t d, KernelMemory<T>& memory) {
  for (int64_t i = 0; i < d; ++i) {
    const T* below = memory.input;
    T* hidden = memory.hidden;
    for (size_t h = 0; h + 1 < layer.network.size(); ++h) {
      const int64_t done = i == 0 ? 0 : layer.known[h][i - 1];
      ForwardProduct<true, kRows>(layer.network[h].map(), done, layer.known[h][i], below, hidden + done * kRows);
      below = hidden;
      hidden += layer.network[h].out * kRows;
    }
    ForwardProduct<false, kRows>(layer.network.back().map(), i * layer.outputs, (i + 1) * layer.outputs, below,
                                 memory.raw);
    double* state = memory.state + layer.order[i] * kRows;
    TransformInverse(layer, kRows, memory.raw, state);
    ToInput(kRows, state, memory.input + i * kRows, memory.size);
  }
}

// NaN where inputs were too large for float32, or no numbers.
HWY_INLINE Vector64 Trusted(Vector64 value, Vector64 size) {
  return hn::IfThenElse(hn::Le(size, Number64(kLargestInput)), value,
                        Number64(std::numeric_limits<double>::quiet_NaN()));
}

// A column's part of log p: what the layers added, and the base.
template <typename T>
HWY_INLINE Vector64 LogDensityOfColumn(const PackedPlan<T>& plan, const double* z, const double* ladj) {
  const Vector64 value = Load64(z);
  return plan.is_normal ? hn::NegMulAdd(hn::Mul(Number64(0.5), value), value, Load64(ladj)) : Load64(ladj);
}

// z and the sums over layers -> log p.
template <int kRows, typename T>
HWY_INLINE void FinishRows(const PackedPlan<T>& plan, KernelMemory<T>& memory) {
  for (int64_t lane = 0; lane < kRows; lane += kLanes64) {
    Vector64 total = hn::Add(Load64(memory.total + lane), Number64(plan.constant));
    for (int64_t j = 0; j < plan.d; ++j) {
      total = hn::Add(total, LogDensityOfColumn(plan, memory.state + j * kRows + lane, memory.ladj + j * kRows + lane));
    }
    Store64(Trusted(total, Load64(memory.size + lane)), memory.total + lane);
  }
}

template <int kRows, typename T>
HWY_INLINE void ForwardRows(const PackedPlan<T>& plan, KernelMemory<T>& memory) {
  const int64_t d = plan.d;
  std::fill(memory.ladj, memory.ladj + d * kRows, 0.0);
  std::fill(memory.size, memory.size + kRows, 0.0);
  if (!plan.whitening.empty()) Whiten<kRows>(plan.whitening.data(), d, memory.state);
  for (const PackedLayer<T>& layer : plan.layers) ForwardLayer<kRows>(layer, d, memory);
  FinishRows<kRows>(plan, memory);
}

template <int kRows, typename T>
HWY_INLINE void InverseRows(const PackedPlan<T>& plan, KernelMemory<T>& memory) {
  const int64_t d = plan.d;
  std::fill(memory.size, memory.size + kRows, 0.0);
  for (size_t l = plan.layers.size(); l-- > 0;) InverseLayer<kRows>(plan.layers[l], d, memory);
  if (!plan.whitening.empty()) Unwhiten<kRows>(plan.whitening.data(), d, memory.state);
  for (int64_t lane = 0; lane < kRows; lane += kLanes64) {
    Store64(Trusted(hn::Zero(Lanes64()), Load64(memory.size + lane)), memory.total + lane);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace creamery
HWY_AFTER_NAMESPACE();

#endif  // per target
