#include "server/jobs/statistics_runner.h"

#include <algorithm>
#include <iostream>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "proto/support/status_macros.h"
#include "server/low_priority.h"
#include "server/rpc/call.h"

namespace creamery {
namespace {

// How long one request for a job waits before it is made again.
constexpr absl::Duration kWait = absl::Seconds(30);
// After a failure that may pass: the disk may be full, the board draining.
constexpr absl::Duration kPause = absl::Milliseconds(200);
// How long a job waits for memory that others use.
constexpr absl::Duration kPatience = absl::Minutes(5);
// Progress is told at most this often.
constexpr absl::Duration kTellEvery = absl::Milliseconds(200);

}  // namespace

// One job under its lease: a thread of its own keeps the lease and tells progress while the answer is computed.
class StatisticsRunner::Attempt {
 public:
  Attempt(StatisticsRunner& runner, LeaseGrant grant) : runner_(runner), grant_(std::move(grant)) {}

  void Run() {
    // Orders that came before we listen are in the answer to the first heartbeat.
    absl::StatusOr<std::unique_ptr<Subscription>> orders = runner_.board_.ListenForOrders(
        grant_.key, [this](const absl::StatusOr<v1::HeartbeatResponse>& order) { Obey(order); });
    if (!orders.ok()) return Obey(orders.status());
    Obey(runner_.board_.Heartbeat(grant_.key, nullptr));
    std::thread keeper([this] { KeepLease(); });
    absl::StatusOr<StatisticsAnswer> answer;
    const absl::Status status = RunGuarded([this, &answer] {
      answer = Compute();
      return answer.status();
    });
    {
      MutexLock lock(&mu_);
      computed_ = true;
      changed_.SignalAll();
    }
    keeper.join();
    // Nothing can be lost between two heartbeats: what follows takes milliseconds.
    runner_.board_.Heartbeat(grant_.key, nullptr).IgnoreError();
    status.ok() ? Complete(*answer) : GiveUp(status);
  }

  // The server ends.
  void Release() {
    v1::HeartbeatResponse order;
    order.set_release(true);
    Obey(order);
  }

 private:
  // In the order of what wins.
  enum class End { kNone, kRelease, kCancel, kLost };

  // UNAVAILABLE means that others fill the memory for models right now: a job can wait for it.
  absl::StatusOr<StatisticsAnswer> Compute() {
    const auto note = [this](double fraction, const std::string& stage) { Note(fraction, stage); };
    const absl::Time end = absl::Now() + kPatience;
    while (true) {
      absl::StatusOr<StatisticsAnswer> answer = runner_.answer_(grant_.job.statistics(), note, stop_.token());
      if (!absl::IsUnavailable(answer.status()) || absl::Now() > end) return answer;
      ABSL_RETURN_IF_ERROR(stop_.token().Check());
      absl::SleepFor(kPause);
    }
  }

  // Called with the board's lock held: must not call it.
  void Obey(const absl::StatusOr<v1::HeartbeatResponse>& order) {
    const End why = !order.ok()       ? End::kLost
                    : order->cancel() ? End::kCancel
                                      : (order->release() ? End::kRelease : End::kNone);
    if (why == End::kNone) return;
    {
      MutexLock lock(&mu_);
      end_ = std::max(end_, why);
    }
    stop_.RequestStop();
  }

  void Note(double fraction, const std::string& stage) {
    MutexLock lock(&mu_);
    progress_.set_fraction(std::clamp(fraction, 0.0, 1.0));
    progress_.set_stage(stage);
    noted_ = true;
    changed_.SignalAll();
  }

  void KeepLease() {
    absl::Time told = absl::Now();
    while (const std::optional<v1::Progress> progress = AwaitTelling(told)) {
      Obey(runner_.board_.Heartbeat(grant_.key, progress->fraction() > 0 ? &*progress : nullptr));
      told = absl::Now();
    }
  }

