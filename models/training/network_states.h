// Every network of a training, as far as it has come: where checkpoints and progress come from, whichever thread trains
// which network. Thread-safe.
#ifndef CREAMERY_MODELS_TRAINING_NETWORK_STATES_H_
#define CREAMERY_MODELS_TRAINING_NETWORK_STATES_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "models/training/member_state.h"
#include "models/training/trainer.h"
#include "proto/support/mutex.h"

namespace creamery {

// One fit of one member, as progress is counted.
struct FitTurn {
  std::string path;   // unique in the training: "member0", or "candidate2/member0"
  std::string stage;  // for people, or empty
  int64_t member = 0;
  int64_t members = 1;
  int64_t threads = 1;  // that it may use
};

class NetworkStates {
 public:
  // `hooks` must outlive this.
  NetworkStates(const TrainingHooks& hooks, std::string identity) : hooks_(hooks), identity_(std::move(identity)) {}

  // Reads hooks.resume_from, if any. DATA_LOSS for a bad checkpoint.
  absl::Status Resume();

  // A copy of what is known of a network; `start` if nothing is. FAILED_PRECONDITION if it failed before.
  absl::StatusOr<MemberState> Get(const std::string& path, MemberState start) const;
  // After an epoch of a network that is `share` of its turn's work: keeps a copy of `state`, tells progress, writes a
  // checkpoint if one is due. An error of the checkpoint's writer ends the training: then every call returns it.
  absl::Status AfterEpoch(const FitTurn& turn, const std::string& path, double share, int64_t max_epochs,
                          double steps_per_second, const MemberState& state);
  // The network's training came to a bad end: a resumed training does not repeat it.
  void SetFailure(const std::string& path, const std::string& message);
  // The fit is over, whatever networks it had; tells progress if none did.
  void FinishTurn(const FitTurn& turn);
  // Fits in all, for progress.
  void SetTurns(int64_t turns);

  // Most epochs, and the best epoch of that network, among the networks of a turn; 0 if it has none.
  struct Epochs {
    int64_t epoch = 0;
    int64_t best_epoch = 0;
  };
  Epochs EpochsOf(const std::string& turn) const;

  // OK, or the checkpoint writer's error.
  absl::Status status() const;
  // Wall-clock seconds over all attempts.
  double Seconds() const;

  const TrainingHooks& hooks() const { return hooks_; }

 private:
  double Seconds(double before) const { return before + absl::ToDoubleSeconds(absl::Now() - began_); }
  double Fraction() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TellProgress(const FitTurn& turn, const MemberState& state, int64_t max_epochs, double steps_per_second)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TellFitted(const FitTurn& turn) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Adds how far the whole training is.
  void Tell(v1::Progress& progress) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const TrainingHooks& hooks_;
  const std::string identity_;
  const absl::Time began_ = absl::Now();

  mutable Mutex mu_;
  TrainingState state_ ABSL_GUARDED_BY(mu_);
  absl::Status status_ ABSL_GUARDED_BY(mu_);
  int64_t turns_ ABSL_GUARDED_BY(mu_) = 1;
  std::map<std::string, std::map<std::string, double>> done_ ABSL_GUARDED_BY(mu_);  // turn -> network -> share done
  double fraction_at_start_ ABSL_GUARDED_BY(mu_) = -1;  // of this attempt; -1: not yet known
};

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_NETWORK_STATES_H_
