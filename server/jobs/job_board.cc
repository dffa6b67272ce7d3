#include "server/jobs/job_board.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "proto/support/digest.h"
#include "proto/support/mutex.h"
#include "proto/support/status_macros.h"
#include "server/jobs/job_check.h"
#include "server/jobs/job_watchers.h"
#include "server/jobs/lease_table.h"
#include "server/jobs/match_queue.h"

namespace creamery {
namespace {

// How often the board's thread looks around when nothing wakes it.
constexpr absl::Duration kRound = absl::Milliseconds(100);
// A longer gap between two rounds means that the server itself stood still, and its workers are not to blame.
constexpr absl::Duration kStandstill = absl::Seconds(1);

class JobBoardImpl final : public JobBoard {
 public:
  JobBoardImpl(Registry& registry, Options options) : registry_(registry), options_(std::move(options)) {
    if (!options_.clock) options_.clock = [] { return absl::Now(); };
    last_round_ = Now();
  }
  ~JobBoardImpl() override {
    {
      MutexLock lock(&mu_);
      ending_ = true;
      changed_.SignalAll();
    }
    if (thread_.joinable()) thread_.join();
    CloseSubscriptions();
  }

  // Before anybody else knows the board.
  absl::Status Start() {
    ABSL_ASSIGN_OR_RETURN(const std::vector<v1::Job> queued, registry_.JobsInState(v1::QUEUED));
    ABSL_ASSIGN_OR_RETURN(const std::vector<v1::Job> running, registry_.JobsInState(v1::RUNNING));
    {
      MutexLock lock(&mu_);
      for (const v1::Job& job : queued) queue_.AddJob(job);
      for (const v1::Job& job : running) {
        HeldLease lease;
        lease.job = job;
        lease.deadline = Now() + options_.lease_duration;
        leases_.Add(std::move(lease));
      }
    }
    if (options_.run_thread) thread_ = std::thread([this] { Run(); });
    return absl::OkStatus();
  }

  absl::StatusOr<v1::Job> CreateJob(const Caller& caller, const ProjectName& parent, const v1::Job& job) override {
    ABSL_ASSIGN_OR_RETURN(const DatasetName dataset_name, DatasetOf(job));
    ABSL_ASSIGN_OR_RETURN(const v1::Dataset dataset, registry_.GetDataset(dataset_name));
    ABSL_ASSIGN_OR_RETURN(const v1::Job checked, CheckNewJob(parent, job, dataset));
    MutexLock transition(&transition_mu_);
    ABSL_ASSIGN_OR_RETURN(v1::Job created, registry_.CreateJob(caller, parent, checked));
    MutexLock lock(&mu_);
    // A repeated request returns the first job, which may be anywhere by now.
    if (created.state() == v1::QUEUED) queue_.AddJob(created);
    changed_.SignalAll();
    return created;
  }

  absl::StatusOr<v1::Job> GetJob(const JobName& name) override {
    ABSL_ASSIGN_OR_RETURN(v1::Job job, registry_.GetJob(name));
    MutexLock lock(&mu_);
    AddProgress(job);
    return job;
  }

  absl::StatusOr<Page<v1::Job>> ListJobs(const ProjectName& parent, const PageRequest& page) override {
    ABSL_ASSIGN_OR_RETURN(Page<v1::Job> jobs, registry_.ListJobs(parent, page));
    MutexLock lock(&mu_);
    for (v1::Job& job : jobs.items) AddProgress(job);
    return jobs;
  }

  absl::StatusOr<v1::Job> CancelJob(const Caller& caller, const JobName& name) override {
    MutexLock transition(&transition_mu_);
    ABSL_ASSIGN_OR_RETURN(v1::Job job, registry_.RequestCancel(caller, name));
    MutexLock lock(&mu_);
    HeldLease* held = leases_.FindJob(job.name());
    if (job.state() == v1::RUNNING && held != nullptr) {
      held->job.set_cancel_requested(true);
      held->orders->Tell(OrdersOf(*held));
      job = held->job;
    }
    if (Ended(job)) queue_.RemoveJob(job);
    watchers_.Tell(job);
    return job;
  }

  absl::StatusOr<std::unique_ptr<Subscription>> WatchJob(const JobName& name, JobListener listener) override {
    // The job must not change between reading it and listening.
    MutexLock transition(&transition_mu_);
    ABSL_ASSIGN_OR_RETURN(v1::Job job, registry_.GetJob(name));
    MutexLock lock(&mu_);
    if (closed_) return absl::UnavailableError("the server is shutting down");
    AddProgress(job);
    return watchers_.Add(job, std::move(listener));
  }

