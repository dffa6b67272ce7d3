#include "server/services/questions.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/array.h"
#include "proto/support/status_macros.h"

namespace creamery {

std::vector<std::string> ParameterNames(const ServedModel& model) {
  std::vector<std::string> names;
  for (const v1::Parameter& parameter : model.estimator->description().signature().parameters()) {
    names.push_back(parameter.name());
  }
  return names;
}

int64_t ClaimedRows(const v1::Array& array) { return array.shape_size() == 0 ? 1 : array.shape(0); }

absl::StatusOr<const Density*> DensityOf(const ServedModel& model) {
  if (const Density* density = model.estimator->density()) return density;
  std::vector<std::string> abilities;
  for (const int ability : model.estimator->description().signature().abilities()) {
    abilities.push_back(v1::Ability_Name(static_cast<v1::Ability>(ability)));
  }
  return absl::FailedPreconditionError(absl::StrCat(model.version, " is not a density; its abilities: ",
                                                    abilities.empty() ? "none" : absl::StrJoin(abilities, ", ")));
}

absl::Status CheckContext(const ServedModel& model, bool has_x) {
  if (!has_x) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(model.version, " is unconditional: it takes no x"));
}

absl::StatusOr<std::vector<double>> ReadTheta(const std::vector<std::string>& names, const v1::Array& theta,
                                              const std::vector<std::string>& columns, const Limits& limits,
                                              int64_t reply_bytes_per_row) {
  const int64_t d = static_cast<int64_t>(names.size());
  ABSL_RETURN_IF_ERROR(CheckRows(limits, "theta", ClaimedRows(theta), reply_bytes_per_row));
  ABSL_ASSIGN_OR_RETURN(const std::vector<int> source, MatchColumns(columns, names));
  ABSL_ASSIGN_OR_RETURN(std::vector<double> given, ToDoubles("theta", theta, {-1, d}));
  ABSL_RETURN_IF_ERROR(CheckFinite("theta", given, d, columns.empty() ? names : columns));
  if (columns.empty()) return given;
  std::vector<double> values(given.size());
  for (size_t row = 0; row < given.size(); row += d) {
    for (int64_t i = 0; i < d; ++i) values[row + i] = given[row + source[i]];
  }
  return values;
}

absl::StatusOr<std::vector<double>> ReadUnitPoints(const ServedModel& model, const v1::Array& u, const Limits& limits,
                                                   int64_t reply_bytes_per_row) {
  const int64_t d = model.estimator->description().signature().parameters_size();
  ABSL_RETURN_IF_ERROR(CheckRows(limits, "u", ClaimedRows(u), reply_bytes_per_row));
  ABSL_ASSIGN_OR_RETURN(std::vector<double> values, ToDoubles("u", u, {-1, d}));
  for (size_t i = 0; i < values.size(); ++i) {
    if (!(values[i] > 0 && values[i] < 1)) {
      return absl::InvalidArgumentError(absl::StrCat("u has ", values[i], " in row ", i / d, ", column ", i % d,
                                                     "; expected values above 0 and below 1"));
    }
  }
  return values;
}

std::vector<v1::Warning> WarningsOf(const ServedModel& model, absl::Span<const double> log_prob) {
  const v1::TrainingSummary& training = model.estimator->description().training();
  const double floor =
      training.has_held_out() ? training.held_out().log_prob_floor() : -std::numeric_limits<double>::infinity();
  bool outside_support = false;
  bool outside_training = false;
  for (const double value : log_prob) {
    if (std::isinf(value)) {
      outside_support = true;
    } else if (value < floor) {
      outside_training = true;
    }
  }
  std::vector<v1::Warning> warnings;
  if (outside_training) warnings.push_back(v1::OUTSIDE_TRAINING_REGION);
  if (outside_support) warnings.push_back(v1::OUTSIDE_SUPPORT);
  return warnings;
}

}  // namespace creamery
