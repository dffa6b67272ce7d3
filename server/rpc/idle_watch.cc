#include "server/rpc/idle_watch.h"

#include <algorithm>
#include <vector>

#include "absl/time/clock.h"

namespace creamery {
namespace {

constexpr absl::Duration kShortestRound = absl::Milliseconds(20);
constexpr absl::Duration kLongestRound = absl::Seconds(1);

}  // namespace

void WaitingClock::BeginWaiting() {
  MutexLock lock(&mu_);
  since_ = absl::Now();
}

bool WaitingClock::EndWaiting() {
  MutexLock lock(&mu_);
  since_ = absl::InfiniteFuture();
  return !ended_;
}

bool WaitingClock::IsOverdue(absl::Time now, absl::Duration limit) {
  MutexLock lock(&mu_);
  if (ended_ || now - since_ < limit) return false;
  ended_ = true;
  return true;
}

IdleWatch::IdleWatch(absl::Duration limit) : limit_(limit), thread_([this] { Run(); }) {}

IdleWatch::~IdleWatch() {
  {
    MutexLock lock(&mu_);
    ending_ = true;
    changed_.SignalAll();
  }
  thread_.join();
}

void IdleWatch::Add(const std::shared_ptr<WaitingClock>& clock) {
  MutexLock lock(&mu_);
  clocks_.push_back(clock);
}

void IdleWatch::Run() {
  const absl::Duration round = std::clamp(limit_ / 10, kShortestRound, kLongestRound);
  while (true) {
    std::vector<std::shared_ptr<WaitingClock>> clocks;
    {
      MutexLock lock(&mu_);
      if (!ending_) changed_.WaitFor(&mu_, round);
      if (ending_) return;
      clocks_.remove_if([](const std::weak_ptr<WaitingClock>& clock) { return clock.expired(); });
      for (const std::weak_ptr<WaitingClock>& clock : clocks_) {
        if (std::shared_ptr<WaitingClock> alive = clock.lock()) clocks.push_back(std::move(alive));
      }
    }
    const absl::Time now = absl::Now();
    for (const std::shared_ptr<WaitingClock>& clock : clocks) {
      if (clock->IsOverdue(now, limit_)) clock->on_idle_();
    }
  }
}

}  // namespace creamery
