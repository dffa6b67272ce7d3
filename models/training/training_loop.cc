#include "models/training/training_loop.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "absl/strings/str_cat.h"
#include "models/random.h"
#include "models/training/device_epochs.h"
#include "models/training/fused_flow.h"
#include "models/training/fused_kernels.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kAverageEpochs = 5;
constexpr int64_t kEvaluationRows = 4096;
constexpr int64_t kWeightsPerCheck = 1 << 22;  // some ten milliseconds of an optimiser's step

// Minus the weighted mean log density of some rows and its gradient, in the space of the layers.
class Objective {
 public:
  Objective(const FlowNetwork& network, const LoopRows& train, const LoopRows& held_out)
      : train_(train), held_out_(held_out), flow_(network.layers()), workspace_(flow_) {}

  // Of rows index[0..count) of the training rows; the gradient of forbidden weights is 0.
  double LossAndGradient(std::vector<float>& weights, const int64_t* index, int64_t count, std::vector<float>& gradient,
                         const StopToken& stop) {
    const FusedRows rows{train_.y.data_ptr<float>(), train_.weight.data_ptr<float>(), index, count};
    return flow_.LossAndGradient(weights, rows, workspace_, absl::MakeSpan(gradient), stop);
  }

  // Of held-out rows begin..begin + count - 1.
  double HeldOutLoss(std::vector<float>& weights, int64_t begin, int64_t count, const StopToken& stop) {
    const int64_t d = held_out_.y.size(1);
    const FusedRows rows{held_out_.y.data_ptr<float>() + begin * d, held_out_.weight.data_ptr<float>() + begin, nullptr,
                         count};
    return flow_.Loss(weights, rows, workspace_, stop);
  }

 private:
  const LoopRows& train_;
  const LoopRows& held_out_;
  const FusedFlow flow_;
  FusedFlow::Workspace workspace_;
};

absl::Status Diverged(const LoopOptions& options, int64_t epoch, double learning_rate, const char* what) {
  return absl::FailedPreconditionError(absl::StrCat("the loss diverged at epoch ", epoch, " of member ", options.member,
                                                    ": ", what, " is not finite; try a smaller learning_rate (now ",
                                                    learning_rate, ")"));
}

class Loop {
 public:
  Loop(const FlowNetwork& network, const LoopRows& train, const LoopRows& held_out, const LoopOptions& options,
       const StopToken& stop, MemberState& state)
      : network_(network),
        train_(train),
        held_out_(held_out),
        options_(options),
        stop_(stop),
        objective_(network, train, held_out),
        gradient_(network.num_weights()),
        state_(state) {
    if (!options.autograd_device.empty()) {
      device_ = std::make_unique<DeviceEpochs>(network, train, held_out, options);
    }
  }

  absl::Status Epoch() {
    const int64_t epoch = state_.epoch + 1;
    ABSL_RETURN_IF_ERROR(Descend(epoch));
    ABSL_RETURN_IF_ERROR(Evaluate(epoch));
    state_.epoch = epoch;
    if (state_.held_out_loss < state_.best_held_out_loss) {
      state_.best_held_out_loss = state_.held_out_loss;
      state_.train_loss_at_best = state_.train_loss;
      state_.best_epoch = epoch;
      state_.best_weights = state_.average;
    }
    // Half the step after a third of the patience without a better loss.
    const int64_t stale = epoch - std::max(state_.best_epoch, state_.last_cut);
    if (stale >= std::max<int64_t>(1, options_.patience / 3)) {
      state_.learning_rate /= 2;
      state_.last_cut = epoch;
    }
    state_.finished = epoch >= options_.max_epochs || epoch - state_.best_epoch >= options_.patience;
    return absl::OkStatus();
  }

