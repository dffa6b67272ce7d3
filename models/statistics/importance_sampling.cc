#include "models/statistics/importance_sampling.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "models/statistics/evidence.h"
#include "models/statistics/evidence_error.h"
#include "models/statistics/pareto.h"
#include "models/statistics/weights.h"
#include "proto/support/array.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kDefaultPriorFraction = 0.02;

// log L + log prior - log q at the first points of the stream.
absl::StatusOr<std::vector<double>> LogWeights(const Estimator& model, const Density& proposal,
                                               const MarginalPrior& prior, const std::vector<double>& log_likelihood,
                                               uint64_t seed, const StopToken& stop) {
  const auto n = static_cast<int64_t>(log_likelihood.size());
  std::vector<double> theta(n * proposal.num_parameters());
  ABSL_RETURN_IF_ERROR(Sample(proposal, seed, 0, absl::MakeSpan(theta), stop));
  std::vector<double> log_q(n);
  ABSL_RETURN_IF_ERROR(proposal.LogProb(theta, absl::MakeSpan(log_q), stop));
  ABSL_ASSIGN_OR_RETURN(std::vector<double> log_weight,
                        LogPriorAt(prior, model.description().signature(), theta, stop));
  for (int64_t i = 0; i < n; ++i) {
    const bool zero = log_weight[i] == -kInfinity || log_likelihood[i] == -kInfinity;
    log_weight[i] = zero ? -kInfinity : log_weight[i] + log_likelihood[i] - log_q[i];
    if (log_weight[i] < kInfinity) continue;
    return absl::InternalError(absl::StrCat("point ", i, " was drawn where the proposal's log density is ", log_q[i]));
  }
  return log_weight;
}

void Estimate(const std::vector<double>& log_weight, v1::EvidenceResponse& response) {
  const auto n = static_cast<double>(log_weight.size());
  const double effective_size = KishSize(MeanOneWeights(log_weight));
  response.set_effective_size(effective_size);
  response.set_efficiency(effective_size / n);
  response.set_k_hat(ParetoKHat(log_weight));
  if (effective_size == 0) return;
  v1::Estimate& log_z = *response.mutable_log_z();
  log_z.set_value(LogSumExp(log_weight) - std::log(n));
  // One point says nothing of its own error.
  log_z.set_monte_carlo_error(n > 1 ? std::sqrt(std::max(0.0, 1 / effective_size - 1 / n) * n / (n - 1)) : kInfinity);
  log_z.set_effective_size(effective_size);
  SetTotalError(log_z);
}

}  // namespace

absl::StatusOr<v1::EvidenceResponse> ImportanceSamplingEvidence(const Estimator& model, const MarginalPrior& prior,
                                                                const v1::ImportanceSampling& request, uint64_t seed,
                                                                int64_t max_bytes, const StopToken& stop) {
  if (model.density() == nullptr) return absl::FailedPreconditionError("the model has no density");
  const v1::Signature& signature = model.description().signature();
  ABSL_RETURN_IF_ERROR(CheckFullSpace("the evidence", signature));
  ABSL_ASSIGN_OR_RETURN(const RoundOptions options,
                        ParseRounds(request.target_effective_size(), request.max_points(), request.round_size()));
  const double prior_fraction = request.has_prior_fraction() ? request.prior_fraction() : kDefaultPriorFraction;
  if (!(prior_fraction >= 0 && prior_fraction < 1)) {
    return absl::InvalidArgumentError(absl::StrCat("prior_fraction is ", prior_fraction, ", expected [0, 1)"));
  }
  ABSL_ASSIGN_OR_RETURN(const std::vector<double> log_likelihood, ParseLogLikelihood(request.log_likelihood()));
  ABSL_ASSIGN_OR_RETURN(const std::shared_ptr<const Density> proposal, MakeProposal(model, prior, prior_fraction));
  const auto n = static_cast<int64_t>(log_likelihood.size());
  const int64_t d = proposal->num_parameters();

  v1::EvidenceResponse response;
  response.set_seed(seed);
  for (const v1::Parameter& parameter : signature.parameters()) response.add_columns(parameter.name());
  if (n > 0) {
    ABSL_ASSIGN_OR_RETURN(const std::vector<double> log_weight,
                          LogWeights(model, *proposal, prior, log_likelihood, seed, stop));
    Estimate(log_weight, response);
    for (const v1::Warning warning : WeightWarnings(response.effective_size(), response.k_hat())) {
      response.add_warnings(warning);
    }
  }
  if (prior.model != nullptr) response.add_warnings(v1::PRIOR_IS_ESTIMATED);

  const int64_t next =
      NextRound(options, n, response.effective_size(), d * static_cast<int64_t>(sizeof(double)), max_bytes);
  std::vector<double> theta(next * d);
  ABSL_RETURN_IF_ERROR(Sample(*proposal, seed, n, absl::MakeSpan(theta), stop));
  *response.mutable_next_theta() = FromDoubles(theta, {next, d});
  response.set_done(next == 0);
  if (response.done() && response.effective_size() < options.target_effective_size) {
    response.add_warnings(v1::PARTIAL_RESULT);
  }
  return response;
}

}  // namespace creamery
