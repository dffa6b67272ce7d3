#include "models/statistics/joint.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "models/statistics/joint_errors.h"
#include "models/statistics/joint_problem.h"
#include "models/statistics/joint_sample.h"
#include "models/statistics/joint_sampler.h"
#include "models/statistics/joint_target.h"
#include "models/statistics/marginal.h"
#include "models/statistics/pareto.h"
#include "models/statistics/tension.h"
#include "models/statistics/weights.h"
#include "models/training_warnings.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kSmallShare = 0.1;   // of the rows of a version
constexpr int64_t kFewestRows = 100;  // of the final sample
constexpr int64_t kFewestDraws = 32;  // of each model
constexpr int64_t kMostDraws = 2000;
constexpr int64_t kDrawsOfAll = 400000;
constexpr double kLargeErrorOfLog = 1;  // below it log R near 0 is no large error: odds known to a factor e
constexpr double kDisagreement = 1;     // between the sampler's estimate and the final one, nats

// How the evaluations are shared out.
struct Budget {
  int64_t draws;      // rows of each model
  int64_t marginals;  // rows of each model for D_k and d_k
  int64_t search;     // evaluations
};

absl::StatusOr<Budget> ShareOut(const JointInput& input, const JointTarget& target) {
  const int64_t k = target.num_models();
  const int64_t each = target.num_members() + k;  // evaluations of one row of draws of every model
  const int64_t least = kFewestDraws * each + 2 * kFewestRows * target.num_members() + 40 * 50 * k;
  if (input.max_evaluations < least) {
    return absl::InvalidArgumentError(absl::StrCat("max_evaluations is ", input.max_evaluations, ", expected at least ",
                                                   least, " for ", k, " models of ", target.num_members(),
                                                   " members together"));
  }
  Budget budget;
  const int64_t fifth = input.max_evaluations / 5;
  budget.draws = std::clamp(std::min({kMostDraws, kDrawsOfAll / k, fifth / each}), kFewestDraws, kMostDraws);
  budget.marginals = std::clamp<int64_t>(std::min(input.num_samples, fifth / 2 / (2 * k)), 16, 10000);
  const int64_t rest = input.max_evaluations - budget.draws * each - 2 * budget.marginals * k;
  budget.search = std::max(rest - input.num_samples * target.num_members(), rest / 2);
  return budget;
}

v1::Estimate MakeEstimate(double value, const JointErrors& errors, JointStatistic s, double effective_size) {
  v1::Estimate estimate;
  estimate.set_value(value);
  estimate.set_monte_carlo_error(errors.monte_carlo[s]);
  estimate.set_chain_error(errors.chain[s]);
  estimate.set_approximation_error(errors.approximation[s]);
  estimate.set_member_error(errors.member[s]);
  estimate.set_effective_size(effective_size);
  return estimate;
}

void SetTotal(v1::Estimate& e) {
  e.set_error(std::sqrt(e.monte_carlo_error() * e.monte_carlo_error() + e.chain_error() * e.chain_error() +
                        e.approximation_error() * e.approximation_error() + e.member_error() * e.member_error()));
}

double LogMeanExp(const std::vector<double>& values) {
  const double largest = *std::max_element(values.begin(), values.end());
  double sum = 0;
  for (const double value : values) sum += std::exp(value - largest);
  return largest + std::log(sum / static_cast<double>(values.size()));
}