 private:
  absl::Status Descend(int64_t epoch) {
    const int64_t n = train_.y.size(0);
    const RandomStream stream(options_.seed, RandomPurpose::kShuffle);
    const std::vector<int64_t> rows =
        stream.Permutation(n, (static_cast<uint64_t>(options_.member) << 32) + static_cast<uint64_t>(epoch));
    if (device_ != nullptr) {
      ABSL_ASSIGN_OR_RETURN(const double loss, device_->Descend(rows, stop_, state_));
      if (!std::isfinite(loss)) return Diverged(options_, epoch, state_.learning_rate, "the training loss");
      state_.train_loss = loss - train_.map_ladj;
      return absl::OkStatus();
    }
    const double steps_per_epoch = std::ceil(static_cast<double>(n) / static_cast<double>(options_.batch_size));
    double sum = 0;
    for (int64_t begin = 0; begin < n; begin += options_.batch_size) {
      ABSL_RETURN_IF_ERROR(stop_.Check());
      const int64_t count = std::min(options_.batch_size, n - begin);
      const double value = objective_.LossAndGradient(state_.weights, &rows[begin], count, gradient_, stop_);
      ABSL_RETURN_IF_ERROR(stop_.Check());  // the step may have ended early
      const double norm = FusedNorm(network_.num_weights(), gradient_.data());
      if (!std::isfinite(value)) return Diverged(options_, epoch, state_.learning_rate, "the training loss");
      if (!std::isfinite(norm)) return Diverged(options_, epoch, state_.learning_rate, "the gradient");
      FusedAdam adam;
      adam.learning_rate = state_.learning_rate;
      adam.step = ++state_.steps;
      adam.gradient_scale = norm > options_.clip_norm ? options_.clip_norm / norm : 1;
      adam.average_part = AveragePart(state_.steps, steps_per_epoch);
      ABSL_RETURN_IF_ERROR(Step(adam));
      sum += value * static_cast<double>(count);
    }
    state_.train_loss = sum / static_cast<double>(n) - train_.map_ladj;
    return absl::OkStatus();
  }

  // In pieces between which it can stop: the state is then as useless as after any other half step, and what was kept
  // after the last epoch is not.
  absl::Status Step(const FusedAdam& adam) {
    const float* step_scale = network_.step_scale().data_ptr<float>();
    for (int64_t begin = 0; begin < network_.num_weights(); begin += kWeightsPerCheck) {
      ABSL_RETURN_IF_ERROR(stop_.Check());
      FusedAdamStep(
          adam, &gradient_[begin], step_scale + begin, std::min(kWeightsPerCheck, network_.num_weights() - begin),
          {&state_.weights[begin], &state_.first_moment[begin], &state_.second_moment[begin], &state_.average[begin]});
    }
    return absl::OkStatus();
  }

  // Of the average, which is what answers.
  absl::Status Evaluate(int64_t epoch) {
    ABSL_ASSIGN_OR_RETURN(const double loss, device_ != nullptr ? device_->HeldOutLoss(stop_) : HeldOutLoss());
    state_.held_out_loss = loss - held_out_.map_ladj;
    if (!std::isfinite(state_.held_out_loss)) {
      return Diverged(options_, epoch, state_.learning_rate, "the held-out loss");
    }
    return absl::OkStatus();
  }

  absl::StatusOr<double> HeldOutLoss() {
    const int64_t n = held_out_.y.size(0);
    double sum = 0;
    for (int64_t begin = 0; begin < n; begin += kEvaluationRows) {
      ABSL_RETURN_IF_ERROR(stop_.Check());
      const int64_t count = std::min(kEvaluationRows, n - begin);
      sum += objective_.HeldOutLoss(state_.average, begin, count, stop_) * static_cast<double>(count);
    }
    ABSL_RETURN_IF_ERROR(stop_.Check());  // the last block may have ended early
    return sum / static_cast<double>(n);
  }

  const FlowNetwork& network_;
  const LoopRows& train_;
  const LoopRows& held_out_;
  const LoopOptions& options_;
  const StopToken& stop_;
  std::unique_ptr<DeviceEpochs> device_;  // null: the fused step
  Objective objective_;
  std::vector<float> gradient_;
  MemberState& state_;
};

}  // namespace

double AveragePart(int64_t step, double steps_per_epoch) {
  const auto t = static_cast<double>(step);
  const double keep = std::min(1 - 1 / (kAverageEpochs * steps_per_epoch), (1 + t) / (10 + t));
  return 1 - keep;
}

MemberState StartMember(const FlowNetwork& network, const LoopOptions& options) {
  MemberState state;
  state.weights = network.initial_weights();
  state.average = state.weights;
  state.best_weights = state.weights;
  state.first_moment.assign(state.weights.size(), 0.0f);
  state.second_moment.assign(state.weights.size(), 0.0f);
  state.learning_rate = options.learning_rate;
  return state;
}

absl::Status TrainMember(const FlowNetwork& network, const LoopRows& train, const LoopRows& held_out,
                         const LoopOptions& options, const StopToken& stop,
                         const std::function<absl::Status()>& after_epoch, MemberState& state) {
  Loop loop(network, train, held_out, options, stop, state);
  while (!state.finished) {
    ABSL_RETURN_IF_ERROR(loop.Epoch());
    ABSL_RETURN_IF_ERROR(after_epoch());
  }
  return absl::OkStatus();
}

}  // namespace creamery
