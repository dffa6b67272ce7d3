// Gradient steps of one member, the fused step against LibTorch's autograd, and whole trainings; on one thread. For
// figures that can be compared: training_bench --benchmark_enable_random_interleaving=true --benchmark_repetitions=5
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "models/plan/column_map.h"
#include "models/random.h"
#include "models/training/flow_network.h"
#include "models/training/fused_flow.h"
#include "models/training/fused_kernels.h"
#include "models/training/trainer.h"
#include "tests/models/training/training_samples.h"

namespace creamery {
namespace {

constexpr auto kAffine = AutoregressiveLayer::Kind::kAffine;
constexpr auto kSpline = AutoregressiveLayer::Kind::kSpline;

// The default network of each family.
FlowShape ShapeOf(AutoregressiveLayer::Kind kind, int64_t d) {
  FlowShape shape;
  shape.kind = kind;
  shape.d = d;
  shape.transforms = kind == kAffine ? 6 : 4;
  shape.hidden_units = {50, 50};
  shape.bins = kind == kAffine ? 0 : 8;
  return shape;
}

// Everything that a step reads and writes.
struct Member {
  Member(const FlowShape& shape, int64_t rows)
      : network(shape, 1, 0),
        weights(network.initial_weights()),
        gradient(weights.size()),
        first(weights.size()),
        second(weights.size()),
        row_weight(rows, 1.0f) {
    const RandomStream stream(2, RandomPurpose::kSample);
    for (int64_t i = 0; i < rows * shape.d; ++i) {
      y.push_back(static_cast<float>(shape.kind == kAffine ? stream.Normal(i) : stream.Uniform(i)));
    }
  }

  void Adam() {
    FusedAdam adam;
    adam.learning_rate = 1e-4;
    adam.step = ++steps;
    FusedAdamStep(adam, gradient.data(), network.step_scale().data_ptr<float>(), network.num_weights(), weights.data(),
                  first.data(), second.data());
  }

  FlowNetwork network;
  std::vector<float> weights, gradient, first, second, row_weight, y;
  int64_t steps = 0;
};

void Report(benchmark::State& state) {
  state.counters["steps/s"] = benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void Fused(benchmark::State& state, AutoregressiveLayer::Kind kind) {
  Member member(ShapeOf(kind, state.range(0)), state.range(1));
  const FusedFlow flow(member.network.layers());
  FusedFlow::Workspace workspace(flow);
  const FusedRows rows{member.y.data(), member.row_weight.data(), nullptr, state.range(1)};
  for (auto _ : state) {
    benchmark::DoNotOptimize(flow.LossAndGradient(member.weights, rows, workspace, absl::MakeSpan(member.gradient)));
    member.Adam();
  }
  Report(state);
}

void Eager(benchmark::State& state, AutoregressiveLayer::Kind kind) {
  at::set_num_threads(1);
  const int64_t d = state.range(0);
  Member member(ShapeOf(kind, d), state.range(1));
  const at::Tensor y = at::from_blob(member.y.data(), {state.range(1), d}, at::kFloat);
  const at::Tensor weight = at::from_blob(member.row_weight.data(), {state.range(1)}, at::kFloat);
  for (auto _ : state) {
    at::Tensor leaf = at::from_blob(member.weights.data(), {member.network.num_weights()}, at::kFloat);
    leaf.set_requires_grad(true);
    const at::Tensor loss = -(member.network.LogProb(leaf, y) * weight).mean();
    loss.backward();
    const float* gradient = leaf.grad().data_ptr<float>();
    std::copy(gradient, gradient + member.gradient.size(), member.gradient.begin());
    benchmark::DoNotOptimize(loss.item<double>());
    member.Adam();
  }
  Report(state);
}

// All that a training job does: 10 000 rows of a correlated Gaussian of 6 parameters, 4 members, defaults.
void Whole(benchmark::State& state, const std::string& family) {
  std::vector<v1::Parameter> parameters;
  for (const char* name : {"a", "b", "c", "d", "e", "f"}) parameters.push_back(BoxParameter(name, -8, 8));
  TrainingInput input = MakeInput(parameters, 10000, [](const auto& u, double* row) {
    for (int j = 0; j < 6; ++j) row[j] = NormalQuantile(u(j)) + (j > 0 ? 0.5 * row[j - 1] : 0);
  });
  *input.job.mutable_training()->mutable_spec() = SpecOf(family);
  int64_t epochs = 0;
  TrainingHooks hooks;
  hooks.progress = [&](const v1::Progress&) { ++epochs; };
  for (auto _ : state) {
    const auto artifact = Train(input, hooks);
    if (!artifact.ok()) state.SkipWithError(artifact.status().ToString().c_str());
  }
  state.counters["epochs"] = benchmark::Counter(static_cast<double>(epochs), benchmark::Counter::kAvgIterations);
}

void Sizes(benchmark::internal::Benchmark* bench, std::vector<int64_t> dimensions) {
  for (const int64_t d : dimensions) {
    for (const int64_t rows : {128, 1024}) bench->Args({d, rows});
  }
  bench->ArgNames({"d", "rows"})->Unit(benchmark::kMicrosecond)->MinTime(0.2);
}

void MafSizes(benchmark::internal::Benchmark* bench) { Sizes(bench, {6, 10, 30}); }
void NsfSizes(benchmark::internal::Benchmark* bench) { Sizes(bench, {1, 6, 10, 30}); }

BENCHMARK_CAPTURE(Fused, maf, kAffine)->Apply(MafSizes);
BENCHMARK_CAPTURE(Eager, maf, kAffine)->Apply(MafSizes);
BENCHMARK_CAPTURE(Fused, nsf, kSpline)->Apply(NsfSizes);
BENCHMARK_CAPTURE(Eager, nsf, kSpline)->Apply(NsfSizes);
BENCHMARK_CAPTURE(Whole, maf, "maf")->Unit(benchmark::kSecond)->Iterations(1);
BENCHMARK_CAPTURE(Whole, nsf, "nsf")->Unit(benchmark::kSecond)->Iterations(1);

}  // namespace
}  // namespace creamery

BENCHMARK_MAIN();
