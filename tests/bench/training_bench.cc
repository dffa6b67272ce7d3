// What training costs in this process. A gradient step on one thread, clipping and Adam included, three ways: ours;
// LibTorch, eager, as its users write it; and LibTorch's autograd with everything else by our kernels, the most that
// eager can be. And whole trainings of four members on 10 000 rows on two threads, ours and by LibTorch's autograd,
// with the held-out log-likelihood that they reach: a seed each time a case is repeated.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/version.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "models/estimator.h"
#include "models/families.h"
#include "models/plan/column_map.h"
#include "models/plan/masks.h"
#include "models/random.h"
#include "models/training/box_spline.h"
#include "models/training/column_choice.h"
#include "models/training/flow.h"
#include "models/training/flow_network.h"
#include "models/training/fused_flow.h"
#include "models/training/fused_kernels.h"
#include "models/training/layer_space.h"
#include "models/training/member_rows.h"
#include "models/training/parallel.h"
#include "models/training/trainer.h"
#include "models/training/training_loop.h"
#include "proto/support/safetensors.h"
#include "proto/support/status_macros.h"
#include "tests/bench/bench_flow.h"
#include "tests/bench/bench_main.h"
#include "tests/bench/eager_flow.h"
#include "tests/bench/eager_training.h"
#include "tests/bench/peaks.h"
#include "tests/models/training/training_samples.h"

namespace creamery::bench {
namespace {

using Kind = AutoregressiveLayer::Kind;
constexpr double kClipNorm = 5;
constexpr int kThreads = 2;  // of whole trainings

// A network of a family's default size and a minibatch.
struct Problem {
  Problem(Kind kind, int64_t d, int64_t rows)
      : name(absl::StrCat(kind == Kind::kAffine ? "maf" : "nsf", "/d:", d, "/rows:", rows)),
        network({kind, d, kind == Kind::kAffine ? 6 : 3, {50, 50}, kind == Kind::kAffine ? 0 : 8}, 1, 0),
        y(at::empty({rows, d}, at::kFloat)),
        weight(at::ones({rows}, at::kFloat)) {
    const RandomStream stream(2, RandomPurpose::kSample);
    for (int64_t i = 0; i < rows * d; ++i) {
      y.data_ptr<float>()[i] = static_cast<float>(kind == Kind::kAffine ? stream.Normal(i) : stream.Uniform(i));
    }
  }

  int64_t rows() const { return y.size(0); }

  std::string name;
  FlowNetwork network;
  at::Tensor y, weight;
};
using SharedProblem = std::shared_ptr<const Problem>;

// What a step changes, and what follows the gradient: the norm, clipping, Adam, the average of the weights.
class State {
 public:
  explicit State(const FlowNetwork& network)
      : weights(network.initial_weights()),
        gradient(weights.size()),
        step_scale_(network.step_scale()),
        first_(weights.size()),
        second_(weights.size()),
        average_(weights) {}

  void Step() {
    const auto count = static_cast<int64_t>(weights.size());
    FusedAdam adam;
    adam.learning_rate = 1e-4;
    adam.step = ++steps_;
    adam.gradient_scale = std::min(1.0, kClipNorm / FusedNorm(count, gradient.data()));
    adam.average_part = 0.01;
    FusedAdamStep(adam, gradient.data(), step_scale_.data_ptr<float>(), count,
                  {weights.data(), first_.data(), second_.data(), average_.data()});
  }

  std::vector<float> weights, gradient;