  absl::StatusOr<std::unique_ptr<Subscription>> Lease(const v1::WorkerDescription& worker, absl::Duration wait,
                                                      LeaseListener listener) override {
    if (worker.name().empty()) return absl::InvalidArgumentError("worker.name is empty");
    if (worker.families().empty()) return absl::InvalidArgumentError("worker.families is empty, expected at least one");
    MutexLock lock(&mu_);
    if (draining_) return absl::UnavailableError("the server is draining, no jobs are given out");
    auto waiting = std::make_shared<WaitingWorker>(worker, Now() + wait, std::move(listener));
    queue_.AddWorker(waiting);
    changed_.SignalAll();
    return std::make_unique<WaitingTicket>(std::move(waiting));
  }

  absl::StatusOr<v1::HeartbeatResponse> Heartbeat(const LeaseKey& key, const v1::Progress* progress) override {
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

  absl::StatusOr<std::unique_ptr<Subscription>> ListenForOrders(const LeaseKey& key, OrderListener listener) override {
    ABSL_RETURN_IF_ERROR(Adopt(key));
    MutexLock lock(&mu_);
    ABSL_ASSIGN_OR_RETURN(HeldLease * held, leases_.Find(key, ExpiryNow()));
    if (closed_) return absl::UnavailableError("the server is shutting down");
    return held->orders->Add(std::move(listener));
  }

  absl::StatusOr<v1::Job> CheckLease(const LeaseKey& key) override {
    ABSL_RETURN_IF_ERROR(Adopt(key));
    MutexLock lock(&mu_);
    ABSL_ASSIGN_OR_RETURN(HeldLease * held, leases_.Find(key, ExpiryNow()));
    return held->job;
  }

  absl::Status BlobStored(const LeaseKey& key, v1::BlobPurpose purpose, const BlobWriter::Committed& blob) override {
    ABSL_RETURN_IF_ERROR(CheckLease(key).status());
    if (purpose == v1::CHECKPOINT) return registry_.AddCheckpoint(key, blob.digest);
    MutexLock lock(&mu_);
    ABSL_ASSIGN_OR_RETURN(HeldLease * held, leases_.Find(key, ExpiryNow()));
    held->guards.push_back(blob.guard);
    return absl::OkStatus();
  }

  absl::StatusOr<v1::ModelVersion> Complete(const LeaseKey& key, const std::string& digest) override {
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
    bool cancel = false;
    {
      MutexLock lock(&mu_);
      ABSL_ASSIGN_OR_RETURN(HeldLease * held, leases_.Find(key, ExpiryNow()));
      cancel = held->job.cancel_requested();
    }
    if (cancel) {
      ABSL_RETURN_IF_ERROR(End(key, registry_.Fail(key, v1::JobError(), Now())).status());
      return absl::CancelledError(absl::StrCat(key.job, " was cancelled before it was published"));
    }
    ABSL_ASSIGN_OR_RETURN(v1::ModelVersion version, registry_.Complete(key, made, digest, Now()));
    if (options_.on_published) options_.on_published(version);
    ABSL_RETURN_IF_ERROR(End(key, registry_.GetJob(*JobName::Parse(key.job))).status());
    return version;
  }

  absl::StatusOr<v1::Job> Fail(const LeaseKey& key, const v1::JobError& error) override {
    const absl::Status held = CheckLease(key).status();
    SaveProgressNow(key);
    MutexLock transition(&transition_mu_);
    if (!held.ok()) {
      const v1::JobState state = StateOf(key);
      if (state != v1::FAILED && state != v1::CANCELLED) return held;
    }
    return End(key, registry_.Fail(key, error, Now()));
  }

  absl::StatusOr<v1::Job> Release(const LeaseKey& key) override {
    ABSL_RETURN_IF_ERROR(CheckLease(key).status());
    SaveProgressNow(key);
    MutexLock transition(&transition_mu_);
    return End(key, registry_.Requeue(key, /*counts=*/false, options_.max_counted_attempts, "", Now()));
  }

  void Drain() override {
    std::vector<MatchQueue::Worker> waiting;
    {
      MutexLock lock(&mu_);
      draining_ = true;
      waiting = queue_.TakeAllWorkers();
      v1::HeartbeatResponse orders;
      orders.set_release(true);
      leases_.TellAll(orders);
    }
    for (const auto& worker : waiting) {
      worker->Answer(absl::UnavailableError("the server is draining, no jobs are given out"));
    }
  }

  bool AwaitDrained(absl::Duration timeout) override {
    const absl::Time end = absl::Now() + timeout;
    MutexLock lock(&mu_);
    while (!leases_.NoneAdopted()) {
      const absl::Duration left = end - absl::Now();
      if (left <= absl::ZeroDuration()) return false;
      changed_.WaitFor(&mu_, left);
    }
    return true;
  }

  void CloseSubscriptions() override {
    Drain();
    MutexLock lock(&mu_);
    closed_ = true;
    const absl::Status closed = absl::UnavailableError("the server is shutting down");
    leases_.TellAllLast(closed);
    watchers_.Close(closed);
  }

  void Tick() override {
    EndLostLeases();
    SaveProgress();
    GiveOutJobs();
    AnswerThoseWhoWaitedLongEnough();
    MutexLock lock(&mu_);
    watchers_.Sweep();
  }

  absl::Duration lease_duration() const override { return options_.lease_duration; }

 private:
  absl::Time Now() const { return options_.clock(); }

  // The time by which leases are judged: it stands still with the server.
  absl::Time ExpiryNow() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return options_.run_thread ? std::min(Now(), last_round_ + kStandstill) : Now();
  }

