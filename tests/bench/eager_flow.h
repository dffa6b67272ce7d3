// A plan in eager LibTorch, float32, as a program that knows LibTorch well would write it: one matrix product per map
// over the whole batch, weights masked beforehand, no bookkeeping.
#ifndef CREAMERY_TESTS_BENCH_EAGER_FLOW_H_
#define CREAMERY_TESTS_BENCH_EAGER_FLOW_H_

#include <ATen/core/Tensor.h>

#include <vector>

#include "models/plan/plan.h"

namespace creamery::bench {

class EagerFlow {
 public:
  // A plan of plain column maps: theta and y differ by a shift and a scale.
  explicit EagerFlow(const Plan& plan);

  // theta: (n, d) float32 -> log_prob: (n,), natural log.
  at::Tensor LogProb(const at::Tensor& theta) const;

 private:
  struct Layer {
    AutoregressiveLayer::Kind kind;
    int64_t bins;
    at::Tensor gather;                // columns of the layer before, in the order of this one's positions
    std::vector<at::Tensor> weights;  // transposed
    std::vector<at::Tensor> biases;
  };
  std::vector<Layer> layers_;
  at::Tensor shift_, scale_;
  double log_norm_ = 0;
};

// The matrix library that LibTorch was linked with in this process: a file name.
std::string BlasLibrary();

}  // namespace creamery::bench

#endif  // CREAMERY_TESTS_BENCH_EAGER_FLOW_H_
