// One lease, from its grant to its end: read the rows, resume or begin, train, publish; or stop on the way, because the
// job was cancelled, the server or this program ends, or somebody else holds the job by now.
#ifndef CREAMERY_SERVER_WORKER_ATTEMPT_H_
#define CREAMERY_SERVER_WORKER_ATTEMPT_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "creamery/v1/worker_service.pb.h"
#include "models/training/trainer.h"
#include "proto/support/mutex.h"
#include "proto/support/stop_token.h"
#include "server/worker/heartbeat.h"
#include "server/worker/server_link.h"

namespace creamery {

using TrainFunction = std::function<absl::StatusOr<std::string>(const TrainingInput&, const TrainingHooks&)>;

class Attempt {
 public:
  struct Options {
    // Shortest time between two checkpoints; zero: after every epoch. With more than zero, checkpoints never take more
    // than a few per cent of the time.
    absl::Duration checkpoint_interval = absl::Seconds(30);
    int threads = 1;  // of the training
    TrainingDevice device;
    // After a request to release: how long the epoch under way may take until its checkpoint, before it is given up.
    absl::Duration release_patience = absl::Seconds(5);
    TrainFunction train;
  };
  // `link` must outlive this.
  Attempt(ServerLink& link, v1::LeaseResponse lease, Options options);

  // Does the work; returns when nothing of it is left here. Says on the standard error what it does.
  void Run();
  // From any thread: checkpoint, release, and let Run return.
  void RequestRelease();

 private:
  // Why the work stops; the larger wins.
  enum class End { kNone, kRelease, kCancel, kLost };

  void Stop(End why);
  // Stops for a release once the checkpoint it waits for is stored, or `release_patience` has passed.
  void StopForRelease();
  End end();
  // Runs `call` until it works or fails for good; the server may restart meanwhile.
  absl::Status Retry(const std::function<absl::Status()>& call);

  absl::Status Prepare(TrainingInput* input, TrainingHooks* hooks);
  absl::StatusOr<std::string> Resume(const std::string& digest);
  absl::StatusOr<std::string> Train(const TrainingInput& input, TrainingHooks hooks);
  bool CheckpointDue();
  absl::Status StoreCheckpoint(const std::string& bytes);
  absl::Status Publish(const std::string& artifact);
  void GiveUp(const absl::Status& status);
  void Say(const std::string& what) const;

  ServerLink& link_;
  const v1::LeaseResponse lease_;
  const Options options_;
  CallGroup calls_;
  StopSource stop_;

  // Of the training's thread alone.
  absl::Time last_checkpoint_;
  absl::Duration checkpoint_cost_;
  absl::Time last_said_ = absl::InfinitePast();

  Mutex mu_;
  CondVar changed_;
  End end_ ABSL_GUARDED_BY(mu_) = End::kNone;
  absl::Status lost_ ABSL_GUARDED_BY(mu_);  // how we heard that the lease is lost
  bool training_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace creamery

#endif  // CREAMERY_SERVER_WORKER_ATTEMPT_H_
