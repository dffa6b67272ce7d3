// For a LibTorch with CUDA, 2.1 or later.
#include <ATen/cuda/CUDAContext.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

#include <iostream>
#include <map>
#include <utility>

#include "models/training/device_runtime.h"
#include "proto/support/mutex.h"

namespace creamery {
namespace {

// Direct runs first: libraries choose their kernels and workspaces on a stream's first calls.
constexpr int kDirectRuns = 3;

// LibTorch records one graph at a time in a process.
Mutex& RecordingMutex() {
  static Mutex& mutex = *new Mutex();
  return mutex;
}

// LibTorch hands out its streams in turn, the first again after the last: who has one is kept here.
constexpr int kStreamsOfLibTorch = 32;
struct Streams {
  Mutex mu;
  std::map<c10::DeviceIndex, int> made ABSL_GUARDED_BY(mu);
  std::map<c10::DeviceIndex, std::vector<c10::Stream>> free ABSL_GUARDED_BY(mu);
};
Streams& AllStreams() {
  static Streams& streams = *new Streams();
  return streams;
}

c10::Stream TakeStream(const c10::Device& device) {
  if (!device.is_cuda()) return c10::Stream(c10::Stream::DEFAULT, device);
  Streams& streams = AllStreams();
  MutexLock lock(&streams.mu);
  std::vector<c10::Stream>& free = streams.free[device.index()];
  if (free.empty()) {
    TORCH_CHECK(streams.made[device.index()]++ < kStreamsOfLibTorch, "more than ", kStreamsOfLibTorch,
                " networks at a time on one GPU: give the worker fewer --threads");
    return c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device.index()).unwrap();
  }
  const c10::Stream stream = free.back();
  free.pop_back();
  return stream;
}

}  // namespace

bool LibTorchHasCuda() { return true; }

std::vector<std::string> GpuNames() {
  std::vector<std::string> names;
  for (int i = 0; i < c10::cuda::device_count(); ++i) names.emplace_back(at::cuda::getDeviceProperties(i)->name);
  return names;
}

DeviceStream::DeviceStream(const c10::Device& device) : stream_(TakeStream(device)) {}

DeviceStream::~DeviceStream() {
  if (!stream_.device().is_cuda()) return;
  Streams& streams = AllStreams();
  MutexLock lock(&streams.mu);
  streams.free[stream_.device_index()].push_back(stream_);
}

struct RepeatedWork::Graph {
  int runs = 0;
  bool recorded = false;
  at::cuda::CUDAGraph graph;

  // Records `work`, which does not run meanwhile.
  void Record(const std::function<void()>& work) {
    MutexLock lock(&RecordingMutex());
    try {
      // Other networks' threads go on with streams of their own.
      graph.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
      work();
      graph.capture_end();
      recorded = true;
    } catch (const c10::Error& error) {
      std::cerr << "training goes on without a CUDA graph: " << error.what_without_backtrace() << std::endl;
      try {
        graph.capture_end();
      } catch (const c10::Error&) {
      }
      cudaGetLastError();
    }
  }
};

RepeatedWork::RepeatedWork(const c10::Device& device, bool record, std::function<void()> work)
    : work_(std::move(work)), graph_(record && device.is_cuda() ? std::make_unique<Graph>() : nullptr) {}
RepeatedWork::~RepeatedWork() = default;

bool RepeatedWork::recorded() const { return graph_ != nullptr && graph_->recorded; }

void RepeatedWork::Run() {
  if (graph_ != nullptr && graph_->runs++ == kDirectRuns) graph_->Record(work_);
  recorded() ? graph_->graph.replay() : work_();
}

}  // namespace creamery
