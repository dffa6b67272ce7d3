#include "tests/bench/eager_flow.h"

#include <ATen/ATen.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include "models/training/transforms.h"

namespace creamery::bench {
namespace {

at::Tensor FloatTensor(const std::vector<float>& values) {
  return at::from_blob(const_cast<float*>(values.data()), {static_cast<int64_t>(values.size())}, at::kFloat).clone();
}

}  // namespace

EagerFlow::EagerFlow(const Plan& plan) {
  const int64_t d = plan.d();
  std::vector<float> shift, scale;
  for (const ColumnMap& map : plan.columns) {
    const bool unit = map.space == ColumnMap::Space::kUnit;
    shift.push_back(static_cast<float>(unit ? map.lower : map.shift));
    scale.push_back(static_cast<float>(unit ? map.upper - map.lower : map.scale));
    log_norm_ += std::log(scale.back()) + (unit ? 0 : 0.5 * std::log(2 * M_PI));
  }
  shift_ = FloatTensor(shift);
  scale_ = FloatTensor(scale);
  std::vector<int64_t> place(d);  // where the layer before has put each column
  for (int64_t j = 0; j < d; ++j) place[j] = j;
  for (const AutoregressiveLayer& from : plan.layers) {
    Layer layer;
    layer.kind = from.kind;
    layer.bins = from.bins;
    std::vector<int64_t> gather;
    for (const int64_t column : from.order) gather.push_back(place[column]);
    for (int64_t i = 0; i < d; ++i) place[from.order[i]] = i;
    layer.gather = at::from_blob(gather.data(), {d}, at::kLong).clone();
    for (const Linear& linear : from.network) {
      layer.weights.push_back(FloatTensor(linear.weight).view({linear.out, linear.in}).t());
      layer.biases.push_back(FloatTensor(linear.bias));
    }
    layers_.push_back(std::move(layer));
  }
}

at::Tensor EagerFlow::LogProb(const at::Tensor& theta) const {
  at::Tensor z = (theta - shift_) / scale_;
  at::Tensor ladj;
  for (const Layer& layer : layers_) {
    const at::Tensor input = z.index_select(1, layer.gather);
    at::Tensor raw = input;
    for (size_t k = 0; k < layer.weights.size(); ++k) {
      if (k > 0) raw = raw.tanh();
      raw = at::addmm(layer.biases[k], raw, layer.weights[k]);
    }
    raw = raw.view({raw.size(0), input.size(1), -1});
    const Transformed out = layer.kind == AutoregressiveLayer::Kind::kAffine ? AffineTransform(input, raw)
                                                                             : SplineTransform(input, raw, layer.bins);
    z = out.z;
    ladj = ladj.defined() ? ladj + out.ladj : out.ladj;
  }
  if (layers_.front().kind == AutoregressiveLayer::Kind::kSpline) return ladj - log_norm_;
  return ladj - 0.5 * z.square().sum(1) - log_norm_;
}

std::string BlasLibrary() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const size_t slash = line.find('/');
    if (slash == std::string::npos) continue;
    const std::string file = line.substr(slash);
    if (file.find("blas") != std::string::npos || file.find("mkl") != std::string::npos) {
      return std::filesystem::canonical(file).string();
    }
  }
  return "within LibTorch";
}

}  // namespace creamery::bench
