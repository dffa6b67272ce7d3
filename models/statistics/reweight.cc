#include "models/statistics/reweight.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "models/statistics/evidence.h"
#include "models/statistics/evidence_error.h"
#include "models/statistics/harmonic_mean.h"
#include "models/statistics/pareto.h"
#include "models/statistics/reweight_points.h"
#include "models/statistics/weights.h"
#include "proto/support/array.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The chain's rows and which of them are points.
struct Chain {
  PreparedData data;
  ChainPoints points;

  int64_t size() const { return static_cast<int64_t>(points.row.size()); }
};

// Points of one source: their log-weights, normalised to sum 1, and what they are worth.
struct Source {
  std::vector<double> log_weight;
  double effective_size = 0;
};

absl::StatusOr<Chain> ChooseChain(const Estimator& model, const ReweightChain& given,
                                  const v1::ReweightRequest& request, uint64_t seed) {
  Chain chain;
  if (request.has_chain_points() && request.chain_points() < 0) {
    return absl::InvalidArgumentError(absl::StrCat("chain_points is ", request.chain_points(), ", expected 0 or more"));
  }
  if (request.has_chain_points() && request.chain_points() == 0) return chain;
  if (given.rows == nullptr || given.rows->log_likelihood.empty()) {
    if (!request.has_chain_points()) return chain;
    return absl::FailedPreconditionError(
        absl::StrCat("chain_points is ", request.chain_points(),
                     ", but the chain carries no log-likelihoods: leave it out, or upload the chain with them"));
  }
  ABSL_ASSIGN_OR_RETURN(chain.data, TrainingRows(model, *given.dataset, *given.rows));
  for (const int64_t row : chain.data.dataset_row) {
    if (std::isfinite(given.rows->log_likelihood[row])) continue;
    return absl::FailedPreconditionError(absl::StrCat("row ", row, " of the dataset has log_likelihood ",
                                                      given.rows->log_likelihood[row],
                                                      " but a positive weight: it cannot be of the posterior"));
  }
  const auto effective = static_cast<int64_t>(chain.data.effective_rows);
  chain.points = ThinChain(chain.data.weight, request.has_chain_points() ? request.chain_points() : effective, seed);
  return chain;
}

// Weights that sum to 1, in logs; all -inf if none is positive.
std::vector<double> Normalise(std::vector<double> log_weight) {
  const double sum = LogSumExp(log_weight);
  if (sum == -kInfinity) return log_weight;
  for (double& w : log_weight) w -= sum;
  return log_weight;
}

Source WeighChain(const Chain& chain, const RowBlock& rows, absl::Span<const double> log_likelihood) {
  std::vector<double> base;
  std::vector<double> log_weight;
  for (size_t i = 0; i < log_likelihood.size(); ++i) {
    base.push_back(chain.points.weight[i]);
    log_weight.push_back(std::log(base[i]) + log_likelihood[i] -
                         rows.log_likelihood[chain.data.dataset_row[chain.points.row[i]]]);
  }
  Source source;
  source.effective_size =
      KishSize(MeanOneWeights(log_weight)) * std::min(1.0, chain.data.effective_rows / KishSize(base));
  source.log_weight = Normalise(std::move(log_weight));
  return source;
}

absl::StatusOr<Source> WeighDraws(const Estimator& model, const MarginalPrior& prior,
                                  absl::Span<const double> log_likelihood, uint64_t seed, const StopToken& stop) {
  const Density& density = *model.density();
  std::vector<double> theta(log_likelihood.size() * density.num_parameters());
  ABSL_RETURN_IF_ERROR(Sample(density, seed, 0, absl::MakeSpan(theta), stop));
  std::vector<double> log_q(log_likelihood.size());
  ABSL_RETURN_IF_ERROR(density.LogProb(theta, absl::MakeSpan(log_q), stop));
  ABSL_ASSIGN_OR_RETURN(std::vector<double> log_weight,
                        LogPriorAt(prior, model.description().signature(), theta, stop));
  for (size_t i = 0; i < log_weight.size(); ++i) {
    const bool zero = log_weight[i] == -kInfinity || log_likelihood[i] == -kInfinity;
    log_weight[i] = zero ? -kInfinity : log_weight[i] + log_likelihood[i] - log_q[i];
    if (log_weight[i] < kInfinity) continue;
    return absl::InternalError(absl::StrCat("draw ", i, " lies where the model's log density is ", log_q[i]));
  }
  Source source;
  source.effective_size = KishSize(MeanOneWeights(log_weight));
  source.log_weight = Normalise(std::move(log_weight));
  return source;
}

