#include "models/statistics/harmonic_mean.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "models/densities/density_estimator.h"
#include "models/random.h"
#include "models/statistics/weights.h"
#include "tests/models/statistics/evidence_problem.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using testing::Contains;
using testing::HasSubstr;

v1::HarmonicMean At(double temperature) {
  v1::HarmonicMean request;
  request.set_temperature(temperature);
  return request;
}

absl::StatusOr<v1::EvidenceResponse> Estimate(const GaussianProblem& problem, const Estimator& model,
                                              const RowBlock& rows, double temperature = 0.8) {
  return HarmonicMeanEvidence(model, problem.prior(), problem.dataset(), rows, At(temperature), 1, StopToken());
}

TEST(HarmonicMeanTest, TheExactPosteriorUncontractedGivesTheExactEvidence) {
  const GaussianProblem problem{3, 0.5, 0.3};
  ASSERT_OK_AND_ASSIGN(const v1::EvidenceResponse response,
                       Estimate(problem, *MakeModel(problem, 0, 1, 1000), problem.Rows(1000, 1), 1));
  // Every term is 1/Z: a wrong sign anywhere in log phi - log L - log prior would show at once.
  EXPECT_NEAR(response.log_z().value(), problem.log_z(), 1e-9);
  EXPECT_NEAR(response.log_z().error(), 0, 1e-7);
  EXPECT_NEAR(response.efficiency(), 1, 1e-9);
  EXPECT_TRUE(response.done());
  EXPECT_TRUE(response.warnings().empty());
}

TEST(HarmonicMeanTest, TheStatedErrorIsThatOfReplicates) {
  const GaussianProblem problem{4, 0.5, 0.3};
  const auto model = MakeModel(problem, 0.2, 0.95, 1000);
  std::vector<double> pulls;
  std::vector<double> chain_pulls;
  double error = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    ASSERT_OK_AND_ASSIGN(const v1::EvidenceResponse response, Estimate(problem, *model, problem.Rows(1000, seed)));
    pulls.push_back((response.log_z().value() - problem.log_z()) / response.log_z().error());
    chain_pulls.push_back((response.log_z().value() - problem.log_z()) / response.log_z().chain_error());
    error += response.log_z().error() / 400;
  }
  // Means of 400 pulls: error 1/20; their standard deviation: 1/sqrt(800). The log's bias, half the variance, is
  // error/2.
  EXPECT_NEAR(Moments(chain_pulls, {}).mean, 0, 4.0 / 20 + error / 2);
  EXPECT_NEAR(std::sqrt(Moments(chain_pulls, {}).variance), 1, 4 / std::sqrt(800));
  // The excess of the members is never negative, so the whole bar is a little wide for perfect members.
  EXPECT_GT(std::sqrt(Moments(pulls, {}).variance), 0.7);
}

TEST(HarmonicMeanTest, AnUncontractedBaseThatLeavesThePosteriorHasHeavyTails) {
  const GaussianProblem problem{4, 0.5, 0.3};
  const RowBlock rows = problem.Rows(20000, 1);
  // Twice as wide as the posterior: terms grow as exp(x^2 (1 - 1/4) / 2), shape 0.75; contracted to a fifth they are
  // bounded.
  const auto model = MakeModel(problem, 0, 2, 20000);
  ASSERT_OK_AND_ASSIGN(const v1::EvidenceResponse wide, Estimate(problem, *model, rows, 1));
  ASSERT_OK_AND_ASSIGN(const v1::EvidenceResponse contracted, Estimate(problem, *model, rows, 0.2));
  EXPECT_GT(wide.k_hat(), 0.6);
  EXPECT_LT(contracted.k_hat(), 0.3);
  EXPECT_GT(wide.log_z().error(), 3 * contracted.log_z().error());
  EXPECT_NEAR(contracted.log_z().value(), problem.log_z(), 4 * contracted.log_z().error());
}

