#include "models/statistics/marginal.h"

#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "models/statistics/log_ratio.h"
#include "models/statistics/weights.h"
#include "models/training_warnings.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kFewRows = 100;
// All measured, see marginal.h: what the middle of seen and unseen rows is off by, in halves of the gap; the noise that
// members share, in halves of the gap, and its error; the part of a member's own noise that is an error.
constexpr double kResidual = 0.4;
constexpr double kSharedNoise = 4.0 / 3;
constexpr double kResidualShared = 0.75;
constexpr double kResidualNoise = 0.2;
// Pairs of members have half the members' errors in common, and their mean has less.
constexpr double kOfPairs = 0.5;
constexpr double kLargestOutside = 0.001;

double Square(double x) { return x * x; }

bool IsConstant(const std::vector<double>& values) {
  const auto ends = std::minmax_element(values.begin(), values.end());
  return *ends.second - *ends.first <= 1e-12 * std::max(1.0, std::fabs(*ends.first));
}

void AddTotal(double effective_size, v1::Estimate& estimate) {
  estimate.set_effective_size(effective_size);
  estimate.set_error(std::sqrt(Square(estimate.monte_carlo_error()) + Square(estimate.chain_error()) +
                               Square(estimate.approximation_error()) + Square(estimate.member_error())));
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

// The held-out statistics of a prior model; of an analytic prior, and of one that does not say, zeros.
v1::HeldOutStatistics FitOf(const MarginalPrior& prior) {
  if (prior.model == nullptr || !PriorErrorIsKnown(prior)) return v1::HeldOutStatistics();
  return prior.model->description().training().held_out();
}

bool IsOfKernels(const v1::ModelVersion& description) {
  const auto& compared = description.training().compared();
  return description.spec().has_kde() ||
         std::any_of(compared.begin(), compared.end(),
                     [](const v1::Candidate& candidate) { return candidate.chosen() && candidate.spec().has_kde(); });
}

// D_KL but for what its source adds: statistics of log q, or of log q - log pi, and the fits of posterior and prior.
v1::Estimate KlOf(const v1::HeldOutStatistics& statistics, const v1::HeldOutStatistics& held_out,
                  const v1::HeldOutStatistics& of_prior) {
  v1::Estimate kl;
  const double misfit = UnseenMisfit(held_out);
  kl.set_value((statistics.in_sample_log_prob() + statistics.out_of_fold_log_prob()) / 2 + misfit - HalfGap(of_prior));
  kl.set_approximation_error(std::sqrt(Square(kResidual * HalfGap(held_out)) + Square(kResidual * HalfGap(of_prior)) +
                                       Square(misfit) + Square(UnseenMisfit(of_prior))));
  kl.set_chain_error(statistics.chain_error());
  // Not divided by the root of the number of members: their errors are largely common.
  kl.set_member_error(statistics.member_spread());
  return kl;
}

// d_G of a variance without the members' own noise, likewise: what they share, and a misfit.
v1::Estimate DimensionalityOf(double variance, const v1::HeldOutStatistics& statistics,
                              const v1::HeldOutStatistics& held_out, const v1::HeldOutStatistics& of_prior) {
  const double shared = kSharedNoise * (HalfGap(held_out) + HalfGap(of_prior));
  const double positive = std::max(variance, 0.0);
  const double misfit = UnseenMisfit(held_out) + UnseenMisfit(of_prior);
  const double own = kResidualNoise * (statistics.log_prob_variance() - statistics.log_prob_covariance());
  v1::Estimate estimate;
  estimate.set_value(2 * (variance - (shared < positive ? shared * shared / positive : positive)));
  estimate.set_approximation_error(2 *
                                   std::sqrt(Square(own) + Square(kResidualShared * shared) + positive * misfit / 2));
  estimate.set_chain_error(2 * statistics.variance_chain_error());
  estimate.set_member_error(2 * kOfPairs * statistics.covariance_spread());
  return estimate;
}

// Kernels make log q too flat over rows, and draws that spread as much wider: their variance is that of draws, and half
// the distance from the covariance over rows an error.
void SetKernels(const LogRatioDraws& draws, double of_rows, double of_draws, v1::Estimate& estimate) {
  const WeightedMoments ratio = Moments(draws.log_ratio, {});
  std::vector<double> squares;
  for (const double f : draws.log_ratio) squares.push_back(Square(f - ratio.mean));
  estimate.set_value(2 * of_draws);
  estimate.set_approximation_error(std::hypot(estimate.approximation_error(), of_draws - of_rows));
  estimate.set_monte_carlo_error(2 * std::sqrt(Moments(squares, {}).variance / static_cast<double>(squares.size())));
}

struct Answer {
  v1::Estimate kl;
  v1::Estimate dimensionality;
  PriorCoverage coverage;
  std::vector<std::string> remarks;
};

// From statistics of log q - log pi over rows.
absl::StatusOr<Answer> AnswerOfRows(const Estimator& model, const MarginalPrior& prior, const LogRatioOfRows& ratio,
                                    int64_t num_samples, uint64_t seed, const StopToken& stop) {
  const v1::HeldOutStatistics& held_out = model.description().training().held_out();
  const v1::HeldOutStatistics of_prior = FitOf(prior);
  const double cut = -std::log1p(-ratio.coverage.uncovered);
  Answer answer;
  answer.coverage = ratio.coverage;
  answer.kl = KlOf(ratio.statistics, held_out, of_prior);
  answer.kl.set_value(answer.kl.value() + cut);
  answer.kl.set_approximation_error(std::hypot(answer.kl.approximation_error(), cut));
  answer.kl.set_chain_error(std::hypot(answer.kl.chain_error(), ratio.error_of_prior));
  AddTotal(ratio.statistics.effective_size(), answer.kl);
  const double variance = ratio.statistics.log_prob_covariance();
  answer.dimensionality = DimensionalityOf(variance, ratio.statistics, held_out, of_prior);
  answer.dimensionality.set_chain_error(
      std::hypot(answer.dimensionality.chain_error(), 2 * ratio.variance_error_of_prior));
  if (IsOfKernels(model.description())) {
    ABSL_ASSIGN_OR_RETURN(const LogRatioDraws draws, DrawLogRatio(model, prior, num_samples, seed, stop));
    SetKernels(draws, variance, Moments(draws.log_ratio, {}).variance, answer.dimensionality);
  }
  AddTotal(ratio.statistics.effective_size(), answer.dimensionality);
  if (ratio.stride > 1) {
    answer.remarks.push_back(absl::StrCat("log q and log prior were compared at ", ratio.num_rows,
                                          " rows, one of every ", ratio.stride, " of the training's"));
  }
  return answer;
}

// From statistics of log q over rows, and the prior over draws.
absl::StatusOr<Answer> AnswerOfDraws(const Estimator& model, const MarginalPrior& prior, const std::string& missing,
                                     int64_t num_samples, uint64_t seed, const StopToken& stop) {
  const v1::HeldOutStatistics& held_out = model.description().training().held_out();
  const v1::HeldOutStatistics of_prior = FitOf(prior);
  ABSL_ASSIGN_OR_RETURN(const LogRatioDraws draws, DrawLogRatio(model, prior, num_samples, seed, stop));
  const bool constant = IsConstant(draws.log_prior);
  const auto n = static_cast<double>(draws.log_q.size());
  const WeightedMoments of_prior_values = Moments(draws.log_prior, {});
  const WeightedMoments of_q = Moments(draws.log_q, {});
  const WeightedMoments of_ratio = Moments(draws.log_ratio, {});
  // What the draws may be off by, in standard deviations of what is averaged over them.
  const double off = constant ? 0 : std::sqrt(2 * std::max(HalfGap(held_out), UnseenMisfit(held_out)));
  Answer answer;
  answer.coverage = draws.coverage;
  v1::Estimate& kl = answer.kl = KlOf(held_out, held_out, of_prior);
  kl.set_value(kl.value() + draws.covered_shift - of_prior_values.mean);
  kl.set_approximation_error(std::sqrt(Square(kl.approximation_error()) + Square(draws.covered_shift) +
                                       Square(off) * of_prior_values.variance));
  kl.set_monte_carlo_error(constant ? 0 : std::sqrt(of_prior_values.variance / n));
  // log pi varies with the chain's noise too: the error of the mean of the difference, with as many effective rows.
  const double chain = constant ? held_out.chain_error() : std::sqrt(of_ratio.variance / held_out.effective_size());
  std::vector<double> means;
  std::vector<double> variances;
  for (const std::vector<double>& log_prior : draws.member_log_prior) {
    std::vector<double> ratio(log_prior.size());
    for (size_t i = 0; i < ratio.size(); ++i) ratio[i] = draws.log_q[i] - log_prior[i];
    means.push_back(Moments(log_prior, {}).mean);
    variances.push_back(Moments(ratio, {}).variance);
  }
  kl.set_chain_error(std::hypot(chain, JackknifeError(means)));
  AddTotal(held_out.effective_size(), kl);

  const bool kernels = IsOfKernels(model.description());
  const double correction =
      constant && draws.coverage.uncovered == 0 ? 0 : of_ratio.variance - draws.variance_everywhere;
  std::vector<double> influence(draws.log_q.size());
  for (size_t i = 0; i < influence.size(); ++i) {
    influence[i] = constant ? 0 : Square(draws.log_ratio[i] - of_ratio.mean) - Square(draws.log_q[i] - of_q.mean);
  }
  const double variance = held_out.log_prob_covariance() + correction;
  v1::Estimate& dimensionality = answer.dimensionality = DimensionalityOf(variance, held_out, held_out, of_prior);
  // The relative chain error of a variance carries over from log q to log q - log pi.
  const double scale = constant || !(of_q.variance > 0) ? 1 : of_ratio.variance / of_q.variance;
  dimensionality.set_chain_error(std::hypot(scale * dimensionality.chain_error(), 2 * JackknifeError(variances)));
  const double spread = Moments(influence, {}).variance;
  dimensionality.set_approximation_error(std::hypot(dimensionality.approximation_error(), 2 * off * std::sqrt(spread)));
  dimensionality.set_monte_carlo_error(2 * std::sqrt(spread / n));
  if (kernels) SetKernels(draws, variance, draws.variance_everywhere + correction, dimensionality);
  AddTotal(held_out.effective_size(), dimensionality);
  if (!constant) {
    answer.remarks.push_back(absl::StrCat(
        "log prior was averaged over draws from the density, not over the rows it was trained on, and the error is "
        "larger for it: ",
        missing.empty() ? "the rows are not at hand" : missing));
  }
  return answer;
}

// Whether `prior` is what the version carries statistics of.
bool IsDeclared(const v1::ModelVersion& description, const MarginalPrior& prior) {
  if (prior.model != nullptr || !(description.training().held_out_log_ratio().effective_size() > 0)) return false;
  const auto& parameters = description.signature().parameters();
  return std::equal(parameters.begin(), parameters.end(), prior.analytic.begin(), prior.analytic.end(),
                    [](const v1::Parameter& parameter, const v1::Prior& given) {
                      return google::protobuf::util::MessageDifferencer::Equals(parameter.prior(), given);
                    });
}

void WarnOfCoverage(const Answer& answer, MarginalStatistics& statistics) {
  const auto warn = [&](v1::Warning warning) {
    statistics.warnings.push_back(warning);
    statistics.dimensionality_warnings.push_back(warning);
  };
  const PriorCoverage& coverage = answer.coverage;
  if (coverage.uncovered > 0) {
    warn(v1::PRIOR_DOES_NOT_COVER);
    statistics.remarks.push_back(absl::StrFormat(
        "the prior's density is zero on %.3g %% of the posterior: the answer is of the posterior cut to the rest",
        100 * coverage.uncovered));
  }
  if (coverage.outside <= kLargestOutside) return;
  warn(v1::OUTSIDE_TRAINING_REGION);
  statistics.remarks.push_back(
      absl::StrFormat("%.3g %% of the posterior lies where the prior's model has hardly any samples (below the 1e-4 "
                      "quantile of its own log-density), with %.3g of the %.3g nats: the prior is extrapolated there",
                      100 * coverage.outside, coverage.outside_part, answer.kl.value()));
  if (coverage.outside < 0.5 && std::fabs(coverage.outside_part) < std::fabs(answer.kl.value()) / 2) return;
  warn(v1::NOT_DETERMINED);
  statistics.remarks.push_back(
      "the samples of the prior do not determine the answer: train the prior's model on samples that reach the "
      "posterior, or give analytic priors");
}

// The reasons for care that the version brings, with their counts.
void WarnOfTraining(const v1::TrainingSummary& training, MarginalStatistics& statistics) {
  for (const int value : training.warnings()) {
    const auto warning = static_cast<v1::Warning>(value);
    const bool known =
        std::find(statistics.warnings.begin(), statistics.warnings.end(), warning) != statistics.warnings.end();
    if (!known) statistics.warnings.push_back(warning);
    auto& others = statistics.dimensionality_warnings;
    if (std::find(others.begin(), others.end(), warning) == others.end()) others.push_back(warning);
  }
  for (std::string& remark : TrainingRemarks(training)) statistics.remarks.push_back(std::move(remark));
}

std::vector<v1::Warning> WarningsOf(const v1::TrainingSummary& training, const MarginalPrior& prior,
                                    const v1::Estimate& estimate) {
  std::vector<v1::Warning> warnings;
  if (estimate.effective_size() < kFewRows) warnings.push_back(v1::FEW_EFFECTIVE_SAMPLES);
  if (estimate.error() > std::fabs(estimate.value()) / 3) warnings.push_back(v1::LARGE_ERROR);
  if (!PriorErrorIsKnown(prior)) warnings.push_back(v1::PRIOR_IS_ESTIMATED);
  if (training.row_kind() == v1::MCMC && training.held_out().num_chains() < 2) warnings.push_back(v1::SINGLE_CHAIN);
  return warnings;
}

absl::StatusOr<Answer> AnswerMarginal(const Estimator& model, const MarginalPrior& prior, const MarginalRows& rows,
                                      int64_t num_samples, uint64_t seed, const StopToken& stop) {
  if (IsDeclared(model.description(), prior)) {
    LogRatioOfRows stored;
    stored.statistics = model.description().training().held_out_log_ratio();
    return AnswerOfRows(model, prior, stored, num_samples, seed, stop);
  }
  std::string missing = rows.missing;
  if (rows.rows != nullptr) {
    absl::StatusOr<LogRatioOfRows> ratio = LogRatioOverRows(model, prior, rows, seed, stop);
    if (ratio.ok()) return AnswerOfRows(model, prior, *ratio, num_samples, seed, stop);
    if (!absl::IsFailedPrecondition(ratio.status())) return ratio.status();
    missing = std::string(ratio.status().message());  // draws say the same of a prior that does not cover
  }
  return AnswerOfDraws(model, prior, missing, num_samples, seed, stop);
}

}  // namespace

