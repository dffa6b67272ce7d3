#include "tests/bench/bench_flow.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "models/plan/interpreter.h"
#include "models/plan/masks.h"
#include "models/random.h"

namespace creamery::bench {
namespace {

// Variance of what comes out: `spread` squared for inputs of variance 1.
Linear MaskedLinear(const std::vector<uint8_t>& mask, int64_t in, double spread, uint32_t number) {
  const RandomStream random(1, RandomPurpose::kInitialWeights);
  Linear linear;
  linear.in = in;
  linear.out = static_cast<int64_t>(mask.size()) / in;
  for (int64_t o = 0; o < linear.out; ++o) {
    const auto row = mask.begin() + o * in;
    const double seen = std::max(1.0, std::accumulate(row, row + in, 0.0));
    for (int64_t i = 0; i < in; ++i) {
      linear.weight.push_back(row[i] ? static_cast<float>(spread / std::sqrt(seen) * random.Normal(o * in + i, number))
                                     : 0.0f);
    }
    linear.bias.push_back(static_cast<float>(0.1 * random.Normal(linear.out * in + o, number)));
  }
  return linear;
}

}  // namespace

Plan MakePlan(AutoregressiveLayer::Kind kind, int64_t d) {
  const bool spline = kind == AutoregressiveLayer::Kind::kSpline;
  Plan plan;
  plan.columns.resize(d);
  for (ColumnMap& map : plan.columns) {
    map.space = spline ? ColumnMap::Space::kUnit : ColumnMap::Space::kStandardized;
    if (!spline) map.shift = 0.5;
    map.upper = 2;
    map.scale = 2;
  }
  for (uint32_t l = 0; l < (spline ? 4 : 6); ++l) {
    AutoregressiveLayer layer;
    layer.kind = kind;
    layer.bins = spline ? 8 : 0;
    layer.order.resize(d);
    std::iota(layer.order.begin(), layer.order.end(), int64_t{0});
    if (l % 2 == 1) std::reverse(layer.order.begin(), layer.order.end());
    std::vector<int64_t> below = InputDegrees(d, 0);
    for (uint32_t h = 0; h < 2; ++h) {
      layer.degrees.push_back(HiddenDegrees(d, 50, 0));
      layer.network.push_back(
          MaskedLinear(HiddenMask(below, layer.degrees[h]), static_cast<int64_t>(below.size()), 1.0, 10 * l + h));
      below = layer.degrees[h];
    }
    layer.network.push_back(MaskedLinear(OutputMask(below, d, layer.outputs_per_position()),
                                         static_cast<int64_t>(below.size()), 0.3, 10 * l + 2));
    plan.layers.push_back(std::move(layer));
  }
  return plan;
}

int64_t MultiplyAdds(const Plan& plan) {
  int64_t count = 0;
  for (const AutoregressiveLayer& layer : plan.layers) {
    std::vector<int64_t> below = InputDegrees(plan.d(), 0);
    for (const std::vector<int64_t>& degrees : layer.degrees) {
      const std::vector<uint8_t> mask = HiddenMask(below, degrees);
      count += std::accumulate(mask.begin(), mask.end(), int64_t{0});
      below = degrees;
    }
    const std::vector<uint8_t> mask = OutputMask(below, plan.d(), layer.outputs_per_position());
    count += std::accumulate(mask.begin(), mask.end(), int64_t{0});
  }
  return count;
}

int64_t Tanhs(const Plan& plan) {
  int64_t count = 0;
  for (const AutoregressiveLayer& layer : plan.layers) {
    for (const std::vector<int64_t>& degrees : layer.degrees) count += static_cast<int64_t>(degrees.size());
  }
  return count;
}

std::vector<double> UniformRows(int64_t n, int64_t d) {
  const RandomStream random(3, RandomPurpose::kStatistics);
  std::vector<double> u(n * d);
  for (int64_t i = 0; i < n * d; ++i) u[i] = random.Uniform(i);
  return u;
}

std::vector<double> DrawnRows(const Plan& plan, int64_t n) {
  const int64_t drawn = std::min<int64_t>(n, 4096);
  std::vector<double> theta(drawn * plan.d());
  // The plan is ours: it answers.
  (void)PlanInverse(plan, UniformRows(drawn, plan.d()), absl::MakeSpan(theta), StopToken());
  theta.resize(n * plan.d());
  for (int64_t i = drawn * plan.d(); i < n * plan.d(); ++i) theta[i] = theta[i - drawn * plan.d()];
  return theta;
}

}  // namespace creamery::bench
