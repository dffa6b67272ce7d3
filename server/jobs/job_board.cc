#include "server/jobs/job_board.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "proto/support/status_macros.h"
#include "server/jobs/job_board_impl.h"

namespace creamery {
namespace {

// A statistics job runs in the server itself: one that was RUNNING when the server ended is lost.
std::string LostWithTheServer(int times) {
  return absl::StrCat("the server was killed, or crashed, ", times,
                      " times while it ran this job; it may need more memory than there is");
}

}  // namespace

JobBoardImpl::JobBoardImpl(Registry& registry, Options options) : registry_(registry), options_(std::move(options)) {
  if (!options_.clock) options_.clock = [] { return absl::Now(); };
  last_round_ = Now();
}

JobBoardImpl::~JobBoardImpl() {
  {
    MutexLock lock(&mu_);
    ending_ = true;
    changed_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
  CloseSubscriptions();
}

absl::Status JobBoardImpl::Start() {
  ABSL_ASSIGN_OR_RETURN(const std::vector<v1::Job> running, registry_.JobsInState(v1::RUNNING));
  for (const v1::Job& job : running) {
    // Its worker was a thread of the server that ended, so nobody will come back for it.
    if (job.has_statistics() &&
        registry_
            .Requeue({job.name(), job.attempt(), ""}, /*counts=*/true, options_.max_counted_attempts,
                     LostWithTheServer(options_.max_counted_attempts), Now())
            .ok()) {
      continue;
    }
    HeldLease lease;
    lease.job = job;
    lease.deadline = Now() + options_.lease_duration;
    MutexLock lock(&mu_);
    leases_.Add(std::move(lease));
  }
  ABSL_ASSIGN_OR_RETURN(const std::vector<v1::Job> queued, registry_.JobsInState(v1::QUEUED));
  {
    MutexLock lock(&mu_);
    for (const v1::Job& job : queued) queue_.AddJob(job);
  }
  if (options_.run_thread) thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

absl::StatusOr<v1::Job> JobBoardImpl::CreateJob(const Caller& caller, const ProjectName& parent, const v1::Job& job) {
  ABSL_ASSIGN_OR_RETURN(const NewJob checked, JobIntake(registry_, options_.intake).Take(parent, job));
  MutexLock transition(&transition_mu_);
  ABSL_ASSIGN_OR_RETURN(v1::Job created, registry_.CreateJob(caller, parent, checked));
  MutexLock lock(&mu_);
  // A repeated request returns the first job, which may be anywhere by now.
  if (created.state() == v1::QUEUED) queue_.AddJob(created);
  changed_.SignalAll();
  return created;
}

absl::StatusOr<v1::JobArray> JobBoardImpl::CreateJobArray(const Caller& caller, const ProjectName& parent,
                                                          const google::protobuf::RepeatedPtrField<v1::Job>& jobs) {
  JobIntake intake(registry_, options_.intake);
  std::vector<NewJob> checked;
  for (int i = 0; i < jobs.size(); ++i) {
    absl::StatusOr<NewJob> job = intake.Take(parent, jobs[i]);
    if (!job.ok()) return absl::Status(job.status().code(), absl::StrCat("jobs[", i, "]: ", job.status().message()));
    checked.push_back(*std::move(job));
  }
  MutexLock transition(&transition_mu_);
  std::vector<v1::Job> created;
  ABSL_ASSIGN_OR_RETURN(v1::JobArray array, registry_.CreateJobArray(caller, parent, checked, &created));
  MutexLock lock(&mu_);
  for (const v1::Job& job : created) queue_.AddJob(job);
  changed_.SignalAll();
  return array;
}

absl::StatusOr<v1::Job> JobBoardImpl::GetJob(const JobName& name) {
  ABSL_ASSIGN_OR_RETURN(v1::Job job, registry_.GetJob(name));
  MutexLock lock(&mu_);
  AddProgress(job);
  return job;
}

absl::StatusOr<Page<v1::Job>> JobBoardImpl::ListJobs(const ProjectName& parent, const PageRequest& page) {
  ABSL_ASSIGN_OR_RETURN(Page<v1::Job> jobs, registry_.ListJobs(parent, page));
  MutexLock lock(&mu_);
  for (v1::Job& job : jobs.items) AddProgress(job);
  return jobs;
}

absl::StatusOr<Page<v1::Job>> JobBoardImpl::ListJobArray(const ProjectName& parent, const std::string& array,
                                                         const PageRequest& page) {
  ABSL_ASSIGN_OR_RETURN(Page<v1::Job> jobs, registry_.ListJobArray(parent, array, page));
  MutexLock lock(&mu_);
  for (v1::Job& job : jobs.items) AddProgress(job);
  return jobs;
}

absl::StatusOr<v1::Job> JobBoardImpl::CancelJob(const Caller& caller, const JobName& name) {
  MutexLock transition(&transition_mu_);
  ABSL_ASSIGN_OR_RETURN(v1::Job job, registry_.RequestCancel(caller, name));
  MutexLock lock(&mu_);
  Cancelled(job);
  return job;
}

absl::StatusOr<std::vector<v1::Job>> JobBoardImpl::CancelJobArray(const Caller& caller, const ProjectName& parent,
                                                                  const std::string& array) {
  MutexLock transition(&transition_mu_);
  ABSL_ASSIGN_OR_RETURN(std::vector<v1::Job> jobs, registry_.RequestCancelArray(caller, parent, array));
  MutexLock lock(&mu_);
  for (v1::Job& job : jobs) Cancelled(job);
  return jobs;
}

void JobBoardImpl::Cancelled(v1::Job& job) {
  HeldLease* held = leases_.FindJob(job.name());
  if (job.state() == v1::RUNNING && held != nullptr) {
    held->job.set_cancel_requested(true);
    held->orders->Tell(OrdersOf(*held));
    job = held->job;
  }
  if (Ended(job)) queue_.RemoveJob(job);
  watchers_.Tell(job);
}

absl::StatusOr<std::unique_ptr<Subscription>> JobBoardImpl::WatchJob(const JobName& name, JobListener listener) {
  // The job must not change between reading it and listening.
  MutexLock transition(&transition_mu_);
  ABSL_ASSIGN_OR_RETURN(v1::Job job, registry_.GetJob(name));
  MutexLock lock(&mu_);
  if (closed_) return absl::UnavailableError("the server is shutting down");
  AddProgress(job);
  return watchers_.Add(job, std::move(listener));
}

void JobBoardImpl::AddProgress(v1::Job& job) {
  const HeldLease* held = leases_.FindJob(job.name());
  if (held != nullptr && job.state() == v1::RUNNING && held->job.has_progress()) {
    *job.mutable_progress() = held->job.progress();
  }
}

void JobBoardImpl::Drain() {
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

bool JobBoardImpl::AwaitDrained(absl::Duration timeout) {
  const absl::Time end = absl::Now() + timeout;
  MutexLock lock(&mu_);
  while (!leases_.NoneAdopted()) {
    const absl::Duration left = end - absl::Now();
    if (left <= absl::ZeroDuration()) return false;
    changed_.WaitFor(&mu_, left);
  }
  return true;
}

void JobBoardImpl::CloseSubscriptions() {
  Drain();
  MutexLock lock(&mu_);
  closed_ = true;
  const absl::Status closed = absl::UnavailableError("the server is shutting down");
  leases_.TellAllLast(closed);
  watchers_.Close(closed);
}

absl::StatusOr<std::unique_ptr<JobBoard>> JobBoard::Create(Registry& registry, Options options) {
  auto board = std::make_unique<JobBoardImpl>(registry, std::move(options));
  ABSL_RETURN_IF_ERROR(board->Start());
  return std::unique_ptr<JobBoard>(std::move(board));
}

}  // namespace creamery
