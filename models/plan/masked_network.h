// The network of one autoregressive layer at work on B rows, a lane each. Since hidden units lie in the order of their
// degrees, what a unit sees is a prefix of the layer below, and position i needs only units of degree <= i: computed
// when position i is reached, forwards or backwards, each once.
#ifndef CREAMERY_MODELS_PLAN_MASKED_NETWORK_H_
#define CREAMERY_MODELS_PLAN_MASKED_NETWORK_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

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
        if (h == 0) {
          Accumulate(layer_->network[0], unit, inputs, degrees[unit], value);
        } else {
          Accumulate(layer_->network[h], unit, hidden_[h - 1].data(), Known(h - 1, degrees[unit]), value);
        }
        for (int b = 0; b < B; ++b) value[b] = std::tanh(value[b]);
      }
    }
  }

  // The numbers for position `i`, after AdvanceHidden(i). Valid until the next call.
  const double* Outputs(int64_t i, const double* inputs) {
    const int64_t count = layer_->outputs_per_position();
    const double* below = hidden_.empty() ? inputs : hidden_.back().data();
    const int64_t known = hidden_.empty() ? i : static_cast<int64_t>(done_.back());
    for (int64_t o = 0; o < count; ++o) {
      Accumulate(layer_->network.back(), i * count + o, below, known, &outputs_[o * B]);
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
  static void Accumulate(const Linear& linear, int64_t unit, const double* in, int64_t count, double* out) {
    double sum[B];
    for (int b = 0; b < B; ++b) sum[b] = linear.bias[unit];
    const float* weight = linear.weight.data() + unit * linear.in;
    for (int64_t k = 0; k < count; ++k) {
      const double w = weight[k];
      for (int b = 0; b < B; ++b) sum[b] += w * in[k * B + b];
    }
    for (int b = 0; b < B; ++b) out[b] = sum[b];
  }

  const AutoregressiveLayer* layer_;
  std::vector<std::vector<double>> hidden_;
  std::vector<size_t> done_;
  std::vector<double> outputs_;
};

}  // namespace creamery

#endif  // CREAMERY_MODELS_PLAN_MASKED_NETWORK_H_
