// A worker, or a thread that runs statistics, that waits for a job, until it is answered or leaves.
#ifndef CREAMERY_SERVER_JOBS_WAITING_WORKER_H_
#define CREAMERY_SERVER_JOBS_WAITING_WORKER_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "creamery/v1/worker_service.pb.h"
#include "proto/support/mutex.h"
#include "server/jobs/job_board.h"

namespace creamery {

// Thread-safe. The listener is called once, with the lock held: after Withdraw it is not called any more.
class WaitingWorker {
 public:
  WaitingWorker(v1::WorkerDescription worker, absl::Time until, JobBoard::LeaseListener listener)
      : worker_(std::move(worker)), until_(until), listener_(std::move(listener)) {}

  // A thread of the server that runs statistics; no worker becomes one by what it says of itself.
  static std::shared_ptr<WaitingWorker> ForStatistics(const std::string& name, absl::Time until,
                                                      JobBoard::LeaseListener listener) {
    v1::WorkerDescription runner;
    runner.set_name(name);
    auto waiting = std::make_shared<WaitingWorker>(std::move(runner), until, std::move(listener));
    waiting->statistics_ = true;
    return waiting;
  }

  const std::string& name() const { return worker_.name(); }
  absl::Time until() const { return until_; }
  // `family` of a training; empty: a statistics job.
  bool Fits(const std::string& family) const {
    if (family.empty()) return statistics_;
    for (const std::string& own : worker_.families()) {
      if (own == family) return true;
    }
    return false;
  }
  // False if the worker has left meanwhile: the answer is still the caller's.
  bool Answer(const absl::StatusOr<std::optional<LeaseGrant>>& answer) {
    JobBoard::LeaseListener listener;  // what it holds is let go without the lock
    MutexLock lock(&mu_);
    if (listener_ == nullptr) return false;
    listener.swap(listener_);
    listener(answer);
    return true;
  }
  void Withdraw() {
    JobBoard::LeaseListener listener;
    MutexLock lock(&mu_);
    listener.swap(listener_);
  }
  bool withdrawn() {
    MutexLock lock(&mu_);
    return listener_ == nullptr;
  }

 private:
  const v1::WorkerDescription worker_;
  const absl::Time until_;
  bool statistics_ = false;  // constant once it waits
  Mutex mu_;
  JobBoard::LeaseListener listener_ ABSL_GUARDED_BY(mu_);
};

// Withdraws the worker's request when it goes.
class WaitingTicket final : public Subscription {
 public:
  explicit WaitingTicket(std::shared_ptr<WaitingWorker> waiting) : waiting_(std::move(waiting)) {}
  ~WaitingTicket() override { waiting_->Withdraw(); }

 private:
  const std::shared_ptr<WaitingWorker> waiting_;
};

}  // namespace creamery

#endif  // CREAMERY_SERVER_JOBS_WAITING_WORKER_H_
