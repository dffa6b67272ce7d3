#include "tests/models/plan/random_plan.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "models/plan/masks.h"
#include "models/random.h"

namespace creamery {
namespace {

using Kind = AutoregressiveLayer::Kind;

Linear RandomLinear(const std::vector<uint8_t>& mask, int64_t in, double size, const RandomStream& random,
                    uint32_t stream) {
  Linear linear;
  linear.in = in;
  linear.out = static_cast<int64_t>(mask.size()) / in;
  for (size_t i = 0; i < mask.size(); ++i) {
    linear.weight.push_back(mask[i] ? static_cast<float>(size * random.Normal(i, stream)) : 0.0f);
  }
  for (int64_t i = 0; i < linear.out; ++i) {
    linear.bias.push_back(static_cast<float>(0.3 * random.Normal(1000000 + i, stream)));
  }
  return linear;
}

AutoregressiveLayer RandomLayer(Kind kind, int64_t d, const PlanSizes& sizes, bool reversed, const RandomStream& random,
                                uint32_t stream) {
  AutoregressiveLayer layer;
  layer.kind = kind;
  layer.bins = kind == Kind::kSpline ? sizes.bins : 0;
  layer.order.resize(d);
  std::iota(layer.order.begin(), layer.order.end(), int64_t{0});
  if (reversed) std::reverse(layer.order.begin(), layer.order.end());
  std::vector<int64_t> below = InputDegrees(d, 0);
  for (const int64_t units : sizes.hidden) {
    const std::vector<int64_t> degrees = HiddenDegrees(d, units, 0);
    if (degrees.empty()) break;
    layer.network.push_back(RandomLinear(HiddenMask(below, degrees), static_cast<int64_t>(below.size()),
                                         sizes.hidden_weight, random, stream++));
    layer.degrees.push_back(degrees);
    below = degrees;
  }
  layer.network.push_back(RandomLinear(OutputMask(below, d, layer.outputs_per_position()),
                                       static_cast<int64_t>(below.size()), sizes.output_weight, random, stream));
  return layer;
}

ColumnMap RandomColumn(Kind kind, int64_t j) {
  ColumnMap map;
  if (kind == Kind::kSpline) {
    map.space = ColumnMap::Space::kUnit;
    map.lower = -1;
    map.upper = 2;
    if (j % 3 == 1) {  // zoomed, on the whole line
      map.lower = -std::numeric_limits<double>::infinity();
      map.upper = -map.lower;
      map.zoom_center = 0.5;
      map.zoom_scale = 0.7;
    }
    return map;
  }
  map.shift = 0.2;
  map.scale = 0.9;
  if (j % 3 == 1) {  // leans on an edge
    map.space = ColumnMap::Space::kProbit;
    map.lower = 0;
    map.upper = 4;
    map.zoom_center = 1;
    map.zoom_scale = 1.5;
    map.spline = SteepKnots();
  } else if (j % 3 == 2) {
    map.space = ColumnMap::Space::kProbit;
    map.lower = -1;
    map.upper = 2;
  }
  return map;
}

// Column maps and whitening alone.
Plan WithoutLayers(Kind kind, int64_t d, const RandomStream& random) {
  Plan plan;
  for (int64_t j = 0; j < d; ++j) plan.columns.push_back(RandomColumn(kind, j));
  if (kind == Kind::kAffine) {
    plan.whitening.assign(d * d, 0);
    for (int64_t i = 0; i < d; ++i) {
      plan.whitening[i * d + i] = 1.1 + 0.2 * static_cast<double>(i);
      for (int64_t j = 0; j < i; ++j) plan.whitening[i * d + j] = 0.3 * random.Normal(i * d + j, 99);
    }
  }
  return plan;
}

}  // namespace

SplineKnots SteepKnots() { return {{0, 0.2, 0.7, 1}, {0, 0.5, 0.6, 1}, {3, 0.7, 0.4, 2}}; }

Plan SizedPlan(Kind kind, int64_t d, const PlanSizes& sizes, uint64_t seed) {
  const RandomStream random(seed, RandomPurpose::kInitialWeights);
  Plan plan = WithoutLayers(kind, d, random);
  for (int l = 0; l < sizes.layers; ++l) {
    plan.layers.push_back(RandomLayer(kind, d, sizes, l % 2 == 1, random, static_cast<uint32_t>(10 * l)));
  }
  return plan;
}

Plan RandomPlan(Kind kind, int64_t d, uint64_t seed) { return SizedPlan(kind, d, {2, {7, 5}, 4, 0.8, 0.5}, seed); }

Plan LargePlan(Kind kind, int64_t d, uint64_t seed) {
  return SizedPlan(kind, d, {kind == Kind::kSpline ? 3 : 6, {50, 50}, 8, 0.2, 0.05}, seed);
}

}  // namespace creamery