 private:
  at::Tensor step_scale_;
  std::vector<float> first_, second_, average_;
  int64_t steps_ = 0;
};

// Of a step: forwards, backwards but for the rows themselves, and sums over rows of delta x input.
int64_t StepMultiplyAdds(const Problem& problem) {
  Plan plan;
  plan.columns.resize(problem.y.size(1));
  plan.layers = problem.network.layers();
  const std::vector<uint8_t> first =
      HiddenMask(InputDegrees(problem.y.size(1), 0), problem.network.layers()[0].degrees[0]);
  return (3 * MultiplyAdds(plan) - std::accumulate(first.begin(), first.end(), int64_t{0})) * problem.rows();
}

void AddSteps(Kind kind, int64_t d, int64_t rows) {
  const auto problem = std::make_shared<const Problem>(kind, d, rows);
  const std::string name = absl::StrCat("training_step/", problem->name, "/");
  Case(name + "creamery", [problem](benchmark::State& state) {
    const FusedFlow flow(problem->network.layers());
    FusedFlow::Workspace workspace(flow);
    State member(problem->network);
    const FusedRows rows{problem->y.data_ptr<float>(), problem->weight.data_ptr<float>(), nullptr, problem->rows()};
    for (auto _ : state) {
      benchmark::DoNotOptimize(flow.LossAndGradient(member.weights, rows, workspace, absl::MakeSpan(member.gradient)));
      member.Step();
    }
    int64_t tanhs = 0;
    for (const AutoregressiveLayer& layer : problem->network.layers()) {
      for (const std::vector<int64_t>& degrees : layer.degrees) tanhs += static_cast<int64_t>(degrees.size());
    }
    state.counters["multiply_adds"] = static_cast<double>(StepMultiplyAdds(*problem));
    state.counters["tanhs"] = static_cast<double>(tanhs * problem->rows());
  });
  Case(name + "libtorch", [problem](benchmark::State& state) {
    EagerTraining training(problem->network.ToLayers(problem->network.initial_weights()));
    for (auto _ : state) benchmark::DoNotOptimize(training.Step(problem->y, problem->weight));
  });
  Case(name + "libtorch_flat", [problem](benchmark::State& state) {
    State member(problem->network);
    const auto count = static_cast<int64_t>(member.weights.size());
    for (auto _ : state) {
      at::Tensor leaf = at::from_blob(member.weights.data(), {count}, at::kFloat).set_requires_grad(true);
      const at::Tensor loss = -(problem->network.LogProb(leaf, problem->y) * problem->weight).mean();
      loss.backward();
      std::copy_n(leaf.grad().data_ptr<float>(), count, member.gradient.begin());
      benchmark::DoNotOptimize(loss.item<double>());
      member.Step();
    }
  });
}

// A curved density of 6 parameters, each around a parabola in the one before.
TrainingInput CurvedInput(const std::string& family, uint64_t seed) {
  std::vector<v1::Parameter> parameters;
  for (const char* name : {"a", "b", "c", "d", "e", "f"}) parameters.push_back(FreeParameter(name));
  TrainingInput input = MakeInput(parameters, Quick() ? 200 : 10000, [](const auto& u, double* row) {
    for (int j = 0; j < 6; ++j) {
      row[j] = NormalQuantile(u(j)) + (j > 0 ? 0.5 * row[j - 1] + 0.25 * (row[0] * row[0] - 1) : 0);
    }
  });
  *input.job.mutable_training()->mutable_spec() = SpecOf(family);
  v1::TrainingOptions& training = *input.job.mutable_training()->mutable_spec()->mutable_training();
  training.set_seed(seed);
  if (Quick()) training.set_max_epochs(1);
  return input;
}

// The whole job: preparation, members, what an artifact says of itself. Returns the members' mean held-out log density.
absl::StatusOr<double> TrainJob(const std::string& family, uint64_t seed) {
  TrainingHooks hooks;
  hooks.threads = kThreads;
  ABSL_ASSIGN_OR_RETURN(const std::string artifact, Train(CurvedInput(family, seed), hooks));
  ABSL_ASSIGN_OR_RETURN(const std::unique_ptr<Estimator> estimator, LoadEstimator(artifact));
  const auto& members = estimator->description().training().members();
  double sum = 0;
  for (const v1::MemberSummary& member : members) sum -= member.held_out_loss();
  return sum / members.size();
}

// The members alone, by LibTorch's autograd; no description of them, no artifact.
absl::StatusOr<double> TrainEager(const std::string& family, uint64_t seed) {
  at::set_num_threads(1);
  const TrainingInput input = CurvedInput(family, seed);
  ABSL_ASSIGN_OR_RETURN(const v1::EstimatorSpec spec, CompleteSpec(input.job.training().spec(), input.dataset, {}));
  const v1::TrainingOptions& training = spec.training();
  ABSL_ASSIGN_OR_RETURN(const PreparedData data, PrepareData(input.dataset, input.rows, {}, training.members(), seed));
  std::vector<double> loss(training.members());
  ABSL_RETURN_IF_ERROR(ForEach(training.members(), kThreads, [&](int64_t member) -> absl::Status {
    const MemberRows rows = RowsOfMember(data, member);
    const FlowNetwork network(ShapeOf(spec, data.d()), seed, member);
    ABSL_ASSIGN_OR_RETURN(const Plan plan,
                          ChooseColumns(data, rows.train, spec, network.layers()[0].kind, [&](auto u, auto weight) {
                            return FitBoxSpline(u, weight, EffectiveRowsOf(data, rows.train), StopToken());
                          }));
    ABSL_ASSIGN_OR_RETURN(const LoopRows train, ToLayerSpace(plan, data, rows.train));
    ABSL_ASSIGN_OR_RETURN(const LoopRows held_out, ToLayerSpace(plan, data, rows.held_out));
    LoopOptions options;
    options.member = member;
    options.seed = seed;
    options.learning_rate = training.learning_rate();
    options.batch_size = training.batch_size();
    options.max_epochs = training.max_epochs();
    options.patience = training.patience();
    options.clip_norm = training.clip_norm();
    options.autograd_device = "cpu";
    MemberState state = StartMember(network, options);
    ABSL_RETURN_IF_ERROR(TrainMember(
        network, train, held_out, options, StopToken(), [] { return absl::OkStatus(); }, state));
    loss[member] = state.best_held_out_loss;
    return absl::OkStatus();
  }));
  double sum = 0;
  for (const double one : loss) sum -= one;
  return sum / static_cast<double>(loss.size());
}

void AddWhole(const std::string& family, const std::string& who,
              absl::StatusOr<double> (*train)(const std::string& family, uint64_t seed)) {
  const auto seed = std::make_shared<uint64_t>(0);
  const auto run = [family, train, seed](benchmark::State& state) {
    for (auto _ : state) {
      const absl::StatusOr<double> held_out = train(family, (*seed)++);
      if (!held_out.ok()) Die(held_out.status().ToString());
      state.counters["held_out_log_prob"] = *held_out;
    }
  };
  Case(absl::StrCat("training/", family, "/d:6/rows:10000/members:4/threads:", kThreads, "/", who), run)
      ->Unit(benchmark::kSecond)
      ->Iterations(1)
      ->Repetitions(Quick() ? 1 : 3);
}

void Run() {
  at::set_num_threads(1);
  benchmark::AddCustomContext("libtorch", TORCH_VERSION);
  benchmark::AddCustomContext("blas", BlasLibrary());
  AddPeakCases();
  for (const Kind kind : {Kind::kAffine, Kind::kSpline}) {
    for (const int64_t d : Quick() ? std::vector<int64_t>{6} : std::vector<int64_t>{6, 30}) {
      for (const int64_t rows : {128, 1024}) AddSteps(kind, d, rows);
    }
  }
  for (const char* family : {"maf", "nsf"}) {
    AddWhole(family, "creamery", &TrainJob);
    AddWhole(family, "libtorch", &TrainEager);
  }
  benchmark::RunSpecifiedBenchmarks();
}

}  // namespace
}  // namespace creamery::bench

int main(int argc, char** argv) {
  creamery::bench::Initialize(argc, argv);
  creamery::bench::Run();
  return 0;
}
