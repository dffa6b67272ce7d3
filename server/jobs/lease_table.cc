#include "server/jobs/lease_table.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/digest.h"

namespace creamery {

HeldLease& LeaseTable::Add(HeldLease lease) {
  const std::string job = lease.job.name();
  return held_[job] = std::move(lease);
}

absl::StatusOr<HeldLease*> LeaseTable::Find(const LeaseKey& key, absl::Time now) {
  const std::string what = absl::StrCat("the lease of ", key.job, ", attempt ", key.attempt, ", is no longer held: ");
  const auto found = held_.find(key.job);
  if (found == held_.end()) return absl::AbortedError(absl::StrCat(what, "the job is not running"));
  HeldLease& lease = found->second;
  if (lease.job.attempt() != key.attempt) {
    return absl::AbortedError(absl::StrCat(what, "the job is at attempt ", lease.job.attempt()));
  }
  if (!SecretsEqual(lease.token, key.token) || key.token.empty()) {
    return absl::AbortedError(absl::StrCat(what, "its token is another"));
  }
  if (now >= lease.deadline) return absl::AbortedError(absl::StrCat(what, "no heartbeat came in time"));
  return &lease;
}

HeldLease* LeaseTable::FindJob(const std::string& job) {
  const auto found = held_.find(job);
  return found == held_.end() ? nullptr : &found->second;
}

std::vector<LeaseKey> LeaseTable::Lost(absl::Time now) const {
  std::vector<LeaseKey> lost;
  for (const auto& [name, lease] : held_) {
    if (now >= lease.deadline && now >= lease.retry_end) lost.push_back(lease.key());
  }
  return lost;
}

std::vector<HeldLease*> LeaseTable::ProgressDue(absl::Time now, absl::Duration interval) {
  std::vector<HeldLease*> due;
  for (auto& [name, lease] : held_) {
    if (lease.progress_unsaved && lease.adopted() && now >= lease.progress_saved + interval) due.push_back(&lease);
  }
  return due;
}

bool LeaseTable::NoneAdopted() const {
  for (const auto& [name, lease] : held_) {
    if (lease.adopted()) return false;
  }
  return true;
}

void LeaseTable::Extend(absl::Duration by) {
  for (auto& [name, lease] : held_) lease.deadline += by;
}

void LeaseTable::TellAll(const v1::HeartbeatResponse& orders) {
  for (auto& [name, lease] : held_) lease.orders->Tell(orders);
}

void LeaseTable::TellAllLast(const absl::Status& status) {
  for (auto& [name, lease] : held_) lease.orders->TellLast(status);
}

}  // namespace creamery