bool NeedsRows(const Estimator& model, const MarginalPrior& prior) {
  if (IsDeclared(model.description(), prior)) return false;
  return prior.model != nullptr || std::any_of(prior.analytic.begin(), prior.analytic.end(),
                                               [](const v1::Prior& each) { return !each.has_uniform(); });
}

absl::StatusOr<MarginalStatistics> ComputeMarginal(const Estimator& model, const MarginalPrior& prior,
                                                   const MarginalRows& rows, int64_t num_samples, uint64_t seed,
                                                   const StopToken& stop) {
  if (model.density() == nullptr) return absl::FailedPreconditionError("the model has no density");
  const v1::TrainingSummary& training = model.description().training();
  if (!training.has_held_out() || !(training.held_out().effective_size() > 0)) {
    return absl::FailedPreconditionError(
        "the version carries no held-out statistics, which errors are made of; train it again");
  }
  if (num_samples < 2) {
    return absl::InvalidArgumentError(absl::StrCat("num_samples is ", num_samples, ", expected at least 2"));
  }
  ABSL_ASSIGN_OR_RETURN(const Answer answer, AnswerMarginal(model, prior, rows, num_samples, seed, stop));
  MarginalStatistics statistics;
  statistics.kl = answer.kl;
  statistics.dimensionality = answer.dimensionality;
  statistics.warnings = WarningsOf(training, prior, statistics.kl);
  statistics.dimensionality_warnings = WarningsOf(training, prior, statistics.dimensionality);
  WarnOfCoverage(answer, statistics);
  WarnOfTraining(training, statistics);
  statistics.remarks.insert(statistics.remarks.end(), answer.remarks.begin(), answer.remarks.end());
  return statistics;
}

absl::StatusOr<MarginalStatistics> ComputeMarginal(const Estimator& model, const MarginalPrior& prior,
                                                   int64_t num_samples, uint64_t seed, const StopToken& stop) {
  return ComputeMarginal(model, prior, MarginalRows(), num_samples, seed, stop);
}

}  // namespace creamery
