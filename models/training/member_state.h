// Everything that a training needs to go on where it stopped, as plain numbers. Written after any epoch, read back, it
// leads to the same weights bit for bit.
#ifndef CREAMERY_MODELS_TRAINING_MEMBER_STATE_H_
#define CREAMERY_MODELS_TRAINING_MEMBER_STATE_H_

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace creamery {

// One network in training: a member's, or that of one of its pieces. Losses are in the parameters' units, natural log.
struct MemberState {
  std::vector<float> weights;
  std::vector<float> first_moment;  // Adam's
  std::vector<float> second_moment;
  std::vector<float> average;       // of the weights over the last epochs: what is evaluated
  std::vector<float> best_weights;  // a copy of the average, never a view of it
  int64_t steps = 0;
  int64_t epoch = 0;  // finished epochs
  int64_t best_epoch = 0;
  int64_t last_cut = 0;  // epoch after which the step size was last cut
  double learning_rate = 0;
  double train_loss = 0;
  double held_out_loss = 0;
  double best_held_out_loss = std::numeric_limits<double>::infinity();
  double train_loss_at_best = 0;
  bool finished = false;
};

// A whole training: every network begun so far, by its path ("member0/piece1").
struct TrainingState {
  std::map<std::string, MemberState> networks;
  std::map<std::string, std::string> failures;  // path -> why training it came to an end
  double seconds = 0;                           // wall-clock over all attempts
};

// A checkpoint: a safetensors file. `identity` tells trainings apart (job, data, spec).
std::string WriteCheckpoint(const TrainingState& state, absl::string_view identity);
// DATA_LOSS for a malformed file, or one of another training.
absl::StatusOr<TrainingState> ReadCheckpoint(absl::string_view bytes, absl::string_view identity);

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_MEMBER_STATE_H_
