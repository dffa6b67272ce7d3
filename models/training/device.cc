#include "models/training/device.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "models/training/device_runtime.h"

namespace creamery {
namespace {

// A step is 6 operations a weight and row: a multiplication and an addition forward, twice that backward; the fused
// step leaves out the half that masks forbid and does 2.2e11 to 2.8e11 of these a second on one core with AVX-512
// (device_bench: d = 6 and 50 x 50 units to d = 30 and 512 x 512, 128 to 8192 rows). LibTorch makes some 270 kernels of
// a step of six layers; at 2 microseconds each, played back as one graph, a GPU takes half a millisecond however small
// they are. That is an estimate: device_bench on a machine with a GPU tells where the two cross. 5e8 operations are 2
// ms on the processor; below, a GPU gains little or loses.
constexpr double kOperationsPerWeight = 6;
constexpr double kWorthwhileOperations = 5e8;

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
