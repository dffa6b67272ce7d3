#include "models/statistics/log_likelihood.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/statistics/marginal.h"
#include "proto/support/array.h"
#include "proto/support/rows.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kRowsAtOnce = 4096;  // bounds the memory of one model's columns

std::vector<std::string> NamesOf(const Estimator& model) {
  std::vector<std::string> names;
  for (const v1::Parameter& parameter : model.description().signature().parameters()) names.push_back(parameter.name());
  return names;
}

// theta's columns `source`, in that order, of rows [begin, begin + rows).
void TakeColumns(absl::Span<const double> theta, int64_t d, int64_t begin, int64_t rows, const std::vector<int>& source,
                 std::vector<double>& out) {
  out.resize(rows * source.size());
  for (int64_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < source.size(); ++j) out[i * source.size() + j] = theta[(begin + i) * d + source[j]];
  }
}

// One model of the sum, checked.
struct Term {
  const Density* density;
  std::vector<int> source;         // where its columns lie in theta
  std::vector<v1::Prior> prior;    // by its columns, or
  const Density* prior_density;    // a density of the prior
  std::vector<int> prior_columns;  // where its columns lie among the model's
  double log_evidence;
  double floor;
  std::vector<std::unique_ptr<const Density>> in_double_precision;  // what the densities are then
};

// The model's density as it is asked, or null.
const Density* AskedDensity(const Estimator& model, bool in_double_precision, Term& term) {
  if (model.density() == nullptr || !in_double_precision) return model.density();
  term.in_double_precision.push_back(model.density()->InDoublePrecision());
  return term.in_double_precision.back().get();
}

absl::StatusOr<Term> MakeTerm(const LogLikelihoodInput& input, size_t index, absl::Span<const std::string> columns) {
  const Estimator& model = *input.models[index];
  const v1::ModelVersion& description = model.description();
  // A sum says which of its models is meant; the only one needs no name.
  const std::string of = input.models.size() == 1 ? std::string() : absl::StrCat(NameForMessages(model, index), ": ");
  Term term{};
  term.density = AskedDensity(model, input.in_double_precision, term);
  if (term.density == nullptr) return absl::FailedPreconditionError(absl::StrCat(of, "the model has no density"));
  const std::vector<std::string> names = NamesOf(model);
  for (const std::string& name : names) {
    term.source.push_back(static_cast<int>(std::find(columns.begin(), columns.end(), name) - columns.begin()));
  }
  const Estimator* prior_model = input.prior_models.empty() ? nullptr : input.prior_models[index];
  v1::PriorChoice choice;
  if (prior_model != nullptr) choice.set_model(description.signature().prior_model());
  const absl::StatusOr<MarginalPrior> prior = ChoosePrior(description.signature(), choice, prior_model);
  if (!prior.ok()) return absl::Status(prior.status().code(), absl::StrCat(of, prior.status().message()));
  term.prior = prior->analytic;
  if (prior_model != nullptr) {
    term.prior_density = AskedDensity(*prior_model, input.in_double_precision, term);
    ABSL_ASSIGN_OR_RETURN(term.prior_columns, MatchColumns(names, NamesOf(*prior_model)));
  }
  if (!input.without_evidence && !description.has_log_evidence()) {
    return absl::FailedPreconditionError(absl::StrCat(
        of,
        "the model has no log-evidence: give it with the dataset (log_evidence) and train again, or ask without it"));
  }
  term.log_evidence = input.without_evidence ? 0 : description.log_evidence().value();
  term.floor = description.training().has_held_out() ? description.training().held_out().log_prob_floor() : -kInfinity;
  return term;
}

struct Seen {
  bool outside_training = false;
  bool outside_support = false;
};

