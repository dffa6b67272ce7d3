// For a LibTorch without CUDA.
#include <utility>

#include "models/training/device_runtime.h"

namespace creamery {

bool LibTorchHasCuda() { return false; }

std::vector<std::string> GpuNames() { return {}; }

DeviceStream::DeviceStream(const c10::Device& device) : stream_(c10::Stream::DEFAULT, device) {}
DeviceStream::~DeviceStream() = default;

struct RepeatedWork::Graph {};

RepeatedWork::RepeatedWork(const c10::Device&, bool, std::function<void()> work) : work_(std::move(work)) {}
RepeatedWork::~RepeatedWork() = default;

void RepeatedWork::Run() { work_(); }

bool RepeatedWork::recorded() const { return false; }

}  // namespace creamery
