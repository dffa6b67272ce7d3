#include "server/worker/worker.h"

#include <algorithm>
#include <iostream>
#include <utility>

#include "absl/time/clock.h"

namespace creamery {
namespace {

constexpr absl::Duration kFirstPause = absl::Milliseconds(100);
constexpr absl::Duration kLongestPause = absl::Seconds(2);

bool Hopeless(const absl::Status& status) {
  return absl::IsUnauthenticated(status) || absl::IsPermissionDenied(status) || absl::IsInvalidArgument(status) ||
         absl::IsUnimplemented(status);
}

}  // namespace

Worker::Worker(ServerLink& link, Options options) : link_(link), options_(std::move(options)) {}

absl::Status Worker::Run() {
  absl::Duration pause = kFirstPause;
  while (true) {
    absl::StatusOr<v1::LeaseResponse> lease = link_.Lease(options_.description, options_.lease_wait, waiting_);
    absl::Status asked = lease.status();
    if (asked.ok() && lease->has_lease()) {
      pause = kFirstPause;
      Attempt attempt(link_, *std::move(lease), options_.attempt);
      bool ending = false;
      {
        MutexLock lock(&mu_);
        attempt_ = &attempt;
        ending = ending_;
      }
      if (ending) attempt.RequestRelease();
      attempt.Run();
      MutexLock lock(&mu_);
      attempt_ = nullptr;
    }
    MutexLock lock(&mu_);
    if (ending_) return absl::OkStatus();
    if (asked.ok()) continue;
    if (Hopeless(asked)) return asked;
    if (pause == kFirstPause) std::cerr << "creamery-worker: no job: " << asked.message() << std::endl;
    changed_.WaitFor(&mu_, pause);
    pause = std::min(2 * pause, kLongestPause);
    if (ending_) return absl::OkStatus();
  }
}

void Worker::Shutdown() {
  waiting_.Cancel();
  MutexLock lock(&mu_);
  ending_ = true;
  if (attempt_ != nullptr) attempt_->RequestRelease();
  changed_.SignalAll();
}

}  // namespace creamery
