// The board of job_board.h: what people ask is in job_board.cc, what those who work ask in job_board_leases.cc, the
// rounds of its thread in job_board_rounds.cc.
#ifndef CREAMERY_SERVER_JOBS_JOB_BOARD_IMPL_H_
#define CREAMERY_SERVER_JOBS_JOB_BOARD_IMPL_H_

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/support/mutex.h"
#include "server/jobs/job_board.h"
#include "server/jobs/job_watchers.h"
#include "server/jobs/lease_table.h"
#include "server/jobs/match_queue.h"

namespace creamery {

class JobBoardImpl final : public JobBoard {
 public:
  JobBoardImpl(Registry& registry, Options options);
  ~JobBoardImpl() override;
  // Before anybody else knows the board.
  absl::Status Start();

  absl::StatusOr<v1::Job> CreateJob(const Caller& caller, const ProjectName& parent, const v1::Job& job) override;
  absl::StatusOr<v1::JobArray> CreateJobArray(const Caller& caller, const ProjectName& parent,
                                              const google::protobuf::RepeatedPtrField<v1::Job>& jobs) override;
  absl::StatusOr<v1::Job> GetJob(const JobName& name) override;
  absl::StatusOr<Page<v1::Job>> ListJobs(const ProjectName& parent, const PageRequest& page) override;
  absl::StatusOr<Page<v1::Job>> ListJobArray(const ProjectName& parent, const std::string& array,
                                             const PageRequest& page) override;
  absl::StatusOr<v1::Job> CancelJob(const Caller& caller, const JobName& name) override;
  absl::StatusOr<std::vector<v1::Job>> CancelJobArray(const Caller& caller, const ProjectName& parent,
                                                      const std::string& array) override;
  absl::StatusOr<std::unique_ptr<Subscription>> WatchJob(const JobName& name, JobListener listener) override;

  absl::StatusOr<std::unique_ptr<Subscription>> Lease(const v1::WorkerDescription& worker, absl::Duration wait,
                                                      LeaseListener listener) override;
  absl::StatusOr<std::unique_ptr<Subscription>> LeaseStatistics(const std::string& runner, absl::Duration wait,
                                                                LeaseListener listener) override;
  absl::StatusOr<v1::HeartbeatResponse> Heartbeat(const LeaseKey& lease, const v1::Progress* progress) override;
  absl::StatusOr<std::unique_ptr<Subscription>> ListenForOrders(const LeaseKey& lease, OrderListener listener) override;
  absl::StatusOr<v1::Job> CheckLease(const LeaseKey& lease) override;
  absl::Status BlobStored(const LeaseKey& lease, v1::BlobPurpose purpose, const BlobWriter::Committed& blob) override;
  absl::StatusOr<v1::ModelVersion> Complete(const LeaseKey& lease, const std::string& artifact_digest) override;
  absl::StatusOr<v1::Job> CompleteStatistics(const LeaseKey& lease, const v1::StatisticsResult& result,
                                             const std::string& samples_digest) override;
  absl::StatusOr<v1::Job> Fail(const LeaseKey& lease, const v1::JobError& error) override;
  absl::StatusOr<v1::Job> Release(const LeaseKey& lease) override;

  void Drain() override;
  bool AwaitDrained(absl::Duration timeout) override;
  void CloseSubscriptions() override;
  void Tick() override;
  absl::Duration lease_duration() const override { return options_.lease_duration; }

 private:
  absl::Time Now() const { return options_.clock(); }
  // The time by which leases are judged: it stands still with the server.
  absl::Time ExpiryNow() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // A waiting worker or runner joins the queue.
  absl::StatusOr<std::unique_ptr<Subscription>> Wait(std::shared_ptr<WaitingWorker> waiting);
  void AddProgress(v1::Job& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // A cancel has reached storage: those who work and those who watch are told.
  void Cancelled(v1::Job& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(transition_mu_, mu_);
  v1::HeartbeatResponse OrdersOf(const HeldLease& held) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  v1::JobState StateOf(const LeaseKey& key);
  absl::StatusOr<v1::Dataset> DatasetFor(const v1::Job& job);
  // After a restart: the worker that held a lease shows it, and goes on.
  absl::Status Adopt(const LeaseKey& key);
  // CANCELLED, and the job ends so, if that was asked for; ABORTED if the lease is lost.
  absl::Status CheckMayComplete(const LeaseKey& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(transition_mu_);
  // A lease has ended in storage with `result`: forgets it and tells everybody. Queues the job again if it waits again.
  absl::StatusOr<v1::Job> End(const LeaseKey& key, absl::StatusOr<v1::Job> result)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(transition_mu_);
  // What a job has reached is on disk before its lease ends.
  void SaveProgressNow(const LeaseKey& key);

  // --- One round of the thread.
  void Run();
  void EndLostLeases();
  // Storage did not take a lost lease back: the disk may be full. Tries again one lease later, if the job still runs.
  void KeepOrForget(const LeaseKey& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(transition_mu_);
  void SaveProgress();
  void GiveOutJobs();
  // Nothing if the job is no longer QUEUED.
  absl::StatusOr<std::optional<LeaseGrant>> StartAttempt(const v1::Job& job, const std::string& worker)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(transition_mu_);
  // What a training needs beside its job.
  absl::Status FillGrant(const JobName& name, LeaseGrant* grant);
  void AnswerThoseWhoWaitedLongEnough();

  Registry& registry_;
  Options options_;
  std::thread thread_;

  // Held over each change of a job's state, storage included, so that memory and storage change in one order.
  // Taken before mu_.
  Mutex transition_mu_;
  // Held for memory alone, never while storage works.
  Mutex mu_;
  CondVar changed_;  // a job or a worker came, a lease ended
  LeaseTable leases_ ABSL_GUARDED_BY(mu_);
  MatchQueue queue_ ABSL_GUARDED_BY(mu_);
  JobWatchers watchers_ ABSL_GUARDED_BY(mu_);
  absl::Time last_round_ ABSL_GUARDED_BY(mu_);
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace creamery

#endif  // CREAMERY_SERVER_JOBS_JOB_BOARD_IMPL_H_
