// Where networks are trained: on the processor or on a GPU. No LibTorch type in this header.
#ifndef CREAMERY_MODELS_TRAINING_DEVICE_H_
#define CREAMERY_MODELS_TRAINING_DEVICE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace creamery {

struct TrainingDevice {
  std::string gpu;           // LibTorch's name of it, "cuda:0"; empty: the processor alone
  bool all_networks = true;  // false: the GPU trains those networks that gain by it
  std::string name = "cpu";  // or the GPU's, "NVIDIA A100"
};

// The device that people ask for: `cpu`; `cuda`, the first GPU, or `cuda:1` for every network; `auto`: the first GPU,
// if there is one, for networks that gain by it. INVALID_ARGUMENT for any other word; FAILED_PRECONDITION if it is not
// here, with a message that says what is.
absl::StatusOr<TrainingDevice> FindTrainingDevice(absl::string_view asked);

// The same on a machine with GPUs of these names; `cuda` says whether LibTorch was built with CUDA.
absl::StatusOr<TrainingDevice> ChooseDevice(absl::string_view asked, bool cuda, absl::Span<const std::string> gpus);

// Whether a network of so many weights, trained in batches of so many rows, is trained and evaluated on the GPU.
bool UsesGpu(const TrainingDevice& device, int64_t num_weights, int64_t batch_size);

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_DEVICE_H_
