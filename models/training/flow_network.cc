#include "models/training/flow_network.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "models/plan/masks.h"
#include "models/random.h"
#include "models/training/transforms.h"

namespace creamery {
namespace {

constexpr float kBiasStep = 10;
constexpr float kAffineStep = 3;
// Standard deviations of initial hidden weights, times the square root of the number of inputs, and of biases. The
// inputs of a box spline's first map have variance 1/12, and its bins are finer than an affine map's bends.
constexpr double kWeightSpread = 0.4;
const double kBoxWeightSpread = std::sqrt(12.0);
constexpr double kBiasSpread = 1;
// Numbers of permutations that decide input orders, away from those that shuffle minibatches.
constexpr uint64_t kFirstOrder = uint64_t{1} << 40;

std::vector<int64_t> Inverse(const std::vector<int64_t>& order) {
  std::vector<int64_t> inverse(order.size());
  for (size_t i = 0; i < order.size(); ++i) inverse[order[i]] = static_cast<int64_t>(i);
  return inverse;
}

// An index tensor, or an undefined one for the identity.
at::Tensor IndexTensor(const std::vector<int64_t>& index) {
  if (std::is_sorted(index.begin(), index.end())) return at::Tensor();
  return at::from_blob(const_cast<int64_t*>(index.data()), {static_cast<int64_t>(index.size())}, at::kLong).clone();
}

at::Tensor Gather(const at::Tensor& y, const at::Tensor& index) {
  return index.defined() ? y.index_select(1, index) : y;
}

at::Tensor FloatTensor(const std::vector<float>& values) {
  return at::from_blob(const_cast<float*>(values.data()), {static_cast<int64_t>(values.size())}, at::kFloat).clone();
}

}  // namespace

FlowNetwork::FlowNetwork(const FlowShape& shape, uint64_t seed, int64_t member, const StopToken& stop) : shape_(shape) {
  // Pairs of an order and its reverse; the first order is the columns' own, the others are drawn.
  std::vector<int64_t> order(shape.d);
  std::iota(order.begin(), order.end(), 0);
  const RandomStream stream(seed, RandomPurpose::kShuffle);
  for (int64_t layer = 0; layer < shape.transforms; ++layer) {
    if (stop.stop_requested()) return;
    if (layer % 2 == 1) {
      std::reverse(order.begin(), order.end());
    } else if (layer > 0) {
      order = stream.Permutation(shape.d, kFirstOrder + static_cast<uint64_t>(member * shape.transforms + layer));
    }
    AddLayer(order);
  }
  MakeTensors();
  Initialise(seed, member, stop);
}

FlowNetwork::FlowNetwork(const std::vector<AutoregressiveLayer>& layers) {
  shape_.kind = layers[0].kind;
  shape_.d = static_cast<int64_t>(layers[0].order.size());
  shape_.transforms = static_cast<int64_t>(layers.size());
  for (const std::vector<int64_t>& degrees : layers[0].degrees) shape_.hidden_units.push_back(degrees.size());
  shape_.bins = layers[0].bins;
  for (const AutoregressiveLayer& layer : layers) {
    AddLayer(layer.order);
    for (const Linear& linear : layer.network) {
      initial_weights_.insert(initial_weights_.end(), linear.weight.begin(), linear.weight.end());
      initial_weights_.insert(initial_weights_.end(), linear.bias.begin(), linear.bias.end());
    }
  }
  MakeTensors();
}

void FlowNetwork::MakeTensors() {
  scatter_ = IndexTensor(Inverse(layers_.back().order));
  num_weights_ = static_cast<int64_t>(mask_values_.size());
  mask_ = FloatTensor(mask_values_);
  step_scale_ = FloatTensor(step_scale_values_);
}

FlowNetwork FlowNetwork::On(const at::Device& device) const {
  FlowNetwork copy = *this;
  const auto move = [&](at::Tensor& tensor) {
    if (tensor.defined()) tensor = tensor.to(device);
  };
  for (at::Tensor& gather : copy.gathers_) move(gather);
  move(copy.scatter_);
  move(copy.mask_);
  move(copy.step_scale_);
  return copy;
}

void FlowNetwork::AddLayer(const std::vector<int64_t>& order) {
  AutoregressiveLayer layer;
  layer.kind = shape_.kind;
  layer.bins = shape_.bins;
  layer.order = order;

  std::vector<int64_t> index = order;
  if (!layers_.empty()) {
    const std::vector<int64_t> place = Inverse(layers_.back().order);
    for (int64_t& column : index) column = place[column];
  }
  gathers_.push_back(IndexTensor(index));

  std::vector<int64_t> below = InputDegrees(shape_.d, 0);
  for (const int64_t units : shape_.hidden_units) {
    std::vector<int64_t> degrees = HiddenDegrees(shape_.d, units, 0);
    if (degrees.empty()) break;  // d = 1: the output's bias alone speaks
    AddLinear(layer, below.size(), degrees.size(), HiddenMask(below, degrees), false);
    layer.degrees.push_back(degrees);
    below = std::move(degrees);
  }
  const int64_t outputs = layer.outputs_per_position();
  AddLinear(layer, below.size(), shape_.d * outputs, OutputMask(below, shape_.d, outputs), true);
  layers_.push_back(std::move(layer));
}

void FlowNetwork::AddLinear(AutoregressiveLayer& layer, int64_t in, int64_t out, const std::vector<uint8_t>& mask,
                            bool output) {
  Linear linear;
  linear.in = in;
  linear.out = out;
  layer.network.push_back(linear);
  sizes_.push_back(in * out);
  sizes_.push_back(out);
  mask_values_.insert(mask_values_.end(), mask.begin(), mask.end());
  mask_values_.insert(mask_values_.end(), out, 1.0f);
  const bool on_box = shape_.kind == AutoregressiveLayer::Kind::kSpline;
  const float step = on_box ? 1.0f : kAffineStep;
  step_scale_values_.insert(step_scale_values_.end(), in * out, step);
  step_scale_values_.insert(step_scale_values_.end(), out, on_box && output ? kBiasStep : step);
}

void FlowNetwork::Initialise(uint64_t seed, int64_t member, const StopToken& stop) {
  const RandomStream stream(seed, RandomPurpose::kInitialWeights);
  const auto normal = [&](int64_t index) { return stream.Normal(index, static_cast<uint32_t>(member)); };
  const bool on_box = shape_.kind == AutoregressiveLayer::Kind::kSpline;
  initial_weights_.assign(num_weights_, 0.0f);
  int64_t at = 0;
  for (const AutoregressiveLayer& layer : layers_) {
    for (size_t k = 0; k < layer.network.size(); ++k) {
      const Linear& linear = layer.network[k];
      const int64_t bias = at + linear.in * linear.out;
      const bool is_output = k + 1 == layer.network.size();
      const bool from_box = on_box && k == 0;
      const double spread = (from_box ? kBoxWeightSpread : kWeightSpread) / std::sqrt(static_cast<double>(linear.in));
      for (int64_t o = 0; o < linear.out && !is_output; ++o) {
        if (stop.stop_requested()) return;
        double offset = kBiasSpread * normal(bias + o);
        for (int64_t i = 0; i < linear.in; ++i) {
          const int64_t w = at + o * linear.in + i;
          if (mask_values_[w] == 0) continue;
          initial_weights_[w] = static_cast<float>(spread * normal(w));
          if (from_box) offset -= 0.5 * initial_weights_[w];  // positions in the unit box have mean 1/2
        }
        initial_weights_[bias + o] = static_cast<float>(offset);
      }
      at = bias + linear.out;
    }
  }
}

FlowNetwork::Output FlowNetwork::Forward(const at::Tensor& weights, const at::Tensor& y) const {
  const std::vector<at::Tensor> parts = (weights * mask_.to(weights.scalar_type())).split_with_sizes(sizes_, 0);
  const int64_t n = y.size(0);
  const int64_t d = shape_.d;
  Output result{y, at::Tensor()};
  size_t part = 0;
  for (size_t l = 0; l < layers_.size(); ++l) {
    const AutoregressiveLayer& layer = layers_[l];
    const at::Tensor input = Gather(result.z, gathers_[l]);
    at::Tensor raw = input;
    for (const Linear& linear : layer.network) {
      const at::Tensor weight = parts[part++].view({linear.out, linear.in});
      const at::Tensor& bias = parts[part++];
      if (d == 1) {
        raw = bias.unsqueeze(0);
        break;
      }
      if (&linear != &layer.network.front()) raw = raw.tanh();
      raw = at::addmm(bias, raw, weight.t());
    }
    raw = raw.view({raw.size(0), d, layer.outputs_per_position()});
    const Transformed out = layer.kind == AutoregressiveLayer::Kind::kAffine ? AffineTransform(input, raw)
                                                                             : SplineTransform(input, raw, layer.bins);
    result.z = out.z;
    result.ladj = result.ladj.defined() ? result.ladj + out.ladj : out.ladj;
  }
  result.z = Gather(result.z, scatter_);
  result.ladj = result.ladj.expand({n});
  return result;
}

at::Tensor FlowNetwork::LogProb(const at::Tensor& weights, const at::Tensor& y) const {
  const Output out = Forward(weights, y);
  if (shape_.kind == AutoregressiveLayer::Kind::kSpline) return out.ladj;
  const double log_norm = 0.5 * std::log(2 * M_PI) * static_cast<double>(shape_.d);
  return out.ladj - 0.5 * out.z.square().sum(1) - log_norm;
}

std::vector<AutoregressiveLayer> FlowNetwork::ToLayers(absl::Span<const float> weights) const {
  std::vector<AutoregressiveLayer> layers = layers_;
  size_t at = 0;
  for (AutoregressiveLayer& layer : layers) {
    for (Linear& linear : layer.network) {
      for (int64_t i = 0; i < linear.in * linear.out; ++i, ++at) {
        linear.weight.push_back(mask_values_[at] != 0 ? weights[at] : 0.0f);
      }
      linear.bias.assign(weights.begin() + at, weights.begin() + at + linear.out);
      at += linear.out;
    }
  }
  return layers;
}

}  // namespace creamery
