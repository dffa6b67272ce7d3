#include "server/services/questions.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/densities/prior_density.h"
#include "proto/support/array.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

bool AllFinite(absl::Span<const double> values) {
  return std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); });
}

}  // namespace

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

absl::Status CheckPrecision(v1::Precision precision) {
  if (v1::Precision_IsValid(precision)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("precision is ", static_cast<int>(precision),
                                                 ", expected SINGLE_PRECISION (1) or DOUBLE_PRECISION (2)"));
}

absl::StatusOr<Answering> AnswerWith(const Density& density, const ServedModel& model, v1::Precision precision,
                                     double prior_fraction) {
  ABSL_RETURN_IF_ERROR(CheckPrecision(precision));
  Answering answering;
  answering.density = &density;
  if (precision == v1::DOUBLE_PRECISION) {
    answering.in_double_precision = density.InDoublePrecision();
    answering.density = answering.in_double_precision.get();
  }
  if (prior_fraction != 0) {
    const v1::Signature& signature = model.estimator->description().signature();
    ABSL_ASSIGN_OR_RETURN(answering.mixture, MixWithPrior(*answering.density, signature, prior_fraction));
    answering.density = answering.mixture.get();
  }
  return answering;
}

absl::StatusOr<Points> ReadTheta(int64_t d, absl::FunctionRef<std::vector<std::string>()> names, const v1::Array& theta,
                                 const google::protobuf::RepeatedPtrField<std::string>& columns, const Limits& limits,
                                 int64_t reply_bytes_per_row) {
  ABSL_RETURN_IF_ERROR(CheckRows(limits, "theta", ClaimedRows(theta), reply_bytes_per_row));
  const std::vector<std::string> given(columns.begin(), columns.end());
  std::vector<int> source;
  if (!given.empty()) {
    ABSL_ASSIGN_OR_RETURN(source, MatchColumns(given, names()));
  }
  Points points;
  ABSL_ASSIGN_OR_RETURN(points.values, ViewDoubles("theta", theta, {-1, d}, &points.copy));
  if (!AllFinite(points.values)) return CheckFinite("theta", points.values, d, given.empty() ? names() : given);
  if (given.empty()) return points;
  std::vector<double> ordered(points.values.size());
  for (size_t row = 0; row < ordered.size(); row += d) {
    for (int64_t i = 0; i < d; ++i) ordered[row + i] = points.values[row + source[i]];
  }
  points.copy = std::move(ordered);
  points.values = points.copy;
  return points;
}

absl::StatusOr<Points> ReadUnitPoints(int64_t d, const v1::Array& u, const Limits& limits,
                                      int64_t reply_bytes_per_row) {
  ABSL_RETURN_IF_ERROR(CheckRows(limits, "u", ClaimedRows(u), reply_bytes_per_row));
  Points points;
  ABSL_ASSIGN_OR_RETURN(points.values, ViewDoubles("u", u, {-1, d}, &points.copy));
  for (size_t i = 0; i < points.values.size(); ++i) {
    if (!(points.values[i] > 0 && points.values[i] < 1)) {
      return absl::InvalidArgumentError(absl::StrCat("u has ", points.values[i], " in row ", i / d, ", column ", i % d,
                                                     "; expected values above 0 and below 1"));
    }
  }
  return points;
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
