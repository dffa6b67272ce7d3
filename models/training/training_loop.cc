#include "models/training/training_loop.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "models/random.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr int64_t kEvaluationRows = 4096;  // a few milliseconds between looks at the stop token

at::Tensor View(std::vector<float>& values) {
  return at::from_blob(values.data(), {static_cast<int64_t>(values.size())}, at::kFloat);
}

// Adam (Kingma & Ba 2015, arXiv:1412.6980) over one flat tensor, with bias correction.
void AdamStep(const at::Tensor& gradient, const at::Tensor& step_scale, double learning_rate, int64_t step,
              at::Tensor& weights, at::Tensor& first, at::Tensor& second) {
  constexpr double kBeta1 = 0.9;
  constexpr double kBeta2 = 0.999;
  constexpr double kEpsilon = 1e-8;
  at::NoGradGuard no_grad;
  first.mul_(kBeta1).add_(gradient, 1 - kBeta1);
  second.mul_(kBeta2).addcmul_(gradient, gradient, 1 - kBeta2);
  const double t = static_cast<double>(step);
  const at::Tensor denominator = (second / (1 - std::pow(kBeta2, t))).sqrt_().add_(kEpsilon);
  weights.addcdiv_(first * step_scale, denominator, -learning_rate / (1 - std::pow(kBeta1, t)));
}

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
        state_(state),
        weights_(View(state.weights).set_requires_grad(true)),
        first_(View(state.first_moment)),
        second_(View(state.second_moment)) {}

  absl::Status Epoch() {
    const int64_t epoch = state_.epoch + 1;
    ABSL_RETURN_IF_ERROR(Descend(epoch));
    ABSL_RETURN_IF_ERROR(Evaluate(epoch));
    state_.epoch = epoch;
    if (state_.held_out_loss < state_.best_held_out_loss) {
      state_.best_held_out_loss = state_.held_out_loss;
      state_.train_loss_at_best = state_.train_loss;
      state_.best_epoch = epoch;
      state_.best_weights = state_.weights;
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
    const at::Tensor order = at::from_blob(const_cast<int64_t*>(rows.data()), {n}, at::kLong);
    double sum = 0;
    for (int64_t begin = 0; begin < n; begin += options_.batch_size) {
      ABSL_RETURN_IF_ERROR(stop_.Check());
      const int64_t count = std::min(options_.batch_size, n - begin);
      const at::Tensor batch = order.narrow(0, begin, count);
      const at::Tensor log_prob = network_.LogProb(weights_, train_.y.index_select(0, batch));
      const at::Tensor loss = -(log_prob * train_.weight.index_select(0, batch)).mean();
      weights_.mutable_grad() = at::Tensor();
      loss.backward();
      at::Tensor gradient = weights_.grad();
      const double value = loss.item<double>();
      const double norm = gradient.norm().item<double>();
      if (!std::isfinite(value)) return Diverged(options_, epoch, state_.learning_rate, "the training loss");
      if (!std::isfinite(norm)) return Diverged(options_, epoch, state_.learning_rate, "the gradient");
      if (norm > options_.clip_norm) gradient.mul_(options_.clip_norm / norm);
      ++state_.steps;
      AdamStep(gradient, network_.step_scale(), state_.learning_rate, state_.steps, weights_, first_, second_);
      sum += value * static_cast<double>(count);
    }
    state_.train_loss = sum / static_cast<double>(n) - train_.map_ladj;
    return absl::OkStatus();
  }

  absl::Status Evaluate(int64_t epoch) {
    at::NoGradGuard no_grad;
    const int64_t n = held_out_.y.size(0);
    double sum = 0;
    for (int64_t begin = 0; begin < n; begin += kEvaluationRows) {
      ABSL_RETURN_IF_ERROR(stop_.Check());
      const int64_t count = std::min(kEvaluationRows, n - begin);
      const at::Tensor log_prob = network_.LogProb(weights_, held_out_.y.narrow(0, begin, count));
      sum -= log_prob.to(at::kDouble).dot(held_out_.weight.narrow(0, begin, count).to(at::kDouble)).item<double>();
    }
    state_.held_out_loss = sum / static_cast<double>(n) - held_out_.map_ladj;
    if (!std::isfinite(state_.held_out_loss)) {
      return Diverged(options_, epoch, state_.learning_rate, "the held-out loss");
    }
    return absl::OkStatus();
  }

  const FlowNetwork& network_;
  const LoopRows& train_;
  const LoopRows& held_out_;
  const LoopOptions& options_;
  const StopToken& stop_;
  MemberState& state_;
  at::Tensor weights_;  // views of the vectors of state_
  at::Tensor first_;
  at::Tensor second_;
};

}  // namespace

MemberState StartMember(const FlowNetwork& network, const LoopOptions& options) {
  MemberState state;
  state.weights = network.initial_weights();
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
