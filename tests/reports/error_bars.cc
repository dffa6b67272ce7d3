#include "tests/reports/error_bars.h"

#include <cmath>
#include <memory>
#include <vector>

#include "absl/time/clock.h"
#include "models/data_preparation.h"
#include "models/families.h"
#include "models/statistics/held_out.h"
#include "models/statistics/marginal.h"
#include "models/statistics/weights.h"
#include "models/training/trainer.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

v1::EstimatorSpec SpecOf(const std::string& family, int64_t d) {
  // One dimension is a spline's: a MAF of one is a Gaussian.
  const std::string name = family == "maf" && d == 1 ? "nsf" : family;
  v1::EstimatorSpec spec;
  spec.GetReflection()->MutableMessage(&spec, v1::EstimatorSpec::descriptor()->FindFieldByName(name));
  return spec;
}

absl::StatusOr<std::unique_ptr<Estimator>> TrainModel(TrainingInput input, const std::string& family, int threads) {
  const v1::TrainingOptions options = input.job.training().spec().training();  // a seed, if one is set
  v1::EstimatorSpec& spec = *input.job.mutable_training()->mutable_spec();
  spec = SpecOf(family, input.dataset.parameters_size());
  *spec.mutable_training() = options;
  TrainingHooks hooks;
  hooks.threads = threads;
  ABSL_ASSIGN_OR_RETURN(const std::string artifact, Train(input, hooks));
  return LoadEstimator(artifact);
}

// What the exact density would state on the same rows.
absl::StatusOr<v1::HeldOutStatistics> ExactStatistics(const SyntheticProblem& problem, const PreparedData& data) {
  std::vector<double> log_ratio;
  for (const int64_t row : data.dataset_row) log_ratio.push_back(problem.log_prob[row] - problem.log_prior[row]);
  std::vector<double> both = log_ratio;
  both.insert(both.end(), log_ratio.begin(), log_ratio.end());
  std::vector<int64_t> fold(log_ratio.size());
  for (size_t i = 0; i < fold.size(); ++i) fold[i] = static_cast<int64_t>(i % 2);
  HeldOutInput input;
  input.kind = problem.input.dataset.row_kind();
  input.members = 2;
  input.log_q = both;
  input.fold = fold;
  input.weight = data.weight;
  input.chain = data.chain;
  input.log_likelihood = problem.input.rows.log_likelihood;
  input.log_likelihood_birth = problem.input.rows.log_likelihood_birth;
  input.dataset_row = data.dataset_row;
  return ComputeHeldOut(input);
}

}  // namespace

absl::StatusOr<ErrorBars> MeasureErrorBars(const SyntheticProblem& problem, const std::string& family, int threads) {
  const TrainingInput& input = problem.input;
  const int64_t d = input.dataset.parameters_size();
  ABSL_ASSIGN_OR_RETURN(const PreparedData data, PrepareData(input.dataset, input.rows, {}, 4, 0));
  ABSL_ASSIGN_OR_RETURN(const v1::HeldOutStatistics exact, ExactStatistics(problem, data));
  ErrorBars o = {};
  o.d = static_cast<double>(d);
  o.rows = static_cast<double>(input.rows.num_rows);
  o.n_eff = exact.effective_size();
  o.truth = problem.kl;
  o.g_truth = problem.dimensionality;
  o.value = o.exact_value = exact.out_of_fold_log_prob();
  o.error = o.exact_error = exact.chain_error();
  o.g_value = 2 * exact.log_prob_variance();
  o.g_error = o.g_exact_error = 2 * exact.variance_chain_error();
  if (family == "exact") return o;

  const absl::Time began = absl::Now();
  ABSL_ASSIGN_OR_RETURN(const auto model, TrainModel(input, family, threads));
  const double seconds = absl::ToDoubleSeconds(absl::Now() - began);
  std::unique_ptr<Estimator> prior_model;
  v1::PriorChoice choice;
  if (problem.prior_input.rows.num_rows > 0) {
    ABSL_ASSIGN_OR_RETURN(prior_model, TrainModel(problem.prior_input, family, threads));
    choice.set_model("projects/p/models/prior");
  }
  ABSL_ASSIGN_OR_RETURN(const MarginalPrior prior,
                        ChoosePrior(model->description().signature(), choice, prior_model.get()));
  MarginalRows rows;
  rows.dataset = &problem.input.dataset;
  rows.rows = &problem.input.rows;
  ABSL_ASSIGN_OR_RETURN(const MarginalStatistics result, ComputeMarginal(*model, prior, rows, 10000, 1, StopToken()));
  o.value = result.kl.value();
  o.error = result.kl.error();
  o.chain = result.kl.chain_error();
  o.approximation = result.kl.approximation_error();
  o.member = result.kl.member_error();
  o.g_value = result.dimensionality.value();
  o.g_error = result.dimensionality.error();
  o.seconds = seconds;
  std::vector<double> theta(10000 * d);
  std::vector<double> log_q(10000);
  ABSL_RETURN_IF_ERROR(Sample(*model->density(), 1, 0, absl::MakeSpan(theta), StopToken()));
  ABSL_RETURN_IF_ERROR(model->density()->LogProb(theta, absl::MakeSpan(log_q), StopToken()));
  o.g_rows = 2 * model->description().training().held_out().log_prob_covariance();
  o.g_draws = 2 * Moments(log_q, {}).variance;
  return o;
}

}  // namespace creamery
