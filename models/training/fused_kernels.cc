#include "models/training/fused_kernels.h"

#include "models/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/training/fused_kernels.cc"
#include <hwy/foreach_target.h>  // compiles this file once per instruction set
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>

#include "models/plan/fused/math_inl.h"
#include "models/training/fused_products_inl.h"
#include "models/training/fused_transforms_inl.h"

HWY_BEFORE_NAMESPACE();
namespace creamery {
namespace HWY_NAMESPACE {

void Forward(const FusedLayout& layout, const float* weights, float* tile, const StopToken& stop) {
  float* ladj = tile + layout.ladj * kTileRows;
  std::fill(ladj, ladj + kTileRows, 0.0f);
  for (const FusedLayer& layer : layout.layers) {
    const float* input = tile + layer.input * kTileRows;
    const float* below = input;
    for (size_t h = 0; h < layer.hidden.size(); ++h) {
      if (stop.stop_requested()) return;
      float* hidden = tile + layer.hidden[h] * kTileRows;
      ForwardProduct<true>(layer.network[h], weights, below, hidden);
      below = hidden;
    }
    if (stop.stop_requested()) return;
    float* raw = tile + layer.raw * kTileRows;
    ForwardProduct<false>(layer.network.back(), weights, below, raw);
    for (int64_t i = 0; i < layout.d; ++i, raw += layer.outputs * kTileRows) {
      const float* y = input + i * kTileRows;
      float* z = tile + (layer.output + layer.next[i]) * kTileRows;
      if (layer.kind == AutoregressiveLayer::Kind::kAffine) {
        AffineForward(y, raw, z, ladj);
      } else {
        float* saved = tile + (layer.saved + i * FusedLayer::kSavedLines) * kTileRows;
        SplineForward(layer.bins, y, raw, saved, z, ladj);
      }
    }
  }
}

// delta_output of the last layer: scale * z of the base N(0, I), 0 of U(0, 1)^d.
void StartBackward(const FusedLayout& layout, float* tile) {
  const FusedLayer& layer = layout.layers.back();
  const bool normal = layer.kind == AutoregressiveLayer::Kind::kAffine;
  const float* scale = tile + layout.scale * kTileRows;
  for (int64_t i = 0; i < layout.d; ++i) {
    const float* z = tile + (layer.output + i) * kTileRows;
    float* delta = tile + (layout.delta_output + i) * kTileRows;
    for (int64_t lane = 0; lane < kTileRows; lane += kLanes) {
      Store(normal ? hn::Mul(Load(scale + lane), Load(z + lane)) : hn::Zero(Lanes()), delta + lane);
    }
  }
}

// delta_output -> gradients of raw numbers, of hidden units and of the input, which becomes delta_output of the layer
// before unless this is the first.
void LayerBackward(const FusedLayout& layout, const FusedLayer& layer, bool is_first, const float* weights, float* tile,
                   const StopToken& stop) {
  const float* scale = tile + layout.scale * kTileRows;
  float* delta_input = tile + layout.delta_input * kTileRows;
  float* delta_output = tile + layout.delta_output * kTileRows;
  float* raw = tile + layer.raw * kTileRows;
  for (int64_t i = 0; i < layout.d; ++i) {
    float* raw_i = raw + i * layer.outputs * kTileRows;
    const float* delta_z = delta_output + layer.next[i] * kTileRows;
    float* delta_y = delta_input + i * kTileRows;
    if (layer.kind == AutoregressiveLayer::Kind::kAffine) {
      const float* z = tile + (layer.output + layer.next[i]) * kTileRows;
      AffineBackward(z, scale, delta_z, raw_i, delta_y);
    } else {
      const float* y = tile + (layer.input + i) * kTileRows;
      const float* saved = tile + (layer.saved + i * FusedLayer::kSavedLines) * kTileRows;
      SplineBackward(layer.bins, y, scale, delta_z, saved, raw_i, delta_y);
    }
  }
  const float* above = raw;
  float* delta = tile + layout.deltas * kTileRows;
  for (size_t h = layer.hidden.size(); h-- > 0;) {
    if (stop.stop_requested()) return;
    const FusedLinear& linear = layer.network[h + 1];
    BackwardProduct<true>(linear, weights, above, tile + layer.hidden[h] * kTileRows, delta);
    above = delta;
    delta += linear.in * kTileRows;
  }
  if (is_first) return;
  BackwardProduct<false>(layer.network[0], weights, above, nullptr, delta_input);
  std::copy(delta_input, delta_input + layout.d * kTileRows, delta_output);
}

void Backward(const FusedLayout& layout, const float* weights, float* tiles, int64_t count, float* gradient,
              const StopToken& stop) {
  const int64_t stride = layout.lines * kTileRows;
  for (int64_t t = 0; t < count; ++t) StartBackward(layout, tiles + t * stride);
  for (size_t l = layout.layers.size(); l-- > 0;) {
    const FusedLayer& layer = layout.layers[l];
    for (int64_t t = 0; t < count; ++t) LayerBackward(layout, layer, l == 0, weights, tiles + t * stride, stop);
    // Deltas lie from the last hidden layer to the first.
    const float* delta = tiles + layer.raw * kTileRows;
    const float* next_delta = tiles + layout.deltas * kTileRows;
    for (size_t h = layer.network.size(); h-- > 0;) {
      if (stop.stop_requested()) return;
      const FusedLinear& linear = layer.network[h];
      const float* in = tiles + (h == 0 ? layer.input : layer.hidden[h - 1]) * kTileRows;
      WeightGradient(linear, in, delta, stride, count, gradient);
      BiasGradient(linear, delta, stride, count, gradient);
      delta = next_delta;
      next_delta += linear.in * kTileRows;
    }
  }
}

// Squares are exact in float64; sums go over 16 lanes, then over these.
double Norm(int64_t count, const float* values) {
  constexpr int64_t kSums = 16;
  const hn::CappedTag<double, 8> doubles;
  const hn::Rebind<float, decltype(doubles)> floats;
  constexpr int64_t kWide = hn::MaxLanes(doubles);
  hn::Vec<decltype(doubles)> sum[kSums / kWide];
  for (auto& one : sum) one = hn::Zero(doubles);
  const auto add = [&](const float* from) HWY_ATTR {
    for (int64_t k = 0; k < kSums / kWide; ++k) {
      const auto value = hn::PromoteTo(doubles, hn::LoadU(floats, from + k * kWide));
      sum[k] = hn::MulAdd(value, value, sum[k]);
    }
  };
  int64_t i = 0;
  for (; i + kSums <= count; i += kSums) add(values + i);
  float rest[kSums] = {};
  std::copy(values + i, values + count, rest);
  add(rest);
  HWY_ALIGN double lane[kSums];
  for (int64_t k = 0; k < kSums / kWide; ++k) hn::Store(sum[k], doubles, lane + k * kWide);
  for (int64_t half = kSums / 2; half > 0; half /= 2) {
    for (int64_t k = 0; k < half; ++k) lane[k] += lane[k + half];
  }
  return std::sqrt(lane[0]);
}

void AdamStep(const FusedAdam& adam, const float* gradient, const float* step_scale, int64_t count,
              const FusedState& state) {
  constexpr double kBeta1 = 0.9;
  constexpr double kBeta2 = 0.999;
  constexpr float kEpsilon = 1e-8f;
  const auto t = static_cast<double>(adam.step);
  const Vector clip = Number(static_cast<float>(adam.gradient_scale));
  const Vector rate = Number(static_cast<float>(adam.learning_rate / (1 - std::pow(kBeta1, t))));
  const Vector correction = Number(static_cast<float>(1 / (1 - std::pow(kBeta2, t))));
  const Vector average_part = Number(static_cast<float>(adam.average_part));
  const auto step = [&](Vector g, Vector scale, Vector& w, Vector& m, Vector& v, Vector& average) HWY_ATTR {
    g = hn::Mul(g, clip);
    m = hn::MulAdd(g, Number(static_cast<float>(1 - kBeta1)), hn::Mul(m, Number(static_cast<float>(kBeta1))));
    v = hn::MulAdd(hn::Mul(g, g), Number(static_cast<float>(1 - kBeta2)),
                   hn::Mul(v, Number(static_cast<float>(kBeta2))));
    const Vector denominator = hn::Add(hn::Sqrt(hn::Mul(v, correction)), Number(kEpsilon));
    w = hn::NegMulAdd(rate, hn::Div(hn::Mul(m, scale), denominator), w);
    average = hn::MulAdd(average_part, hn::Sub(w, average), average);
  };
  float* const arrays[4] = {state.weights, state.first_moment, state.second_moment, state.average};
  const Lanes lanes;
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    Vector now[4];
    for (int k = 0; k < 4; ++k) now[k] = hn::LoadU(lanes, arrays[k] + i);
    step(hn::LoadU(lanes, gradient + i), hn::LoadU(lanes, step_scale + i), now[0], now[1], now[2], now[3]);
    for (int k = 0; k < 4; ++k) hn::StoreU(now[k], lanes, arrays[k] + i);
  }
  const int64_t left = count - i;
  HWY_ALIGN float rest[6][kLanes] = {};
  for (int k = 0; k < 4; ++k) std::copy(arrays[k] + i, arrays[k] + count, rest[k]);
  std::copy(gradient + i, gradient + count, rest[4]);
  std::copy(step_scale + i, step_scale + count, rest[5]);
  Vector now[4];
  for (int k = 0; k < 4; ++k) now[k] = Load(rest[k]);
  step(Load(rest[4]), Load(rest[5]), now[0], now[1], now[2], now[3]);
  for (int k = 0; k < 4; ++k) {
    Store(now[k], rest[k]);
    std::copy(rest[k], rest[k] + left, arrays[k] + i);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace creamery
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace creamery {

HWY_EXPORT(Forward);
HWY_EXPORT(Backward);
HWY_EXPORT(Norm);
HWY_EXPORT(AdamStep);

void FusedForward(const FusedLayout& layout, const float* weights, float* tile, const StopToken& stop) {
  HWY_DYNAMIC_DISPATCH(Forward)(layout, weights, tile, stop);
}

void FusedBackward(const FusedLayout& layout, const float* weights, float* tiles, int64_t count, float* gradient,
                   const StopToken& stop) {
  HWY_DYNAMIC_DISPATCH(Backward)(layout, weights, tiles, count, gradient, stop);
}

double FusedNorm(int64_t count, const float* values) { return HWY_DYNAMIC_DISPATCH(Norm)(count, values); }

void FusedAdamStep(const FusedAdam& adam, const float* gradient, const float* step_scale, int64_t count,
                   const FusedState& state) {
  HWY_DYNAMIC_DISPATCH(AdamStep)(adam, gradient, step_scale, count, state);
}

}  // namespace creamery
#endif  // HWY_ONCE
