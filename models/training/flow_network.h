// The layers of a flow in LibTorch, mirroring AutoregressiveLayer of models/plan/plan.h number by number.
//
// All weights lie in one flat tensor, so that masking, clipping and the optimiser are a handful of operations however
// many layers there are; eager training is bound by the number of operations. Immutable; thread-safe.
#ifndef CREAMERY_MODELS_TRAINING_FLOW_NETWORK_H_
#define CREAMERY_MODELS_TRAINING_FLOW_NETWORK_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "models/plan/plan.h"
#include "proto/support/stop_token.h"

namespace creamery {

// What decides the shapes of all weights.
struct FlowShape {
  AutoregressiveLayer::Kind kind = AutoregressiveLayer::Kind::kAffine;
  int64_t d = 1;
  int64_t transforms = 1;
  std::vector<int64_t> hidden_units;  // unused for d = 1
  int64_t bins = 0;                   // of kSpline
};

class FlowNetwork {
 public:
  // `seed` and `member` decide the input orders and the initial weights. Large ones take seconds to make: once `stop`
  // is asked for, what is made means nothing, and the caller looks at it before it uses it.
  FlowNetwork(const FlowShape& shape, uint64_t seed, int64_t member, const StopToken& stop = StopToken());
  // The network of layers that ToLayers made; its initial weights are theirs.
  explicit FlowNetwork(const std::vector<AutoregressiveLayer>& layers);
  // A copy whose tensors lie on `device`, as those that it is called with must.
  FlowNetwork On(const at::Device& device) const;

  int64_t num_weights() const { return num_weights_; }
  // The starting point: output maps of zeros, so that the flow starts as the identity, and random hidden maps, flat and
  // wide: small weights, biases over the whole bend of tanh. Training goes on from the wiggles it is given, and few
  // rows cannot tell which of them are true: weights that make hidden units of variance 1 were measured to double the
  // divergence from a known density of 6 parameters, through overfitting. Or what training came to.
  const std::vector<float>& initial_weights() const { return initial_weights_; }
  // (num_weights,), how much longer than others a weight's steps are. A bias of a spline has nothing to multiply it and
  // must travel several units, ten times what a matrix entry does. All weights of affine layers take steps three times
  // as long: it was measured to bring them closer to every target of tests/reports/density_report in fewer epochs.
  const at::Tensor& step_scale() const { return step_scale_; }

  // weights: (num_weights,), y: (n, d), both float32 or both float64 -> log density of y: (n,), natural log, of the
  // base N(0, I) for affine layers and U(0, 1)^d for spline layers.
  at::Tensor LogProb(const at::Tensor& weights, const at::Tensor& y) const;

  // y: (n, d) -> z: (n, d) with columns in their places, ladj: (n,) = log |det dz/dy|, natural log.
  struct Output {
    at::Tensor z;
    at::Tensor ladj;
  };
  Output Forward(const at::Tensor& weights, const at::Tensor& y) const;

  // Orders, degrees and shapes of the layers; their numbers are empty.
  const std::vector<AutoregressiveLayer>& layers() const { return layers_; }
  // The layers as plain numbers; forbidden entries are exactly 0.
  std::vector<AutoregressiveLayer> ToLayers(absl::Span<const float> weights) const;

 private:
  void AddLayer(const std::vector<int64_t>& order);
  void MakeTensors();
  void AddLinear(AutoregressiveLayer& layer, int64_t in, int64_t out, const std::vector<uint8_t>& mask, bool output);
  void Initialise(uint64_t seed, int64_t member, const StopToken& stop);

  FlowShape shape_;
  std::vector<AutoregressiveLayer> layers_;  // orders, degrees and shapes; their numbers are empty
  std::vector<at::Tensor> gathers_;  // per layer: where its positions lie in the layer before; undefined: in place
  at::Tensor scatter_;               // where the columns of z lie in the last layer
  std::vector<int64_t> sizes_;       // of the parts of the flat tensor: weight, bias, weight, bias, ...
  std::vector<float> mask_values_;
  std::vector<float> step_scale_values_;
  std::vector<float> initial_weights_;
  at::Tensor mask_;  // float32
  at::Tensor step_scale_;
  int64_t num_weights_ = 0;
};

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_FLOW_NETWORK_H_
