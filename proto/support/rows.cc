#include "proto/support/rows.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "proto/support/array.h"
#include "proto/support/parameters.h"
#include "proto/support/status_macros.h"
#include "proto/support/text_check.h"

namespace creamery {
namespace {

constexpr size_t kMaxDescriptionBytes = 4096;
constexpr double kLargestLogEvidence = 1e60;  // sums of many are numbers still
constexpr double kInf = std::numeric_limits<double>::infinity();

// A column of one number per row, there if and only if the schema has it.
absl::StatusOr<std::vector<double>> ParseColumn(absl::string_view what, bool expected, bool given,
                                                const v1::Array& array, int64_t num_rows) {
  if (expected != given) {
    return absl::InvalidArgumentError(expected ? absl::StrCat(what, " is missing, the dataset has it in every row")
                                               : absl::StrCat(what, " is given, the dataset was created without it"));
  }
  if (!expected) return std::vector<double>();
  if (array.dtype() == v1::UINT8) {
    return absl::InvalidArgumentError(absl::StrCat(what, " has dtype UINT8, expected FLOAT64, FLOAT32 or INT64"));
  }
  return ToDoubles(what, array, {num_rows});
}

// NaN and +inf are errors, -inf is a likelihood of zero.
absl::Status CheckLogLikelihood(absl::string_view what, const std::vector<double>& values, int64_t first_row) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] < kInf) continue;
    return absl::InvalidArgumentError(absl::StrCat(what, " has ", std::isnan(values[i]) ? "nan" : "inf", " in row ",
                                                   first_row + static_cast<int64_t>(i),
                                                   ", expected finite numbers or -inf"));
  }
  return absl::OkStatus();
}

std::vector<std::string> ColumnNames(const v1::Dataset& schema) {
  std::vector<std::string> names;
  for (const v1::Parameter& parameter : schema.parameters()) names.push_back(parameter.name());
  return names;
}

}  // namespace

absl::Status CheckSchema(const v1::Dataset& schema) {
  ABSL_RETURN_IF_ERROR(CheckParameters("the dataset", schema.parameters()));
  ABSL_RETURN_IF_ERROR(CheckMarginalised(schema.marginalised(), schema.parameters()));
  if (schema.row_kind() == v1::ROW_KIND_UNSPECIFIED || !v1::RowKind_IsValid(schema.row_kind())) {
    return absl::InvalidArgumentError(absl::StrCat("row_kind is ", static_cast<int>(schema.row_kind()),
                                                   ", expected INDEPENDENT, MCMC or NESTED_SAMPLING"));
  }
  if (schema.has_log_likelihood_birth() && !schema.has_log_likelihood()) {
    return absl::InvalidArgumentError("the dataset has log_likelihood_birth, which needs log_likelihood beside it");
  }
  if (schema.row_kind() == v1::NESTED_SAMPLING && !schema.has_log_likelihood_birth()) {
    return absl::InvalidArgumentError(
        "row_kind is NESTED_SAMPLING, which needs the columns log_likelihood and log_likelihood_birth");
  }
  if (schema.has_log_evidence() &&
      !(std::fabs(schema.log_evidence().value()) <= kLargestLogEvidence && schema.log_evidence().error() >= 0 &&
        schema.log_evidence().error() <= kLargestLogEvidence)) {
    return absl::InvalidArgumentError(absl::StrCat("log_evidence is ", schema.log_evidence().value(), " with error ",
                                                   schema.log_evidence().error(),
                                                   ", expected finite numbers and an error >= 0"));
  }
  if (schema.description().size() > kMaxDescriptionBytes) {
    return absl::InvalidArgumentError(absl::StrCat("the description has ", schema.description().size(),
                                                   " bytes, expected at most ", kMaxDescriptionBytes));
  }
  return CheckText("the description", schema.description(), TextKind::kParagraphs);
}

