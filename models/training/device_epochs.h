// The epochs of one network on a device of LibTorch, by autograd. Rows, weights and Adam's moments lie there; a step is
// one launch (RepeatedWork), and the host waits for the device once an epoch. On device "cpu" it is the reference that
// the fused step is tested against.
#ifndef CREAMERY_MODELS_TRAINING_DEVICE_EPOCHS_H_
#define CREAMERY_MODELS_TRAINING_DEVICE_EPOCHS_H_

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "models/training/device_runtime.h"
#include "models/training/flow_network.h"
#include "models/training/member_state.h"
#include "models/training/training_loop.h"
#include "proto/support/stop_token.h"

namespace creamery {

// Not thread-safe; any number of them may work on one device at a time.
class DeviceEpochs {
 public:
  // On options.autograd_device.
  DeviceEpochs(const FlowNetwork& network, const LoopRows& train, const LoopRows& held_out, const LoopOptions& options);

  // Steps over the training rows in the order `rows`, from `state`, which then is that after the last step. Returns the
  // mean loss of the rows in the layers' space, not finite if it diverged. CANCELLED from `stop`.
  absl::StatusOr<double> Descend(const std::vector<int64_t>& rows, const StopToken& stop, MemberState& state);
  // The mean loss of the held-out rows by the average that Descend left.
  absl::StatusOr<double> HeldOutLoss(const StopToken& stop);

  // Whether steps are played back from a graph by now.
  bool recorded() const { return whole_batch_.recorded(); }

 private:
  void Upload(const std::vector<int64_t>& rows, MemberState& state);
  // Step number `step_` of the epoch, over `count` rows. Every tensor that outlives it is written in place.
  void Step(int64_t count);

  const LoopOptions options_;
  const c10::Device device_;
  const DeviceStream stream_;
  const int64_t n_;      // training rows
  const int64_t batch_;  // of all steps but the last
  const int64_t steps_;  // of an epoch
  FlowNetwork network_;
  LoopRows train_;
  LoopRows held_out_;    // weights in float64
  at::Tensor state_;     // (4, num_weights): weights, first and second moment, average
  at::Tensor order_;     // (steps, batch), the rows of each step; the last one's may be fewer
  at::Tensor numbers_;   // (steps, 3), what the host knows of each step beforehand
  at::Tensor step_;      // (1), finished steps of the epoch
  at::Tensor loss_sum_;  // over the rows of the epoch so far
  RepeatedWork whole_batch_;
  RepeatedWork last_batch_;
};

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_DEVICE_EPOCHS_H_
