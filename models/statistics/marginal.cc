#include "models/statistics/marginal.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "models/statistics/weights.h"
#include "proto/support/array.h"
#include "proto/support/rows.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kFewRows = 100;
constexpr double kLargestUncovered = 0.01;
// What the middle of seen and unseen rows is off by, in halves of the gap: measured, see marginal.h.
constexpr double kResidual = 0.4;

double AnalyticLogPrior(const std::vector<v1::Prior>& priors, const double* theta) {
  double sum = 0;
  for (size_t j = 0; j < priors.size(); ++j) sum += LogPrior(priors[j], theta[j]);
  return sum;
}

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

// log prior at the draws, columns in the order of `signature`; of a prior model also by each of its members.
struct LogPriors {
  std::vector<double> answer;
  std::vector<std::vector<double>> members;
};

absl::StatusOr<LogPriors> LogPriorOf(const MarginalPrior& prior, const v1::Signature& signature,
                                     const std::vector<double>& theta, const StopToken& stop) {
  const int64_t d = signature.parameters_size();
  const int64_t n = static_cast<int64_t>(theta.size()) / d;
  LogPriors log_prior;
  log_prior.answer.resize(n);
  if (prior.model == nullptr) {
    if (static_cast<int64_t>(prior.analytic.size()) != d) {
      return absl::InternalError(absl::StrCat(prior.analytic.size(), " priors for ", d, " parameters"));
    }
    for (int64_t i = 0; i < n; ++i) log_prior.answer[i] = AnalyticLogPrior(prior.analytic, &theta[i * d]);
    return log_prior;
  }
  ABSL_ASSIGN_OR_RETURN(const std::vector<double> reordered,
                        Reordered(theta, signature, prior.model->description().signature()));
  ABSL_RETURN_IF_ERROR(prior.model->density()->LogProb(reordered, absl::MakeSpan(log_prior.answer), stop));
  for (const Density* member : prior.model->members()) {
    log_prior.members.emplace_back(n);
    ABSL_RETURN_IF_ERROR(member->LogProb(reordered, absl::MakeSpan(log_prior.members.back()), stop));
  }
  return log_prior;
}

// Draws where the prior does not vanish: log q, log prior and their difference.
struct Draws {
  std::vector<double> log_q;
  std::vector<double> log_prior;
  std::vector<double> log_ratio;
  std::vector<std::vector<double>> member_log_prior;
  double uncovered = 0;  // share of all draws where the prior vanishes
  // E[log P] over the covered posterior, normalised there, less that over all of it.
  double covered_shift = 0;
  double variance_everywhere = 0;  // of log q over all draws
};

absl::StatusOr<Draws> Draw(const Estimator& model, const MarginalPrior& prior, int64_t n, uint64_t seed,
                           const StopToken& stop) {
  const Density& density = *model.density();
  std::vector<double> theta(n * density.num_parameters());
  ABSL_RETURN_IF_ERROR(Sample(density, seed, 0, absl::MakeSpan(theta), stop));
  std::vector<double> log_q(n);
  ABSL_RETURN_IF_ERROR(density.LogProb(theta, absl::MakeSpan(log_q), stop));
  ABSL_ASSIGN_OR_RETURN(const LogPriors log_prior, LogPriorOf(prior, model.description().signature(), theta, stop));
  Draws draws;
  draws.member_log_prior.resize(log_prior.members.size());
  int64_t uncovered = 0;
  std::vector<double> all;
  for (int64_t i = 0; i < n; ++i) {
    if (!std::isfinite(log_q[i])) continue;
    all.push_back(log_q[i]);
    if (!std::isfinite(log_prior.answer[i])) {
      ++uncovered;
      continue;
    }
    draws.log_q.push_back(log_q[i]);
    draws.log_prior.push_back(log_prior.answer[i]);
    draws.log_ratio.push_back(log_q[i] - log_prior.answer[i]);
    for (size_t k = 0; k < log_prior.members.size(); ++k) {
      draws.member_log_prior[k].push_back(log_prior.members[k][i]);
    }
  }
  draws.uncovered = static_cast<double>(uncovered) / static_cast<double>(n);
  if (draws.uncovered > kLargestUncovered || draws.log_q.size() < 2) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "the prior's density is zero on %.1f %% of the posterior, more than %.0f %%: no posterior under this prior "
        "lies there, so the divergence from it is not defined",
        100 * draws.uncovered, 100 * kLargestUncovered));
  }
  const WeightedMoments everywhere = Moments(all, {});
  draws.covered_shift = Moments(draws.log_q, {}).mean - everywhere.mean - std::log1p(-draws.uncovered);
  draws.variance_everywhere = everywhere.variance;
  return draws;
}

