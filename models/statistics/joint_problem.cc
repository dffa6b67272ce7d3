#include "models/statistics/joint_problem.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/statistics/log_likelihood.h"
#include "models/statistics/marginal.h"
#include "proto/support/array.h"
#include "proto/support/rows.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr size_t kMostModels = 10000;
constexpr double kFewRows = 100;

const v1::Signature& SignatureOf(const JointModel& model) { return model.estimator->description().signature(); }

bool Same(double a, double b) { return std::fabs(a - b) <= 1e-12 * std::max(std::fabs(a), std::fabs(b)); }

bool SamePrior(const v1::Prior& a, const v1::Prior& b) {
  if (a.density_case() != b.density_case()) return false;
  switch (a.density_case()) {
    case v1::Prior::kUniform:
      return Same(a.uniform().lower(), b.uniform().lower()) && Same(a.uniform().upper(), b.uniform().upper());
    case v1::Prior::kNormal:
      return Same(a.normal().mean(), b.normal().mean()) && Same(a.normal().stddev(), b.normal().stddev());
    case v1::Prior::kLogUniform:
      return Same(a.log_uniform().lower(), b.log_uniform().lower()) &&
             Same(a.log_uniform().upper(), b.log_uniform().upper());
    default:
      return true;
  }
}

absl::Status AddModels(absl::Span<const Estimator* const> models, JointProblem& problem) {
  if (models.size() < 2 || models.size() > kMostModels) {
    return absl::InvalidArgumentError(absl::StrCat(models.size(), " models are given, expected 2 to ", kMostModels));
  }
  std::map<const Estimator*, size_t> first;
  std::map<std::string, size_t> first_name;
  std::map<std::string, std::string> digest;
  std::set<std::string> repeated;
  for (size_t k = 0; k < models.size(); ++k) {
    JointModel model;
    model.estimator = models[k];
    model.name = NameForMessages(*models[k], k);
    const v1::ModelVersion& description = models[k]->description();
    if (!first.emplace(models[k], k).second ||
        (!description.name().empty() && !first_name.emplace(description.name(), k).second)) {
      return absl::InvalidArgumentError(
          absl::StrCat(model.name, " is listed twice; its data would count twice. Name every analysis once"));
    }
    if (models[k]->density() == nullptr) {
      return absl::FailedPreconditionError(absl::StrCat(model.name, " has no density"));
    }
    if (!(model.held_out().effective_size() > 0)) {
      return absl::FailedPreconditionError(
          absl::StrCat(model.name, " carries no held-out statistics, which errors are made of; train it again"));
    }
    const std::string& data = description.training().dataset_digest();
    const auto known = data.empty() ? digest.end() : digest.emplace(data, model.name).first;
    if (known != digest.end() && known->second != model.name && repeated.insert(data).second) {
      problem.remarks.push_back(absl::StrCat(known->second, " and ", model.name,
                                             " were trained on the same dataset: they are not independent, and what "
                                             "they know counts twice."));
    }
    const auto members = models[k]->members();
    model.members.assign(members.begin(), members.end());
    if (model.members.empty()) model.members.push_back(models[k]->density());
    problem.models.push_back(std::move(model));
  }
  return absl::OkStatus();
}

