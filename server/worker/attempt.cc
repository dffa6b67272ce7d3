#include "server/worker/attempt.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "proto/support/digest.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

// A checkpoint that took c is followed by at least this many c of training.
constexpr int kTrainingPerCheckpoint = 30;
constexpr absl::Duration kFirstPause = absl::Milliseconds(100);
constexpr absl::Duration kLongestPause = absl::Seconds(1);
// A line about epochs at most this often.
constexpr absl::Duration kSayEvery = absl::Seconds(1);

// A checkpoint of a large network is hundreds of megabytes.
absl::StatusOr<std::string> DigestUnlessStopped(absl::string_view bytes, const StopToken& stop) {
  constexpr size_t kPiece = 16 << 20;
  Sha256 sha;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(kPiece, bytes.size()))) {
    ABSL_RETURN_IF_ERROR(stop.Check());
    sha.Update(bytes.substr(0, kPiece));
  }
  return sha.Finish();
}

// The server may come back, or the connection.
bool MayWorkLater(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

}  // namespace

Attempt::Attempt(ServerLink& link, v1::LeaseResponse lease, Options options)
    : link_(link), lease_(std::move(lease)), options_(std::move(options)) {}

void Attempt::Say(const std::string& what) const {
  // One write, so that a line is whole whatever happens next.
  const std::string line =
      absl::StrCat("creamery-worker: ", lease_.job().name(), " attempt ", lease_.lease().attempt(), ": ", what, "\n");
  std::cerr << line << std::flush;
}

void Attempt::Run() {
  Say("begins");
  Heartbeat::Orders orders;
  orders.cancel = [this] { Stop(End::kCancel); };
  orders.release = [this] { RequestRelease(); };
  orders.lost = [this](const absl::Status& status) {
    {
      MutexLock lock(&mu_);
      lost_ = status;
    }
    Stop(End::kLost);
  };
  Heartbeat heartbeat(link_, lease_.lease(), absl::Seconds(lease_.lease_seconds()), orders);

  TrainingInput input;
  TrainingHooks hooks;
  hooks.stop = stop_.token();
  hooks.threads = options_.threads;
  hooks.device = options_.device;
  hooks.progress = [this, &heartbeat](const v1::Progress& progress) {
    heartbeat.SetProgress(progress);
    if (absl::Now() - last_said_ < kSayEvery) return;
    last_said_ = absl::Now();
    if (progress.members() == 0) return Say(progress.stage());
    Say(absl::StrCat(progress.stage(), progress.stage().empty() ? "" : ", ", "epoch ", progress.epoch(), " of member ",
                     progress.member(), ", held-out loss ", progress.held_out_loss()));
  };
  hooks.checkpoint_due = [this] { return CheckpointDue(); };
  hooks.checkpoint = [this](const std::string& bytes) { return StoreCheckpoint(bytes); };

  absl::Status status = Prepare(&input, &hooks);
  if (status.ok()) {
    const absl::StatusOr<std::string> artifact = Train(input, std::move(hooks));
    status = artifact.ok() ? Publish(*artifact) : artifact.status();
  }
  if (!status.ok()) GiveUp(status);
}

void Attempt::RequestRelease() {
  {
    MutexLock lock(&mu_);
    if (end_ != End::kNone) return;
    end_ = End::kRelease;
    changed_.SignalAll();
    if (training_) return;  // Train waits for the checkpoint
  }
  StopForRelease();
}

void Attempt::StopForRelease() {
  stop_.RequestStop();
  calls_.Cancel();
}

void Attempt::Stop(End why) {
  {
    MutexLock lock(&mu_);
    end_ = std::max(end_, why);
    changed_.SignalAll();
  }
  stop_.RequestStop();
  calls_.Cancel();
}

Attempt::End Attempt::end() {
  MutexLock lock(&mu_);
  return end_;
}

absl::Status Attempt::Retry(const std::function<absl::Status()>& call) {
  absl::Duration pause = kFirstPause;
  while (true) {
    absl::Status status = call();
    if (!MayWorkLater(status) || calls_.cancelled()) return status;
    absl::SleepFor(pause);
    pause = std::min(2 * pause, kLongestPause);
  }
}

