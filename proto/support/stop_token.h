// Tells long work to stop: because its caller left, its deadline passed, or the program ends.
#ifndef CREAMERY_PROTO_SUPPORT_STOP_TOKEN_H_
#define CREAMERY_PROTO_SUPPORT_STOP_TOKEN_H_

#include <atomic>
#include <memory>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace creamery {

// A copyable view of one stop request. Thread-safe.
class StopToken {
 public:
  // Never stops.
  StopToken() = default;

  // OK, or CANCELLED or DEADLINE_EXCEEDED: what work returns when it stops. Look every few milliseconds of work.
  absl::Status Check() const {
    if (flag_ != nullptr && flag_->load(std::memory_order_relaxed)) {
      return absl::CancelledError("the request was cancelled");
    }
    if (deadline_ != absl::InfiniteFuture() && absl::Now() >= deadline_) {
      return absl::DeadlineExceededError("the deadline passed before the work was done");
    }
    return absl::OkStatus();
  }
  bool stop_requested() const { return !Check().ok(); }

 private:
  friend class StopSource;
  StopToken(std::shared_ptr<std::atomic<bool>> flag, absl::Time deadline)
      : flag_(std::move(flag)), deadline_(deadline) {}

  std::shared_ptr<std::atomic<bool>> flag_;
  absl::Time deadline_ = absl::InfiniteFuture();
};

// The owner's side: asks every token it gave out to stop. Thread-safe.
class StopSource {
 public:
  explicit StopSource(absl::Time deadline = absl::InfiniteFuture())
      : flag_(std::make_shared<std::atomic<bool>>(false)), deadline_(deadline) {}

  void RequestStop() { flag_->store(true, std::memory_order_relaxed); }
  StopToken token() const { return StopToken(flag_, deadline_); }

 private:
  std::shared_ptr<std::atomic<bool>> flag_;
  absl::Time deadline_;
};

}  // namespace creamery

#endif  // CREAMERY_PROTO_SUPPORT_STOP_TOKEN_H_