absl::StatusOr<RowBlock> ParseRows(const v1::Dataset& schema, const v1::Rows& rows, int64_t first_row) {
  const int64_t d = schema.parameters_size();
  if (!rows.has_theta())
    return absl::InvalidArgumentError(absl::StrCat("theta is missing, expected shape (n, ", d, ")"));
  if (rows.theta().dtype() == v1::INT64 || rows.theta().dtype() == v1::UINT8) {
    return absl::InvalidArgumentError(
        absl::StrCat("theta has dtype ", DTypeName(rows.theta().dtype()), ", expected FLOAT32 or FLOAT64"));
  }
  RowBlock block;
  ABSL_ASSIGN_OR_RETURN(block.theta, ToDoubles("theta", rows.theta(), {-1, d}));
  ABSL_RETURN_IF_ERROR(CheckFinite("theta", block.theta, d, ColumnNames(schema), first_row));
  const int64_t n = block.num_rows = rows.theta().shape(0);

  ABSL_ASSIGN_OR_RETURN(block.weight, ParseColumn("weight", schema.has_weight(), rows.has_weight(), rows.weight(), n));
  ABSL_RETURN_IF_ERROR(CheckFinite("weight", block.weight, 1, {}, first_row));
  for (size_t i = 0; i < block.weight.size(); ++i) {
    if (block.weight[i] < 0) {
      return absl::InvalidArgumentError(absl::StrCat("weight is ", block.weight[i], " in row ",
                                                     first_row + static_cast<int64_t>(i), ", expected at least 0"));
    }
  }
  if (schema.has_chain() != rows.has_chain()) {
    return absl::InvalidArgumentError(schema.has_chain() ? "chain is missing, the dataset has it in every row"
                                                         : "chain is given, the dataset was created without it");
  }
  if (schema.has_chain()) {
    ABSL_ASSIGN_OR_RETURN(block.chain, ToInt64s("chain", rows.chain(), {n}));
  }
  ABSL_ASSIGN_OR_RETURN(block.log_likelihood, ParseColumn("log_likelihood", schema.has_log_likelihood(),
                                                          rows.has_log_likelihood(), rows.log_likelihood(), n));
  ABSL_RETURN_IF_ERROR(CheckLogLikelihood("log_likelihood", block.log_likelihood, first_row));
  ABSL_ASSIGN_OR_RETURN(block.log_likelihood_birth,
                        ParseColumn("log_likelihood_birth", schema.has_log_likelihood_birth(),
                                    rows.has_log_likelihood_birth(), rows.log_likelihood_birth(), n));
  ABSL_RETURN_IF_ERROR(CheckLogLikelihood("log_likelihood_birth", block.log_likelihood_birth, first_row));
  return block;
}

v1::Rows MakeRows(const v1::Dataset& schema, const RowBlock& block, int64_t begin, int64_t end) {
  const int64_t n = end - begin;
  const int64_t d = schema.parameters_size();
  const auto column = [&](const std::vector<double>& values) {
    return FromDoubles(absl::MakeConstSpan(values).subspan(begin, n), {n});
  };
  v1::Rows rows;
  *rows.mutable_theta() = FromDoubles(absl::MakeConstSpan(block.theta).subspan(begin * d, n * d), {n, d});
  if (schema.has_weight()) *rows.mutable_weight() = column(block.weight);
  if (schema.has_chain()) {
    *rows.mutable_chain() = FromInt64s(absl::MakeConstSpan(block.chain).subspan(begin, n), {n});
  }
  if (schema.has_log_likelihood()) *rows.mutable_log_likelihood() = column(block.log_likelihood);
  if (schema.has_log_likelihood_birth()) *rows.mutable_log_likelihood_birth() = column(block.log_likelihood_birth);
  return rows;
}

Bounds BoundsOf(const v1::Parameter& parameter) {
  switch (parameter.prior().density_case()) {
    case v1::Prior::kUniform:
      return {parameter.prior().uniform().lower(), parameter.prior().uniform().upper()};
    case v1::Prior::kLogUniform:
      return {parameter.prior().log_uniform().lower(), parameter.prior().log_uniform().upper()};
    default:
      return {parameter.has_lower() ? parameter.lower() : -kInf, parameter.has_upper() ? parameter.upper() : kInf};
  }
}

double LogPrior(const v1::Prior& prior, double theta) {
  switch (prior.density_case()) {
    case v1::Prior::kUniform: {
      const v1::UniformPrior& uniform = prior.uniform();
      if (!(theta >= uniform.lower() && theta <= uniform.upper())) return -kInf;
      return -std::log(uniform.upper() - uniform.lower());
    }
    case v1::Prior::kNormal: {
      const double z = (theta - prior.normal().mean()) / prior.normal().stddev();
      return -.5 * z * z - std::log(prior.normal().stddev()) - .5 * std::log(2 * M_PI);
    }
    case v1::Prior::kLogUniform: {
      const v1::LogUniformPrior& uniform = prior.log_uniform();
      if (!(theta >= uniform.lower() && theta <= uniform.upper())) return -kInf;
      return -std::log(theta) - std::log(std::log(uniform.upper()) - std::log(uniform.lower()));
    }
    default:
      return -kInf;
  }
}

}  // namespace creamery
