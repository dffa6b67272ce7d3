// START HERE for jobs: who works on what, right now. Leases, the queue and those who watch live in memory; every change
// of a job's state is one transaction of storage, which compares (job, attempt, token), so that a stale worker changes
// nothing. Thread-safe. Listeners are called with a lock held: they must be quick and must not call the board.
//
//   QUEUED -> RUNNING -> SUCCEEDED | FAILED | CANCELLED
//
// A lease ends `lease_duration` after its last heartbeat; the job goes back to the queue and the attempt counts if no
// checkpoint was accepted since the last counted one. Restarts of the server, drains and released leases never count:
// jobs found RUNNING at the start have one lease period in which their worker may go on under its old lease. Statistics
// jobs run in the server itself: one found RUNNING at the start is lost, waits again at once, and its attempt counts,
// so that a job that takes the server down with it does so three times and not for ever.
#ifndef CREAMERY_SERVER_JOBS_JOB_BOARD_H_
#define CREAMERY_SERVER_JOBS_JOB_BOARD_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "creamery/v1/job.pb.h"
#include "creamery/v1/job_service.pb.h"
#include "creamery/v1/model.pb.h"
#include "creamery/v1/worker_service.pb.h"
#include "server/jobs/job_intake.h"
#include "storage/registry.h"

namespace creamery {

// What a worker is given.
struct LeaseGrant {
  LeaseKey key;
  v1::Job job;
  v1::Dataset dataset;                   // at the pinned revision
  std::vector<std::string> checkpoints;  // newest first
};

// Ends its subscription when destroyed; after that its listener is not called any more. The board must outlive it.
class Subscription {
 public:
  virtual ~Subscription() = default;
};

class JobBoard {
 public:
  struct Options {
    absl::Duration lease_duration = absl::Seconds(15);
    absl::Duration progress_interval = absl::Seconds(2);  // between two writes of one job's progress to disk
    int max_counted_attempts = 3;
    std::function<absl::Time()> clock;                          // absl::Now if empty
    std::function<void(const v1::ModelVersion&)> on_published;  // the model directory learns a version; may be empty
    IntakeHooks intake;                                         // what new jobs are checked with
    bool run_thread = true;                                     // false: the owner calls Tick, as tests do
  };
  // A job as it is now; an error ends the subscription. A job that has ended is the last thing told.
  using JobListener = std::function<void(const absl::StatusOr<v1::Job>&)>;
  // What the worker should do now; an error (ABORTED: the lease is lost) ends the subscription.
  using OrderListener = std::function<void(const absl::StatusOr<v1::HeartbeatResponse>&)>;
  // A lease, or none in the time given, or an error. Called once.
  using LeaseListener = std::function<void(const absl::StatusOr<std::optional<LeaseGrant>>&)>;

  // Reads the queue and what was running. `registry` must outlive the board.
  static absl::StatusOr<std::unique_ptr<JobBoard>> Create(Registry& registry, Options options);
  virtual ~JobBoard() = default;

  // --- For people
  // The errors of JobIntake and Registry::CreateJob.
  virtual absl::StatusOr<v1::Job> CreateJob(const Caller& caller, const ProjectName& parent, const v1::Job& job) = 0;
  // All or none; an error says which job it is about. The array holds names and states.
  virtual absl::StatusOr<v1::JobArray> CreateJobArray(const Caller& caller, const ProjectName& parent,
                                                      const google::protobuf::RepeatedPtrField<v1::Job>& jobs) = 0;
  // With the newest progress, which may not be on disk yet.
  virtual absl::StatusOr<v1::Job> GetJob(const JobName& name) = 0;
  virtual absl::StatusOr<Page<v1::Job>> ListJobs(const ProjectName& parent, const PageRequest& page) = 0;
  // In the order they were created. NOT_FOUND if there is no such array.
  virtual absl::StatusOr<Page<v1::Job>> ListJobArray(const ProjectName& parent, const std::string& array,
                                                     const PageRequest& page) = 0;
  // The worker is told at once.
  virtual absl::StatusOr<v1::Job> CancelJob(const Caller& caller, const JobName& name) = 0;
  virtual absl::StatusOr<std::vector<v1::Job>> CancelJobArray(const Caller& caller, const ProjectName& parent,
                                                              const std::string& array) = 0;
  // Tells the job now and at every change. A slow listener's owner keeps only the latest.
  virtual absl::StatusOr<std::unique_ptr<Subscription>> WatchJob(const JobName& name, JobListener listener) = 0;

  // --- For workers: ABORTED wherever the lease is no longer held.
  // Waits for a training of one of the worker's families, the oldest first. Destroying the subscription withdraws the
  // request.
  virtual absl::StatusOr<std::unique_ptr<Subscription>> Lease(const v1::WorkerDescription& worker, absl::Duration wait,
                                                              LeaseListener listener) = 0;
  // The same for a statistics job, by a thread of this server.
  virtual absl::StatusOr<std::unique_ptr<Subscription>> LeaseStatistics(const std::string& runner, absl::Duration wait,
                                                                        LeaseListener listener) = 0;
  // Renews; never touches the disk but for the first heartbeat after a restart. `progress` may be null.
  virtual absl::StatusOr<v1::HeartbeatResponse> Heartbeat(const LeaseKey& lease, const v1::Progress* progress) = 0;
  // Tells orders that come between heartbeats.
  virtual absl::StatusOr<std::unique_ptr<Subscription>> ListenForOrders(const LeaseKey& lease,
                                                                        OrderListener listener) = 0;
  // OK if the lease is held; returns the job.
  virtual absl::StatusOr<v1::Job> CheckLease(const LeaseKey& lease) = 0;
  // A blob of this lease is stored: it is protected until the lease ends. A checkpoint is the job's newest from now on.
  virtual absl::Status BlobStored(const LeaseKey& lease, v1::BlobPurpose purpose,
                                  const BlobWriter::Committed& blob) = 0;
  // Publishes. The artifact must be what the job asked for: FAILED_PRECONDITION says what differs; DATA_LOSS for bytes
  // that cannot be loaded. CANCELLED (and the job ends so) if that was asked for meanwhile.
  virtual absl::StatusOr<v1::ModelVersion> Complete(const LeaseKey& lease, const std::string& artifact_digest) = 0;
  // The answer of a statistics job; its samples, if it has some, are a stored blob whose guard the caller holds.
  // CANCELLED as above.
  virtual absl::StatusOr<v1::Job> CompleteStatistics(const LeaseKey& lease, const v1::StatisticsResult& result,
                                                     const std::string& samples_digest) = 0;
  virtual absl::StatusOr<v1::Job> Fail(const LeaseKey& lease, const v1::JobError& error) = 0;
  virtual absl::StatusOr<v1::Job> Release(const LeaseKey& lease) = 0;

  // --- For the server
  // No lease is given any more; workers are told to release. UNAVAILABLE from then on for Lease and WatchJob.
  virtual void Drain() = 0;
  // True if every lease was given back within `timeout`.
  virtual bool AwaitDrained(absl::Duration timeout) = 0;
  // Ends every subscription with UNAVAILABLE, so that open streams do not hold up the shutdown.
  virtual void CloseSubscriptions() = 0;
  // One round of the board's thread: lost leases, requests that waited long enough, progress to disk, jobs to workers.
  virtual void Tick() = 0;
  virtual absl::Duration lease_duration() const = 0;
};

}  // namespace creamery

#endif  // CREAMERY_SERVER_JOBS_JOB_BOARD_H_
