#include "models/plan/fused/packed_plan.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "models/plan/masks.h"

namespace creamery {
namespace {

// Units with degrees not above `degree`; degrees do not decrease.
int64_t CountUpTo(const std::vector<int64_t>& degrees, int64_t degree) {
  return std::upper_bound(degrees.begin(), degrees.end(), degree) - degrees.begin();
}

// `most[o]`: the highest degree that unit o may see. `lane[o]`: its place with units in lanes, one of `lanes`.
template <typename T>
PackedMap<T> PackMap(const Linear& linear, const std::vector<int64_t>& in_degrees, const std::vector<int64_t>& most,
                     const std::vector<int64_t>& lane, int64_t lanes) {
  PackedMap<T> map;
  map.in = linear.in;
  map.out = linear.out;
  map.weight.assign(linear.weight.begin(), linear.weight.end());
  map.bias.assign(linear.bias.begin(), linear.bias.end());
  for (const int64_t degree : most) map.seen.push_back(CountUpTo(in_degrees, degree));
  for (int64_t i = 0; i < linear.in; ++i) {
    map.viewer.push_back(std::upper_bound(map.seen.begin(), map.seen.end(), i) - map.seen.begin());
  }
  map.weight.resize(linear.in * linear.out + map.kPerVector);
  map.lanes = lanes;
  map.lane_weight.assign(linear.in * lanes, 0);
  map.lane_bias.assign(lanes, 0);
  map.lane_seen.assign(lanes / map.kPerVector, 0);
  for (int64_t o = 0; o < linear.out; ++o) {
    map.lane_bias[lane[o]] = map.bias[o];
    int64_t& seen = map.lane_seen[lane[o] / map.kPerVector];
    seen = std::max(seen, map.seen[o]);
    for (int64_t i = 0; i < linear.in; ++i) map.lane_weight[i * lanes + lane[o]] = map.weight[o * linear.in + i];
  }
  return map;
}

template <typename T>
PackedLayer<T> PackLayer(const AutoregressiveLayer& layer, int64_t padded_d) {
  const auto d = static_cast<int64_t>(layer.order.size());
  PackedLayer<T> packed;
  packed.kind = layer.kind;
  packed.bins = layer.bins;
  packed.outputs = layer.outputs_per_position();
  packed.order = layer.order;
  std::vector<int64_t> below = InputDegrees(d, 0);
  for (size_t h = 0; h < layer.degrees.size(); ++h) {
    const std::vector<int64_t>& degrees = layer.degrees[h];
    const auto units = static_cast<int64_t>(degrees.size());
    std::vector<int64_t> lane;
    for (int64_t unit = 0; unit < units; ++unit) lane.push_back(unit);
    packed.network.push_back(PackMap<T>(layer.network[h], below, degrees, lane, Padded<T>(units)));
    packed.known.emplace_back();
    for (int64_t i = 0; i < d; ++i) packed.known[h].push_back(CountUpTo(degrees, i));
    below = degrees;
  }
  std::vector<int64_t> most;
  std::vector<int64_t> lane;
  for (int64_t row = 0; row < d * packed.outputs; ++row) {
    most.push_back(row / packed.outputs);
    lane.push_back(row % packed.outputs * padded_d + layer.order[row / packed.outputs]);
  }
  packed.network.push_back(PackMap<T>(layer.network.back(), below, most, lane, Padded<T>(packed.outputs * padded_d)));
  return packed;
}

}  // namespace

template <typename T>
PackedPlan<T>::PackedPlan(const Plan& plan)
    : d(plan.d()),
      padded_d(Padded<double>(d)),
      is_normal(plan.layers[0].kind == AutoregressiveLayer::Kind::kAffine),
      whitening(plan.whitening) {
  for (const AutoregressiveLayer& layer : plan.layers) {
    layers.push_back(PackLayer<T>(layer, padded_d));
    int64_t hidden = 0;
    for (const auto& degrees : layer.degrees) hidden += static_cast<int64_t>(degrees.size());
    most_hidden = std::max(most_hidden, hidden);
    most_outputs = std::max(most_outputs, layers.back().outputs);
    for (const PackedMap<T>& map : layers.back().network) most_lanes = std::max(most_lanes, map.lanes);
  }
  if (is_normal) constant = -0.5 * std::log(2 * M_PI) * static_cast<double>(d);
  if (whitening.empty()) return;
  whitening_lanes.assign(d * padded_d, 0);
  for (int64_t i = 0; i < d; ++i) {
    for (int64_t j = 0; j <= i; ++j) whitening_lanes[j * padded_d + i] = whitening[i * d + j];
    constant += std::log(whitening[i * d + i]);
  }
}

template <typename T>
int64_t PackedPlan<T>::memory_bytes() const {
  size_t bytes = sizeof(*this) + (whitening.size() + whitening_lanes.size()) * sizeof(double);
  for (const PackedLayer<T>& layer : layers) {
    bytes += sizeof(layer) + layer.order.size() * sizeof(int64_t);
    for (const auto& known : layer.known) bytes += known.size() * sizeof(int64_t);
    for (const PackedMap<T>& map : layer.network) {
      bytes += sizeof(map) + (map.seen.size() + map.viewer.size() + map.lane_seen.size()) * sizeof(int64_t);
      bytes += (map.weight.size() + map.bias.size() + map.lane_weight.size() + map.lane_bias.size()) * sizeof(T);
    }
  }
  return static_cast<int64_t>(bytes);
}

template struct PackedPlan<float>;
template struct PackedPlan<double>;

bool FitsFloat32(const Plan& plan) {
  // Sums of up to 10^5 such products stay below the largest float, 3.4e38.
  constexpr float kLargestWeight = 1e15f;
  const auto small = [](float value) { return std::abs(value) <= kLargestWeight; };
  for (const AutoregressiveLayer& layer : plan.layers) {
    if (layer.kind != AutoregressiveLayer::Kind::kAffine) return false;
    for (const Linear& linear : layer.network) {
      if (linear.in > 100000 || !std::all_of(linear.weight.begin(), linear.weight.end(), small) ||
          !std::all_of(linear.bias.begin(), linear.bias.end(), small)) {
        return false;
      }
    }
  }
  return true;
}

}  // namespace creamery
