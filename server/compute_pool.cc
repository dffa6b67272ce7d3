#include "server/compute_pool.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/low_priority.h"

namespace creamery {

ComputePool::ComputePool(std::string name, int threads, int max_queued, Priority priority)
    : name_(std::move(name)), max_queued_(static_cast<size_t>(max_queued)) {
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this, priority] {
      if (priority == Priority::kLow) RunAtLowPriority();
      Run();
    });
  }
}

ComputePool::~ComputePool() { Stop(); }

void ComputePool::Stop() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
  }
  changed_.SignalAll();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

absl::Status ComputePool::Submit(std::function<void()> work) {
  {
    MutexLock lock(&mu_);
    if (queue_.size() >= max_queued_) {
      return absl::UnavailableError(
          absl::StrCat("the server is busy: ", max_queued_, " requests wait for its ", name_, " threads; try again"));
    }
    queue_.push_back(std::move(work));
  }
  changed_.Signal();
  return absl::OkStatus();
}

void ComputePool::Resume(std::function<void()> work) {
  {
    MutexLock lock(&mu_);
    queue_.push_back(std::move(work));
  }
  changed_.Signal();
}

void ComputePool::Run() {
  for (;;) {
    std::function<void()> work;
    {
      MutexLock lock(&mu_);
      while (queue_.empty() && !stopping_) changed_.Wait(&mu_);
      if (queue_.empty()) return;
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    work();
  }
}

}  // namespace creamery
