#include "models/training/device_epochs.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/StreamGuard.h>

#include <algorithm>
#include <cmath>

#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kBeta1 = 0.9;  // of Adam (Kingma & Ba 2015, arXiv:1412.6980)
constexpr double kBeta2 = 0.999;
constexpr double kEpsilon = 1e-8;
constexpr int64_t kHeldOutRows = 16384;  // at a time: bounds the memory

// Rows of state_ and columns of numbers_.
enum { kWeights, kFirstMoment, kSecondMoment, kAverage, kStates };
enum { kRate, kCorrection, kAveragePart, kNumbers };

template <typename T>
at::Tensor View(std::vector<T>& values, at::IntArrayRef shape) {
  return at::from_blob(values.data(), shape, c10::CppTypeToScalarType<T>::value);
}

}  // namespace

DeviceEpochs::DeviceEpochs(const FlowNetwork& network, const LoopRows& train, const LoopRows& held_out,
                           const LoopOptions& options)
    : options_(options),
      device_(options.autograd_device),
      stream_(device_),
      n_(train.y.size(0)),
      batch_(std::min(options.batch_size, n_)),
      steps_((n_ + batch_ - 1) / batch_),
      network_(network),
      whole_batch_(device_, options.record_steps, [this] { Step(batch_); }),
      last_batch_(device_, options.record_steps, [this] { Step(n_ - (steps_ - 1) * batch_); }) {
  const c10::StreamGuard guard(stream_.get());
  network_ = network.On(device_);
  train_ = {train.y.to(device_), train.weight.to(device_), train.map_ladj};
  held_out_ = {held_out.y.to(device_), held_out.weight.to(device_).to(at::kDouble), held_out.map_ladj};
  const at::TensorOptions on_device = at::TensorOptions().device(device_);
  state_ = at::zeros({kStates, network.num_weights()}, on_device.dtype(at::kFloat));
  order_ = at::zeros({steps_, batch_}, on_device.dtype(at::kLong));
  numbers_ = at::zeros({steps_, kNumbers}, on_device.dtype(at::kFloat));
  step_ = at::zeros({1}, on_device.dtype(at::kLong));
  loss_sum_ = at::zeros({}, on_device.dtype(at::kDouble));
}

void DeviceEpochs::Upload(const std::vector<int64_t>& rows, MemberState& state) {
  const int64_t weights = network_.num_weights();
  state_.select(0, kWeights).copy_(View(state.weights, {weights}));
  state_.select(0, kFirstMoment).copy_(View(state.first_moment, {weights}));
  state_.select(0, kSecondMoment).copy_(View(state.second_moment, {weights}));
  state_.select(0, kAverage).copy_(View(state.average, {weights}));
  std::vector<int64_t> order = rows;
  order.resize(steps_ * batch_);
  order_.copy_(View(order, {steps_, batch_}));
  std::vector<float> numbers;
  for (int64_t i = 1; i <= steps_; ++i) {
    const auto t = static_cast<double>(state.steps + i);
    numbers.push_back(static_cast<float>(state.learning_rate / (1 - std::pow(kBeta1, t))));
    numbers.push_back(static_cast<float>(1 / (1 - std::pow(kBeta2, t))));
    numbers.push_back(static_cast<float>(AveragePart(state.steps + i, static_cast<double>(steps_))));
  }
  numbers_.copy_(View(numbers, {steps_, kNumbers}));
  step_.zero_();
  loss_sum_.zero_();
}

void DeviceEpochs::Step(int64_t count) {
  const at::Tensor rows = order_.index_select(0, step_).view({batch_}).narrow(0, 0, count);
  const at::Tensor leaf = state_.select(0, kWeights).detach().set_requires_grad(true);
  const at::Tensor log_prob = network_.LogProb(leaf, train_.y.index_select(0, rows));
  const at::Tensor loss = -(log_prob * train_.weight.index_select(0, rows)).mean();
  loss.backward();

  at::NoGradGuard no_grad;
  loss_sum_.add_(loss.to(at::kDouble), static_cast<double>(count));
  const at::Tensor norm = leaf.grad().to(at::kDouble).square().sum().sqrt();
  const at::Tensor gradient = leaf.grad() * (options_.clip_norm / norm).clamp_max(1).to(at::kFloat);
  const at::Tensor numbers = numbers_.index_select(0, step_).view({kNumbers});
  at::Tensor weights = state_.select(0, kWeights);
  at::Tensor first = state_.select(0, kFirstMoment);
  at::Tensor second = state_.select(0, kSecondMoment);
  at::Tensor average = state_.select(0, kAverage);
  first.mul_(kBeta1).add_(gradient, 1 - kBeta1);
  second.mul_(kBeta2).addcmul_(gradient, gradient, 1 - kBeta2);
  const at::Tensor denominator = (second * numbers[kCorrection]).sqrt_().add_(kEpsilon);
  weights.sub_(first * network_.step_scale() * numbers[kRate] / denominator);
  average.add_((weights - average) * numbers[kAveragePart]);
  step_.add_(1);
}

absl::StatusOr<double> DeviceEpochs::Descend(const std::vector<int64_t>& rows, const StopToken& stop,
                                             MemberState& state) {
  const c10::StreamGuard guard(stream_.get());
  Upload(rows, state);
  for (int64_t i = 1; i <= steps_; ++i) {
    ABSL_RETURN_IF_ERROR(stop.Check());
    i < steps_ ? whole_batch_.Run() : last_batch_.Run();
  }
  const at::Tensor host = state_.cpu();
  const float* values = host.data_ptr<float>();
  for (std::vector<float>* part : {&state.weights, &state.first_moment, &state.second_moment, &state.average}) {
    std::copy_n(values, part->size(), part->begin());
    values += part->size();
  }
  state.steps += steps_;
  return loss_sum_.item<double>() / static_cast<double>(n_);
}

absl::StatusOr<double> DeviceEpochs::HeldOutLoss(const StopToken& stop) {
  const c10::StreamGuard guard(stream_.get());
  at::NoGradGuard no_grad;
  const int64_t n = held_out_.y.size(0);
  at::Tensor sum = at::zeros({}, at::TensorOptions().device(device_).dtype(at::kDouble));
  for (int64_t begin = 0; begin < n; begin += kHeldOutRows) {
    ABSL_RETURN_IF_ERROR(stop.Check());
    const int64_t count = std::min(kHeldOutRows, n - begin);
    const at::Tensor log_prob = network_.LogProb(state_.select(0, kAverage), held_out_.y.narrow(0, begin, count));
    sum.sub_(log_prob.to(at::kDouble).dot(held_out_.weight.narrow(0, begin, count)));
  }
  return sum.item<double>() / static_cast<double>(n);
}

}  // namespace creamery
