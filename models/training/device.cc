#include "models/training/device.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "models/training/device_runtime.h"

namespace creamery {
namespace {

// A step is at least 6 operations a weight and row: a multiplication and an addition forward, twice that backward. The
// fused step of the processor does some 5e10 of them a second on one thread; the few hundred small kernels that
// LibTorch makes of a step cost a GPU most of a millisecond even when they are played back as one graph. Below 1e8
// operations, 2 ms on the processor, a GPU gains little or loses. The processor's side is measured (device_bench), the
// GPU's is an estimate from kernels of 2 microseconds: device_bench on a machine with a GPU tells where the two cross.
constexpr double kOperationsPerWeight = 6;
constexpr double kWorthwhileOperations = 1e8;

absl::Status NotHere(absl::string_view asked, bool cuda, absl::Span<const std::string> gpus) {
  if (!cuda) {
    return absl::FailedPreconditionError(
        absl::StrCat("device ", asked,
                     ": this program's LibTorch is built without CUDA; use --device=cpu, or build with "
                     "another LibTorch (deploy/docs/gpu.md)"));
  }
  if (gpus.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("device ", asked, ": LibTorch finds no GPU; does nvidia-smi? Else use --device=cpu"));
  }
  return absl::FailedPreconditionError(absl::StrCat("device ", asked, " is not here; ", gpus.size(),
                                                    " GPUs are, from cuda:0: ", absl::StrJoin(gpus, ", ")));
}

}  // namespace

absl::StatusOr<TrainingDevice> ChooseDevice(absl::string_view asked, bool cuda, absl::Span<const std::string> gpus) {
  if (asked == "cpu") return TrainingDevice();
  if (asked == "auto") return gpus.empty() ? TrainingDevice() : TrainingDevice{"cuda:0", false, gpus[0]};
  absl::string_view rest = asked;
  int index = 0;
  const bool known =
      absl::ConsumePrefix(&rest, "cuda") &&
      (rest.empty() || (absl::ConsumePrefix(&rest, ":") && absl::SimpleAtoi(rest, &index) && index >= 0));
  if (!known) {
    return absl::InvalidArgumentError(absl::StrCat("device is '", asked, "', expected auto, cpu, cuda or cuda:NUMBER"));
  }
  if (index >= static_cast<int64_t>(gpus.size())) return NotHere(asked, cuda, gpus);
  return TrainingDevice{absl::StrCat("cuda:", index), true, gpus[index]};
}

absl::StatusOr<TrainingDevice> FindTrainingDevice(absl::string_view asked) {
  return ChooseDevice(asked, LibTorchHasCuda(), GpuNames());
}

bool UsesGpu(const TrainingDevice& device, int64_t num_weights, int64_t batch_size) {
  if (device.gpu.empty()) return false;
  const double operations = kOperationsPerWeight * static_cast<double>(num_weights) * static_cast<double>(batch_size);
  return device.all_networks || operations >= kWorthwhileOperations;
}

}  // namespace creamery
