// The nuisance-free likelihood of trained posteriors, log L(theta) = log P(theta) + log Z - log prior(theta) (Bevins et
// al. 2022, arXiv:2207.11457, eq. 7), and its sum over independent data sets or objects.
#ifndef CREAMERY_MODELS_STATISTICS_LOG_LIKELIHOOD_H_
#define CREAMERY_MODELS_STATISTICS_LOG_LIKELIHOOD_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "creamery/v1/warning.pb.h"
#include "models/estimator.h"
#include "proto/support/stop_token.h"

namespace creamery {

// What is asked. Everything is borrowed for the call.
struct LogLikelihoodInput {
  absl::Span<const Estimator* const> models;  // at least one
  // Of each model the density of the prior over the same parameters that its signature names (prior_model), or null for
  // the analytic priors of its signature; empty: all null.
  absl::Span<const Estimator* const> prior_models;
  absl::Span<const double> theta;  // (n, d): one column for every name that at least one model has
  // Names of the columns, in any order; empty: those of the first model, then those that each next one adds.
  absl::Span<const std::string> columns;
  bool without_evidence = false;     // log P - log prior alone: the likelihood up to a constant
  bool in_double_precision = false;  // Density::InDoublePrecision of models and prior models
};

struct LogLikelihoods {
  std::vector<double> values;     // (n), natural log; -inf where a posterior or its prior vanishes
  double log_evidence_error = 0;  // common to all rows: the evidences' errors in quadrature
  std::vector<v1::Warning> warnings;
};

// Every model's own prior is divided out, so the sum holds none: the prior enters once, when the caller adds it. With
// more than one model that needs priors that agree on what is shared, which is not asked here: likelihoods have none.
// FAILED_PRECONDITION naming what a model lacks: a density, a prior for every parameter, a log-evidence;
// INVALID_ARGUMENT for columns that are not the union of the models' parameters (the right names are listed).
absl::StatusOr<LogLikelihoods> SumLogLikelihoods(const LogLikelihoodInput& input, const StopToken& stop);

// Of one model against the analytic priors of its signature. theta: (n, d) in its order -> (n).
absl::StatusOr<std::vector<double>> LogLikelihood(const Estimator& model, absl::Span<const double> theta,
                                                  const StopToken& stop);

// Names of all parameters: those of the first model in its order, then those that each next one adds.
std::vector<std::string> UnionOfParameters(absl::Span<const Estimator* const> models);

// How messages call model `index` of several: its name, or `model 2 (a, b)` if it has none.
std::string NameForMessages(const Estimator& model, size_t index);

}  // namespace creamery

#endif  // CREAMERY_MODELS_STATISTICS_LOG_LIKELIHOOD_H_
