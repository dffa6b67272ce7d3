#include "models/statistics/harmonic_mean.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "models/statistics/evidence.h"
#include "models/statistics/evidence_error.h"
#include "models/statistics/weights.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kDefaultTemperature = 0.8;
constexpr double kLargestLostWeight = 0.01;

// log phi of every row of `data` by the member that is `shift` further than the one that has not seen it.
absl::StatusOr<std::vector<double>> LogPhi(const Estimator& model, const PreparedData& data, int64_t shift,
                                           double temperature, const StopToken& stop) {
  const int64_t d = data.d();
  const auto members = static_cast<int64_t>(model.members().size());
  std::vector<double> log_phi(data.n());
  for (int64_t fold = 0; fold < members; ++fold) {
    std::vector<int64_t> rows;
    std::vector<double> theta;
    for (int64_t i = 0; i < data.n(); ++i) {
      if (data.fold[i] != fold) continue;
      rows.push_back(i);
      theta.insert(theta.end(), data.theta.begin() + i * d, data.theta.begin() + (i + 1) * d);
    }
    std::vector<double> of_member(rows.size());
    const Density& member = *model.members()[(fold + shift) % members];
    ABSL_RETURN_IF_ERROR(member.ContractedLogProb(theta, temperature, absl::MakeSpan(of_member), stop));
    for (size_t r = 0; r < rows.size(); ++r) log_phi[rows[r]] = of_member[r];
  }
  return log_phi;
}

// The terms log phi - log L - log prior of rows where the prior does not vanish, and what belongs to these rows.
struct Terms {
  std::vector<double> value;
  std::vector<double> weight;
  std::vector<int64_t> chain;
  std::vector<int64_t> dataset_row;
  std::vector<int64_t> fold;
  std::vector<int64_t> row;       // among the prepared rows
  std::vector<double> log_joint;  // log L + log prior
  bool prior_vanishes_somewhere = false;
};

absl::StatusOr<Terms> MakeTerms(const PreparedData& data, const std::vector<double>& log_phi,
                                const std::vector<double>& log_prior, const std::vector<double>& log_likelihood) {
  Terms terms;
  double lost = 0;
  for (int64_t i = 0; i < data.n(); ++i) {
    const int64_t row = data.dataset_row[i];
    if (!std::isfinite(log_likelihood[row])) {
      return absl::FailedPreconditionError(absl::StrCat("row ", row, " of the dataset has log_likelihood ",
                                                        log_likelihood[row],
                                                        " but a positive weight: it cannot be of the posterior"));
    }
    if (log_prior[i] == -kInfinity) {
      lost += data.weight[i];
      continue;
    }
    terms.value.push_back(log_phi[i] - log_likelihood[row] - log_prior[i]);
    terms.weight.push_back(data.weight[i]);
    if (!data.chain.empty()) terms.chain.push_back(data.chain[i]);
    terms.dataset_row.push_back(row);
    terms.fold.push_back(data.fold[i]);
    terms.row.push_back(i);
    terms.log_joint.push_back(log_likelihood[row] + log_prior[i]);
  }
  const double share = lost / static_cast<double>(data.n());  // weights have mean 1
  terms.prior_vanishes_somewhere = lost > 0;
  if (share <= kLargestLostWeight) return terms;
  return absl::FailedPreconditionError(absl::StrFormat(
      "the prior is zero at rows that carry %.1f %% of the weight: it is not the prior of the chain", 100 * share));
}

// How much more the folds' own estimates scatter than `error`, the standard error of the mean over all, explains: a
// member that fits badly shows here.
double ExcessOfMembers(const Terms& terms, int64_t members, double error) {
  std::vector<double> log_means;
  for (int64_t k = 0; k < members; ++k) {
    std::vector<double> log_term;
    double total = 0;
    for (size_t i = 0; i < terms.value.size(); ++i) {
      if (terms.fold[i] != k) continue;
      log_term.push_back(std::log(terms.weight[i]) + terms.value[i]);
      total += terms.weight[i];
    }
    const double log_mean = LogSumExp(log_term) - std::log(total);
    if (std::isfinite(log_mean)) log_means.push_back(log_mean);
  }
  const auto folds = static_cast<double>(log_means.size());
  if (folds < 2) return 0;
  const double variance_of_mean = Moments(log_means, {}).variance / (folds - 1);
  return std::sqrt(std::max(0.0, variance_of_mean - error * error));
}

// The error of the mean does not know that the folds' estimates go together: a fluctuation of one fold is in the
// members that answer the others, and theirs in the member that answers it, so what members add to the scatter of phi
// counts twice. How much that is, is how members differ at the same rows: the root mean square over pairs of the error
// of that difference's mean.
absl::StatusOr<double> ErrorOfCrossFitting(const Estimator& model, const PreparedData& data, const Terms& terms,
                                           const LogMeanExp& mean, const ChainRows& chain, double temperature,
                                           const StopToken& stop) {
  const auto members = static_cast<int64_t>(model.members().size());
  double sum = 0;
  for (int64_t shift = 1; shift < members; ++shift) {
    ABSL_ASSIGN_OR_RETURN(const std::vector<double> other, LogPhi(model, data, shift, temperature, stop));
    std::vector<double> difference;
    for (size_t i = 0; i < terms.value.size(); ++i) {
      difference.push_back(std::exp(terms.value[i] - mean.log_mean) -
                           std::exp(other[terms.row[i]] - terms.log_joint[i] - mean.log_mean));
    }
    ABSL_ASSIGN_OR_RETURN(const double error, ErrorOfMean(difference, chain));
    sum += error * error;
  }
  return std::sqrt(sum / static_cast<double>(members - 1));
}