  void Run() {
    while (true) {
      {
        MutexLock lock(&mu_);
        if (ending_) return;
        const absl::Duration gap = Now() - last_round_;
        if (gap > kStandstill) leases_.Extend(gap);
        last_round_ = Now();
      }
      Tick();
      MutexLock lock(&mu_);
      if (!ending_) changed_.WaitFor(&mu_, kRound);
    }
  }

  void AddProgress(v1::Job& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const HeldLease* held = leases_.FindJob(job.name());
    if (held != nullptr && job.state() == v1::RUNNING && held->job.has_progress()) {
      *job.mutable_progress() = held->job.progress();
    }
  }

  v1::HeartbeatResponse OrdersOf(const HeldLease& held) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    v1::HeartbeatResponse orders;
    orders.set_cancel(held.job.cancel_requested());
    orders.set_release(draining_);
    return orders;
  }
  v1::JobState StateOf(const LeaseKey& key) {
    const absl::StatusOr<JobName> name = JobName::Parse(key.job);
    if (!name.ok()) return v1::JOB_STATE_UNSPECIFIED;
    const absl::StatusOr<v1::Job> job = registry_.GetJob(*name);
    return job.ok() ? job->state() : v1::JOB_STATE_UNSPECIFIED;
  }

  absl::StatusOr<v1::Dataset> DatasetFor(const v1::Job& job) {
    ABSL_ASSIGN_OR_RETURN(const DatasetName name, DatasetName::Parse(job.training().dataset()));
    std::vector<DatasetPart> parts;
    return registry_.GetDatasetRevision(name, job.training().dataset_revision(), &parts);
  }

