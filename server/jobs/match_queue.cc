#include "server/jobs/match_queue.h"

#include <iterator>

#include "proto/support/timestamps.h"
#include "server/jobs/job_check.h"

namespace creamery {

MatchQueue::JobKey MatchQueue::KeyOf(const v1::Job& job) { return {FromTimestamp(job.create_time()), job.name()}; }

MatchQueue::Worker MatchQueue::TakeMatch(v1::Job* job) {
  for (auto queued = jobs_.begin(); queued != jobs_.end(); ++queued) {
    const std::string family = FamilyOf(queued->second);
    for (auto worker = workers_.begin(); worker != workers_.end(); ++worker) {
      if ((*worker)->withdrawn() || !(*worker)->Fits(family)) continue;
      Worker taken = *worker;
      *job = queued->second;
      workers_.erase(worker);
      jobs_.erase(queued);
      return taken;
    }
  }
  return nullptr;
}

std::vector<MatchQueue::Worker> MatchQueue::TakeOverdue(absl::Time now) {
  std::vector<Worker> over;
  for (auto it = workers_.begin(); it != workers_.end();) {
    if ((*it)->until() <= now || (*it)->withdrawn()) {
      over.push_back(*it);
      it = workers_.erase(it);
    } else {
      ++it;
    }
  }
  return over;
}

std::vector<MatchQueue::Worker> MatchQueue::TakeAllWorkers() {
  std::vector<Worker> all(std::make_move_iterator(workers_.begin()), std::make_move_iterator(workers_.end()));
  workers_.clear();
  return all;
}

}  // namespace creamery
