// Where a GPU gains: gradient steps of one network by the fused step, by LibTorch's autograd on the processor, and on a
// GPU with every kernel launched from the host or with recorded steps. What is not here is left out with a line that
// says so. The rule of `--device=auto` (models/training/device.cc) rests on these figures.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "models/random.h"
#include "models/training/device_runtime.h"
#include "models/training/training_loop.h"
#include "tests/bench/bench_main.h"

namespace creamery::bench {
namespace {

constexpr int64_t kSteps = 10;  // of an epoch
constexpr int64_t kEpochs = 2;

struct Size {
  int64_t d, units, rows;
};
// From the default network and minibatch to where a processor is slow.
constexpr Size kSizes[] = {{6, 50, 128}, {6, 50, 1024}, {6, 50, 8192}, {30, 256, 128}, {30, 256, 1024}, {30, 512, 256}};

LoopRows Rows(int64_t n, int64_t d, uint64_t seed) {
  const RandomStream stream(seed, RandomPurpose::kSample);
  LoopRows rows;
  rows.y = at::empty({n, d}, at::kFloat);
  rows.weight = at::ones({n}, at::kFloat);
  for (int64_t i = 0; i < n * d; ++i) rows.y.data_ptr<float>()[i] = static_cast<float>(stream.Normal(i));
  return rows;
}

// The time of a step, from whole epochs of one member after a first that warms up and records; a check of 16 held-out
// rows after each.
void Epochs(benchmark::State& state, const Size& size, const std::string& device, bool record) {
  at::set_num_threads(1);
  const FlowNetwork network({AutoregressiveLayer::Kind::kAffine, size.d, 6, {size.units, size.units}, 0}, 1, 0);
  const LoopRows train = Rows(kSteps * size.rows, size.d, 1);
  const LoopRows held_out = Rows(16, size.d, 2);
  LoopOptions options;
  options.batch_size = size.rows;
  options.patience = options.max_epochs = kEpochs + 1;
  options.autograd_device = device;
  options.record_steps = record;
  for (auto _ : state) {
    MemberState member = StartMember(network, options);
    absl::Time began = absl::InfinitePast();
    const auto after_epoch = [&] {
      if (began == absl::InfinitePast()) began = absl::Now();
      return absl::OkStatus();
    };
    const absl::Status status = TrainMember(network, train, held_out, options, StopToken(), after_epoch, member);
    if (!status.ok()) return state.SkipWithError(status.ToString().c_str());
    state.SetIterationTime(absl::ToDoubleSeconds(absl::Now() - began) / (kEpochs * kSteps));
  }
  state.counters["Mop/step"] = 6e-6 * static_cast<double>(network.num_weights() * size.rows);
}

void AddCases(const Size& size, bool gpu) {
  const auto add = [&](const char* who, const std::string& device, bool record) {
    const std::string name =
        absl::StrCat("device_step/maf/d:", size.d, "/units:", size.units, "/rows:", size.rows, "/", who);
    const auto run = [=](benchmark::State& state) { Epochs(state, size, device, record); };
    benchmark::RegisterBenchmark(name.c_str(), run)->UseManualTime()->Iterations(1)->Unit(benchmark::kMicrosecond);
  };
  add("creamery", "", false);
  add("libtorch", "cpu", false);
  if (!gpu) return;
  add("libtorch_gpu", "cuda:0", false);
  add("libtorch_gpu_graph", "cuda:0", true);
}

}  // namespace
}  // namespace creamery::bench

int main(int argc, char** argv) {
  using namespace creamery::bench;  // NOLINT(build/namespaces): a program of one file
  Initialize(argc, argv);
  const std::vector<std::string> gpus = creamery::GpuNames();
  benchmark::AddCustomContext("gpu", gpus.empty() ? "none" : gpus[0]);
  if (gpus.empty())
    std::cerr << "device_bench: LibTorch finds no GPU; libtorch_gpu and libtorch_gpu_graph are left out\n";
  for (const Size& size : kSizes) {
    AddCases(size, !gpus.empty());
    if (Quick()) break;
  }
  benchmark::RunSpecifiedBenchmarks();
}
