#include "tests/bench/eager_training.h"

#include <ATen/ATen.h>
#include <torch/optim/adam.h>
#include <torch/types.h>
// After what it needs and does not include.
#include <torch/nn/utils/clip_grad.h>

#include <cmath>

#include "models/plan/masks.h"
#include "models/training/transforms.h"

namespace creamery::bench {
namespace {

constexpr double kClipNorm = 5;
constexpr double kLearningRate = 1e-4;

at::Tensor FloatTensor(const std::vector<float>& values) {
  return at::from_blob(const_cast<float*>(values.data()), {static_cast<int64_t>(values.size())}, at::kFloat).clone();
}

}  // namespace

struct EagerTraining::Optimizer {
  torch::optim::Adam adam;
};

EagerTraining::EagerTraining(absl::Span<const AutoregressiveLayer> layers) {
  const auto d = static_cast<int64_t>(layers[0].order.size());
  std::vector<int64_t> place(d);  // where the layer before has put each column
  for (int64_t j = 0; j < d; ++j) place[j] = j;
  for (const AutoregressiveLayer& from : layers) {
    Layer layer = {from.kind, from.bins, at::Tensor(), {}};
    std::vector<int64_t> gather;
    for (const int64_t column : from.order) gather.push_back(place[column]);
    for (int64_t i = 0; i < d; ++i) place[from.order[i]] = i;
    layer.gather = at::from_blob(gather.data(), {d}, at::kLong).clone();
    std::vector<int64_t> below = InputDegrees(d, 0);
    for (size_t k = 0; k < from.network.size(); ++k) {
      const bool hidden = k < from.degrees.size();
      const std::vector<uint8_t> mask =
          hidden ? HiddenMask(below, from.degrees[k]) : OutputMask(below, d, from.outputs_per_position());
      if (hidden) below = from.degrees[k];
      const Linear& linear = from.network[k];
      const std::vector<int64_t> shape = {linear.out, linear.in};
      layer.network.push_back({FloatTensor(linear.weight).view(shape),
                               FloatTensor({mask.begin(), mask.end()}).view(shape), FloatTensor(linear.bias)});
    }
    layers_.push_back(std::move(layer));
  }
  for (Layer& layer : layers_) {
    for (MaskedLinear& linear : layer.network) {
      parameters_.push_back(linear.weight.set_requires_grad(true));
      parameters_.push_back(linear.bias.set_requires_grad(true));
    }
  }
  optimizer_.reset(new Optimizer{torch::optim::Adam(parameters_, torch::optim::AdamOptions(kLearningRate))});
}

EagerTraining::~EagerTraining() = default;

at::Tensor EagerTraining::LogProb(const at::Tensor& y) const {
  at::Tensor z = y;
  at::Tensor ladj;
  for (const Layer& layer : layers_) {
    const at::Tensor input = z.index_select(1, layer.gather);
    at::Tensor raw = input;
    for (size_t k = 0; k < layer.network.size(); ++k) {
      if (k > 0) raw = raw.tanh();
      const MaskedLinear& linear = layer.network[k];
      raw = at::linear(raw, linear.weight * linear.mask, linear.bias);
    }
    raw = raw.view({raw.size(0), input.size(1), -1});
    const Transformed out = layer.kind == AutoregressiveLayer::Kind::kAffine ? AffineTransform(input, raw)
                                                                             : SplineTransform(input, raw, layer.bins);
    z = out.z;
    ladj = ladj.defined() ? ladj + out.ladj : out.ladj;
  }
  if (layers_.front().kind == AutoregressiveLayer::Kind::kSpline) return ladj;
  return ladj - 0.5 * z.square().sum(1) - 0.5 * std::log(2 * M_PI) * static_cast<double>(y.size(1));
}

double EagerTraining::Step(const at::Tensor& y, const at::Tensor& weight) {
  optimizer_->adam.zero_grad();
  const at::Tensor loss = -(LogProb(y) * weight).mean();
  loss.backward();
  torch::nn::utils::clip_grad_norm_(parameters_, kClipNorm);
  optimizer_->adam.step();
  return loss.item<double>();
}

}  // namespace creamery::bench
