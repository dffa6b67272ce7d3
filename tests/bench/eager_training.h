// A gradient step of a flow in eager LibTorch, as its users write it: a tensor per weight and bias, masked linear maps,
// torch::nn::utils::clip_grad_norm_, torch::optim::Adam.
#ifndef CREAMERY_TESTS_BENCH_EAGER_TRAINING_H_
#define CREAMERY_TESTS_BENCH_EAGER_TRAINING_H_

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "models/plan/plan.h"

namespace creamery::bench {

class EagerTraining {
 public:
  // Starts from the numbers of `layers`.
  explicit EagerTraining(absl::Span<const AutoregressiveLayer> layers);
  ~EagerTraining();

  // y: (n, d), weight: (n), both float32. Returns the loss before the step.
  double Step(const at::Tensor& y, const at::Tensor& weight);

 private:
  struct Optimizer;
  struct MaskedLinear {
    at::Tensor weight, mask, bias;
  };
  struct Layer {
    AutoregressiveLayer::Kind kind;
    int64_t bins;
    at::Tensor gather;  // columns of the layer before, in the order of this one's positions
    std::vector<MaskedLinear> network;
  };

  at::Tensor LogProb(const at::Tensor& y) const;

  std::vector<Layer> layers_;
  std::vector<at::Tensor> parameters_;
  std::unique_ptr<Optimizer> optimizer_;
};

}  // namespace creamery::bench

#endif  // CREAMERY_TESTS_BENCH_EAGER_TRAINING_H_
