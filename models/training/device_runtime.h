// What a LibTorch with CUDA does otherwise than one without: two sources, of which the build takes one.
#ifndef CREAMERY_MODELS_TRAINING_DEVICE_RUNTIME_H_
#define CREAMERY_MODELS_TRAINING_DEVICE_RUNTIME_H_

#include <c10/core/Device.h>
#include <c10/core/Stream.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace creamery {

bool LibTorchHasCuda();
// The GPUs that LibTorch finds, in the order of their CUDA indices.
std::vector<std::string> GpuNames();

// A queue of work on a device that nobody else uses meanwhile, so that networks are trained side by side on one GPU and
// what one records is its own work alone. Throws c10::Error if a GPU has no more, which is after 32.
class DeviceStream {
 public:
  explicit DeviceStream(const c10::Device& device);
  ~DeviceStream();  // NOLINT(performance-trivially-destructible): it has work to do where there is CUDA
  DeviceStream(const DeviceStream&) = delete;
  DeviceStream& operator=(const DeviceStream&) = delete;
  const c10::Stream& get() const { return stream_; }

 private:
  const c10::Stream stream_;
};

// The same work on a device again and again. On a GPU its kernels are recorded into a graph after a few direct runs, if
// that is wanted, and played back with one launch from then on; if LibTorch cannot record them, it goes on running
// directly. Not thread-safe.
class RepeatedWork {
 public:
  // `work` reads and writes tensors that stay where they are, and does not wait for the device. On a GPU the current
  // stream of Run must be a DeviceStream.
  RepeatedWork(const c10::Device& device, bool record, std::function<void()> work);
  ~RepeatedWork();
  void Run();
  // Whether Run plays back a graph by now.
  bool recorded() const;

 private:
  struct Graph;
  std::function<void()> work_;
  std::unique_ptr<Graph> graph_;  // null: nothing is recorded
};

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_DEVICE_RUNTIME_H_
