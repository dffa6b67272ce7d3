// The leases held right now: who may act on which job, until when, and who is told orders. Memory only; no lock of its
// own.
#ifndef CREAMERY_SERVER_JOBS_LEASE_TABLE_H_
#define CREAMERY_SERVER_JOBS_LEASE_TABLE_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "creamery/v1/job.pb.h"
#include "creamery/v1/worker_service.pb.h"
#include "server/jobs/listeners.h"
#include "storage/registry.h"

namespace creamery {

using OrderListeners = Listeners<absl::StatusOr<v1::HeartbeatResponse>>;

// One job that is RUNNING.
struct HeldLease {
  v1::Job job;  // with the newest progress
  // Empty after a restart of the server, until the worker that held it shows a token that storage knows.
  std::string token;
  absl::Time deadline;
  absl::Time retry_end = absl::InfinitePast();  // not ended before, after storage refused to
  bool progress_unsaved = false;
  absl::Time progress_saved = absl::InfinitePast();
  std::vector<std::shared_ptr<void>> guards;  // of blobs that no row names yet
  std::shared_ptr<OrderListeners> orders = std::make_shared<OrderListeners>();

  bool adopted() const { return !token.empty(); }
  LeaseKey key() const { return {job.name(), job.attempt(), token}; }
};

class LeaseTable {
 public:
  HeldLease& Add(HeldLease lease);
  void Remove(const std::string& job) { held_.erase(job); }
  // The lease `key` names, if it is still held at `now`; ABORTED says why it is not.
  absl::StatusOr<HeldLease*> Find(const LeaseKey& key, absl::Time now);
  // Whoever holds the job; null if nobody does.
  HeldLease* FindJob(const std::string& job);

  // Leases that ended before or at `now`.
  std::vector<LeaseKey> Lost(absl::Time now) const;
  // Leases whose progress is to be written: changed, and `interval` after the last time.
  std::vector<HeldLease*> ProgressDue(absl::Time now, absl::Duration interval);
  // True if no worker is known to hold a lease.
  bool NoneAdopted() const;
  void Extend(absl::Duration by);
  void TellAll(const v1::HeartbeatResponse& orders);
  void TellAllLast(const absl::Status& status);

 private:
  std::map<std::string, HeldLease> held_;  // by the job's name
};

}  // namespace creamery

#endif  // CREAMERY_SERVER_JOBS_LEASE_TABLE_H_