// log(Z_new / Z), the posterior mean of L_new / L; none if the new likelihood vanishes at all points.
absl::StatusOr<std::optional<v1::Estimate>> LogEvidenceRatio(const Chain& chain, const ReweightChain& given,
                                                             absl::Span<const double> log_likelihood, uint64_t seed) {
  const size_t n = log_likelihood.size();
  std::vector<size_t> order(n);  // back to the order of the chain
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return chain.points.row[a] < chain.points.row[b]; });
  std::vector<double> value;
  std::vector<double> weight;
  std::vector<int64_t> ids;
  std::vector<int64_t> dataset_row;
  for (const size_t i : order) {
    const int64_t row = chain.points.row[i];
    dataset_row.push_back(chain.data.dataset_row[row]);
    value.push_back(log_likelihood[i] - given.rows->log_likelihood[dataset_row.back()]);
    weight.push_back(chain.points.weight[i]);
    if (!chain.data.chain.empty()) ids.push_back(chain.data.chain[row]);
  }
  if (*std::max_element(value.begin(), value.end()) == -kInfinity) return std::optional<v1::Estimate>();
  ChainRows rows;
  rows.kind = given.dataset->row_kind();
  rows.weight = weight;
  rows.chain = ids;
  rows.dataset_row = dataset_row;
  rows.log_likelihood = given.rows->log_likelihood;
  rows.log_likelihood_birth = given.rows->log_likelihood_birth;
  rows.seed = seed;
  ABSL_ASSIGN_OR_RETURN(const LogMeanExp mean, AverageExponentials(value, rows));
  v1::Estimate estimate;
  estimate.set_value(mean.log_mean);
  // One point says nothing of its own error.
  estimate.set_chain_error(n > 1 ? mean.error : kInfinity);
  estimate.set_effective_size(mean.effective_size);
  SetTotalError(estimate);
  return std::optional<v1::Estimate>(estimate);
}

// The weights of all points, largest 0, and Kish's size of both sources together.
std::vector<double> Combine(const Source& chain, const Source& draws, double& effective_size) {
  effective_size = chain.effective_size + draws.effective_size;
  std::vector<double> log_weight;
  for (const Source* source : {&chain, &draws}) {
    const double log_share = std::log(source->effective_size / effective_size);
    for (const double w : source->log_weight) log_weight.push_back(w == -kInfinity ? w : w + log_share);
  }
  const double largest = log_weight.empty() ? 0 : *std::max_element(log_weight.begin(), log_weight.end());
  if (largest > -kInfinity) {
    for (double& w : log_weight) w -= largest;
  }
  return log_weight;
}

// Points [n, n + count): what is left of the chain's, then draws.
absl::StatusOr<std::vector<double>> Points(const Estimator& model, const Chain& chain, uint64_t seed, int64_t n,
                                           int64_t count, const StopToken& stop) {
  const int64_t d = model.density()->num_parameters();
  std::vector<double> theta;
  for (int64_t i = n; i < std::min(n + count, chain.size()); ++i) {
    const auto row = chain.data.theta.begin() + chain.points.row[i] * d;
    theta.insert(theta.end(), row, row + d);
  }
  const auto from_chain = static_cast<int64_t>(theta.size());
  theta.resize(count * d);
  ABSL_RETURN_IF_ERROR(Sample(*model.density(), seed, std::max<int64_t>(0, n - chain.size()),
                              absl::MakeSpan(theta).subspan(from_chain), stop));
  return theta;
}

}  // namespace