// Var_J[log L] without the noise of training: the covariance between versions made of other members, mean over pairs,
// as HeldOutStatistics.log_prob_covariance; `noise` is what it is less than the versions' own variance.
double VarianceOfLogL(const JointSample& sample, double& noise) {
  const auto& versions = sample.log_l_versions;
  const double of_average = Moments(sample.log_l, sample.weight).variance;
  noise = 0;
  if (versions.size() < 2) return of_average;
  double covariance = 0;
  double variance = 0;
  for (size_t a = 0; a < versions.size(); ++a) {
    variance += Moments(versions[a], sample.weight).variance / static_cast<double>(versions.size());
    for (size_t b = 0; b < a; ++b) {
      std::vector<double> sum(versions[a].size());
      for (size_t i = 0; i < sum.size(); ++i) sum[i] = versions[a][i] + versions[b][i];
      const double pair = (Moments(sum, sample.weight).variance - Moments(versions[a], sample.weight).variance -
                           Moments(versions[b], sample.weight).variance) /
                          2;
      covariance += pair * 2 / static_cast<double>(versions.size() * (versions.size() - 1));
    }
  }
  noise = variance - covariance;
  return covariance;
}

// Sums over models of D_k and d_k with their errors but for the chain's, which the joint ones are correlated with.
struct MarginalSums {
  v1::Estimate kl;
  v1::Estimate dimensionality;
  std::vector<v1::Warning> warnings;
};

// The prior of a model's own parameters, or why there is none.
absl::StatusOr<MarginalPrior> OwnPrior(const JointInput& input, const JointProblem& problem, const JointModel& model) {
  MarginalPrior prior;
  for (const int c : model.columns) {
    const JointParameter& parameter = problem.parameters[c];
    if (parameter.has_prior()) prior.analytic.push_back(parameter.parameter.prior());
  }
  if (static_cast<int64_t>(prior.analytic.size()) == model.d()) return prior;
  if (problem.prior != nullptr && problem.prior_columns.size() == model.columns.size()) {
    prior.analytic.clear();
    prior.model = input.prior_model;
    return prior;
  }
  return absl::FailedPreconditionError(
      absl::StrCat("the prior's model is of the shared parameters only, and ", model.name, " has others"));
}

absl::StatusOr<MarginalSums> SumMarginals(const JointInput& input, const JointTarget& target, int64_t rows) {
  const JointProblem& problem = target.problem();
  MarginalSums sums;
  const auto add = [](const v1::Estimate& e, v1::Estimate& sum) {
    sum.set_value(sum.value() + e.value());
    sum.set_monte_carlo_error(std::hypot(sum.monte_carlo_error(), e.monte_carlo_error()));
    sum.set_chain_error(std::hypot(sum.chain_error(), e.chain_error()));
    sum.set_approximation_error(std::hypot(sum.approximation_error(), e.approximation_error()));
    sum.set_member_error(std::hypot(sum.member_error(), e.member_error()));
  };
  for (size_t k = 0; k < problem.models.size(); ++k) {
    ABSL_ASSIGN_OR_RETURN(const MarginalPrior prior, OwnPrior(input, problem, problem.models[k]));
    ABSL_ASSIGN_OR_RETURN(const MarginalStatistics marginal,
                          ComputeMarginal(*problem.models[k].estimator, prior, rows, input.seed + k, target.stop()));
    add(marginal.kl, sums.kl);
    add(marginal.dimensionality, sums.dimensionality);
    for (const v1::Warning warning : marginal.warnings) {
      if (warning == v1::PRIOR_DOES_NOT_COVER) sums.warnings.push_back(warning);
    }
  }
  return sums;
}

void AddParts(const v1::Estimate& more, v1::Estimate& e) {
  e.set_monte_carlo_error(std::hypot(e.monte_carlo_error(), more.monte_carlo_error()));
  e.set_approximation_error(std::hypot(e.approximation_error(), more.approximation_error()));
  e.set_member_error(std::hypot(e.member_error(), more.member_error()));
}

