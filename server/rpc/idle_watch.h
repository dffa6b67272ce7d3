// Ends uploads whose client is alive but sends nothing: keepalive notices a client that vanished, this one that stalls.
#ifndef CREAMERY_SERVER_RPC_IDLE_WATCH_H_
#define CREAMERY_SERVER_RPC_IDLE_WATCH_H_

#include <functional>
#include <list>
#include <memory>
#include <thread>
#include <utility>

#include "absl/time/time.h"
#include "proto/support/mutex.h"

namespace creamery {

// How long one stream has waited for its client. Thread-safe.
class WaitingClock {
 public:
  // `on_idle` is called at most once, on the watch's thread, and then EndWaiting is false for ever: whoever gets its
  // true, or is on_idle, may end the stream.
  explicit WaitingClock(std::function<void()> on_idle) : on_idle_(std::move(on_idle)) {}

  void BeginWaiting();
  // A message came, or the end. False if the stream was ended as idle meanwhile: do not touch it.
  bool EndWaiting();

 private:
  friend class IdleWatch;
  bool IsOverdue(absl::Time now, absl::Duration limit);

  const std::function<void()> on_idle_;
  Mutex mu_;
  absl::Time since_ ABSL_GUARDED_BY(mu_) = absl::InfiniteFuture();  // not waiting
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
};

// One thread that looks at all clocks a few times within the limit. Thread-safe.
class IdleWatch {
 public:
  explicit IdleWatch(absl::Duration limit);
  ~IdleWatch();

  // Watches for as long as the owner keeps the clock.
  void Add(const std::shared_ptr<WaitingClock>& clock);
  absl::Duration limit() const { return limit_; }

 private:
  void Run();

  const absl::Duration limit_;
  Mutex mu_;
  CondVar changed_;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  std::list<std::weak_ptr<WaitingClock>> clocks_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

}  // namespace creamery

#endif  // CREAMERY_SERVER_RPC_IDLE_WATCH_H_