// Gaussian kernels on the rows of the other folds; the bandwidth is a third of the posterior's width.
std::unique_ptr<DensityEstimator> KernelModel(const GaussianProblem& problem, const RowBlock& rows, bool has_seen) {
  v1::ModelVersion description = MakeModel(problem, 0, 1, rows.num_rows)->description();
  const int64_t d = problem.d;
  const std::vector<int64_t> fold = AssignFolds(v1::INDEPENDENT, rows.num_rows, {}, 4, 3);
  std::vector<DensityTree> members;
  for (int64_t k = 0; k < 4; ++k) {
    const int64_t left_out = has_seen ? (k + 1) % 4 : k;
    DensityTree tree;
    tree.kind = DensityTree::Kind::kKernels;
    tree.kernels.columns.resize(d);
    for (int64_t i = 0; i < rows.num_rows; ++i) {
      if (fold[i] == left_out) continue;
      tree.kernels.centers.insert(tree.kernels.centers.end(), rows.theta.begin() + i * d,
                                  rows.theta.begin() + (i + 1) * d);
      tree.kernels.weight.push_back(1);
    }
    for (double& w : tree.kernels.weight) w /= static_cast<double>(tree.kernels.weight.size());
    tree.kernels.cholesky.assign(d * d, 0);
    for (int64_t j = 0; j < d; ++j) tree.kernels.cholesky[j * d + j] = problem.posterior_sd() / 3;
    members.push_back(std::move(tree));
  }
  auto model = DensityEstimator::Create(std::move(description), std::move(members));
  EXPECT_THAT(model, IsOk());
  return *std::move(model);
}

TEST(HarmonicMeanTest, RowsThatAMemberHasSeenBiasTheEvidenceAndOutOfFoldRowsDoNot) {
  const GaussianProblem problem{2, 0.5, 0.3};
  double right = 0;
  double wrong = 0;
  double error = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const RowBlock rows = problem.Rows(200, 50 + seed);
    ASSERT_OK_AND_ASSIGN(const v1::EvidenceResponse good, Estimate(problem, *KernelModel(problem, rows, false), rows));
    ASSERT_OK_AND_ASSIGN(const v1::EvidenceResponse bad, Estimate(problem, *KernelModel(problem, rows, true), rows));
    right += (good.log_z().value() - problem.log_z()) / 20;
    wrong += (bad.log_z().value() - problem.log_z()) / 20;
    error += good.log_z().chain_error() / 20;
  }
  EXPECT_NEAR(right, 0, 4 * error / std::sqrt(20) + error * error / 2);
  EXPECT_LT(wrong, -4 * error / std::sqrt(20));  // log 1/Z too high
}

// An autoregressive chain of the same posterior: the error grows with the correlation time.
TEST(HarmonicMeanTest, CorrelatedRowsCountForLess) {
  const GaussianProblem problem{1, 0.5, 0.3};
  const auto model = MakeModel(problem, 0.3, 0.9, 4000);
  const double rho = 0.9;
  const RandomStream random(8, RandomPurpose::kBootstrap);
  RowBlock rows;
  rows.num_rows = 4000;
  double x = random.Normal(100000);
  for (int64_t i = 0; i < 4000; ++i) {
    x = rho * x + std::sqrt(1 - rho * rho) * random.Normal(i);
    rows.theta.push_back(problem.posterior_mean() + problem.posterior_sd() * x);
  }
  rows.log_likelihood = problem.log_likelihood(rows.theta);
  v1::Dataset mcmc = problem.dataset();
  mcmc.set_row_kind(v1::MCMC);
  ASSERT_OK_AND_ASSIGN(const v1::EvidenceResponse correlated,
                       HarmonicMeanEvidence(*model, problem.prior(), mcmc, rows, At(0.8), 1, StopToken()));
  ASSERT_OK_AND_ASSIGN(const v1::EvidenceResponse naive, Estimate(problem, *model, rows));
  // A function close to linear in x has (1 + rho) / (1 - rho) = 19 rows for one; close to quadratic 9.5.
  const double ratio = correlated.log_z().chain_error() / naive.log_z().chain_error();
  EXPECT_GT(ratio, std::sqrt(9.5) * 0.6);
  EXPECT_LT(ratio, std::sqrt(19) * 1.5);
  EXPECT_LT(correlated.effective_size(), naive.effective_size() / 4);
  EXPECT_NEAR(correlated.log_z().value(), problem.log_z(), 4 * correlated.log_z().error());
  EXPECT_THAT(correlated.warnings(), Contains(v1::SINGLE_CHAIN));
}