absl::Status AddParameters(absl::Span<const Estimator* const> models, JointProblem& problem) {
  std::map<std::string, int> column;
  for (std::string& name : UnionOfParameters(models)) {
    column[name] = static_cast<int>(problem.parameters.size());
    problem.parameters.emplace_back();
    problem.parameters.back().parameter.set_name(std::move(name));
  }
  for (JointModel& model : problem.models) {
    for (const v1::Parameter& parameter : SignatureOf(model).parameters()) {
      model.columns.push_back(column[parameter.name()]);
      ++problem.parameters[model.columns.back()].models;
    }
  }
  for (const JointParameter& parameter : problem.parameters) {
    if (parameter.models > 1) problem.shared.push_back(parameter.parameter.name());
  }
  for (const JointModel& model : problem.models) {
    const bool shares = std::any_of(model.columns.begin(), model.columns.end(),
                                    [&](int c) { return problem.parameters[c].models > 1; });
    if (shares) continue;
    std::vector<std::string> lists;
    for (size_t k = 0; k < std::min<size_t>(problem.models.size(), 5); ++k) {
      std::vector<std::string> names;
      for (const int c : problem.models[k].columns) names.push_back(problem.parameters[c].parameter.name());
      lists.push_back(absl::StrCat(problem.models[k].name, " has ", absl::StrJoin(names, ", ")));
    }
    return absl::InvalidArgumentError(absl::StrCat(model.name, " shares no parameter with any other model: ",
                                                   absl::StrJoin(lists, "; "), ". Parameters are shared by name"));
  }
  return absl::OkStatus();
}

// The bounds that all models that have the parameter agree to: the narrowest.
void NarrowBounds(const v1::Parameter& declared, v1::Parameter& parameter) {
  const Bounds bounds = BoundsOf(declared);
  if (std::isfinite(bounds.lower)) {
    parameter.set_lower(parameter.has_lower() ? std::max(parameter.lower(), bounds.lower) : bounds.lower);
  }
  if (std::isfinite(bounds.upper)) {
    parameter.set_upper(parameter.has_upper() ? std::min(parameter.upper(), bounds.upper) : bounds.upper);
  }
}

// What one model declares of one of its parameters, against what is known so far.
absl::Status AddDeclared(const v1::Parameter& declared, const std::string& model, bool given, bool by_model,
                         std::string& declared_by, JointProblem& problem, JointParameter& parameter) {
  const std::string& name = parameter.parameter.name();
  NarrowBounds(declared, parameter.parameter);
  if (by_model && parameter.models > 1) return absl::OkStatus();  // the prior model speaks for it
  const bool has = declared.prior().density_case() != v1::Prior::DENSITY_NOT_SET;
  if (given) {
    if (has && !SamePrior(declared.prior(), parameter.parameter.prior())) {
      problem.remarks.push_back(
          absl::StrCat("The given prior of ", name, ", ", PriorToString(parameter.parameter.prior()),
                       ", is not the one declared with ", model, ", ", PriorToString(declared.prior()),
                       ": the answer holds only if its samples were in truth drawn under the given one."));
    }
    return absl::OkStatus();
  }
  if (!has && parameter.models > 1) {
    return absl::FailedPreconditionError(absl::StrCat(
        "no prior for the shared parameter ", name, " in ", model, declared.derived() ? ", where it is derived" : "",
        ": give analytic priors, or train a model on samples of the prior over ", absl::StrJoin(problem.shared, ", "),
        " and name it as the prior; none is assumed"));
  }
  if (declared_by.empty()) {
    *parameter.parameter.mutable_prior() = declared.prior();
    declared_by = model;
    return absl::OkStatus();
  }
  if (SamePrior(declared.prior(), parameter.parameter.prior())) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "the prior of ", name, " is ", PriorToString(parameter.parameter.prior()), " in ", declared_by, " and ",
      PriorToString(declared.prior()), " in ", model,
      ": posteriors under unequal priors are not multiplied. Give the prior with the request if one of the "
      "declarations is wrong, else sample one of the analyses again under the other's prior"));
}