absl::Status Attempt::Prepare(TrainingInput* input, TrainingHooks* hooks) {
  input->job = lease_.job();
  input->dataset = lease_.dataset();
  ABSL_RETURN_IF_ERROR(
      Retry([&] { return link_.ReadDataset(lease_.lease(), lease_.dataset(), &input->rows, calls_); }));
  if (input->rows.num_rows != lease_.dataset().num_rows()) {
    return absl::DataLossError(absl::StrCat(lease_.dataset().name(), " arrived with ", input->rows.num_rows,
                                            " rows, expected ", lease_.dataset().num_rows()));
  }
  for (const std::string& digest : lease_.checkpoints()) {
    absl::StatusOr<std::string> checkpoint = Resume(digest);
    if (checkpoint.ok()) {
      hooks->resume_from = *std::move(checkpoint);
      break;
    }
    // An older checkpoint, or none, costs time; a job is worth more.
    if (!absl::IsDataLoss(checkpoint.status()) && !absl::IsNotFound(checkpoint.status())) return checkpoint.status();
    Say(absl::StrCat("checkpoint skipped: ", checkpoint.status().message()));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Attempt::Resume(const std::string& digest) {
  absl::StatusOr<std::string> bytes;
  ABSL_RETURN_IF_ERROR(Retry([&] {
    bytes = link_.GetBlob(lease_.lease(), digest, calls_);
    return bytes.status();
  }));
  Say(absl::StrCat("resumes from checkpoint ", digest));
  return bytes;
}

absl::StatusOr<std::string> Attempt::Train(const TrainingInput& input, TrainingHooks hooks) {
  {
    MutexLock lock(&mu_);
    if (end_ != End::kNone) return absl::CancelledError("stopped before the training began");
    training_ = true;
  }
  last_checkpoint_ = absl::Now();
  absl::StatusOr<std::string> artifact;
  std::thread thread([&] {
    artifact = options_.train(input, hooks);
    if (absl::IsDataLoss(artifact.status()) && !hooks.resume_from.empty()) {
      Say(absl::StrCat("checkpoint skipped: ", artifact.status().message()));
      hooks.resume_from.clear();
      artifact = options_.train(input, hooks);
    }
    MutexLock lock(&mu_);
    training_ = false;
    changed_.SignalAll();
  });
  {
    MutexLock lock(&mu_);
    while (training_ && end_ != End::kRelease) changed_.Wait(&mu_);
    const absl::Time end = absl::Now() + options_.release_patience;
    while (training_ && absl::Now() < end) changed_.WaitFor(&mu_, end - absl::Now());
    if (training_) stop_.RequestStop();
  }
  thread.join();
  return artifact;
}

bool Attempt::CheckpointDue() {
  if (end() == End::kRelease) return true;
  if (options_.checkpoint_interval <= absl::ZeroDuration()) return true;
  const absl::Duration least = std::max(options_.checkpoint_interval, kTrainingPerCheckpoint * checkpoint_cost_);
  return absl::Now() - last_checkpoint_ >= least;
}

absl::Status Attempt::StoreCheckpoint(const std::string& bytes) {
  const absl::Time start = absl::Now();
  Say("checkpoint begins");
  const absl::StatusOr<std::string> digest = DigestUnlessStopped(bytes, stop_.token());
  const absl::Status status =
      digest.ok() ? link_.PutBlob(lease_.lease(), v1::CHECKPOINT, *digest, bytes, calls_) : digest.status();
  last_checkpoint_ = absl::Now();
  checkpoint_cost_ = last_checkpoint_ - start;
  if (status.ok()) {
    Say("checkpoint stored");
  } else {
    // The training is worth more than its checkpoint: the server may be restarting, or its disk full.
    Say(absl::StrCat("checkpoint not stored: ", status.message()));
    if (absl::IsAborted(status)) Stop(End::kLost);
  }
  if (end() == End::kRelease) StopForRelease();
  return absl::OkStatus();
}

absl::Status Attempt::Publish(const std::string& artifact) {
  Say("publishing begins");
  const std::string digest = Sha256Hex(artifact);
  // A group of its own: a Complete whose answer was lost must be asked again even when the heartbeat has noticed that
  // the lease is over, as it is once the version exists.
  CallGroup calls;
  absl::Duration pause = kFirstPause;
  while (true) {
    absl::Status status = link_.PutBlob(lease_.lease(), v1::ARTIFACT, digest, artifact, calls);
    // ABORTED may mean that the first Complete was heard.
    if (status.ok() || absl::IsAborted(status)) {
      const absl::StatusOr<v1::ModelVersion> version = link_.Complete(lease_.lease(), digest);
      if (version.ok()) Say(absl::StrCat("published ", version->name()));
      status = version.status();
    }
    if (status.ok() || !MayWorkLater(status)) return status;
    if (end() == End::kRelease) return status;
    absl::SleepFor(pause);
    pause = std::min(2 * pause, kLongestPause);
  }
}

void Attempt::GiveUp(const absl::Status& status) {
  const End why = end();
  if (why == End::kLost || absl::IsAborted(status)) {
    MutexLock lock(&mu_);
    return Say(absl::StrCat("dropped: ", (lost_.ok() ? status : lost_).message()));
  }
  // Long enough for a server that restarts; later the lease ends by itself.
  const absl::Time until = absl::Now() + absl::Seconds(2 * lease_.lease_seconds());
  absl::Status told;
  do {
    if (why == End::kCancel) {
      told = link_.Fail(lease_.lease(), absl::CancelledError("the job was cancelled"));
    } else if (why == End::kRelease) {
      told = link_.Release(lease_.lease());
    } else {
      told = link_.Fail(lease_.lease(), status);
    }
    if (!MayWorkLater(told)) break;
    absl::SleepFor(kFirstPause);
  } while (absl::Now() < until);
  const char* what = why == End::kCancel ? "cancelled" : why == End::kRelease ? "released" : "failed";
  Say(absl::StrCat(what, ": ", told.ok() ? status.message() : told.message()));
}

}  // namespace creamery
