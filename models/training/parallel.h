// Independent pieces of work on a few threads.
#ifndef CREAMERY_MODELS_TRAINING_PARALLEL_H_
#define CREAMERY_MODELS_TRAINING_PARALLEL_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "models/training/guard_torch.h"

namespace creamery {

// Calls work(i), which returns a Status, for i = 0..n-1 on up to `threads` threads; with one, in order on this thread.
// After an error no new work begins. Returns the error of the lowest i. Nothing may depend on the order of the calls.
template <typename Work>
absl::Status ForEach(int64_t n, int64_t threads, const Work& work) {
  std::vector<absl::Status> status(n);
  std::atomic<int64_t> next{0};
  std::atomic<bool> failed{false};
  const auto run = [&] {
    for (int64_t i = next++; i < n && !failed; i = next++) {
      status[i] = GuardTorch([&] { return work(i); });
      if (!status[i].ok()) failed = true;
    }
  };
  std::vector<std::thread> others;
  for (int64_t t = 1; t < std::min(threads, n); ++t) others.emplace_back(run);
  run();
  for (std::thread& thread : others) thread.join();
  for (const absl::Status& one : status) {
    if (!one.ok()) return one;
  }
  return absl::OkStatus();
}

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_PARALLEL_H_
