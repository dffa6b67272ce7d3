// Who watches which job. Not thread-safe; subscriptions may end at any time, on any thread.
#ifndef CREAMERY_SERVER_JOBS_JOB_WATCHERS_H_
#define CREAMERY_SERVER_JOBS_JOB_WATCHERS_H_

#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "creamery/v1/job.pb.h"
#include "server/jobs/job_board.h"
#include "server/jobs/listeners.h"

namespace creamery {

inline bool Ended(const v1::Job& job) {
  return job.state() == v1::SUCCEEDED || job.state() == v1::FAILED || job.state() == v1::CANCELLED;
}

class JobWatchers {
 public:
  // Tells the listener the job as it is, and what comes; of a job that has ended nothing comes.
  std::unique_ptr<Subscription> Add(const v1::Job& job, JobBoard::JobListener listener) {
    listener(job);
    auto listeners = std::make_shared<JobListeners>();
    if (!Ended(job)) listeners = watched_.try_emplace(job.name(), std::move(listeners)).first->second;
    return listeners->Add(std::move(listener));
  }
  // Tells everybody who watches the job; for the last time if it has ended.
  void Tell(const v1::Job& job) {
    const auto found = watched_.find(job.name());
    if (found == watched_.end()) return;
    if (!Ended(job)) return found->second->Tell(job);
    found->second->TellLast(job);
    watched_.erase(found);
  }
  // Ends every subscription.
  void Close(const absl::Status& reason) {
    for (const auto& [name, listeners] : watched_) listeners->TellLast(reason);
    watched_.clear();
  }
  // Forgets jobs that nobody watches any more.
  void Sweep() {
    for (auto it = watched_.begin(); it != watched_.end();) {
      it = it->second->empty() ? watched_.erase(it) : std::next(it);
    }
  }

 private:
  using JobListeners = Listeners<absl::StatusOr<v1::Job>>;
  std::map<std::string, std::shared_ptr<JobListeners>> watched_;
};

}  // namespace creamery

#endif  // CREAMERY_SERVER_JOBS_JOB_WATCHERS_H_
