// The board's thread: lost leases, progress to disk, jobs to those who wait for them.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/digest.h"
#include "proto/support/status_macros.h"
#include "server/jobs/job_board_impl.h"

namespace creamery {
namespace {

// How often the board's thread looks around when nothing wakes it.
constexpr absl::Duration kRound = absl::Milliseconds(100);
// A longer gap between two rounds means that the server itself stood still, and its workers are not to blame.
constexpr absl::Duration kStandstill = absl::Seconds(1);

}  // namespace

absl::Time JobBoardImpl::ExpiryNow() const {
  return options_.run_thread ? std::min(Now(), last_round_ + kStandstill) : Now();
}

void JobBoardImpl::Run() {
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

void JobBoardImpl::Tick() {
  EndLostLeases();
  SaveProgress();
  GiveOutJobs();
  AnswerThoseWhoWaitedLongEnough();
  MutexLock lock(&mu_);
  watchers_.Sweep();
}

void JobBoardImpl::EndLostLeases() {
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

void JobBoardImpl::KeepOrForget(const LeaseKey& key) {
  const bool gone = StateOf(key) != v1::RUNNING;
  MutexLock lock(&mu_);
  HeldLease* held = leases_.FindJob(key.job);
  if (held == nullptr) return;
  held->retry_end = Now() + options_.lease_duration;
  if (gone) leases_.Remove(key.job);
}

void JobBoardImpl::SaveProgress() {
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

void JobBoardImpl::GiveOutJobs() {
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
      answer = StartAttempt(job, worker->name());
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

absl::StatusOr<std::optional<LeaseGrant>> JobBoardImpl::StartAttempt(const v1::Job& job, const std::string& worker) {
  ABSL_ASSIGN_OR_RETURN(const JobName name, JobName::Parse(job.name()));
  const std::string token = RandomHex(16);
  const absl::StatusOr<v1::Job> started = registry_.StartAttempt(name, token, worker, Now());
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
  if (const absl::Status status = FillGrant(name, &grant); !status.ok()) {
    v1::JobError error;
    error.set_code(static_cast<int>(status.code()));
    error.set_message(std::string(status.message()));
    ABSL_RETURN_IF_ERROR(End(grant.key, registry_.Fail(grant.key, error, Now())).status());
    return std::nullopt;
  }
  return grant;
}

absl::Status JobBoardImpl::FillGrant(const JobName& name, LeaseGrant* grant) {
  if (!grant->job.has_training()) return absl::OkStatus();
  ABSL_ASSIGN_OR_RETURN(grant->dataset, DatasetFor(grant->job));
  ABSL_ASSIGN_OR_RETURN(grant->checkpoints, registry_.Checkpoints(name));
  return absl::OkStatus();
}

void JobBoardImpl::AnswerThoseWhoWaitedLongEnough() {
  std::vector<MatchQueue::Worker> over;
  {
    MutexLock lock(&mu_);
    over = queue_.TakeOverdue(Now());
  }
  for (const auto& worker : over) worker->Answer(std::nullopt);
}

}  // namespace creamery
