// Jobs that wait for workers and workers that wait for jobs, both oldest first. Not thread-safe.
#ifndef CREAMERY_SERVER_JOBS_MATCH_QUEUE_H_
#define CREAMERY_SERVER_JOBS_MATCH_QUEUE_H_

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "creamery/v1/job.pb.h"
#include "server/jobs/waiting_worker.h"

namespace creamery {

class MatchQueue {
 public:
  using Worker = std::shared_ptr<WaitingWorker>;

  // A job that is QUEUED; again is the same.
  void AddJob(const v1::Job& job);
  void RemoveJob(const v1::Job& job);

  void AddWorker(Worker worker) { workers_.push_back(std::move(worker)); }
  // A worker whose job went away: it keeps its place.
  void ReturnWorker(Worker worker) { workers_.push_front(std::move(worker)); }

  // The oldest job that fits a worker, and the worker that waited longest for it; both leave. Null if nothing fits.
  Worker TakeMatch(v1::Job* job);
  // Workers that have waited long enough, or have left; they leave.
  std::vector<Worker> TakeOverdue(absl::Time now);
  std::vector<Worker> TakeAllWorkers();

 private:
  using JobKey = std::pair<absl::Time, std::string>;
  static JobKey KeyOf(const v1::Job& job);

  // By family (empty: statistics), so that a match costs no more when thousands of jobs wait; no entry is empty.
  std::map<std::string, std::map<JobKey, v1::Job>> jobs_;
  std::deque<Worker> workers_;
};

}  // namespace creamery

#endif  // CREAMERY_SERVER_JOBS_MATCH_QUEUE_H_