// Adds the term to sum[i] for rows [begin, begin + sum.size()).
absl::Status AddTerm(const Term& term, absl::Span<const double> theta, int64_t d, int64_t begin, absl::Span<double> sum,
                     Seen& seen, const StopToken& stop) {
  const int64_t rows = static_cast<int64_t>(sum.size());
  const size_t own = term.source.size();
  std::vector<double> columns;
  TakeColumns(theta, d, begin, rows, term.source, columns);
  std::vector<double> log_p(rows);
  std::vector<double> log_prior(rows, 0);
  ABSL_RETURN_IF_ERROR(term.density->LogProb(columns, absl::MakeSpan(log_p), stop));
  if (term.prior_density != nullptr) {
    std::vector<double> of_prior;
    TakeColumns(columns, static_cast<int64_t>(own), 0, rows, term.prior_columns, of_prior);
    ABSL_RETURN_IF_ERROR(term.prior_density->LogProb(of_prior, absl::MakeSpan(log_prior), stop));
  } else {
    for (int64_t i = 0; i < rows; ++i) {
      for (size_t j = 0; j < own; ++j) log_prior[i] += LogPrior(term.prior[j], columns[i * own + j]);
    }
  }
  for (int64_t i = 0; i < rows; ++i) {
    const bool outside = log_p[i] == -kInfinity || log_prior[i] == -kInfinity;
    seen.outside_support = seen.outside_support || outside;
    seen.outside_training = seen.outside_training || (!outside && log_p[i] < term.floor);
    // Not left to arithmetic: -inf - (-inf) is NaN.
    sum[i] = outside ? -kInfinity : sum[i] + log_p[i] + term.log_evidence - log_prior[i];
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<std::string> UnionOfParameters(absl::Span<const Estimator* const> models) {
  std::vector<std::string> names;
  std::set<std::string> seen;
  for (const Estimator* model : models) {
    for (std::string& name : NamesOf(*model)) {
      if (seen.insert(name).second) names.push_back(std::move(name));
    }
  }
  return names;
}

std::string NameForMessages(const Estimator& model, size_t index) {
  const std::string& name = model.description().name();
  return name.empty() ? absl::StrCat("model ", index + 1, " (", absl::StrJoin(NamesOf(model), ", "), ")") : name;
}

absl::StatusOr<LogLikelihoods> SumLogLikelihoods(const LogLikelihoodInput& input, const StopToken& stop) {
  if (input.models.empty()) return absl::InvalidArgumentError("no model is given, expected at least one");
  if (!input.prior_models.empty() && input.prior_models.size() != input.models.size()) {
    return absl::InternalError(
        absl::StrCat(input.prior_models.size(), " prior models for ", input.models.size(), " models"));
  }
  const std::vector<std::string> names = UnionOfParameters(input.models);
  ABSL_RETURN_IF_ERROR(MatchColumns(input.columns, names).status());
  const absl::Span<const std::string> columns = input.columns.empty() ? absl::MakeConstSpan(names) : input.columns;
  const int64_t d = static_cast<int64_t>(names.size());
  const int64_t n = static_cast<int64_t>(input.theta.size()) / d;
  std::vector<Term> terms;
  double variance = 0;
  bool prior_is_estimated = false;
  for (size_t k = 0; k < input.models.size(); ++k) {
    ABSL_ASSIGN_OR_RETURN(Term term, MakeTerm(input, k, columns));
    prior_is_estimated = prior_is_estimated || term.prior_density != nullptr;
    terms.push_back(std::move(term));
    const double error = input.models[k]->description().log_evidence().error();
    variance += input.without_evidence ? 0 : error * error;
  }
  LogLikelihoods result;
  result.values.assign(n, 0);
  Seen seen;
  for (int64_t begin = 0; begin < n; begin += kRowsAtOnce) {
    const int64_t rows = std::min(kRowsAtOnce, n - begin);
    for (const Term& term : terms) {
      ABSL_RETURN_IF_ERROR(stop.Check());
      ABSL_RETURN_IF_ERROR(
          AddTerm(term, input.theta, d, begin, absl::MakeSpan(result.values).subspan(begin, rows), seen, stop));
    }
  }
  result.log_evidence_error = std::sqrt(variance);
  if (seen.outside_training) result.warnings.push_back(v1::OUTSIDE_TRAINING_REGION);
  if (seen.outside_support) result.warnings.push_back(v1::OUTSIDE_SUPPORT);
  if (prior_is_estimated) result.warnings.push_back(v1::PRIOR_IS_ESTIMATED);
  std::set<int> of_training;
  for (const Estimator* model : input.models) {
    const auto& warnings = model->description().training().warnings();
    of_training.insert(warnings.begin(), warnings.end());
  }
  for (const int warning : of_training) result.warnings.push_back(static_cast<v1::Warning>(warning));
  return result;
}

absl::StatusOr<std::vector<double>> LogLikelihood(const Estimator& model, absl::Span<const double> theta,
                                                  const StopToken& stop) {
  LogLikelihoodInput input;
  const Estimator* models[] = {&model};
  input.models = models;
  input.theta = theta;
  ABSL_ASSIGN_OR_RETURN(LogLikelihoods likelihoods, SumLogLikelihoods(input, stop));
  return std::move(likelihoods.values);
}

}  // namespace creamery