absl::Status CheckDataset(const Estimator& model, const v1::Dataset& dataset, const RowBlock& rows) {
  ABSL_RETURN_IF_ERROR(CheckFullSpace("the harmonic mean", model.description().signature()));
  std::vector<std::string> missing;
  for (const v1::Parameter& parameter : dataset.parameters()) {
    const auto& has = model.description().signature().parameters();
    const bool found = std::any_of(has.begin(), has.end(),
                                   [&](const v1::Parameter& other) { return other.name() == parameter.name(); });
    if (!found && !parameter.derived()) missing.push_back(parameter.name());
  }
  missing.insert(missing.end(), dataset.marginalised().begin(), dataset.marginalised().end());
  if (!missing.empty()) {
    v1::Signature marginal;
    for (const std::string& name : missing) marginal.add_marginalised(name);
    return CheckFullSpace("the harmonic mean", marginal);
  }
  if (static_cast<int64_t>(rows.log_likelihood.size()) == rows.num_rows && rows.num_rows > 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "the harmonic mean needs the log-likelihood of every row: the dataset has no log_likelihood column; upload the "
      "chain with it and train again");
}

}  // namespace

absl::StatusOr<PreparedData> TrainingRows(const Estimator& model, const v1::Dataset& dataset, const RowBlock& rows) {
  const v1::ModelVersion& description = model.description();
  const v1::TrainingOptions& options = description.spec().training();
  if (options.members() < 2 || static_cast<size_t>(options.members()) != model.members().size()) {
    return absl::FailedPreconditionError(absl::StrCat("the version holds ", model.members().size(),
                                                      " members and was "
                                                      "trained with ",
                                                      options.members(),
                                                      ": rows and members do not fit together; train it again"));
  }
  std::vector<std::string> names;
  for (const v1::Parameter& parameter : description.signature().parameters()) names.push_back(parameter.name());
  const bool merged = description.training().num_distinct_rows() > 0;  // else trained before repeated rows were merged
  ABSL_ASSIGN_OR_RETURN(PreparedData data, PrepareData(dataset, rows, names, options.members(), options.seed(),
                                                       merged ? RepeatedRows::kMerged : RepeatedRows::kKept));
  const std::string& digest = description.training().dataset_digest();
  if (data.num_rows != description.training().num_rows() || (!digest.empty() && digest != dataset.digest())) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the version was trained on ", description.training().num_rows(), " rows of revision ",
        description.training().dataset_revision(), " of ", description.training().dataset(), ", but these are ",
        data.num_rows, " rows of revision ", dataset.revision(), " of ", dataset.name()));
  }
  return data;
}

absl::StatusOr<v1::EvidenceResponse> HarmonicMeanEvidence(const Estimator& model, const MarginalPrior& prior,
                                                          const v1::Dataset& dataset, const RowBlock& rows,
                                                          const v1::HarmonicMean& request, uint64_t seed,
                                                          const StopToken& stop) {
  const double temperature = request.has_temperature() ? request.temperature() : kDefaultTemperature;
  if (!(temperature > 0 && temperature <= 1)) {
    return absl::InvalidArgumentError(absl::StrCat("temperature is ", temperature, ", expected (0, 1]"));
  }
  ABSL_RETURN_IF_ERROR(CheckDataset(model, dataset, rows));
  ABSL_ASSIGN_OR_RETURN(const PreparedData data, TrainingRows(model, dataset, rows));
  ABSL_ASSIGN_OR_RETURN(const std::vector<double> log_prior,
                        LogPriorAt(prior, model.description().signature(), data.theta, stop));
  ABSL_ASSIGN_OR_RETURN(const std::vector<double> log_phi, LogPhi(model, data, 0, temperature, stop));
  ABSL_ASSIGN_OR_RETURN(const Terms terms, MakeTerms(data, log_phi, log_prior, rows.log_likelihood));

  ChainRows chain;
  chain.kind = dataset.row_kind();
  chain.weight = terms.weight;
  chain.chain = terms.chain;
  chain.dataset_row = terms.dataset_row;
  chain.log_likelihood = rows.log_likelihood;
  chain.log_likelihood_birth = rows.log_likelihood_birth;
  chain.seed = seed;
  ABSL_ASSIGN_OR_RETURN(const LogMeanExp mean, AverageExponentials(terms.value, chain));

  v1::EvidenceResponse response;
  v1::Estimate& log_z = *response.mutable_log_z();
  log_z.set_value(-mean.log_mean);
  log_z.set_chain_error(mean.error);
  ABSL_ASSIGN_OR_RETURN(const double shared, ErrorOfCrossFitting(model, data, terms, mean, chain, temperature, stop));
  log_z.set_approximation_error(shared);
  log_z.set_member_error(ExcessOfMembers(terms, static_cast<int64_t>(model.members().size()), mean.error));
  log_z.set_effective_size(mean.effective_size);
  SetTotalError(log_z);
  response.set_effective_size(mean.effective_size);
  response.set_efficiency(mean.effective_size / static_cast<double>(terms.value.size()));
  response.set_k_hat(mean.k_hat);
  for (const v1::Parameter& parameter : data.parameters) response.add_columns(parameter.name());
  response.set_done(true);
  response.set_seed(seed);
  for (const v1::Warning warning : WeightWarnings(mean.effective_size, mean.k_hat)) response.add_warnings(warning);
  if (prior.model != nullptr) response.add_warnings(v1::PRIOR_IS_ESTIMATED);
  if (terms.prior_vanishes_somewhere) response.add_warnings(v1::PRIOR_DOES_NOT_COVER);
  if (dataset.row_kind() == v1::MCMC && model.description().training().held_out().num_chains() < 2) {
    response.add_warnings(v1::SINGLE_CHAIN);
  }
  return response;
}

}  // namespace creamery