absl::Status ReadGivenPriors(const v1::AnalyticPriors& given, JointProblem& problem) {
  v1::Signature all;
  for (const JointParameter& parameter : problem.parameters) all.add_parameters()->set_name(parameter.parameter.name());
  // ChoosePrior wants every parameter; private ones may be left to their declarations.
  v1::PriorChoice complete;
  *complete.mutable_analytic() = given;
  for (const JointParameter& parameter : problem.parameters) {
    if (parameter.models == 1 && given.priors().count(parameter.parameter.name()) == 0) {
      (*complete.mutable_analytic()->mutable_priors())[parameter.parameter.name()].mutable_normal()->set_stddev(1);
    }
  }
  ABSL_ASSIGN_OR_RETURN(const MarginalPrior prior, ChoosePrior(all, complete, nullptr));
  for (size_t j = 0; j < prior.analytic.size(); ++j) {
    v1::Parameter& parameter = problem.parameters[j].parameter;
    if (given.priors().count(parameter.name()) > 0) *parameter.mutable_prior() = prior.analytic[j];
  }
  return absl::OkStatus();
}

absl::Status ReadPriorModel(const Estimator& prior_model, JointProblem& problem) {
  if (prior_model.density() == nullptr) {
    return absl::InvalidArgumentError("the prior's model cannot be asked for a density");
  }
  std::vector<std::string> names;
  for (const v1::Parameter& parameter : prior_model.description().signature().parameters()) {
    names.push_back(parameter.name());
  }
  if (!MatchColumns(problem.shared, names).ok()) {
    return absl::InvalidArgumentError(absl::StrCat("the prior's model is of ", absl::StrJoin(names, ", "),
                                                   ", but the models share ", absl::StrJoin(problem.shared, ", "),
                                                   ": train one on samples of the prior over the shared parameters"));
  }
  for (const JointParameter& parameter : problem.parameters) {
    if (parameter.models == 1 || parameter.models == static_cast<int64_t>(problem.models.size())) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("the prior's model stands for parameters that all models share, but ", parameter.parameter.name(),
                     " is in ", parameter.models, " of ", problem.models.size(), " models; give analytic priors"));
  }
  problem.prior = prior_model.density();
  for (const std::string& name : names) {
    const auto at = std::find_if(problem.parameters.begin(), problem.parameters.end(),
                                 [&](const JointParameter& p) { return p.parameter.name() == name; });
    problem.prior_columns.push_back(static_cast<int>(at - problem.parameters.begin()));
  }
  problem.warnings.push_back(v1::PRIOR_IS_ESTIMATED);
  return absl::OkStatus();
}

absl::Status AddPriors(const JointInput& input, JointProblem& problem) {
  if (input.prior.has_analytic()) ABSL_RETURN_IF_ERROR(ReadGivenPriors(input.prior.analytic(), problem));
  if (input.prior_model != nullptr) ABSL_RETURN_IF_ERROR(ReadPriorModel(*input.prior_model, problem));
  std::vector<bool> given;
  for (const JointParameter& parameter : problem.parameters) given.push_back(parameter.has_prior());
  std::vector<std::string> declared_by(problem.parameters.size());
  for (const JointModel& model : problem.models) {
    for (int j = 0; j < SignatureOf(model).parameters_size(); ++j) {
      const int c = model.columns[j];
      ABSL_RETURN_IF_ERROR(AddDeclared(SignatureOf(model).parameters(j), model.name, given[c], problem.prior != nullptr,
                                       declared_by[c], problem, problem.parameters[c]));
    }
  }
  for (const JointParameter& parameter : problem.parameters) {
    if (parameter.models == 1 && !parameter.has_prior()) problem.prior_less.push_back(parameter.parameter.name());
  }
  return absl::OkStatus();
}

// `A, B and C`, `A, B, C and 7 more`.
std::string ListOf(const std::vector<std::string>& names) {
  constexpr size_t kShown = 3;
  const size_t shown = names.size() <= kShown + 1 ? names.size() - 1 : kShown;
  const std::string head = absl::StrJoin(names.begin(), names.begin() + shown, ", ");
  if (names.size() == 1) return names[0];
  return names.size() == shown + 1 ? absl::StrCat(head, " and ", names.back())
                                   : absl::StrCat(head, " and ", names.size() - shown, " more");
}