void FillInformation(const MarginalSums& sums, double mean_log_l, double variance_log_l, double noise, double log_r,
                     const JointErrors& errors, double size, v1::JointStatistics& statistics) {
  const auto estimate = [&](double value, JointStatistic s) { return MakeEstimate(value, errors, s, size); };
  *statistics.mutable_joint_kl() = estimate(mean_log_l - log_r, kJointKl);
  *statistics.mutable_information() = estimate(sums.kl.value() - (mean_log_l - log_r), kInformation);
  *statistics.mutable_log_suspiciousness() = estimate(mean_log_l - sums.kl.value(), kLogS);
  *statistics.mutable_joint_dimensionality() = estimate(2 * variance_log_l, kJointDimensionality);
  *statistics.mutable_dimensionality() = estimate(sums.dimensionality.value() - 2 * variance_log_l, kDimensionality);
  for (v1::Estimate* e : {statistics.mutable_joint_dimensionality(), statistics.mutable_dimensionality()}) {
    e->set_approximation_error(std::hypot(e->approximation_error(), noise));
  }
  AddParts(sums.kl, *statistics.mutable_information());
  AddParts(sums.kl, *statistics.mutable_log_suspiciousness());
  AddParts(sums.dimensionality, *statistics.mutable_dimensionality());
  for (v1::Estimate* e :
       {statistics.mutable_joint_kl(), statistics.mutable_information(), statistics.mutable_log_suspiciousness(),
        statistics.mutable_joint_dimensionality(), statistics.mutable_dimensionality()}) {
    SetTotal(*e);
  }
}

// Whatever needs a prior of every parameter.
absl::Status AddInformation(const JointInput& input, const JointTarget& target, const JointSample& sample,
                            const JointErrors& errors, int64_t rows, double size, v1::JointPosteriorResponse& head,
                            std::vector<v1::Warning>& warnings) {
  const JointProblem& problem = target.problem();
  if (!problem.prior_less.empty()) {
    head.add_remarks(absl::StrCat("Information, suspiciousness, dimensionality and sigma are left out: no prior for ",
                                  absl::StrJoin(problem.prior_less, ", "),
                                  ". log R needs none of private parameters."));
    return absl::OkStatus();
  }
  const absl::StatusOr<MarginalSums> sums = SumMarginals(input, target, rows);
  if (absl::IsCancelled(sums.status()) || absl::IsDeadlineExceeded(sums.status())) return sums.status();
  if (!sums.ok()) {
    head.add_remarks(absl::StrCat(
        "Information, suspiciousness, dimensionality and sigma are left out: ", sums.status().message(), "."));
    return absl::OkStatus();
  }
  double noise = 0;
  const double variance = VarianceOfLogL(sample, noise);
  v1::JointStatistics& statistics = *head.mutable_statistics();
  FillInformation(*sums, Moments(sample.log_l, sample.weight).mean, variance, noise, statistics.log_r().value(), errors,
                  size, statistics);
  warnings.insert(warnings.end(), sums->warnings.begin(), sums->warnings.end());
  const double both = statistics.log_suspiciousness().error() * statistics.dimensionality().error();
  FillTension(statistics, both > 0 ? std::clamp(errors.log_s_dimensionality / both, -1.0, 1.0) : 0);
  if (!statistics.has_p_value()) {
    head.add_remarks(absl::StrFormat(
        "p and sigma are not defined: the dimensionality that the models share is %.3g, and has to be positive.",
        statistics.dimensionality().value()));
  } else if (statistics.dimensionality().value() <= statistics.dimensionality().error()) {
    head.add_remarks("The dimensionality is not positive within one standard error: p and sigma are of little worth.");
  }
  return absl::OkStatus();
}

void AddLogZ(const JointProblem& problem, v1::JointStatistics& statistics) {
  double log_z = 0;
  double variance = 0;
  for (const JointModel& model : problem.models) {
    const v1::ModelVersion& description = model.estimator->description();
    if (!description.has_log_evidence()) return;
    log_z += description.log_evidence().value();
    variance += description.log_evidence().error() * description.log_evidence().error();
  }
  // The evidences' errors are the chains': they are counted with them.
  v1::Estimate estimate = statistics.log_r();
  estimate.set_value(log_z + estimate.value());
  estimate.set_chain_error(std::sqrt(variance + estimate.chain_error() * estimate.chain_error()));
  SetTotal(estimate);
  *statistics.mutable_log_z() = estimate;
}

