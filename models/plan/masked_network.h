// The network of one autoregressive layer at work on B rows, a lane each. Since hidden units lie in the order of their
// degrees, what a unit sees is a prefix of the layer below, and position i needs only units of degree <= i: computed
// when position i is reached, forwards or backwards, each once.
#ifndef CREAMERY_MODELS_PLAN_MASKED_NETWORK_H_
#define CREAMERY_MODELS_PLAN_MASKED_NETWORK_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "models/plan/lanes.h"
#include "models/plan/plan.h"

namespace creamery {

// Arrays are (unit, lane). `layer` must have passed CheckPlan and outlive this. Not thread-safe.
template <int B>
class MaskedNetwork {
 public:
  explicit MaskedNetwork(const AutoregressiveLayer& layer) : layer_(&layer) {
    for (size_t h = 0; h < layer.degrees.size(); ++h) {
      hidden_.emplace_back(layer.degrees[h].size() * B);
      done_.push_back(0);
    }
    outputs_.resize(layer.outputs_per_position() * B);
  }

  // Computes the hidden units that position `i` adds, given inputs of positions < i. Call with i = 0, 1, ... in order;
  // i = 0 starts anew.
  void AdvanceHidden(int64_t i, const double* inputs) {
    if (i == 0) std::fill(done_.begin(), done_.end(), 0);
    for (size_t h = 0; h < hidden_.size(); ++h) {
      const std::vector<int64_t>& degrees = layer_->degrees[h];
      size_t& unit = done_[h];
      for (; unit < degrees.size() && degrees[unit] <= i; ++unit) {
        double* value = &hidden_[h][unit * B];
        const Linear& linear = layer_->network[h];
        const double* below = h == 0 ? inputs : hidden_[h - 1].data();
        const int64_t known = h == 0 ? degrees[unit] : Known(h - 1, degrees[unit]);
        AccumulateTanh<B>(linear.bias[unit], &linear.weight[unit * linear.in], known, below, value);
      }
    }
  }

  // The numbers for position `i`, after AdvanceHidden(i). Valid until the next call.
  const double* Outputs(int64_t i, const double* inputs) {
    const int64_t count = layer_->outputs_per_position();
    const double* below = hidden_.empty() ? inputs : hidden_.back().data();
    const int64_t known = hidden_.empty() ? i : static_cast<int64_t>(done_.back());
    for (int64_t o = 0; o < count; ++o) {
      const Linear& linear = layer_->network.back();
      const int64_t unit = i * count + o;
      Accumulate<B>(linear.bias[unit], &linear.weight[unit * linear.in], known, below, &outputs_[o * B]);
    }
    return outputs_.data();
  }

  // (units, lane): the activations of hidden layer `h` after all positions.
  const std::vector<double>& hidden(size_t h) const { return hidden_[h]; }

  // Units of hidden layer `h` with degree <= `degree`.
  int64_t Known(size_t h, int64_t degree) const {
    const std::vector<int64_t>& degrees = layer_->degrees[h];
    return std::upper_bound(degrees.begin(), degrees.end(), degree) - degrees.begin();
  }

 private:
  const AutoregressiveLayer* layer_;
  std::vector<std::vector<double>> hidden_;
  std::vector<size_t> done_;
  std::vector<double> outputs_;
};

}  // namespace creamery

#endif  // CREAMERY_MODELS_PLAN_MASKED_NETWORK_H_