  // The progress so far, when it is time for the next sign of life; nothing once the answer is there.
  std::optional<v1::Progress> AwaitTelling(absl::Time told) {
    const absl::Duration interval = runner_.board_.lease_duration() / 5;
    MutexLock lock(&mu_);
    while (!computed_) {
      const absl::Duration left = told + (noted_ ? std::min(kTellEvery, interval) : interval) - absl::Now();
      if (left <= absl::ZeroDuration()) {
        noted_ = false;
        return progress_;
      }
      changed_.WaitFor(&mu_, left);
    }
    return std::nullopt;
  }

  void Complete(const StatisticsAnswer& answer) {
    BlobWriter::Committed samples;  // its guard lasts until the row names the blob
    absl::Status status;
    if (!answer.samples.columns.empty()) {
      absl::StatusOr<BlobWriter::Committed> stored = StoreSamples(runner_.registry_.blobs(), answer.samples);
      status = stored.status();
      if (stored.ok()) samples = *std::move(stored);
    }
    if (status.ok()) {
      status = runner_.board_.CompleteStatistics(grant_.key, answer.result, samples.digest).status();
    }
    if (!status.ok() && !absl::IsAborted(status) && !absl::IsCancelled(status)) GiveUp(status);
  }

  void GiveUp(const absl::Status& status) {
    End why = End::kNone;
    {
      MutexLock lock(&mu_);
      why = end_;
    }
    if (why == End::kLost) return;
    absl::Status told;
    if (why == End::kRelease) {
      told = runner_.board_.Release(grant_.key).status();
    } else {
      v1::JobError error;
      error.set_code(static_cast<int>(status.code()));
      error.set_message(std::string(status.message()));
      told = runner_.board_.Fail(grant_.key, error).status();
    }
    // The lease ends by itself then, and the job waits again.
    if (!told.ok()) std::cerr << "creamery-server: " << grant_.key.job << ": " << told << std::endl;
  }

  StatisticsRunner& runner_;
  const LeaseGrant grant_;
  StopSource stop_;
  Mutex mu_;
  CondVar changed_;
  End end_ ABSL_GUARDED_BY(mu_) = End::kNone;
  v1::Progress progress_ ABSL_GUARDED_BY(mu_);
  bool noted_ ABSL_GUARDED_BY(mu_) = false;  // progress that was not told yet
  bool computed_ ABSL_GUARDED_BY(mu_) = false;
};

StatisticsRunner::StatisticsRunner(JobBoard& board, Registry& registry, StatisticsFunction answer, int threads)
    : board_(board), registry_(registry), answer_(std::move(answer)) {
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this, name = absl::StrCat("statistics thread ", i)] {
      RunAtLowPriority();
      Run(name);
    });
  }
}

StatisticsRunner::~StatisticsRunner() {
  {
    MutexLock lock(&mu_);
    ending_ = true;
    for (Attempt* attempt : attempts_) attempt->Release();
    changed_.SignalAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

void StatisticsRunner::Run(const std::string& name) {
  while (true) {
    std::optional<LeaseGrant> grant = WaitForJob(name);
    if (grant.has_value()) {
      Attempt attempt(*this, *std::move(grant));
      {
        MutexLock lock(&mu_);
        attempts_.push_back(&attempt);
        if (ending_) attempt.Release();
      }
      attempt.Run();
      MutexLock lock(&mu_);
      attempts_.erase(std::find(attempts_.begin(), attempts_.end(), &attempt));
    }
    MutexLock lock(&mu_);
    if (ending_) return;
  }
}

std::optional<LeaseGrant> StatisticsRunner::WaitForJob(const std::string& name) {
  bool answered = false;
  absl::StatusOr<std::optional<LeaseGrant>> answer;
  absl::StatusOr<std::unique_ptr<Subscription>> ticket =
      board_.LeaseStatistics(name, kWait, [&](const absl::StatusOr<std::optional<LeaseGrant>>& given) {
        MutexLock lock(&mu_);
        answer = given;
        answered = true;
        changed_.SignalAll();
      });
  if (ticket.ok()) {
    {
      MutexLock lock(&mu_);
      while (!answered && !ending_) changed_.Wait(&mu_);
    }
    ticket->reset();  // from now on nobody answers any more
  }
  MutexLock lock(&mu_);
  if (answered && answer.ok()) return *answer;
  if (!ending_) changed_.WaitFor(&mu_, kPause);
  return std::nullopt;
}

}  // namespace creamery
