// Those who want to be told of something, each until its Subscription is gone.
#ifndef CREAMERY_SERVER_JOBS_LISTENERS_H_
#define CREAMERY_SERVER_JOBS_LISTENERS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "proto/support/mutex.h"
#include "server/jobs/job_board.h"

namespace creamery {

// Held by shared_ptr, since a subscription may outlive its subject. Thread-safe; a listener is called with the lock
// held, so that none is called after its subscription is gone, and must neither subscribe nor end a subscription here.
template <typename Message>
class Listeners : public std::enable_shared_from_this<Listeners<Message>> {
 public:
  using Listener = std::function<void(const Message&)>;

  std::unique_ptr<Subscription> Add(Listener listener) {
    MutexLock lock(&mu_);
    listeners_[++last_id_] = std::move(listener);
    return std::make_unique<Ticket>(this->shared_from_this(), last_id_);
  }
  void Tell(const Message& message) {
    MutexLock lock(&mu_);
    for (const auto& [id, listener] : listeners_) listener(message);
  }
  // Tells for the last time.
  void TellLast(const Message& message) {
    MutexLock lock(&mu_);
    for (const auto& [id, listener] : listeners_) listener(message);
    listeners_.clear();
  }
  bool empty() {
    MutexLock lock(&mu_);
    return listeners_.empty();
  }

 private:
  class Ticket final : public Subscription {
   public:
    Ticket(std::shared_ptr<Listeners> listeners, int64_t id) : listeners_(std::move(listeners)), id_(id) {}
    ~Ticket() override {
      MutexLock lock(&listeners_->mu_);
      listeners_->listeners_.erase(id_);
    }

   private:
    const std::shared_ptr<Listeners> listeners_;
    const int64_t id_;
  };

  Mutex mu_;
  int64_t last_id_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<int64_t, Listener> listeners_ ABSL_GUARDED_BY(mu_);
};

}  // namespace creamery

#endif  // CREAMERY_SERVER_JOBS_LISTENERS_H_