bool IsConstant(const std::vector<double>& values) {
  const auto ends = std::minmax_element(values.begin(), values.end());
  return *ends.second - *ends.first <= 1e-12 * std::max(1.0, std::fabs(*ends.first));
}

void AddTotal(double effective_size, v1::Estimate& estimate) {
  estimate.set_effective_size(effective_size);
  estimate.set_error(std::sqrt(estimate.monte_carlo_error() * estimate.monte_carlo_error() +
                               estimate.chain_error() * estimate.chain_error() +
                               estimate.approximation_error() * estimate.approximation_error() +
                               estimate.member_error() * estimate.member_error()));
}

double Square(double x) { return x * x; }

// What the rows that a prior model was trained on, and its training, leave uncertain in a statistic of log prior over
// the draws. Member k has not seen the k-th part of those rows, so the members are the replications of a delete-a-group
// jackknife (Shao & Wu 1989, Ann. Statist. 17, 1176).
template <typename Statistic>
double JackknifeError(const std::vector<std::vector<double>>& members, const Statistic& statistic) {
  if (members.size() < 2) return 0;
  std::vector<double> values;
  for (const std::vector<double>& log_prior : members) {
    const double value = statistic(log_prior);
    if (std::isfinite(value)) values.push_back(value);
  }
  const double k = static_cast<double>(values.size());
  return values.size() < 2 ? 0 : std::sqrt((k - 1) * Moments(values, {}).variance);
}

double HalfGap(const v1::HeldOutStatistics& held_out) {
  return std::fabs(held_out.in_sample_log_prob() - held_out.out_of_fold_log_prob()) / 2;
}

// What nearest neighbours say that the family cannot describe: their KL beyond the half of the gap that is noise, by as
// much of it as stands out of its own error.
double UnseenMisfit(const v1::HeldOutStatistics& held_out) {
  const double excess = held_out.misfit() - HalfGap(held_out);
  if (!(held_out.misfit_error() > 0) || excess <= 0) return 0;
  const double significance = Square(Square(excess / held_out.misfit_error()));
  return excess * significance / (significance + 1);
}

// Whether the error of `prior` can be stated: it is analytic, or a model that says how well it fits.
bool PriorErrorIsKnown(const MarginalPrior& prior) {
  return prior.model == nullptr ||
         (prior.model->members().size() > 1 && prior.model->description().training().has_held_out());
}

v1::Estimate KlOf(const v1::HeldOutStatistics& held_out, const MarginalPrior& prior, const Draws& draws) {
  const bool constant = IsConstant(draws.log_prior);
  const WeightedMoments log_prior = Moments(draws.log_prior, {});
  v1::Estimate kl;
  const double misfit = UnseenMisfit(held_out);
  kl.set_value((held_out.in_sample_log_prob() + held_out.out_of_fold_log_prob()) / 2 + misfit + draws.covered_shift -
               log_prior.mean);
  const double of_prior = prior.model != nullptr && PriorErrorIsKnown(prior)
                              ? HalfGap(prior.model->description().training().held_out())
                              : 0;
  kl.set_approximation_error(std::sqrt(Square(kResidual * HalfGap(held_out)) + Square(kResidual * of_prior) +
                                       Square(misfit) + Square(draws.covered_shift)));
  kl.set_monte_carlo_error(constant ? 0 : std::sqrt(log_prior.variance / static_cast<double>(draws.log_prior.size())));
  // log pi varies with the chain's noise too: the error of the mean of the difference, with as many effective rows.
  const double chain =
      constant ? held_out.chain_error() : std::sqrt(Moments(draws.log_ratio, {}).variance / held_out.effective_size());
  const double chain_of_prior =
      JackknifeError(draws.member_log_prior, [](const auto& log_prior) { return Moments(log_prior, {}).mean; });
  kl.set_chain_error(std::hypot(chain, chain_of_prior));
  // Not divided by the root of the number of members: their errors are largely common.
  kl.set_member_error(held_out.member_spread());
  AddTotal(held_out.effective_size(), kl);
  return kl;
}

bool IsOfKernels(const v1::ModelVersion& description) {
  const auto& compared = description.training().compared();
  return description.spec().has_kde() ||
         std::any_of(compared.begin(), compared.end(),
                     [](const v1::Candidate& candidate) { return candidate.chosen() && candidate.spec().has_kde(); });
}

