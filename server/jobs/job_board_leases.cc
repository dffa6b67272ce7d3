// What those who work ask of the board: jobs to work on, signs of life, ends.
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/status_macros.h"
#include "server/jobs/job_board_impl.h"
#include "server/jobs/job_check.h"

namespace creamery {

absl::StatusOr<std::unique_ptr<Subscription>> JobBoardImpl::Lease(const v1::WorkerDescription& worker,
                                                                  absl::Duration wait, LeaseListener listener) {
  if (worker.name().empty()) return absl::InvalidArgumentError("worker.name is empty");
  if (worker.families().empty()) return absl::InvalidArgumentError("worker.families is empty, expected at least one");
  return Wait(std::make_shared<WaitingWorker>(worker, Now() + wait, std::move(listener)));
}

absl::StatusOr<std::unique_ptr<Subscription>> JobBoardImpl::LeaseStatistics(const std::string& runner,
                                                                            absl::Duration wait,
                                                                            LeaseListener listener) {
  return Wait(WaitingWorker::ForStatistics(runner, Now() + wait, std::move(listener)));
}

absl::StatusOr<std::unique_ptr<Subscription>> JobBoardImpl::Wait(std::shared_ptr<WaitingWorker> waiting) {
  MutexLock lock(&mu_);
  if (draining_) return absl::UnavailableError("the server is draining, no jobs are given out");
  queue_.AddWorker(waiting);
  changed_.SignalAll();
  return std::make_unique<WaitingTicket>(std::move(waiting));
}

absl::StatusOr<v1::HeartbeatResponse> JobBoardImpl::Heartbeat(const LeaseKey& key, const v1::Progress* progress) {
  ABSL_RETURN_IF_ERROR(Adopt(key));
  MutexLock lock(&mu_);
  ABSL_ASSIGN_OR_RETURN(HeldLease * held, leases_.Find(key, ExpiryNow()));
  held->deadline = Now() + options_.lease_duration;
  if (progress != nullptr) {
    *held->job.mutable_progress() = *progress;
    held->progress_unsaved = true;
    watchers_.Tell(held->job);
  }
  return OrdersOf(*held);
}

absl::StatusOr<std::unique_ptr<Subscription>> JobBoardImpl::ListenForOrders(const LeaseKey& key,
                                                                            OrderListener listener) {
  ABSL_RETURN_IF_ERROR(Adopt(key));
  MutexLock lock(&mu_);
  ABSL_ASSIGN_OR_RETURN(HeldLease * held, leases_.Find(key, ExpiryNow()));
  if (closed_) return absl::UnavailableError("the server is shutting down");
  return held->orders->Add(std::move(listener));
}

absl::StatusOr<v1::Job> JobBoardImpl::CheckLease(const LeaseKey& key) {
  ABSL_RETURN_IF_ERROR(Adopt(key));
  MutexLock lock(&mu_);
  ABSL_ASSIGN_OR_RETURN(HeldLease * held, leases_.Find(key, ExpiryNow()));
  return held->job;
}

absl::Status JobBoardImpl::BlobStored(const LeaseKey& key, v1::BlobPurpose purpose, const BlobWriter::Committed& blob) {
  ABSL_RETURN_IF_ERROR(CheckLease(key).status());
  if (purpose == v1::CHECKPOINT) return registry_.AddCheckpoint(key, blob.digest);
  MutexLock lock(&mu_);
  ABSL_ASSIGN_OR_RETURN(HeldLease * held, leases_.Find(key, ExpiryNow()));
  held->guards.push_back(blob.guard);
  return absl::OkStatus();
}

absl::StatusOr<v1::ModelVersion> JobBoardImpl::Complete(const LeaseKey& key, const std::string& digest) {
  const absl::StatusOr<v1::Job> job = CheckLease(key);
  if (!job.ok()) {
    if (StateOf(key) != v1::SUCCEEDED) return job.status();
    return registry_.Complete(key, v1::ModelVersion(), digest, Now());  // the first answer was lost
  }
  ABSL_ASSIGN_OR_RETURN(const v1::Dataset dataset, DatasetFor(*job));
  ABSL_ASSIGN_OR_RETURN(const std::string bytes, registry_.blobs().ReadBlob(digest));
  ABSL_ASSIGN_OR_RETURN(const v1::ModelVersion made, CheckArtifact(*job, dataset, bytes));

  SaveProgressNow(key);
  MutexLock transition(&transition_mu_);
  ABSL_RETURN_IF_ERROR(CheckMayComplete(key));
  ABSL_ASSIGN_OR_RETURN(v1::ModelVersion version, registry_.Complete(key, made, digest, Now()));
  if (options_.on_published) options_.on_published(version);
  ABSL_RETURN_IF_ERROR(End(key, registry_.GetJob(*JobName::Parse(key.job))).status());
  return version;
}

absl::StatusOr<v1::Job> JobBoardImpl::CompleteStatistics(const LeaseKey& key, const v1::StatisticsResult& result,
                                                         const std::string& samples_digest) {
  SaveProgressNow(key);
  MutexLock transition(&transition_mu_);
  ABSL_RETURN_IF_ERROR(CheckMayComplete(key));
  return End(key, registry_.CompleteStatistics(key, result, samples_digest, Now()));
}

absl::Status JobBoardImpl::CheckMayComplete(const LeaseKey& key) {
  {
    MutexLock lock(&mu_);
    ABSL_ASSIGN_OR_RETURN(const HeldLease* held, leases_.Find(key, ExpiryNow()));
    if (!held->job.cancel_requested()) return absl::OkStatus();
  }
  ABSL_RETURN_IF_ERROR(End(key, registry_.Fail(key, v1::JobError(), Now())).status());
  return absl::CancelledError(absl::StrCat(key.job, " was cancelled before it was published"));
}

absl::StatusOr<v1::Job> JobBoardImpl::Fail(const LeaseKey& key, const v1::JobError& error) {
  const absl::Status held = CheckLease(key).status();
  SaveProgressNow(key);
  MutexLock transition(&transition_mu_);
  if (!held.ok()) {
    const v1::JobState state = StateOf(key);
    if (state != v1::FAILED && state != v1::CANCELLED) return held;
  }
  return End(key, registry_.Fail(key, error, Now()));
}

absl::StatusOr<v1::Job> JobBoardImpl::Release(const LeaseKey& key) {
  ABSL_RETURN_IF_ERROR(CheckLease(key).status());
  SaveProgressNow(key);
  MutexLock transition(&transition_mu_);
  return End(key, registry_.Requeue(key, /*counts=*/false, options_.max_counted_attempts, "", Now()));
}

v1::HeartbeatResponse JobBoardImpl::OrdersOf(const HeldLease& held) const {
  v1::HeartbeatResponse orders;
  orders.set_cancel(held.job.cancel_requested());
  orders.set_release(draining_);
  return orders;
}

v1::JobState JobBoardImpl::StateOf(const LeaseKey& key) {
  const absl::StatusOr<JobName> name = JobName::Parse(key.job);
  if (!name.ok()) return v1::JOB_STATE_UNSPECIFIED;
  const absl::StatusOr<v1::Job> job = registry_.GetJob(*name);
  return job.ok() ? job->state() : v1::JOB_STATE_UNSPECIFIED;
}

absl::StatusOr<v1::Dataset> JobBoardImpl::DatasetFor(const v1::Job& job) {
  ABSL_ASSIGN_OR_RETURN(const DatasetName name, DatasetName::Parse(job.training().dataset()));
  std::vector<DatasetPart> parts;
  return registry_.GetDatasetRevision(name, job.training().dataset_revision(), &parts);
}

absl::Status JobBoardImpl::Adopt(const LeaseKey& key) {
  {
    MutexLock lock(&mu_);
    const HeldLease* held = leases_.FindJob(key.job);
    if (held == nullptr || held->adopted()) return absl::OkStatus();
  }
  ABSL_RETURN_IF_ERROR(registry_.CheckLease(key));
  MutexLock lock(&mu_);
  HeldLease* held = leases_.FindJob(key.job);
  if (held != nullptr && !held->adopted() && held->job.attempt() == key.attempt) held->token = key.token;
  return absl::OkStatus();
}

absl::StatusOr<v1::Job> JobBoardImpl::End(const LeaseKey& key, absl::StatusOr<v1::Job> result) {
  if (!result.ok()) return result;
  MutexLock lock(&mu_);
  HeldLease* held = leases_.FindJob(key.job);
  if (held != nullptr && held->job.attempt() == key.attempt) {
    held->orders->TellLast(
        absl::AbortedError(absl::StrCat("the lease of ", key.job, ", attempt ", key.attempt, ", has ended")));
    leases_.Remove(key.job);
  }
  if (result->state() == v1::QUEUED) queue_.AddJob(*result);
  watchers_.Tell(*result);
  changed_.SignalAll();
  return result;
}

void JobBoardImpl::SaveProgressNow(const LeaseKey& key) {
  v1::Progress progress;
  {
    MutexLock lock(&mu_);
    HeldLease* held = leases_.FindJob(key.job);
    if (held == nullptr || !held->progress_unsaved) return;
    held->progress_unsaved = false;
    progress = held->job.progress();
  }
  registry_.SaveProgress(key, progress).IgnoreError();
}

}  // namespace creamery