// Names of the models that the joint posterior asks where they have few rows, each with how many.
std::vector<std::string> FarModels(const JointProblem& problem, const JointErrors& errors) {
  std::vector<std::string> far;
  for (size_t k = 0; k < problem.models.size(); ++k) {
    // A version of few rows has few anywhere, which FEW_EFFECTIVE_SAMPLES says.
    const double all = problem.models[k].estimator->description().training().held_out().effective_size();
    if (!(errors.local_rows[k] < std::min(kFewLocalRows, kSmallShare * all))) continue;
    far.push_back(absl::StrFormat("%s (%.2g)", problem.models[k].name, errors.local_rows[k]));
  }
  return far;
}

void AddOverlap(const JointProblem& problem, const JointSample& sample, const JointErrors& errors,
                std::vector<v1::Warning>& warnings, v1::JointPosteriorResponse& head) {
  bool outside = false;
  for (const double share : sample.below_floor) outside = outside || share > 0.01;
  if (outside) warnings.push_back(v1::OUTSIDE_TRAINING_REGION);
  const std::vector<std::string> far = FarModels(problem, errors);
  if (far.empty()) return;
  warnings.push_back(v1::LITTLE_OVERLAP);
  const size_t shown = std::min<size_t>(far.size(), 3);
  head.add_remarks(absl::StrCat(
      "The joint posterior lies in the tails of ", absl::StrJoin(far.begin(), far.begin() + shown, ", "),
      far.size() > shown ? absl::StrCat(" and ", far.size() - shown, " more") : "",
      ": in brackets how many of its rows would be effective there. The density is extrapolated where they are few."));
}

// NOT_DETERMINED: the error exceeds a nat, and zero is within two of it, so that neither the odds nor even which side
// they favour is known.
void AddNotDetermined(const JointProblem& problem, const v1::Estimate& log_r, std::vector<v1::Warning>& warnings,
                      v1::JointPosteriorResponse& head) {
  if (!(log_r.error() > kLargeErrorOfLog && std::fabs(log_r.value()) < 2 * log_r.error())) return;
  warnings.push_back(v1::NOT_DETERMINED);
  const bool nested = std::any_of(problem.models.begin(), problem.models.end(), [](const JointModel& model) {
    return model.estimator->description().training().row_kind() == v1::NESTED_SAMPLING;
  });
  head.add_remarks(absl::StrFormat(
      "log R = %.1f +- %.1f is not determined by these samples: neither how much they favour one side nor which. "
      "What determines it: %sa run of all likelihoods together, whose log-evidence less those of the single ones is "
      "log R, or samples that reach to where the posteriors overlap.",
      log_r.value(), log_r.error(), nested ? "more live points, " : ""));
}

void FillHead(const JointProblem& problem, const JointSample& sample, JointResult& result) {
  v1::JointPosteriorResponse& head = result.head;
  for (const JointParameter& parameter : problem.parameters) head.add_columns(parameter.parameter.name());
  for (const std::string& name : problem.shared) head.add_shared(name);
  for (const std::string& remark : problem.remarks) head.add_remarks(remark);
  head.set_effective_size(KishSize(sample.weight));
  head.set_k_hat(ParetoKHat(sample.log_weight));
}

double SmallestSize(const JointProblem& problem) {
  double size = std::numeric_limits<double>::infinity();
  for (const JointModel& model : problem.models) size = std::min(size, model.held_out().effective_size());
  return size;
}

}  // namespace

