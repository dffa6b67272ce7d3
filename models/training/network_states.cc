#include "models/training/network_states.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

bool IsOf(const std::string& network, const std::string& turn) {
  return network == turn || absl::StartsWith(network, turn + "/");
}

}  // namespace

absl::Status NetworkStates::Resume() {
  if (hooks_.resume_from.empty()) return absl::OkStatus();
  MutexLock lock(&mu_);
  ABSL_ASSIGN_OR_RETURN(state_, ReadCheckpoint(hooks_.resume_from, identity_));
  return absl::OkStatus();
}

absl::StatusOr<MemberState> NetworkStates::Get(const std::string& path, MemberState start) const {
  MutexLock lock(&mu_);
  if (!status_.ok()) return status_;
  if (const auto failure = state_.failures.find(path); failure != state_.failures.end()) {
    return absl::FailedPreconditionError(failure->second);
  }
  const auto it = state_.networks.find(path);
  if (it == state_.networks.end()) return start;
  if (it->second.best_weights.size() != start.weights.size()) {
    return absl::DataLossError(absl::StrCat("the checkpoint has ", it->second.best_weights.size(), " weights of ", path,
                                            ", expected ", start.weights.size()));
  }
  return it->second;
}

absl::Status NetworkStates::AfterEpoch(const FitTurn& turn, const std::string& path, double share, int64_t max_epochs,
                                       double steps_per_second, const MemberState& state) {
  MutexLock lock(&mu_);
  ABSL_RETURN_IF_ERROR(status_);
  if (fraction_at_start_ < 0) fraction_at_start_ = Fraction();
  MemberState& kept = state_.networks[path];
  kept = state;
  if (state.finished) {  // only what answers is still of use
    for (std::vector<float>* gone : {&kept.weights, &kept.average, &kept.first_moment, &kept.second_moment}) *gone = {};
  }
  done_[turn.path][path] =
      share * (state.finished ? 1 : static_cast<double>(state.epoch) / static_cast<double>(max_epochs));
  if (hooks_.progress) TellProgress(turn, state, max_epochs, steps_per_second);
  if (!hooks_.checkpoint || !hooks_.checkpoint_due || !hooks_.checkpoint_due()) return absl::OkStatus();
  ABSL_RETURN_IF_ERROR(hooks_.stop.Check());
  const double before = std::exchange(state_.seconds, Seconds(state_.seconds));
  std::string bytes = WriteCheckpoint(state_, identity_);
  state_.seconds = before;
  status_ = hooks_.checkpoint(std::move(bytes));
  return status_;
}

void NetworkStates::SetFailure(const std::string& path, const std::string& message) {
  MutexLock lock(&mu_);
  state_.networks.erase(path);
  state_.failures[path] = message;
}

void NetworkStates::FinishTurn(const FitTurn& turn) {
  MutexLock lock(&mu_);
  done_[turn.path] = {{"", 1.0}};
  const bool has_networks = std::any_of(state_.networks.begin(), state_.networks.end(),
                                        [&](const auto& network) { return IsOf(network.first, turn.path); });
  if (!has_networks && hooks_.progress) TellFitted(turn);
}

void NetworkStates::SetTurns(int64_t turns) {
  MutexLock lock(&mu_);
  turns_ = turns;
}

NetworkStates::Epochs NetworkStates::EpochsOf(const std::string& turn) const {
  MutexLock lock(&mu_);
  Epochs epochs;
  for (const auto& [path, network] : state_.networks) {
    if (!IsOf(path, turn)) continue;
    if (network.epoch <= epochs.epoch) continue;
    epochs = {network.epoch, network.best_epoch};
  }
  return epochs;
}

absl::Status NetworkStates::status() const {
  MutexLock lock(&mu_);
  return status_;
}

double NetworkStates::Seconds() const {
  MutexLock lock(&mu_);
  return Seconds(state_.seconds);
}

double NetworkStates::Fraction() const {
  double sum = 0;
  for (const auto& [turn, networks] : done_) {
    for (const auto& [path, share] : networks) sum += share;
  }
  return std::min(1.0, sum / static_cast<double>(turns_));
}

void NetworkStates::TellProgress(const FitTurn& turn, const MemberState& state, int64_t max_epochs,
                                 double steps_per_second) {
  v1::Progress progress;
  progress.set_member(static_cast<int32_t>(turn.member));
  progress.set_members(static_cast<int32_t>(turn.members));
  progress.set_epoch(static_cast<int32_t>(state.epoch));
  progress.set_max_epochs(static_cast<int32_t>(max_epochs));
  progress.set_train_loss(state.train_loss);
  progress.set_held_out_loss(state.held_out_loss);
  progress.set_best_held_out_loss(state.best_held_out_loss);
  progress.set_best_epoch(static_cast<int32_t>(state.best_epoch));
  progress.set_learning_rate(state.learning_rate);
  progress.set_steps_per_second(steps_per_second);
  progress.set_stage(turn.stage);
  Tell(progress);
}

void NetworkStates::TellFitted(const FitTurn& turn) {
  v1::Progress progress;
  progress.set_stage(absl::StrCat(turn.stage, turn.stage.empty() ? "" : ", ", "member ", turn.member + 1, " of ",
                                  turn.members, " fitted"));
  Tell(progress);
}

void NetworkStates::Tell(v1::Progress& progress) {
  const double fraction = Fraction();
  const double gained = fraction - std::max(0.0, fraction_at_start_);
  progress.set_fraction(fraction);
  if (gained > 0) progress.set_seconds_left(absl::ToDoubleSeconds(absl::Now() - began_) * (1 - fraction) / gained);
  hooks_.progress(progress);
}

}  // namespace creamery
