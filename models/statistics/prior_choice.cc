// ChoosePrior of marginal.h.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/statistics/marginal.h"
#include "proto/support/array.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

std::vector<std::string> NamesOf(const v1::Signature& signature) {
  std::vector<std::string> names;
  for (const v1::Parameter& parameter : signature.parameters()) names.push_back(parameter.name());
  return names;
}

absl::Status MissingPriors(const std::vector<std::string>& missing) {
  return absl::FailedPreconditionError(absl::StrCat("no prior for ", absl::StrJoin(missing, ", "),
                                                    ": declare one with the dataset, give analytic priors, or name a "
                                                    "model of the prior; none is assumed"));
}

absl::Status CheckPrior(const std::string& name, const v1::Prior& prior) {
  const auto bad = [&](absl::string_view expected) {
    return absl::InvalidArgumentError(
        absl::StrCat("the prior of '", name, "' is {", prior.ShortDebugString(), "}, expected ", expected));
  };
  switch (prior.density_case()) {
    case v1::Prior::kUniform:
      return std::isfinite(prior.uniform().upper() - prior.uniform().lower()) &&
                     prior.uniform().lower() < prior.uniform().upper()
                 ? absl::OkStatus()
                 : bad("finite bounds, lower below upper");
    case v1::Prior::kNormal:
      return std::isfinite(prior.normal().mean()) && std::isfinite(prior.normal().stddev()) &&
                     prior.normal().stddev() > 0
                 ? absl::OkStatus()
                 : bad("a finite mean and a positive standard deviation");
    case v1::Prior::kLogUniform:
      return std::isfinite(prior.log_uniform().upper()) && prior.log_uniform().lower() > 0 &&
                     prior.log_uniform().lower() < prior.log_uniform().upper()
                 ? absl::OkStatus()
                 : bad("positive finite bounds, lower below upper");
    default:
      return bad("uniform, normal or log_uniform");
  }
}

absl::StatusOr<MarginalPrior> DeclaredPrior(const v1::Signature& signature) {
  MarginalPrior prior;
  std::vector<std::string> missing;
  for (const v1::Parameter& parameter : signature.parameters()) {
    if (parameter.prior().density_case() == v1::Prior::DENSITY_NOT_SET) missing.push_back(parameter.name());
    prior.analytic.push_back(parameter.prior());
  }
  if (!missing.empty()) return MissingPriors(missing);
  return prior;
}

absl::StatusOr<MarginalPrior> AnalyticPrior(const v1::Signature& signature, const v1::AnalyticPriors& given) {
  const std::vector<std::string> names = NamesOf(signature);
  std::vector<std::string> unknown;
  for (const auto& entry : given.priors()) {
    if (std::find(names.begin(), names.end(), entry.first) == names.end()) unknown.push_back(entry.first);
  }
  if (!unknown.empty()) {
    std::sort(unknown.begin(), unknown.end());
    return absl::InvalidArgumentError(absl::StrCat("a prior is given for ", absl::StrJoin(unknown, ", "),
                                                   ", but the model's parameters are ", absl::StrJoin(names, ", ")));
  }
  MarginalPrior prior;
  std::vector<std::string> missing;
  for (const std::string& name : names) {
    const auto entry = given.priors().find(name);
    if (entry == given.priors().end()) {
      missing.push_back(name);
      continue;
    }
    ABSL_RETURN_IF_ERROR(CheckPrior(name, entry->second));
    prior.analytic.push_back(entry->second);
  }
  if (!missing.empty()) return MissingPriors(missing);
  return prior;
}

absl::StatusOr<MarginalPrior> ModelPrior(const v1::Signature& signature, const Estimator* prior_model) {
  if (prior_model == nullptr || prior_model->density() == nullptr) {
    return absl::InvalidArgumentError("the prior's model cannot be asked for a density");
  }
  const auto columns = MatchColumns(NamesOf(signature), NamesOf(prior_model->description().signature()));
  if (!columns.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("the prior's model is of other parameters (",
                                                   absl::StrJoin(NamesOf(prior_model->description().signature()), ", "),
                                                   ") than the posterior's (", absl::StrJoin(NamesOf(signature), ", "),
                                                   ")"));
  }
  MarginalPrior prior;
  prior.model = prior_model;
  return prior;
}

}  // namespace

absl::StatusOr<MarginalPrior> ChoosePrior(const v1::Signature& signature, const v1::PriorChoice& choice,
                                          const Estimator* prior_model) {
  switch (choice.prior_case()) {
    case v1::PriorChoice::kAnalytic:
      return AnalyticPrior(signature, choice.analytic());
    case v1::PriorChoice::kModel:
      return ModelPrior(signature, prior_model);
    default:
      break;
  }
  if (signature.prior_model().empty()) return DeclaredPrior(signature);
  if (prior_model == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("the model's prior is ", signature.prior_model(),
                     ", a trained density that is not at hand; give analytic priors or another model of the prior"));
  }
  return ModelPrior(signature, prior_model);
}

}  // namespace creamery
