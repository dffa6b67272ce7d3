// The minibatch loop of one network: Adam, clipping, step cuts on a plateau, averaged weights, early stopping, best
// epoch.
#ifndef CREAMERY_MODELS_TRAINING_TRAINING_LOOP_H_
#define CREAMERY_MODELS_TRAINING_TRAINING_LOOP_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "models/training/flow_network.h"
#include "models/training/member_state.h"
#include "proto/support/stop_token.h"

namespace creamery {

// Rows in the layers' space. log p(theta) = log p(y) + map_ladj.
struct LoopRows {
  at::Tensor y;         // (n, d) float32
  at::Tensor weight;    // (n,) float32, mean 1
  double map_ladj = 0;  // weighted mean over the rows, natural log
};

// What TrainingOptions says, complete, and whose turn it is.
struct LoopOptions {
  int64_t member = 0;
  uint64_t seed = 0;
  double learning_rate = 1e-3;
  int64_t batch_size = 256;
  int64_t max_epochs = 300;
  int64_t patience = 20;
  double clip_norm = 5;
  // Where LibTorch's autograd makes the steps (DeviceEpochs): "cuda:0", or "cpu", the reference. Empty: the fused step.
  std::string autograd_device;
  bool record_steps = true;  // into a graph, where autograd_device is a GPU; otherwise the host launches every kernel
};

// Sets up a member before its first epoch.
MemberState StartMember(const FlowNetwork& network, const LoopOptions& options);

// How far a step, counted from 1, moves the average towards the new weights. Gradient steps walk around the minimum;
// their mean lies closer to it (Polyak & Juditsky 1992). Exponential over the last few epochs, and over fewer steps at
// the beginning.
double AveragePart(int64_t step, double steps_per_epoch);

// Trains from where `state` is until it is finished. `after_epoch` is called after every epoch but with `state` whole,
// so that it can be written; its error ends the training. `stop` is looked at before every step. FAILED_PRECONDITION if
// the loss diverges.
absl::Status TrainMember(const FlowNetwork& network, const LoopRows& train, const LoopRows& held_out,
                         const LoopOptions& options, const StopToken& stop,
                         const std::function<absl::Status()>& after_epoch, MemberState& state);

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_TRAINING_LOOP_H_
