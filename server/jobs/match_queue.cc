#include "server/jobs/match_queue.h"

#include <algorithm>
#include <iterator>

#include "proto/support/timestamps.h"
#include "server/jobs/job_check.h"

namespace creamery {

MatchQueue::JobKey MatchQueue::KeyOf(const v1::Job& job) { return {FromTimestamp(job.create_time()), job.name()}; }

void MatchQueue::AddJob(const v1::Job& job) { jobs_[FamilyOf(job)][KeyOf(job)] = job; }

void MatchQueue::RemoveJob(const v1::Job& job) {
  const auto family = jobs_.find(FamilyOf(job));
  if (family == jobs_.end()) return;
  family->second.erase(KeyOf(job));
  if (family->second.empty()) jobs_.erase(family);
}

MatchQueue::Worker MatchQueue::TakeMatch(v1::Job* job) {
  auto oldest = jobs_.end();
  auto chosen = workers_.end();
  for (auto queued = jobs_.begin(); queued != jobs_.end(); ++queued) {
    if (oldest != jobs_.end() && oldest->second.begin()->first < queued->second.begin()->first) continue;
    const auto worker = std::find_if(workers_.begin(), workers_.end(), [&queued](const Worker& waiting) {
      return !waiting->withdrawn() && waiting->Fits(queued->first);
    });
    if (worker == workers_.end()) continue;
    oldest = queued;
    chosen = worker;
  }
  if (chosen == workers_.end()) return nullptr;
  Worker taken = *chosen;
  *job = oldest->second.begin()->second;
  workers_.erase(chosen);
  RemoveJob(*job);
  return taken;
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
