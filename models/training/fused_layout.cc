#include "models/training/fused_layout.h"

#include <algorithm>

#include "models/plan/masks.h"

namespace creamery {
namespace {

std::vector<int64_t> Inverse(const std::vector<int64_t>& order) {
  std::vector<int64_t> inverse(order.size());
  for (size_t i = 0; i < order.size(); ++i) inverse[order[i]] = static_cast<int64_t>(i);
  return inverse;
}

// `most[o]`: the highest degree that output o may see.
FusedLinear MakeLinear(absl::Span<const int64_t> in_degrees, absl::Span<const int64_t> most, int64_t& weights) {
  FusedLinear linear;
  linear.in = static_cast<int64_t>(in_degrees.size());
  linear.out = static_cast<int64_t>(most.size());
  linear.weight = weights;
  linear.bias = weights + linear.in * linear.out;
  weights = linear.bias + linear.out;
  for (const int64_t degree : most) {
    linear.seen.push_back(std::upper_bound(in_degrees.begin(), in_degrees.end(), degree) - in_degrees.begin());
  }
  for (const int64_t degree : in_degrees) {
    linear.viewer.push_back(std::lower_bound(most.begin(), most.end(), degree) - most.begin());
  }
  return linear;
}

}  // namespace

FusedLayout::FusedLayout(absl::Span<const AutoregressiveLayer> plan_layers) {
  d = static_cast<int64_t>(plan_layers[0].order.size());
  first = plan_layers[0].order;
  const auto take = [this](int64_t count) {
    const int64_t begin = lines;
    lines += count;
    return begin;
  };
  int64_t input = take(d);
  int64_t most_hidden = 0;
  for (size_t l = 0; l < plan_layers.size(); ++l) {
    const AutoregressiveLayer& plan = plan_layers[l];
    FusedLayer layer;
    layer.kind = plan.kind;
    layer.bins = plan.bins;
    layer.outputs = plan.outputs_per_position();
    layer.input = input;

    std::vector<int64_t> below = InputDegrees(d, 0);
    int64_t units = 0;
    for (const std::vector<int64_t>& degrees : plan.degrees) {
      layer.network.push_back(MakeLinear(below, degrees, num_weights));
      layer.hidden.push_back(take(static_cast<int64_t>(degrees.size())));
      units += static_cast<int64_t>(degrees.size());
      below = degrees;
    }
    most_hidden = std::max(most_hidden, units);
    std::vector<int64_t> most;
    for (int64_t row = 0; row < d * layer.outputs; ++row) most.push_back(row / layer.outputs);
    layer.network.push_back(MakeLinear(below, most, num_weights));
    layer.raw = take(d * layer.outputs);
    if (plan.kind == AutoregressiveLayer::Kind::kSpline) layer.saved = take(d * FusedLayer::kSavedLines);

    layer.next = plan.order;
    if (l + 1 < plan_layers.size()) {
      const std::vector<int64_t> place = Inverse(plan_layers[l + 1].order);
      for (int64_t& column : layer.next) column = place[column];
    }
    layer.output = input = take(d);
    layers.push_back(std::move(layer));
  }
  ladj = take(1);
  scale = take(1);
  deltas = take(most_hidden);
  delta_input = take(d);
  delta_output = take(d);
}

}  // namespace creamery
