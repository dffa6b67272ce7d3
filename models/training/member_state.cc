#include "models/training/member_state.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/safetensors.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr char kFormat[] = "creamery-checkpoint";

std::vector<float> ToFloats(const std::vector<double>& values) { return {values.begin(), values.end()}; }

absl::StatusOr<MemberState> ReadMember(const Safetensors& file, const std::string& prefix, int64_t num_weights) {
  MemberState member;
  const auto read = [&](const char* name, std::vector<float>& into) -> absl::Status {
    ABSL_ASSIGN_OR_RETURN(std::vector<double> values, file.Doubles(prefix + name, {num_weights}));
    into = ToFloats(values);
    return absl::OkStatus();
  };
  ABSL_ASSIGN_OR_RETURN(std::vector<int64_t> counts, file.Int64s(prefix + "counts", {5}));
  ABSL_ASSIGN_OR_RETURN(std::vector<double> numbers, file.Doubles(prefix + "numbers", {5}));
  ABSL_RETURN_IF_ERROR(read("best_weights", member.best_weights));
  member.steps = counts[0];
  member.epoch = counts[1];
  member.best_epoch = counts[2];
  member.last_cut = counts[3];
  member.finished = counts[4] != 0;
  member.learning_rate = numbers[0];
  member.train_loss = numbers[1];
  member.held_out_loss = numbers[2];
  member.best_held_out_loss = numbers[3];
  member.train_loss_at_best = numbers[4];
  if (member.finished) return member;
  ABSL_RETURN_IF_ERROR(read("weights", member.weights));
  ABSL_RETURN_IF_ERROR(read("first_moment", member.first_moment));
  ABSL_RETURN_IF_ERROR(read("second_moment", member.second_moment));
  return member;
}

}  // namespace

std::string WriteCheckpoint(const TrainingState& state, absl::string_view identity) {
  Safetensors file;
  file.SetMetadata("format", kFormat);
  file.SetMetadata("format_version", "1");
  file.SetMetadata("identity", std::string(identity));
  file.Add("seconds", {1}, std::vector<double>{state.seconds});
  file.Add("members", {1}, std::vector<int64_t>{static_cast<int64_t>(state.members.size())});
  for (size_t k = 0; k < state.members.size(); ++k) {
    const MemberState& member = state.members[k];
    const std::string prefix = absl::StrCat("member", k, "/");
    const auto n = static_cast<int64_t>(member.best_weights.size());
    file.Add(prefix + "counts", {5},
             std::vector<int64_t>{member.steps, member.epoch, member.best_epoch, member.last_cut, member.finished});
    file.Add(prefix + "numbers", {5},
             std::vector<double>{member.learning_rate, member.train_loss, member.held_out_loss,
                                 member.best_held_out_loss, member.train_loss_at_best});
    file.Add(prefix + "best_weights", {n}, member.best_weights);
    if (member.finished) continue;
    file.Add(prefix + "weights", {n}, member.weights);
    file.Add(prefix + "first_moment", {n}, member.first_moment);
    file.Add(prefix + "second_moment", {n}, member.second_moment);
  }
  return file.Serialize();
}

absl::StatusOr<TrainingState> ReadCheckpoint(absl::string_view bytes, absl::string_view identity, int64_t num_weights,
                                             int64_t members) {
  ABSL_ASSIGN_OR_RETURN(const Safetensors file, Safetensors::Parse(bytes));
  const auto metadata = [&](const char* key) {
    const auto it = file.metadata().find(key);
    return it == file.metadata().end() ? std::string() : it->second;
  };
  if (metadata("format") != kFormat || metadata("format_version") != "1") {
    return absl::DataLossError("the checkpoint is not a creamery-checkpoint of format version 1");
  }
  if (metadata("identity") != identity) return absl::DataLossError("the checkpoint belongs to another training");
  TrainingState state;
  ABSL_ASSIGN_OR_RETURN(std::vector<double> seconds, file.Doubles("seconds", {1}));
  ABSL_ASSIGN_OR_RETURN(std::vector<int64_t> count, file.Int64s("members", {1}));
  state.seconds = seconds[0];
  if (count[0] < 0 || count[0] > members) {
    return absl::DataLossError(absl::StrCat("the checkpoint has ", count[0], " members, expected at most ", members));
  }
  for (int64_t k = 0; k < count[0]; ++k) {
    ABSL_ASSIGN_OR_RETURN(MemberState member, ReadMember(file, absl::StrCat("member", k, "/"), num_weights));
    if (!member.finished && k + 1 < count[0]) return absl::DataLossError("the checkpoint has two members in training");
    state.members.push_back(std::move(member));
  }
  return state;
}

}  // namespace creamery