absl::StatusOr<JointResult> ComputeJoint(const JointInput& input, const JointProgress& progress,
                                         const StopToken& stop) {
  const auto report = [&](double done) {
    if (progress) progress(done);
  };
  if (input.num_samples < kFewestRows) {
    return absl::InvalidArgumentError(
        absl::StrCat("num_samples is ", input.num_samples, ", expected at least ", kFewestRows));
  }
  ABSL_ASSIGN_OR_RETURN(const JointProblem problem, MakeJointProblem(input));
  JointTarget target(problem, stop);
  ABSL_ASSIGN_OR_RETURN(const Budget budget, ShareOut(input, target));
  std::vector<v1::Warning> warnings = problem.warnings;
  for (const Estimator* model : input.models) {
    for (const int warning : model->description().training().warnings()) {
      warnings.push_back(static_cast<v1::Warning>(warning));
    }
  }

  std::vector<ModelDraws> draws;
  bool outside_prior = false;
  for (size_t k = 0; k < problem.models.size(); ++k) {
    ABSL_ASSIGN_OR_RETURN(ModelDraws of_model, target.DrawModel(k, budget.draws, input.seed, outside_prior));
    draws.push_back(std::move(of_model));
    report(0.1 * static_cast<double>(k + 1) / static_cast<double>(problem.models.size()));
  }
  ABSL_ASSIGN_OR_RETURN(
      const JointProposal proposal,
      FindJointProposal(target, draws, input.seed, budget.search, [&](double done) { report(0.1 + 0.4 * done); }));
  const int64_t left = input.max_evaluations - target.evaluations() - 2 * budget.marginals * target.num_models();
  const int64_t rows = std::clamp(left / target.num_members(), kFewestRows, input.num_samples);
  ABSL_ASSIGN_OR_RETURN(const JointSample sample, SampleJoint(target, draws, proposal.mixture, rows, input.seed + 2,
                                                              [&](double done) { report(0.5 + 0.4 * done); }));
  const JointErrors errors = ErrorsOf(problem, draws, sample);

  JointResult result;
  v1::JointPosteriorResponse& head = result.head;
  FillHead(problem, sample, result);
  const double size = SmallestSize(problem);
  v1::Estimate& log_r = *head.mutable_statistics()->mutable_log_r();
  log_r = MakeEstimate(LogMeanExp(sample.log_weight), errors, kLogR, size);
  SetTotal(log_r);
  AddLogZ(problem, *head.mutable_statistics());
  ABSL_RETURN_IF_ERROR(AddInformation(input, target, sample, errors, budget.marginals, size, head, warnings));
  AddOverlap(problem, sample, errors, warnings, head);
  AddNotDetermined(problem, log_r, warnings, head);
  if (outside_prior) warnings.push_back(v1::PRIOR_DOES_NOT_COVER);
  if (rows < input.num_samples || !proposal.reached) warnings.push_back(v1::PARTIAL_RESULT);
  if (head.k_hat() > kLargestTrustedKHat) warnings.push_back(v1::HEAVY_TAILED_WEIGHTS);
  if (log_r.error() > std::max(kLargeErrorOfLog, std::fabs(log_r.value()) / 3)) warnings.push_back(v1::LARGE_ERROR);
  if (proposal.reached && std::fabs(proposal.log_r - log_r.value()) > kDisagreement + 3 * log_r.error()) {
    head.add_remarks(absl::StrFormat("Sequential Monte Carlo gives log R = %.2f.", proposal.log_r));
    warnings.push_back(v1::ESTIMATES_DISAGREE);
  }
  std::sort(warnings.begin(), warnings.end());
  warnings.erase(std::unique(warnings.begin(), warnings.end()), warnings.end());
  for (const v1::Warning warning : warnings) head.add_warnings(warning);
  for (const Estimator* model : input.models) {
    for (const std::string& remark : TrainingRemarks(model->description().training())) {
      head.add_remarks(absl::StrCat(model->description().name(), ": ", remark));
    }
  }
  head.set_evaluations(target.evaluations() + 2 * budget.marginals * target.num_models());
  result.theta = sample.theta;
  result.weight = sample.weight;
  result.log_density = sample.log_density;
  report(1);
  return result;
}

}  // namespace creamery
