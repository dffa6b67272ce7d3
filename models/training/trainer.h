// Training, seen from outside: samples and a spec go in, an artifact comes out. No LibTorch type in this header.
#ifndef CREAMERY_MODELS_TRAINING_TRAINER_H_
#define CREAMERY_MODELS_TRAINING_TRAINER_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "creamery/v1/dataset.pb.h"
#include "creamery/v1/job.pb.h"
#include "creamery/v1/model.pb.h"
#include "models/training/device.h"
#include "proto/support/rows.h"
#include "proto/support/stop_token.h"

namespace creamery {

// What a training is given.
struct TrainingInput {
  v1::Job job;          // name, training.spec, training.parameters
  v1::Dataset dataset;  // schema, digest, revision, row kind, log-evidence
  RowBlock rows;        // all of its rows, in order
};

// How a training talks to whoever runs it. Every function may be empty; they are called one at a time, from any thread.
struct TrainingHooks {
  StopToken stop;  // looked at before every gradient step; then Train returns its status
  // After every epoch, and after every fit that has none.
  std::function<void(const v1::Progress&)> progress;
  // A checkpoint is wanted now? Asked after every epoch; then `checkpoint` is called with the bytes, a safetensors
  // file.
  std::function<bool()> checkpoint_due;
  std::function<absl::Status(std::string)> checkpoint;
  std::string resume_from;  // bytes of a checkpoint of the same job, or empty
  TrainingDevice device;
  int threads = 1;  // networks trained side by side, each on one thread; the weights do not depend on it
};

// Trains; returns the artifact's bytes, to be read with LoadEstimator.
// The same input gives the same bytes but for wall-clock times, resumed or not, on one build.
// INVALID_ARGUMENT for a bad spec or an unknown parameter (the message lists the right ones); FAILED_PRECONDITION for
// data that cannot be trained on ("all weights are zero", "n_eff = 2.7, at least 3 needed", "the loss diverged at epoch
// 12"); DATA_LOSS for a bad checkpoint; CANCELLED from `stop`. Never throws.
absl::StatusOr<std::string> Train(const TrainingInput& input, const TrainingHooks& hooks);

// Names of the families that can be trained, and "creamery x.y, LibTorch 1.13.1".
std::vector<std::string> TrainableFamilies();
std::string TrainingBuild();

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_TRAINER_H_
