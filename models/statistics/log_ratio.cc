#include "models/statistics/log_ratio.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "models/data_preparation.h"
#include "models/statistics/harmonic_mean.h"
#include "models/statistics/held_out.h"
#include "models/statistics/weights.h"
#include "proto/support/array.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kLargestUncovered = 0.01;
constexpr int64_t kMostRows = 20000;

// theta (n, d) in the columns' order of `to`, given in that of `from`.
absl::StatusOr<std::vector<double>> Reordered(const std::vector<double>& theta, const v1::Signature& from,
                                              const v1::Signature& to) {
  std::vector<std::string> given;
  std::vector<std::string> wanted;
  for (const v1::Parameter& parameter : from.parameters()) given.push_back(parameter.name());
  for (const v1::Parameter& parameter : to.parameters()) wanted.push_back(parameter.name());
  ABSL_ASSIGN_OR_RETURN(const std::vector<int> columns, MatchColumns(given, wanted));
  std::vector<double> reordered(theta.size());
  for (size_t i = 0; i < theta.size(); i += columns.size()) {
    for (size_t j = 0; j < columns.size(); ++j) reordered[i + j] = theta[i + columns[j]];
  }
  return reordered;
}

// log prior at points, columns in the order of `signature`; -inf where it vanishes, for one member of a prior model at
// least.
struct LogPriors {
  std::vector<double> value;
  std::vector<std::vector<double>> members;
};

absl::StatusOr<LogPriors> LogPriorOf(const MarginalPrior& prior, const v1::Signature& signature,
                                     const std::vector<double>& theta, const StopToken& stop) {
  const int64_t d = signature.parameters_size();
  const int64_t n = static_cast<int64_t>(theta.size()) / d;
  LogPriors log_prior;
  log_prior.value.assign(n, 0);
  if (prior.model == nullptr) {
    if (static_cast<int64_t>(prior.analytic.size()) != d) {
      return absl::InternalError(absl::StrCat(prior.analytic.size(), " priors for ", d, " parameters"));
    }
    for (int64_t k = 0; k < n * d; ++k) log_prior.value[k / d] += LogPrior(prior.analytic[k % d], theta[k]);
    return log_prior;
  }
  ABSL_ASSIGN_OR_RETURN(const std::vector<double> reordered,
                        Reordered(theta, signature, prior.model->description().signature()));
  const auto members = static_cast<double>(prior.model->members().size());
  if (members < 2) {
    ABSL_RETURN_IF_ERROR(prior.model->density()->LogProb(reordered, absl::MakeSpan(log_prior.value), stop));
    return log_prior;
  }
  for (const Density* member : prior.model->members()) {
    std::vector<double>& of_member = log_prior.members.emplace_back(n);
    ABSL_RETURN_IF_ERROR(member->LogProb(reordered, absl::MakeSpan(of_member), stop));
    for (int64_t i = 0; i < n; ++i) log_prior.value[i] += of_member[i] / members;
  }
  return log_prior;
}

// -inf of an analytic prior, and of a model that says none.
double FloorOf(const MarginalPrior& prior) {
  const double floor = prior.model == nullptr ? 0 : prior.model->description().training().held_out().log_prob_floor();
  return floor == 0 ? -kInfinity : floor;
}

// Every `stride`-th row.
void Thin(int64_t stride, PreparedData& data) {
  PreparedData kept;
  const int64_t d = data.d();
  kept.parameters = data.parameters;
  for (int64_t i = 0; i < data.n(); i += stride) {
    kept.theta.insert(kept.theta.end(), data.theta.begin() + i * d, data.theta.begin() + (i + 1) * d);
    kept.weight.push_back(data.weight[i]);
    kept.dataset_row.push_back(data.dataset_row[i]);
    kept.fold.push_back(data.fold[i]);
    if (!data.chain.empty()) kept.chain.push_back(data.chain[i]);
  }
  data = std::move(kept);
}

// Leaves out rows where the prior vanishes, and says how much of the posterior they are.
double KeepCovered(PreparedData& data, LogPriors& log_prior) {
  PreparedData kept;
  LogPriors kept_prior;
  kept_prior.members.resize(log_prior.members.size());
  const int64_t d = data.d();
  kept.parameters = data.parameters;
  double lost = 0;
  double total = 0;
  for (int64_t i = 0; i < data.n(); ++i) {
    total += data.weight[i];
    if (!std::isfinite(log_prior.value[i])) {
      lost += data.weight[i];
      continue;
    }
    kept.theta.insert(kept.theta.end(), data.theta.begin() + i * d, data.theta.begin() + (i + 1) * d);
    kept.weight.push_back(data.weight[i]);
    kept.dataset_row.push_back(data.dataset_row[i]);
    kept.fold.push_back(data.fold[i]);
    if (!data.chain.empty()) kept.chain.push_back(data.chain[i]);
    kept_prior.value.push_back(log_prior.value[i]);
    for (size_t k = 0; k < log_prior.members.size(); ++k) {
      kept_prior.members[k].push_back(log_prior.members[k][i]);
    }
  }
  data = std::move(kept);
  log_prior = std::move(kept_prior);
  return lost / total;
}

absl::StatusOr<std::vector<double>> LogProbOfMembers(const Estimator& model, const std::vector<double>& theta,
                                                     int64_t n, const StopToken& stop) {
  std::vector<double> log_q(static_cast<int64_t>(model.members().size()) * n);
  for (size_t m = 0; m < model.members().size(); ++m) {
    ABSL_RETURN_IF_ERROR(
        model.members()[m]->LogProb(theta, absl::MakeSpan(log_q).subspan(static_cast<int64_t>(m) * n, n), stop));
  }
  return log_q;
}

}  // namespace