// Parameters that one model integrated out and another integrated out or kept: the same nuisance, if it is the same,
// was not shared. One sentence, however many they are.
void RemarkNuisances(JointProblem& problem) {
  std::map<std::string, std::vector<std::string>> marginalised;
  for (const JointModel& model : problem.models) {
    for (const std::string& name : SignatureOf(model).marginalised()) marginalised[name].push_back(model.name);
  }
  std::map<std::string, std::string> kept;
  for (const JointModel& model : problem.models) {
    for (const v1::Parameter& parameter : SignatureOf(model).parameters()) kept[parameter.name()] = model.name;
  }
  // Names by what is said of them, in the order of the names.
  std::map<std::string, std::vector<std::string>> by_models;
  std::vector<std::string> order;
  size_t count = 0;
  for (const auto& [name, models] : marginalised) {
    const auto keeper = kept.find(name);
    if (models.size() < 2 && keeper == kept.end()) continue;
    const std::string who = models.size() > 1
                                ? absl::StrCat(ListOf(models), " have all marginalised ")
                                : absl::StrCat(models[0], " has marginalised what ", keeper->second, " keeps, ");
    std::vector<std::string>& names = by_models[who];
    if (names.empty()) order.push_back(who);
    names.push_back(name);
    ++count;
  }
  if (count == 0) return;
  problem.warnings.push_back(v1::SHARED_NUISANCE);
  std::vector<std::string> parts;
  for (const std::string& who : order) parts.push_back(absl::StrCat(who, absl::StrJoin(by_models[who], ", ")));
  problem.remarks.push_back(
      absl::StrCat(absl::StrJoin(parts, "; "), count == 1 ? ": if it is one quantity" : ": if each is one quantity",
                   " in nature, the models are not independent given the shared parameters; keep ",
                   count == 1 ? "it" : "them", " among the parameters of each."));
}

void RemarkEvidencesAndRows(JointProblem& problem) {
  std::vector<std::string> without;
  bool few = false;
  bool single = false;
  for (const JointModel& model : problem.models) {
    const v1::ModelVersion& description = model.estimator->description();
    if (!description.has_log_evidence()) without.push_back(model.name);
    few = few || model.held_out().effective_size() < kFewRows;
    single = single || (description.training().row_kind() == v1::MCMC && model.held_out().num_chains() < 2);
  }
  if (few) problem.warnings.push_back(v1::FEW_EFFECTIVE_SAMPLES);
  if (single) problem.warnings.push_back(v1::SINGLE_CHAIN);
  // log R needs no evidence: only where some carry one is log Z of the joint analysis missed.
  if (without.empty() || without.size() == problem.models.size()) return;
  problem.remarks.push_back(absl::StrCat("log Z of the joint analysis is left out: ", ListOf(without),
                                         without.size() == 1 ? " carries" : " carry",
                                         " no log-evidence. log R needs none."));
}

}  // namespace

std::string PriorToString(const v1::Prior& prior) {
  switch (prior.density_case()) {
    case v1::Prior::kUniform:
      return absl::StrCat("uniform(", prior.uniform().lower(), ", ", prior.uniform().upper(), ")");
    case v1::Prior::kNormal:
      return absl::StrCat("normal(", prior.normal().mean(), ", ", prior.normal().stddev(), ")");
    case v1::Prior::kLogUniform:
      return absl::StrCat("log_uniform(", prior.log_uniform().lower(), ", ", prior.log_uniform().upper(), ")");
    default:
      return "no prior";
  }
}

absl::StatusOr<JointProblem> MakeJointProblem(const JointInput& input) {
  JointProblem problem;
  ABSL_RETURN_IF_ERROR(AddModels(input.models, problem));
  ABSL_RETURN_IF_ERROR(AddParameters(input.models, problem));
  ABSL_RETURN_IF_ERROR(AddPriors(input, problem));
  RemarkNuisances(problem);
  RemarkEvidencesAndRows(problem);
  return problem;
}

}  // namespace creamery