  // After a restart: the worker that held a lease shows it, and goes on.
  absl::Status Adopt(const LeaseKey& key) {
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

  // A lease has ended in storage with `result`: forgets it and tells everybody. Queues the job again if it waits again.
  absl::StatusOr<v1::Job> End(const LeaseKey& key, absl::StatusOr<v1::Job> result)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(transition_mu_) {
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

  // --- One round of the thread.
  void EndLostLeases() {
    std::vector<LeaseKey> lost;
    {
      MutexLock lock(&mu_);
      lost = leases_.Lost(ExpiryNow());
    }
    for (const LeaseKey& key : lost) {
      MutexLock transition(&transition_mu_);
      std::string reason;
      bool counts = false;
      {
        MutexLock lock(&mu_);
        const HeldLease* held = leases_.FindJob(key.job);
        // It may have ended, or been renewed, since we looked.
        if (held == nullptr || held->job.attempt() != key.attempt || held->deadline > ExpiryNow()) continue;
        counts = held->adopted();  // after a restart of the server nobody came back: not the job's fault
        reason = absl::StrCat("the worker ", held->job.worker(), " was lost, ", options_.max_counted_attempts,
                              " times without progress since the last checkpoint: no sign of life for ",
                              absl::FormatDuration(options_.lease_duration),
                              "; it may have run out of memory, its log says more");
      }
      const absl::StatusOr<v1::Job> ended =
          End(key, registry_.Requeue(key, counts, options_.max_counted_attempts, reason, Now()));
      if (!ended.ok()) KeepOrForget(key);
    }
  }

  // Storage did not take a lost lease back: the disk may be full. Tries again one lease later, if the job still runs.
  void KeepOrForget(const LeaseKey& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(transition_mu_) {
    const bool gone = StateOf(key) != v1::RUNNING;
    MutexLock lock(&mu_);
    HeldLease* held = leases_.FindJob(key.job);
    if (held == nullptr) return;
    held->retry_end = Now() + options_.lease_duration;
    if (gone) leases_.Remove(key.job);
  }

  void SaveProgress() {
    std::vector<std::pair<LeaseKey, v1::Progress>> due;
    {
      MutexLock lock(&mu_);
      for (HeldLease* held : leases_.ProgressDue(Now(), options_.progress_interval)) {
        due.emplace_back(held->key(), held->job.progress());
        held->progress_unsaved = false;
        held->progress_saved = Now();
      }
    }
    // Progress that cannot be written is only for people; the next one is tried again.
    for (const auto& [key, progress] : due) registry_.SaveProgress(key, progress).IgnoreError();
  }

  // What a job has reached is on disk before its lease ends.
  void SaveProgressNow(const LeaseKey& key) {
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

  void GiveOutJobs() {
    while (true) {
      MatchQueue::Worker worker;
      absl::StatusOr<std::optional<LeaseGrant>> answer;
      {
        MutexLock transition(&transition_mu_);
        v1::Job job;
        {
          MutexLock lock(&mu_);
          if (!draining_) worker = queue_.TakeMatch(&job);
        }
        if (worker == nullptr) return;
        answer = StartAttempt(job, worker->worker());
      }
      std::optional<LeaseKey> given;
      if (answer.ok() && answer->has_value()) given = (*answer)->key;
      if (answer.ok() && !answer->has_value()) {  // the job went away: the worker waits on
        MutexLock lock(&mu_);
        queue_.ReturnWorker(worker);
      } else if (!worker->Answer(answer) && given.has_value()) {
        Release(*given).IgnoreError();
      }
    }
  }

  // Nothing if the job is no longer QUEUED.
  absl::StatusOr<std::optional<LeaseGrant>> StartAttempt(const v1::Job& job, const v1::WorkerDescription& worker)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(transition_mu_) {
    ABSL_ASSIGN_OR_RETURN(const JobName name, JobName::Parse(job.name()));
    const std::string token = RandomHex(16);
    const absl::StatusOr<v1::Job> started = registry_.StartAttempt(name, token, worker.name(), Now());
    if (absl::IsFailedPrecondition(started.status()) || absl::IsNotFound(started.status())) return std::nullopt;
    if (!started.ok()) {
      MutexLock lock(&mu_);
      queue_.AddJob(job);
      return started.status();
    }
    LeaseGrant grant;
    grant.key = {job.name(), started->attempt(), token};
    grant.job = *started;
    {
      MutexLock lock(&mu_);
      HeldLease lease;
      lease.job = *started;
      lease.token = token;
      lease.deadline = Now() + options_.lease_duration;
      leases_.Add(std::move(lease));
      watchers_.Tell(*started);
    }
    absl::StatusOr<v1::Dataset> dataset = DatasetFor(*started);
    absl::StatusOr<std::vector<std::string>> checkpoints = registry_.Checkpoints(name);
    if (!dataset.ok() || !checkpoints.ok()) {
      const absl::Status& status = dataset.ok() ? checkpoints.status() : dataset.status();
      v1::JobError error;
      error.set_code(static_cast<int>(status.code()));
      error.set_message(std::string(status.message()));
      ABSL_RETURN_IF_ERROR(End(grant.key, registry_.Fail(grant.key, error, Now())).status());
      return std::nullopt;
    }
    grant.dataset = *std::move(dataset);
    grant.checkpoints = *std::move(checkpoints);
    return grant;
  }

  void AnswerThoseWhoWaitedLongEnough() {
    std::vector<MatchQueue::Worker> over;
    {
      MutexLock lock(&mu_);
      over = queue_.TakeOverdue(Now());
    }
    for (const auto& worker : over) worker->Answer(std::nullopt);
  }

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

}  // namespace

absl::StatusOr<std::unique_ptr<JobBoard>> JobBoard::Create(Registry& registry, Options options) {
  auto board = std::make_unique<JobBoardImpl>(registry, std::move(options));
  ABSL_RETURN_IF_ERROR(board->Start());
  return std::unique_ptr<JobBoard>(std::move(board));
}

}  // namespace creamery
