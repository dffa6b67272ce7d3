// What densities cost in this process, on one thread: beside LibTorch, eager, in float32, on the same weights, and
// beside the reference interpreter in float64. Both sides map theta to y as the columns say. LibTorch is handed the
// whole batch as a float32 tensor; ours takes and gives float64.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <torch/version.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "models/densities/density_tree.h"
#include "models/plan/interpreter.h"
#include "models/random.h"
#include "tests/bench/bench_flow.h"
#include "tests/bench/bench_main.h"
#include "tests/bench/eager_flow.h"
#include "tests/bench/peaks.h"

namespace creamery::bench {
namespace {

using Kind = AutoregressiveLayer::Kind;
const StopToken kNeverStop;

// One flow, three ways.
struct Flow {
  Flow(Kind kind, int64_t d)
      : name(absl::StrCat(kind == Kind::kAffine ? "maf" : "nsf", "/d:", d)),
        plan(MakePlan(kind, d)),
        density(MakeDensity(FlowTree(plan))),
        eager(plan) {}

  std::string name;
  Plan plan;
  std::unique_ptr<Density> density;
  EagerFlow eager;
};
using SharedFlow = std::shared_ptr<const Flow>;

std::string Name(absl::string_view what, const Flow& flow, int64_t rows, absl::string_view who) {
  return absl::StrCat(what, "/", flow.name, "/rows:", rows, "/", who);
}

at::Tensor FloatRows(const std::vector<double>& theta, int64_t d) {
  const auto n = static_cast<int64_t>(theta.size()) / d;
  return at::from_blob(const_cast<double*>(theta.data()), {n, d}, at::kDouble).to(at::kFloat);
}

// The three answers, row by row; ends the program if they are not the same density.
void Compare(const Flow& flow) {
  const std::vector<double> theta = DrawnRows(flow.plan, 1000);
  std::vector<double> reference(1000), ours(1000);
  if (!PlanLogProb(flow.plan, theta, absl::MakeSpan(reference), kNeverStop).ok() ||
      !flow.density->LogProb(theta, absl::MakeSpan(ours), kNeverStop).ok()) {
    Die(flow.name + " did not answer");
  }
  const at::Tensor eager = flow.eager.LogProb(FloatRows(theta, flow.plan.d()));
  double from_reference = 0;
  double from_eager = 0;
  for (size_t i = 0; i < ours.size(); ++i) {
    const double scale = std::max(1.0, std::abs(reference[i]));
    from_reference = std::max(from_reference, std::abs(ours[i] - reference[i]) / scale);
    from_eager = std::max(from_eager, std::abs(eager.data_ptr<float>()[i] - reference[i]) / scale);
  }
  benchmark::AddCustomContext("difference/" + flow.name + "/creamery", absl::StrCat(from_reference));
  benchmark::AddCustomContext("difference/" + flow.name + "/libtorch", absl::StrCat(from_eager));
  // Rows very near an edge of the box are hard on float32.
  if (!(from_reference < 1e-4) || !(from_eager < 1e-2)) {
    Die(absl::StrCat(flow.name, ": answers differ by ", from_reference, " and LibTorch's by ", from_eager));
  }
}

void AddLogProb(const SharedFlow& flow, int64_t rows) {
  const auto theta = std::make_shared<const std::vector<double>>(DrawnRows(flow->plan, rows));
  Case(Name("log_prob", *flow, rows, "creamery"), [flow, theta, rows](benchmark::State& state) {
    std::vector<double> log_prob(rows);
    for (auto _ : state) (void)flow->density->LogProb(*theta, absl::MakeSpan(log_prob), kNeverStop);
    state.counters["rows"] = static_cast<double>(rows);
    state.counters["multiply_adds"] = static_cast<double>(MultiplyAdds(flow->plan) * rows);
    state.counters["tanhs"] = static_cast<double>(Tanhs(flow->plan) * rows);
  });
  Case(Name("log_prob", *flow, rows, "double"), [flow, theta, rows](benchmark::State& state) {
    std::vector<double> log_prob(rows);
    for (auto _ : state) (void)PlanLogProb(flow->plan, *theta, absl::MakeSpan(log_prob), kNeverStop);
  });
  Case(Name("log_prob", *flow, rows, "libtorch"), [flow, theta](benchmark::State& state) {
    const at::NoGradGuard no_grad;
    const at::Tensor input = FloatRows(*theta, flow->plan.d());
    for (auto _ : state) benchmark::DoNotOptimize(flow->eager.LogProb(input).data_ptr<float>());
  });
}

void AddGradient(const SharedFlow& flow, int64_t rows) {
  const auto theta = std::make_shared<const std::vector<double>>(DrawnRows(flow->plan, rows));
  Case(Name("gradient", *flow, rows, "creamery"), [flow, theta, rows](benchmark::State& state) {
    std::vector<double> log_prob(rows), gradient(theta->size());
    for (auto _ : state) {
      (void)flow->density->LogProbGradient(*theta, absl::MakeSpan(log_prob), absl::MakeSpan(gradient), kNeverStop);
    }
  });
  Case(Name("gradient", *flow, rows, "libtorch"), [flow, theta](benchmark::State& state) {
    const at::Tensor input = FloatRows(*theta, flow->plan.d());
    for (auto _ : state) {
      const at::Tensor leaf = input.detach().requires_grad_(true);
      flow->eager.LogProb(leaf).sum().backward();
      benchmark::DoNotOptimize(leaf.grad().data_ptr<float>());
    }
  });
}

void AddSampling(const SharedFlow& flow, int64_t rows) {
  Case(Name("sample", *flow, rows, "creamery"), [flow, rows](benchmark::State& state) {
    std::vector<double> theta(rows * flow->plan.d());
    for (auto _ : state) (void)Sample(*flow->density, 1, 0, absl::MakeSpan(theta), kNeverStop);
  });
  const auto u = std::make_shared<const std::vector<double>>(UniformRows(rows, flow->plan.d()));
  Case(Name("prior_transform", *flow, rows, "creamery"), [flow, u](benchmark::State& state) {
    std::vector<double> theta(u->size());
    for (auto _ : state) (void)flow->density->PriorTransform(*u, absl::MakeSpan(theta), kNeverStop);
  });
  const auto theta = std::make_shared<const std::vector<double>>(DrawnRows(flow->plan, rows));
  Case(Name("inverse_prior_transform", *flow, rows, "creamery"), [flow, theta](benchmark::State& state) {
    std::vector<double> u(theta->size());
    for (auto _ : state) (void)flow->density->InversePriorTransform(*theta, absl::MakeSpan(u), kNeverStop);
  });
}

// The rule-of-thumb kernels of `m` draws from N(0, 1)^d, which have nothing to stand beside.
void AddKernels(int64_t m, int64_t d, int64_t rows) {
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
  const std::shared_ptr<const Density> density = MakeDensity(std::move(tree));
  const auto u = std::make_shared<const std::vector<double>>(UniformRows(rows, d));
  const std::string size = absl::StrCat("/kde of ", m, "/d:", d, "/rows:", rows, "/creamery");
  Case("log_prob" + size, [density, u, rows](benchmark::State& state) {
    std::vector<double> log_prob(rows);
    for (auto _ : state) (void)density->LogProb(*u, absl::MakeSpan(log_prob), kNeverStop);
  });
  Case("prior_transform" + size, [density, u](benchmark::State& state) {
    std::vector<double> theta(u->size());
    for (auto _ : state) (void)density->PriorTransform(*u, absl::MakeSpan(theta), kNeverStop);
  });
}

void Run() {
  at::set_num_threads(1);
  benchmark::AddCustomContext("libtorch", TORCH_VERSION);
  benchmark::AddCustomContext("blas", BlasLibrary());

  const auto maf = std::make_shared<const Flow>(Kind::kAffine, 6);
  const auto nsf = std::make_shared<const Flow>(Kind::kSpline, 6);
  const auto wide = std::make_shared<const Flow>(Kind::kAffine, 26);
  for (const SharedFlow& flow : {maf, nsf, wide}) Compare(*flow);
  AddPeakCases();
  if (Quick()) {
    AddLogProb(maf, 16);
    AddLogProb(wide, 16);
    AddGradient(nsf, 16);
    AddSampling(wide, 16);
    AddKernels(100, 2, 16);
  } else {
    for (const int64_t rows : {1, 16, 100, 1000, 10000, 100000}) AddLogProb(maf, rows);
    for (const int64_t rows : {1, 100, 10000}) AddLogProb(nsf, rows);
    for (const int64_t rows : {1, 10000}) AddLogProb(wide, rows);
    for (const int64_t rows : {1, 100, 10000}) AddGradient(maf, rows);
    for (const int64_t rows : {1, 10000}) AddGradient(nsf, rows);
    AddSampling(maf, 1);
    AddSampling(maf, 10000);
    AddSampling(nsf, 10000);
    AddSampling(wide, 10000);
    AddKernels(10000, 2, 256);
    AddKernels(10000, 10, 256);
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
