#include "client/cpp/samples.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

absl::Status CheckLength(absl::string_view what, size_t given, int64_t num_rows) {
  if (given == 0 || static_cast<int64_t>(given) == num_rows) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(what, " has ", given, " rows, expected ", num_rows, " as theta has"));
}

}  // namespace

void CompleteSchema(Samples& samples) {
  v1::Dataset& schema = samples.schema;
  schema.set_has_weight(!samples.rows.weight.empty());
  schema.set_has_chain(!samples.rows.chain.empty());
  schema.set_has_log_likelihood(!samples.rows.log_likelihood.empty());
  schema.set_has_log_likelihood_birth(!samples.rows.log_likelihood_birth.empty());
  if (schema.row_kind() != v1::ROW_KIND_UNSPECIFIED) return;
  schema.set_row_kind(schema.has_log_likelihood_birth() ? v1::NESTED_SAMPLING
                      : schema.has_chain()              ? v1::MCMC
                                                        : v1::INDEPENDENT);
}

absl::Status SetPriors(const std::map<std::string, v1::Prior>& priors, v1::Dataset& schema) {
  for (const auto& [name, prior] : priors) {
    v1::Parameter* found = nullptr;
    std::vector<std::string> names;
    for (v1::Parameter& parameter : *schema.mutable_parameters()) {
      names.push_back(parameter.name());
      if (parameter.name() == name) found = &parameter;
    }
    if (found == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("a prior is given for '", name, "'; the parameters are ", absl::StrJoin(names, ", ")));
    }
    *found->mutable_prior() = prior;
  }
  return absl::OkStatus();
}

absl::StatusOr<Samples> MakeSamples(const SampleArrays& arrays) {
  const int64_t d = static_cast<int64_t>(arrays.names.size());
  if (d == 0) return absl::InvalidArgumentError("samples have no parameters, expected at least one name");
  if (arrays.theta.size() % d != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("theta has ", arrays.theta.size(), " numbers, expected a multiple of its ", d, " columns"));
  }
  Samples samples;
  RowBlock& rows = samples.rows;
  rows.num_rows = static_cast<int64_t>(arrays.theta.size()) / d;
  ABSL_RETURN_IF_ERROR(CheckLength("weight", arrays.weight.size(), rows.num_rows));
  ABSL_RETURN_IF_ERROR(CheckLength("chain", arrays.chain.size(), rows.num_rows));
  ABSL_RETURN_IF_ERROR(CheckLength("log_likelihood", arrays.log_likelihood.size(), rows.num_rows));
  ABSL_RETURN_IF_ERROR(CheckLength("log_likelihood_birth", arrays.log_likelihood_birth.size(), rows.num_rows));
  rows.theta.assign(arrays.theta.begin(), arrays.theta.end());
  rows.weight.assign(arrays.weight.begin(), arrays.weight.end());
  rows.chain.assign(arrays.chain.begin(), arrays.chain.end());
  rows.log_likelihood.assign(arrays.log_likelihood.begin(), arrays.log_likelihood.end());
  rows.log_likelihood_birth.assign(arrays.log_likelihood_birth.begin(), arrays.log_likelihood_birth.end());
  for (const std::string& name : arrays.names) samples.schema.add_parameters()->set_name(name);
  samples.schema.set_row_kind(arrays.row_kind);
  if (arrays.log_evidence.has_value()) *samples.schema.mutable_log_evidence() = *arrays.log_evidence;
  ABSL_RETURN_IF_ERROR(SetPriors(arrays.priors, samples.schema));
  CompleteSchema(samples);
  return samples;
}

}  // namespace creamery