// d_G = 2 (V + Var_q[log q - log pi] - Var_q[log q]) with V an estimate of Var_P[log P]: the covariance between members
// over rows, which has no noise of theirs. Kernels make log q too flat over rows, and draws that spread as much wider:
// then V is Var_q[log q], and half its distance from the covariance an error.
v1::Estimate DimensionalityOf(const v1::HeldOutStatistics& held_out, bool kernels, const Draws& draws) {
  const bool constant = IsConstant(draws.log_prior);
  const WeightedMoments of_q = Moments(draws.log_q, {});
  const WeightedMoments of_ratio = Moments(draws.log_ratio, {});
  v1::Estimate estimate;
  const double correction = constant && draws.uncovered == 0 ? 0 : of_ratio.variance - draws.variance_everywhere;
  const double smoothed = kernels ? draws.variance_everywhere - held_out.log_prob_covariance() : 0;
  estimate.set_value(2 * (held_out.log_prob_covariance() + smoothed + correction));
  std::vector<double> influence(draws.log_q.size());
  for (size_t i = 0; i < influence.size(); ++i) {
    const double ratio = draws.log_ratio[i] - of_ratio.mean;
    const double q = draws.log_q[i] - of_q.mean;
    influence[i] = (kernels ? q * q : 0) + (constant ? 0 : ratio * ratio - q * q);
  }
  estimate.set_monte_carlo_error(2 *
                                 std::sqrt(Moments(influence, {}).variance / static_cast<double>(influence.size())));
  // The relative chain error of a variance carries over from log q to log q - log pi.
  const double scale = constant || !(of_q.variance > 0) ? 1 : of_ratio.variance / of_q.variance;
  const double chain_of_prior = JackknifeError(draws.member_log_prior, [&](const std::vector<double>& log_prior) {
    std::vector<double> ratio(log_prior.size());
    for (size_t i = 0; i < ratio.size(); ++i) ratio[i] = draws.log_q[i] - log_prior[i];
    return 2 * Moments(ratio, {}).variance;
  });
  estimate.set_chain_error(std::hypot(2 * scale * held_out.variance_chain_error(), chain_of_prior));
  const double of_noise = kResidual * std::fabs(held_out.log_prob_variance() - held_out.log_prob_covariance());
  estimate.set_approximation_error(2 * std::hypot(of_noise, smoothed / 2));
  estimate.set_member_error(2 * held_out.covariance_spread());
  AddTotal(held_out.effective_size(), estimate);
  return estimate;
}

std::vector<v1::Warning> WarningsOf(const v1::TrainingSummary& training, const MarginalPrior& prior, const Draws& draws,
                                    const v1::Estimate& estimate) {
  std::vector<v1::Warning> warnings;
  if (estimate.effective_size() < kFewRows) warnings.push_back(v1::FEW_EFFECTIVE_SAMPLES);
  if (estimate.error() > std::fabs(estimate.value()) / 3) warnings.push_back(v1::LARGE_ERROR);
  if (!PriorErrorIsKnown(prior)) warnings.push_back(v1::PRIOR_IS_ESTIMATED);
  if (training.row_kind() == v1::MCMC && training.held_out().num_chains() < 2) warnings.push_back(v1::SINGLE_CHAIN);
  if (draws.uncovered > 0) warnings.push_back(v1::PRIOR_DOES_NOT_COVER);
  return warnings;
}

}  // namespace

absl::StatusOr<MarginalStatistics> ComputeMarginal(const Estimator& model, const MarginalPrior& prior,
                                                   int64_t num_samples, uint64_t seed, const StopToken& stop) {
  if (model.density() == nullptr) return absl::FailedPreconditionError("the model has no density");
  const v1::TrainingSummary& training = model.description().training();
  if (!training.has_held_out() || !(training.held_out().effective_size() > 0)) {
    return absl::FailedPreconditionError(
        "the version carries no held-out statistics, which errors are made of; train it again");
  }
  if (num_samples < 2) {
    return absl::InvalidArgumentError(absl::StrCat("num_samples is ", num_samples, ", expected at least 2"));
  }
  ABSL_ASSIGN_OR_RETURN(const Draws draws, Draw(model, prior, num_samples, seed, stop));
  MarginalStatistics statistics;
  statistics.kl = KlOf(training.held_out(), prior, draws);
  statistics.dimensionality = DimensionalityOf(training.held_out(), IsOfKernels(model.description()), draws);
  statistics.warnings = WarningsOf(training, prior, draws, statistics.kl);
  statistics.dimensionality_warnings = WarningsOf(training, prior, draws, statistics.dimensionality);
  return statistics;
}

}  // namespace creamery