TEST(HarmonicMeanTest, WeightsCount) {
  const GaussianProblem problem{2, 0.5, 0.3};
  // Rows of a posterior 1.2 times as wide, weighted back.
  RowBlock rows = problem.Rows(4000, 4);
  for (size_t i = 0; i < rows.theta.size(); ++i) {
    rows.theta[i] = problem.posterior_mean() + 1.2 * (rows.theta[i] - problem.posterior_mean());
  }
  rows.log_likelihood = problem.log_likelihood(rows.theta);
  for (int64_t i = 0; i < rows.num_rows; ++i) {
    double squares = 0;
    for (int64_t j = 0; j < 2; ++j) {
      const double z = (rows.theta[i * 2 + j] - problem.posterior_mean()) / problem.posterior_sd();
      squares += z * z;
    }
    rows.weight.push_back(std::exp(-0.5 * squares * (1 - 1 / 1.44)));
  }
  v1::Dataset dataset = problem.dataset();
  dataset.set_has_weight(true);
  ASSERT_OK_AND_ASSIGN(
      const v1::EvidenceResponse response,
      HarmonicMeanEvidence(*MakeModel(problem, 0, 1, 4000), problem.prior(), dataset, rows, At(0.8), 1, StopToken()));
  EXPECT_NEAR(response.log_z().value(), problem.log_z(), 4 * response.log_z().error());
  EXPECT_LT(response.log_z().error(), 0.02);
}

TEST(HarmonicMeanTest, SaysWhatItNeeds) {
  const GaussianProblem problem;
  const auto model = MakeModel(problem, 0, 1, 100);
  RowBlock rows = problem.Rows(100, 1);
  const auto refused = [](const absl::StatusOr<v1::EvidenceResponse>& response, const std::string& text) {
    EXPECT_THAT(response, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(text)));
  };
  EXPECT_THAT(Estimate(problem, *model, rows, 0), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("(0, 1]")));
  EXPECT_THAT(Estimate(problem, *model, rows, NAN), HasCode(absl::StatusCode::kInvalidArgument));
  refused(Estimate(problem, *MakeModel(problem, 0, 1, 99), rows), "trained on 99 rows");
  RowBlock without = rows;
  without.log_likelihood.clear();
  refused(Estimate(problem, *model, without), "no log_likelihood column");
  RowBlock zero = rows;
  zero.log_likelihood[7] = -INFINITY;
  refused(Estimate(problem, *model, zero), "row 7");
  // A parameter of the dataset that the model leaves out was integrated over.
  v1::Dataset wider = problem.dataset();
  wider.add_parameters()->set_name("nuisance");
  RowBlock wide;
  wide.num_rows = 100;
  wide.log_likelihood = rows.log_likelihood;
  for (int64_t i = 0; i < 100; ++i)
    wide.theta.insert(wide.theta.end(), {rows.theta[2 * i], rows.theta[2 * i + 1], 0.0});
  refused(HarmonicMeanEvidence(*model, problem.prior(), wider, wide, At(0.8), 1, StopToken()), "nuisance");
  wider.mutable_parameters(2)->set_derived(true);
  EXPECT_THAT(HarmonicMeanEvidence(*model, problem.prior(), wider, wide, At(0.8), 1, StopToken()), IsOk());
  MarginalPrior other = problem.prior();
  other.analytic[0].mutable_uniform()->set_lower(-3);
  other.analytic[0].mutable_uniform()->set_upper(problem.posterior_mean());
  refused(HarmonicMeanEvidence(*model, other, problem.dataset(), rows, At(0.8), 1, StopToken()), "the prior is zero");
}

}  // namespace
}  // namespace creamery