absl::StatusOr<v1::ReweightResponse> ReweightRound(const Estimator& model, const MarginalPrior& prior,
                                                   const ReweightChain& given, const v1::ReweightRequest& request,
                                                   uint64_t seed, int64_t max_bytes, const StopToken& stop) {
  if (model.density() == nullptr) return absl::FailedPreconditionError("the model has no density");
  const v1::Signature& signature = model.description().signature();
  ABSL_RETURN_IF_ERROR(CheckFullSpace("reweighting", signature));
  ABSL_ASSIGN_OR_RETURN(const RoundOptions options,
                        ParseRounds(request.target_effective_size(), request.max_points(), request.round_size()));
  ABSL_ASSIGN_OR_RETURN(const std::vector<double> log_likelihood, ParseLogLikelihood(request.log_likelihood()));
  ABSL_ASSIGN_OR_RETURN(const Chain chain, ChooseChain(model, given, request, seed));
  const auto n = static_cast<int64_t>(log_likelihood.size());
  const int64_t of_chain = std::min(n, chain.size());
  const auto bytes = static_cast<int64_t>(n * sizeof(double));
  if (bytes > max_bytes) {
    return absl::ResourceExhaustedError(absl::StrCat("the weights of ", n, " points take ", bytes, " bytes, more than ",
                                                     max_bytes, ": reach the target with fewer points"));
  }

  Source chain_source;
  Source draw_source;
  v1::ReweightResponse response;
  response.set_seed(seed);
  for (const v1::Parameter& parameter : signature.parameters()) response.add_columns(parameter.name());
  if (of_chain > 0) {
    const auto values = absl::MakeConstSpan(log_likelihood).first(of_chain);
    chain_source = WeighChain(chain, *given.rows, values);
    ABSL_ASSIGN_OR_RETURN(const std::optional<v1::Estimate> ratio, LogEvidenceRatio(chain, given, values, seed));
    if (ratio.has_value()) *response.mutable_log_evidence_ratio() = *ratio;
  }
  if (n > of_chain) {
    ABSL_ASSIGN_OR_RETURN(draw_source,
                          WeighDraws(model, prior, absl::MakeConstSpan(log_likelihood).subspan(of_chain), seed, stop));
  }
  double effective_size = 0;
  const std::vector<double> log_weight = Combine(chain_source, draw_source, effective_size);
  response.set_effective_size(effective_size);
  *response.mutable_log_weight() = FromDoubles(log_weight, {n});
  if (n > 0) {
    response.set_k_hat(ParetoKHat(log_weight));
    for (const v1::Warning warning : WeightWarnings(effective_size, response.k_hat())) response.add_warnings(warning);
  }
  if (prior.model != nullptr && n > of_chain) response.add_warnings(v1::PRIOR_IS_ESTIMATED);
  if (of_chain > 0 && given.dataset->row_kind() == v1::MCMC &&
      model.description().training().held_out().num_chains() < 2) {
    response.add_warnings(v1::SINGLE_CHAIN);
  }

  // A point costs its coordinates now and its weight in the next answer.
  const auto bytes_per_point = static_cast<int64_t>((signature.parameters_size() + 1) * sizeof(double));
  const int64_t next = NextRound(options, n, effective_size, bytes_per_point, max_bytes - bytes);
  ABSL_ASSIGN_OR_RETURN(const std::vector<double> theta, Points(model, chain, seed, n, next, stop));
  *response.mutable_next_theta() = FromDoubles(theta, {next, signature.parameters_size()});
  response.set_done(next == 0);
  if (response.done() && effective_size < options.target_effective_size) response.add_warnings(v1::PARTIAL_RESULT);
  return response;
}

}  // namespace creamery
