#include "proto/support/parameters.h"

#include <cmath>
#include <limits>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "proto/support/status_macros.h"
#include "proto/support/text_check.h"

namespace creamery {
namespace {

constexpr int kMaxParameters = 4096;
constexpr size_t kMaxNameBytes = 128;
constexpr size_t kMaxTextBytes = 1024;  // of a label, a unit
constexpr double kInf = std::numeric_limits<double>::infinity();

bool Increasing(double lower, double upper) {
  // The width must be finite too: the density is its inverse.
  return std::isfinite(lower) && std::isfinite(upper) && lower < upper && std::isfinite(upper - lower);
}

absl::Status CheckPrior(absl::string_view name, const v1::Prior& prior) {
  switch (prior.density_case()) {
    case v1::Prior::kUniform:
      if (Increasing(prior.uniform().lower(), prior.uniform().upper())) return absl::OkStatus();
      return absl::InvalidArgumentError(absl::StrCat("prior of '", name, "' is uniform(", prior.uniform().lower(), ", ",
                                                     prior.uniform().upper(), "), expected finite lower < upper"));
    case v1::Prior::kNormal:
      if (std::isfinite(prior.normal().mean()) && std::isfinite(prior.normal().stddev()) &&
          prior.normal().stddev() > 0) {
        return absl::OkStatus();
      }
      return absl::InvalidArgumentError(absl::StrCat("prior of '", name, "' is normal(", prior.normal().mean(), ", ",
                                                     prior.normal().stddev(),
                                                     "), expected a finite mean and a finite stddev > 0"));
    case v1::Prior::kLogUniform:
      if (prior.log_uniform().lower() > 0 && Increasing(prior.log_uniform().lower(), prior.log_uniform().upper())) {
        return absl::OkStatus();
      }
      return absl::InvalidArgumentError(absl::StrCat("prior of '", name, "' is log_uniform(",
                                                     prior.log_uniform().lower(), ", ", prior.log_uniform().upper(),
                                                     "), expected finite 0 < lower < upper"));
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("prior of '", name, "' has no density, expected uniform, normal or log_uniform"));
  }
}

absl::Status CheckParameter(const v1::Parameter& parameter, int index, TextOrigin origin) {
  const std::string& name = parameter.name();
  ABSL_RETURN_IF_ERROR(CheckParameterName(absl::StrCat("parameter ", index), name, origin));
  if (origin == TextOrigin::kArriving) {
    ABSL_RETURN_IF_ERROR(CheckShortText(absl::StrCat("the label of '", name, "'"), parameter.label()));
    ABSL_RETURN_IF_ERROR(CheckShortText(absl::StrCat("the unit of '", name, "'"), parameter.unit()));
  }
  if (parameter.has_prior()) {
    if (parameter.derived()) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", name, "' is derived and has an analytic prior, expected one or the other"));
    }
    ABSL_RETURN_IF_ERROR(CheckPrior(name, parameter.prior()));
  }
  const double lower = parameter.has_lower() ? parameter.lower() : -kInf;
  const double upper = parameter.has_upper() ? parameter.upper() : kInf;
  // A bound that is given must be a number; one that is absent is infinite.
  if ((parameter.has_lower() && !std::isfinite(lower)) || (parameter.has_upper() && !std::isfinite(upper)) ||
      !(lower < upper)) {
    return absl::InvalidArgumentError(
        absl::StrCat("bounds of '", name, "' are ", lower, " and ", upper, ", expected finite lower < upper"));
  }
  const bool bounded_prior = parameter.prior().has_uniform() || parameter.prior().has_log_uniform();
  const Bounds bounds = BoundsOf(parameter);
  if (bounded_prior &&
      ((parameter.has_lower() && lower != bounds.lower) || (parameter.has_upper() && upper != bounds.upper))) {
    return absl::InvalidArgumentError(absl::StrCat("'", name, "' has bounds ", lower, " and ", upper,
                                                   " beside a prior on [", bounds.lower, ", ", bounds.upper,
                                                   "], expected the prior's bounds or none"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckParameterName(absl::string_view what, absl::string_view name, TextOrigin origin) {
  if (name.empty() || name.size() > kMaxNameBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " has a name of ", name.size(), " characters, expected 1 to ", kMaxNameBytes));
  }
  if (origin == TextOrigin::kStored) return absl::OkStatus();
  return CheckText(absl::StrCat("the name of ", what), name, TextKind::kWord);
}

absl::Status CheckShortText(absl::string_view what, absl::string_view text) {
  if (text.size() <= kMaxTextBytes) return CheckText(what, text);
  return absl::InvalidArgumentError(
      absl::StrCat(what, " has ", text.size(), " bytes, expected at most ", kMaxTextBytes));
}

absl::Status CheckParameters(absl::string_view what,
                             const google::protobuf::RepeatedPtrField<v1::Parameter>& parameters, TextOrigin origin) {
  if (parameters.empty() || parameters.size() > kMaxParameters) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " has ", parameters.size(), " parameters, expected 1 to ", kMaxParameters));
  }
  std::set<std::string> names;
  for (int i = 0; i < parameters.size(); ++i) {
    ABSL_RETURN_IF_ERROR(CheckParameter(parameters[i], i, origin));
    if (!names.insert(parameters[i].name()).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("two parameters are named '", parameters[i].name(), "', expected different names"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckMarginalised(const google::protobuf::RepeatedPtrField<std::string>& marginalised,
                               const google::protobuf::RepeatedPtrField<v1::Parameter>& parameters, TextOrigin origin) {
  if (marginalised.size() > kMaxParameters) {
    return absl::InvalidArgumentError(
        absl::StrCat("marginalised has ", marginalised.size(), " names, expected at most ", kMaxParameters));
  }
  std::set<std::string> known;
  for (const v1::Parameter& parameter : parameters) known.insert(parameter.name());
  std::set<std::string> names;
  for (int i = 0; i < marginalised.size(); ++i) {
    const std::string& name = marginalised[i];
    ABSL_RETURN_IF_ERROR(CheckParameterName(absl::StrCat("marginalised ", i), name, origin));
    if (known.count(name) > 0) {
      return absl::InvalidArgumentError(absl::StrCat("marginalised has '", name, "', which is a parameter of its own"));
    }
    if (!names.insert(name).second) {
      return absl::InvalidArgumentError(absl::StrCat("marginalised has '", name, "' twice, expected different names"));
    }
  }
  return absl::OkStatus();
}

int64_t CountRowsOutside(const v1::Dataset& schema, const RowBlock& block) {
  const int64_t d = schema.parameters_size();
  std::vector<Bounds> bounds;
  for (const v1::Parameter& parameter : schema.parameters()) bounds.push_back(BoundsOf(parameter));
  int64_t count = 0;
  for (int64_t row = 0; row < block.num_rows; ++row) {
    bool is_inside = true;
    for (int64_t j = 0; j < d && is_inside; ++j) {
      const double value = block.theta[row * d + j];
      is_inside = value > bounds[j].lower && value < bounds[j].upper;
    }
    if (!is_inside) ++count;
  }
  return count;
}

}  // namespace creamery