absl::Status CheckCoverage(double uncovered) {
  if (uncovered <= kLargestUncovered) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrFormat(
      "the prior's density is zero on %.1f %% of the posterior, more than %.0f %%: no posterior under this prior "
      "lies there, so the divergence from it is not defined",
      100 * uncovered, 100 * kLargestUncovered));
}

double JackknifeError(const std::vector<double>& values) {
  if (values.size() < 2) return 0;
  return std::sqrt((static_cast<double>(values.size()) - 1) * Moments(values, {}).variance);
}

absl::StatusOr<LogRatioDraws> DrawLogRatio(const Estimator& model, const MarginalPrior& prior, int64_t n, uint64_t seed,
                                           const StopToken& stop) {
  const Density& density = *model.density();
  std::vector<double> theta(n * density.num_parameters());
  ABSL_RETURN_IF_ERROR(Sample(density, seed, 0, absl::MakeSpan(theta), stop));
  std::vector<double> log_q(n);
  ABSL_RETURN_IF_ERROR(density.LogProb(theta, absl::MakeSpan(log_q), stop));
  ABSL_ASSIGN_OR_RETURN(const LogPriors log_prior, LogPriorOf(prior, model.description().signature(), theta, stop));
  const double floor = FloorOf(prior);
  LogRatioDraws draws;
  draws.member_log_prior.resize(log_prior.members.size());
  int64_t uncovered = 0;
  std::vector<double> all;
  for (int64_t i = 0; i < n; ++i) {
    if (!std::isfinite(log_q[i])) continue;
    all.push_back(log_q[i]);
    if (!std::isfinite(log_prior.value[i])) {
      ++uncovered;
      continue;
    }
    draws.log_q.push_back(log_q[i]);
    draws.log_prior.push_back(log_prior.value[i]);
    draws.log_ratio.push_back(log_q[i] - log_prior.value[i]);
    for (size_t k = 0; k < log_prior.members.size(); ++k) {
      draws.member_log_prior[k].push_back(log_prior.members[k][i]);
    }
    if (log_prior.value[i] < floor) {
      draws.coverage.outside += 1 / static_cast<double>(n);
      draws.coverage.outside_part += draws.log_ratio.back() / static_cast<double>(n);
    }
  }
  draws.coverage.uncovered = static_cast<double>(uncovered) / static_cast<double>(n);
  ABSL_RETURN_IF_ERROR(CheckCoverage(draws.log_q.size() < 2 ? 1 : draws.coverage.uncovered));
  const WeightedMoments everywhere = Moments(all, {});
  draws.covered_shift = Moments(draws.log_q, {}).mean - everywhere.mean - std::log1p(-draws.coverage.uncovered);
  draws.variance_everywhere = everywhere.variance;
  return draws;
}

absl::StatusOr<LogRatioOfRows> LogRatioOverRows(const Estimator& model, const MarginalPrior& prior,
                                                const MarginalRows& rows, uint64_t seed, const StopToken& stop) {
  ABSL_ASSIGN_OR_RETURN(PreparedData data, TrainingRows(model, *rows.dataset, *rows.rows));
  LogRatioOfRows answer;
  answer.stride = (data.n() + kMostRows - 1) / kMostRows;
  if (answer.stride > 1) Thin(answer.stride, data);
  ABSL_ASSIGN_OR_RETURN(LogPriors log_prior, LogPriorOf(prior, model.description().signature(), data.theta, stop));
  answer.coverage.uncovered = KeepCovered(data, log_prior);
  ABSL_RETURN_IF_ERROR(CheckCoverage(answer.coverage.uncovered));
  answer.num_rows = data.n();
  ABSL_ASSIGN_OR_RETURN(const std::vector<double> log_q, LogProbOfMembers(model, data.theta, data.n(), stop));
  HeldOutInput input;
  input.kind = rows.dataset->row_kind();
  input.members = static_cast<int64_t>(model.members().size());
  input.log_q = log_q;
  input.log_prior = log_prior.value;
  input.fold = data.fold;
  input.weight = data.weight;
  input.chain = data.chain;
  input.log_likelihood = rows.rows->log_likelihood;
  input.log_likelihood_birth = rows.rows->log_likelihood_birth;
  input.dataset_row = data.dataset_row;
  input.seed = seed;
  ABSL_ASSIGN_OR_RETURN(answer.statistics, ComputeHeldOut(input, stop));

  const double floor = FloorOf(prior);
  std::vector<double> log_q_mean(data.n(), 0);
  double total = 0;
  for (int64_t i = 0; i < data.n(); ++i) {
    for (int64_t m = 0; m < input.members; ++m) {
      log_q_mean[i] += log_q[m * data.n() + i] / static_cast<double>(input.members);
    }
    total += data.weight[i];
    if (log_prior.value[i] >= floor) continue;
    answer.coverage.outside += data.weight[i];
    answer.coverage.outside_part += data.weight[i] * (log_q[data.fold[i] * data.n() + i] - log_prior.value[i]);
  }
  answer.coverage.outside /= total;
  answer.coverage.outside_part /= total;
  std::vector<double> means;
  std::vector<double> variances;
  for (const std::vector<double>& of_member : log_prior.members) {
    std::vector<double> ratio;
    std::vector<double> weight;
    for (int64_t i = 0; i < data.n(); ++i) {
      if (!std::isfinite(log_q_mean[i])) continue;
      ratio.push_back(log_q_mean[i] - of_member[i]);
      weight.push_back(data.weight[i]);
    }
    const WeightedMoments moments = Moments(ratio, weight);
    means.push_back(moments.mean);
    variances.push_back(moments.variance);
  }
  answer.error_of_prior = JackknifeError(means);
  answer.variance_error_of_prior = JackknifeError(variances);
  return answer;
}

}  // namespace creamery
