#include "models/training/member_state.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "proto/support/safetensors.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr char kFormat[] = "creamery-checkpoint";
constexpr char kFormatVersion[] = "2";
constexpr char kFailure[] = "failure:";

absl::StatusOr<MemberState> ReadNetwork(const Safetensors& file, const std::string& path) {
  MemberState network;
  int64_t num_weights = -1;  // any, but of all the same
  const auto read = [&](const char* name, std::vector<float>& into) -> absl::Status {
    ABSL_ASSIGN_OR_RETURN(const std::vector<double> values, file.Doubles(path + name, {num_weights}));
    into = {values.begin(), values.end()};
    num_weights = static_cast<int64_t>(into.size());
    return absl::OkStatus();
  };
  ABSL_ASSIGN_OR_RETURN(const std::vector<int64_t> counts, file.Int64s(path + "/counts", {5}));
  ABSL_ASSIGN_OR_RETURN(const std::vector<double> numbers, file.Doubles(path + "/numbers", {5}));
  ABSL_RETURN_IF_ERROR(read("/best_weights", network.best_weights));
  network.steps = counts[0];
  network.epoch = counts[1];
  network.best_epoch = counts[2];
  network.last_cut = counts[3];
  network.finished = counts[4] != 0;
  network.learning_rate = numbers[0];
  network.train_loss = numbers[1];
  network.held_out_loss = numbers[2];
  network.best_held_out_loss = numbers[3];
  network.train_loss_at_best = numbers[4];
  if (network.finished) return network;
  ABSL_RETURN_IF_ERROR(read("/weights", network.weights));
  ABSL_RETURN_IF_ERROR(read("/average", network.average));
  ABSL_RETURN_IF_ERROR(read("/first_moment", network.first_moment));
  ABSL_RETURN_IF_ERROR(read("/second_moment", network.second_moment));
  return network;
}

}  // namespace

std::string WriteCheckpoint(const TrainingState& state, absl::string_view identity) {
  Safetensors file;
  file.SetMetadata("format", kFormat);
  file.SetMetadata("format_version", kFormatVersion);
  file.SetMetadata("identity", std::string(identity));
  for (const auto& [path, message] : state.failures) file.SetMetadata(absl::StrCat(kFailure, path), message);
  file.Add("seconds", {1}, std::vector<double>{state.seconds});
  for (const auto& [path, network] : state.networks) {
    const auto n = static_cast<int64_t>(network.best_weights.size());
    file.Add(
        path + "/counts", {5},
        std::vector<int64_t>{network.steps, network.epoch, network.best_epoch, network.last_cut, network.finished});
    file.Add(path + "/numbers", {5},
             std::vector<double>{network.learning_rate, network.train_loss, network.held_out_loss,
                                 network.best_held_out_loss, network.train_loss_at_best});
    file.Add(path + "/best_weights", {n}, network.best_weights);
    if (network.finished) continue;
    file.Add(path + "/weights", {n}, network.weights);
    file.Add(path + "/average", {n}, network.average);
    file.Add(path + "/first_moment", {n}, network.first_moment);
    file.Add(path + "/second_moment", {n}, network.second_moment);
  }
  return file.Serialize();
}

absl::StatusOr<TrainingState> ReadCheckpoint(absl::string_view bytes, absl::string_view identity) {
  ABSL_ASSIGN_OR_RETURN(const Safetensors file, Safetensors::Parse(bytes));
  const auto metadata = [&](const char* key) {
    const auto it = file.metadata().find(key);
    return it == file.metadata().end() ? std::string() : it->second;
  };
  if (metadata("format") != kFormat || metadata("format_version") != kFormatVersion) {
    return absl::DataLossError(
        absl::StrCat("the checkpoint is not a ", kFormat, " of format version ", kFormatVersion));
  }
  if (metadata("identity") != identity) return absl::DataLossError("the checkpoint belongs to another training");
  TrainingState state;
  ABSL_ASSIGN_OR_RETURN(const std::vector<double> seconds, file.Doubles("seconds", {1}));
  state.seconds = seconds[0];
  for (const auto& [key, message] : file.metadata()) {
    absl::string_view path = key;
    if (absl::ConsumePrefix(&path, kFailure)) state.failures[std::string(path)] = message;
  }
  for (const std::string& name : file.names()) {
    absl::string_view path = name;
    if (!absl::ConsumeSuffix(&path, "/counts")) continue;
    ABSL_ASSIGN_OR_RETURN(state.networks[std::string(path)], ReadNetwork(file, std::string(path)));
  }
  return state;
}

}  // namespace creamery
