// What densities cost, per row: flows of the default sizes, kernels of the default number. One thread.
#include <benchmark/benchmark.h>

#include <cmath>
#include <memory>
#include <numeric>
#include <vector>

#include "models/densities/density_tree.h"
#include "models/plan/masks.h"
#include "models/random.h"

namespace creamery {
namespace {

using Kind = AutoregressiveLayer::Kind;
constexpr int64_t kRows = 256;

Linear MaskedLinear(const std::vector<uint8_t>& mask, int64_t in, const RandomStream& random, uint32_t stream) {
  Linear linear;
  linear.in = in;
  linear.out = static_cast<int64_t>(mask.size()) / in;
  for (size_t i = 0; i < mask.size(); ++i) {
    linear.weight.push_back(mask[i] ? static_cast<float>(0.1 * random.Normal(i, stream)) : 0.0f);
  }
  linear.bias.assign(linear.out, 0.1f);
  return linear;
}

// A flow of the default sizes: `maf` or `nsf`.
std::unique_ptr<Density> Flow(Kind kind, int64_t d) {
  const RandomStream random(1, RandomPurpose::kInitialWeights);
  Plan plan;
  plan.columns.resize(d);
  const bool spline = kind == Kind::kSpline;
  for (ColumnMap& map : plan.columns) map.space = spline ? ColumnMap::Space::kUnit : ColumnMap::Space::kStandardized;
  for (int l = 0; l < (spline ? 3 : 6); ++l) {
    AutoregressiveLayer layer;
    layer.kind = kind;
    layer.bins = spline ? 8 : 0;
    layer.order.resize(d);
    std::iota(layer.order.begin(), layer.order.end(), int64_t{0});
    std::vector<int64_t> below = InputDegrees(d, 0);
    for (int h = 0; h < 2; ++h) {
      layer.degrees.push_back(HiddenDegrees(d, 50, 0));
      layer.network.push_back(
          MaskedLinear(HiddenMask(below, layer.degrees[h]), static_cast<int64_t>(below.size()), random, 10 * l + h));
      below = layer.degrees[h];
    }
    layer.network.push_back(MaskedLinear(OutputMask(below, d, layer.outputs_per_position()),
                                         static_cast<int64_t>(below.size()), random, 10 * l + 2));
    plan.layers.push_back(std::move(layer));
  }
  return MakeDensity(FlowTree(std::move(plan)));
}

// The rule-of-thumb kernels of `m` draws from N(0, 1)^d.
std::unique_ptr<Density> Kernels(int64_t m, int64_t d) {
  const RandomStream random(2, RandomPurpose::kStatistics);
  DensityTree tree;
  tree.kind = DensityTree::Kind::kKernels;
  KernelPlan& plan = tree.kernels;
  plan.columns.resize(d);
  plan.weight.assign(m, 1.0 / static_cast<double>(m));
  for (int64_t i = 0; i < m * d; ++i) plan.centers.push_back(random.Normal(i));
  plan.cholesky.assign(d * d, 0);
  const double width =
      std::pow(static_cast<double>(m) * (static_cast<double>(d) + 2) / 4, -1 / (static_cast<double>(d) + 4));
  for (int64_t i = 0; i < d; ++i) plan.cholesky[i * d + i] = width;
  return MakeDensity(std::move(tree));
}

std::unique_ptr<Density> Make(int64_t family, int64_t d) {
  if (family == 0) return Flow(Kind::kAffine, d);
  if (family == 1) return Flow(Kind::kSpline, d);
  return Kernels(10000, d);
}

std::vector<double> UniformRows(int64_t d) {
  const RandomStream random(3, RandomPurpose::kStatistics);
  std::vector<double> u;
  for (int64_t i = 0; i < kRows * d; ++i) u.push_back(random.Uniform(i));
  return u;
}

void Name(benchmark::State& state) {
  constexpr const char* kNames[] = {"maf", "nsf", "kde of 10000 kernels"};
  state.SetLabel(kNames[state.range(0)]);
  state.counters["rows/s"] = benchmark::Counter(kRows, benchmark::Counter::kIsIterationInvariantRate);
}

void BM_LogProb(benchmark::State& state) {
  const int64_t d = state.range(1);
  const std::unique_ptr<Density> density = Make(state.range(0), d);
  std::vector<double> theta(kRows * d);
  (void)density->PriorTransform(UniformRows(d), absl::MakeSpan(theta), StopToken());
  std::vector<double> log_prob(kRows);
  for (auto _ : state) {
    (void)density->LogProb(theta, absl::MakeSpan(log_prob), StopToken());
    benchmark::DoNotOptimize(log_prob.data());
  }
  Name(state);
}

void BM_LogProbGradient(benchmark::State& state) {
  const int64_t d = state.range(1);
  const std::unique_ptr<Density> density = Make(state.range(0), d);
  std::vector<double> theta(kRows * d);
  (void)density->PriorTransform(UniformRows(d), absl::MakeSpan(theta), StopToken());
  std::vector<double> log_prob(kRows);
  std::vector<double> gradient(kRows * d);
  for (auto _ : state) {
    (void)density->LogProbGradient(theta, absl::MakeSpan(log_prob), absl::MakeSpan(gradient), StopToken());
    benchmark::DoNotOptimize(gradient.data());
  }
  Name(state);
}

void BM_PriorTransform(benchmark::State& state) {
  const int64_t d = state.range(1);
  const std::unique_ptr<Density> density = Make(state.range(0), d);
  const std::vector<double> u = UniformRows(d);
  std::vector<double> theta(kRows * d);
  for (auto _ : state) {
    (void)density->PriorTransform(u, absl::MakeSpan(theta), StopToken());
    benchmark::DoNotOptimize(theta.data());
  }
  Name(state);
}

void Cases(benchmark::internal::Benchmark* cases) {
  cases->ArgsProduct({{0, 1, 2}, {2, 10}})->Unit(benchmark::kMillisecond);
}
BENCHMARK(BM_LogProb)->Apply(Cases);
BENCHMARK(BM_LogProbGradient)->Apply(Cases);
BENCHMARK(BM_PriorTransform)->Apply(Cases);

}  // namespace
}  // namespace creamery

BENCHMARK_MAIN();
