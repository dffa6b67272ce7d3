#include "models/statistics/marginal.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "models/densities/density_estimator.h"
#include "models/random.h"
#include "models/statistics/log_likelihood.h"
#include "proto/support/rows.h"
#include "tests/models/plan/random_plan.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::Prior Uniform(double lower, double upper) {
  v1::Prior prior;
  prior.mutable_uniform()->set_lower(lower);
  prior.mutable_uniform()->set_upper(upper);
  return prior;
}

v1::Prior Normal(double mean, double stddev) {
  v1::Prior prior;
  prior.mutable_normal()->set_mean(mean);
  prior.mutable_normal()->set_stddev(stddev);
  return prior;
}

// N(means, sds) of independent parameters, as a flow that is the identity on standardised columns.
DensityTree NormalTree(const std::vector<double>& means, const std::vector<double>& sds) {
  const int64_t d = static_cast<int64_t>(means.size());
  Plan plan = RandomPlan(AutoregressiveLayer::Kind::kAffine, d, 1);
  plan.whitening.clear();
  plan.layers.resize(1);
  for (Linear& linear : plan.layers[0].network) {
    std::fill(linear.weight.begin(), linear.weight.end(), 0.0f);
    std::fill(linear.bias.begin(), linear.bias.end(), 0.0f);
  }
  for (int64_t j = 0; j < d; ++j) {
    plan.columns[j] = ColumnMap();
    plan.columns[j].shift = means[j];
    plan.columns[j].scale = sds[j];
  }
  return FlowTree(std::move(plan));
}

std::unique_ptr<DensityEstimator> NormalModel(const std::vector<std::string>& names, const std::vector<double>& means,
                                              const std::vector<double>& sds, v1::ModelVersion description = {}) {
  for (const std::string& name : names) description.mutable_signature()->add_parameters()->set_name(name);
  return *DensityEstimator::Create(std::move(description), {NormalTree(means, sds)});
}

// What a perfect training on independent rows of N(0, sds) would have stored.
v1::ModelVersion Trained(const std::vector<double>& sds) {
  v1::ModelVersion description;
  v1::HeldOutStatistics& held_out = *description.mutable_training()->mutable_held_out();
  double mean = 0;
  for (const double sd : sds) mean -= std::log(sd) + 0.5 * std::log(2 * M_PI) + 0.5;
  held_out.set_in_sample_log_prob(mean + 0.02);
  held_out.set_out_of_fold_log_prob(mean - 0.02);
  const double variance = 0.5 * static_cast<double>(sds.size());
  held_out.set_log_prob_variance(variance + 0.06);
  held_out.set_log_prob_covariance(variance);
  held_out.set_member_spread(0.003);
  held_out.set_covariance_spread(0.004);
  held_out.set_effective_size(10000);
  held_out.set_chain_error(std::sqrt(variance) / 100);
  held_out.set_variance_chain_error(0.01);
  description.mutable_training()->set_row_kind(v1::INDEPENDENT);
  return description;
}

TEST(MarginalTest, NormalInsideAWideBoxHasItsClosedForm) {
  const auto model = NormalModel({"a", "b"}, {0, 0}, {0.1, 0.2}, Trained({0.1, 0.2}));
  MarginalPrior prior;
  prior.analytic = {Uniform(-5, 5), Uniform(-5, 5)};
  ASSERT_OK_AND_ASSIGN(const MarginalStatistics statistics, ComputeMarginal(*model, prior, 100000, 1, StopToken()));
  const double truth = 2 * std::log(10.0) - std::log(0.02) - std::log(2 * M_PI) - 1;
  EXPECT_NEAR(statistics.kl.value(), truth, 1e-9);
  EXPECT_NEAR(statistics.kl.approximation_error(), 0.4 * 0.02, 1e-9);
  EXPECT_EQ(statistics.kl.monte_carlo_error(), 0);
  EXPECT_NEAR(statistics.kl.chain_error(), 0.01, 1e-12);
  EXPECT_NEAR(statistics.kl.member_error(), 0.003, 1e-12);
  EXPECT_NEAR(statistics.kl.error(), std::sqrt(0.000064 + 0.0001 + 0.000009), 1e-9);
  // Each Gaussian parameter counts 1, less 2 C^2 for the noise C = 4/3 * 0.02 that members share, of a variance of 1.
  const double shared = 4.0 / 3 * 0.02;
  EXPECT_NEAR(statistics.dimensionality.value(), 2 - 2 * shared * shared, 1e-9);
  EXPECT_EQ(statistics.dimensionality.monte_carlo_error(), 0);
  EXPECT_NEAR(statistics.dimensionality.approximation_error(), 2 * std::hypot(0.2 * 0.06, 0.75 * shared), 1e-9);
  EXPECT_NEAR(statistics.dimensionality.chain_error(), 0.02, 1e-9);
  EXPECT_NEAR(statistics.dimensionality.member_error(), 0.004, 1e-9);
  EXPECT_TRUE(statistics.warnings.empty());
}

// Posterior N(0, s) under prior N(0, t): log P - log pi = const - x^2 (1/s^2 - 1/t^2) / 2.
TEST(MarginalTest, NormalUnderANormalPriorHasItsClosedFormAndAMonteCarloError) {
  const auto model = NormalModel({"a"}, {0}, {0.5}, Trained({0.5}));
  MarginalPrior prior;
  prior.analytic = {Normal(0, 1)};
  ASSERT_OK_AND_ASSIGN(const MarginalStatistics statistics, ComputeMarginal(*model, prior, 20000, 1, StopToken()));
  EXPECT_NEAR(statistics.kl.value(), std::log(2.0) + 0.125 - 0.5, 4 * statistics.kl.monte_carlo_error());
  // Var of x^2 / 2 with sd 0.5 is 2 * 0.0625 / 4; its root over sqrt(20000).
  EXPECT_NEAR(statistics.kl.monte_carlo_error(), std::sqrt(0.03125 / 20000), 1e-4);
  // 2 Var[x^2 (4 - 1) / 2] = 2 * 2 * 0.5^4 * 9 / 4.
  EXPECT_NEAR(statistics.dimensionality.value(), 0.5625, 4 * statistics.dimensionality.monte_carlo_error());
  EXPECT_GT(statistics.dimensionality.monte_carlo_error(), 0);
  EXPECT_LT(statistics.dimensionality.monte_carlo_error(), 0.02);
}

TEST(MarginalTest, APriorModelIsMatchedByName) {
  const auto model = NormalModel({"a", "b"}, {0, 3}, {0.1, 0.2}, Trained({0.1, 0.2}));
  const auto prior_model = NormalModel({"b", "a"}, {3, 0}, {2, 1});
  v1::PriorChoice choice;
  choice.set_model("projects/p/models/prior");
  ASSERT_OK_AND_ASSIGN(const MarginalPrior prior,
                       ChoosePrior(model->description().signature(), choice, prior_model.get()));
  ASSERT_OK_AND_ASSIGN(const MarginalStatistics statistics, ComputeMarginal(*model, prior, 1000, 1, StopToken()));
  const double truth = std::log(10.0) + 0.005 - 0.5 + std::log(10.0) + 0.005 - 0.5;
  EXPECT_NEAR(statistics.kl.value(), truth, 0.01);
  EXPECT_THAT(statistics.warnings, ElementsAre(v1::PRIOR_IS_ESTIMATED));
  EXPECT_THAT(ChoosePrior(model->description().signature(), choice, NormalModel({"b", "c"}, {0, 0}, {1, 1}).get()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("other parameters (b, c)")));
}

TEST(MarginalTest, WarnsOfFewRowsLargeErrorsASingleChainAndAPriorThatDoesNotCover) {
  v1::ModelVersion trained = Trained({0.1});
  trained.mutable_training()->mutable_held_out()->set_effective_size(50);
  trained.mutable_training()->mutable_held_out()->set_member_spread(3);
  trained.mutable_training()->set_row_kind(v1::MCMC);
  const auto model = NormalModel({"a"}, {0}, {0.1}, trained);
  MarginalPrior prior;
  prior.analytic = {Uniform(-0.25, 5)};
  ASSERT_OK_AND_ASSIGN(const MarginalStatistics statistics, ComputeMarginal(*model, prior, 10000, 1, StopToken()));
  EXPECT_THAT(statistics.warnings,
              ElementsAre(v1::FEW_EFFECTIVE_SAMPLES, v1::LARGE_ERROR, v1::SINGLE_CHAIN, v1::PRIOR_DOES_NOT_COVER));
  EXPECT_THAT(statistics.dimensionality_warnings,
              ElementsAre(v1::FEW_EFFECTIVE_SAMPLES, v1::SINGLE_CHAIN, v1::PRIOR_DOES_NOT_COVER));
  // 0.62 %, as 10000 draws have it.
  EXPECT_THAT(statistics.remarks, ElementsAre(HasSubstr("zero on 0.56 % of the posterior")));
}

TEST(MarginalTest, APriorThatCutsATailCutsThePosteriorAndOneThatCutsMoreIsRefused) {
  const auto model = NormalModel({"a"}, {0}, {0.1}, Trained({0.1}));
  MarginalPrior prior;
  prior.analytic = {Uniform(-0.25, 5)};
  const int64_t n = 100000;
  ASSERT_OK_AND_ASSIGN(const MarginalStatistics statistics, ComputeMarginal(*model, prior, n, 1, StopToken()));
  // A normal cut at -2.5 standard deviations: mass 0.99379, E[z^2] = 1 - 2.5 phi(2.5) / 0.99379.
  const double square = 1 - 2.5 * 0.0175283 / 0.9937903;
  const double truth = std::log(5.25) - std::log(0.1) - 0.5 * std::log(2 * M_PI) - square / 2 - std::log(0.9937903);
  // The share of 0.6 % of the draws, where log q is 3.5 below its mean or so, scatters by its root over root n.
  const double tolerance = 4 * 3.5 * std::sqrt(0.0062 / n);
  EXPECT_NEAR(statistics.kl.value(), truth, tolerance);
  EXPECT_GT(std::fabs(truth - (std::log(5.25) - std::log(0.1) - 0.5 * std::log(2 * M_PI) - 0.5)), 2 * tolerance);
  EXPECT_GT(statistics.kl.approximation_error(), 0.02);
  // Not a fortieth, nor all of it.
  prior.analytic = {Uniform(-0.2, 5)};
  EXPECT_THAT(ComputeMarginal(*model, prior, n, 1, StopToken()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("zero on 2.3 % of the posterior")));
  prior.analytic = {Uniform(4, 5)};
  EXPECT_THAT(ComputeMarginal(*model, prior, 1000, 1, StopToken()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("zero on 100.0 % of the posterior")));
}

// Members of the prior at 0, 0.1, 0.2 and 0.3: E_q[log prior] is -m^2 / 2 of each and a constant. Jackknife over four:
// the root of three times their variance, 0.030311.
TEST(MarginalTest, TheErrorOfAPriorModelIsPartOfTheStatedOne) {
  const auto model = NormalModel({"a"}, {0}, {0.1}, Trained({0.1}));
  v1::ModelVersion description = Trained({1});
  description.mutable_signature()->add_parameters()->set_name("a");
  description.mutable_training()->mutable_held_out()->set_in_sample_log_prob(1);
  description.mutable_training()->mutable_held_out()->set_out_of_fold_log_prob(0.9);
  const auto prior_model = *DensityEstimator::Create(
      description, {NormalTree({0}, {1}), NormalTree({0.1}, {1}), NormalTree({0.2}, {1}), NormalTree({0.3}, {1})});
  MarginalPrior prior;
  prior.model = prior_model.get();
  ASSERT_OK_AND_ASSIGN(const MarginalStatistics statistics, ComputeMarginal(*model, prior, 100000, 1, StopToken()));
  const double alone = std::sqrt(0.5 * 0.99 * 0.99 / 10000);  // of log N(0, 0.1) - log N(0, 1), 10000 rows
  EXPECT_NEAR(statistics.kl.chain_error(), std::hypot(alone, 0.030311), 0.0005);
  // Besides the halves of the gaps, what draws may be off by, of log prior with its variance of 0.1^4 / 2.
  const double variance = 0.5 * 1e-4 + 0.15 * 0.15 * 0.01;
  EXPECT_NEAR(statistics.kl.approximation_error(),
              std::sqrt(std::pow(0.4 * std::hypot(0.02, 0.05), 2) + 2 * variance * 0.02), 1e-5);  // of 1e5 draws
  EXPECT_TRUE(statistics.warnings.empty());
}

// Over rows kernels have a variance of 0.3, over their own draws the 0.5 of a Gaussian.
TEST(MarginalTest, TheDimensionalityOfKernelsIsThatOfTheirDraws) {
  v1::ModelVersion trained = Trained({0.1});
  trained.mutable_training()->mutable_held_out()->set_log_prob_covariance(0.3);
  trained.mutable_training()->mutable_held_out()->set_log_prob_variance(0.3);
  trained.mutable_spec()->mutable_auto_();
  v1::Candidate& candidate = *trained.mutable_training()->add_compared();
  candidate.mutable_spec()->mutable_kde();
  candidate.set_chosen(true);
  MarginalPrior prior;
  prior.analytic = {Uniform(-5, 5)};
  const auto model = NormalModel({"a"}, {0}, {0.1}, trained);
  ASSERT_OK_AND_ASSIGN(const MarginalStatistics statistics, ComputeMarginal(*model, prior, 100000, 1, StopToken()));
  // The terms of the variance have a variance of 0.5^2 times 14, that of a squared chi^2 of one.
  EXPECT_NEAR(statistics.dimensionality.monte_carlo_error(), 2 * std::sqrt(3.5 / 100000), 0.002);
  EXPECT_NEAR(statistics.dimensionality.value(), 1, 4 * statistics.dimensionality.monte_carlo_error());
  EXPECT_NEAR(statistics.dimensionality.approximation_error(), 0.2, 4 * statistics.dimensionality.monte_carlo_error());
}

// Neighbours say 0.14, of which 0.02 is noise that was fitted: M = 0.12 of error 0.06 raises the value by M 16 / 17.
TEST(MarginalTest, WhatNeighboursSeeBeyondTheGapRaisesTheValueAndTheError) {
  v1::ModelVersion trained = Trained({0.1});
  trained.mutable_training()->mutable_held_out()->set_misfit(0.14);
  trained.mutable_training()->mutable_held_out()->set_misfit_error(0.06);
  MarginalPrior prior;
  prior.analytic = {Uniform(-5, 5)};
  const double gaussian = std::log(100.0) - 0.5 * std::log(2 * M_PI) - 0.5;
  ASSERT_OK_AND_ASSIGN(const MarginalStatistics far,
                       ComputeMarginal(*NormalModel({"a"}, {0}, {0.1}, trained), prior, 1000, 1, StopToken()));
  EXPECT_NEAR(far.kl.value(), gaussian + 0.12 * 16 / 17, 1e-9);
  EXPECT_NEAR(far.kl.approximation_error(), std::hypot(0.008, 0.12 * 16 / 17), 1e-9);
  // Less than the gap explains, or unknown: nothing.
  trained.mutable_training()->mutable_held_out()->set_misfit(0.01);
  ASSERT_OK_AND_ASSIGN(const MarginalStatistics near,
                       ComputeMarginal(*NormalModel({"a"}, {0}, {0.1}, trained), prior, 1000, 1, StopToken()));
  EXPECT_NEAR(near.kl.value(), gaussian, 1e-9);
  trained.mutable_training()->mutable_held_out()->set_misfit(0.14);
  trained.mutable_training()->mutable_held_out()->set_misfit_error(0);
  ASSERT_OK_AND_ASSIGN(const MarginalStatistics unknown,
                       ComputeMarginal(*NormalModel({"a"}, {0}, {0.1}, trained), prior, 1000, 1, StopToken()));
  EXPECT_NEAR(unknown.kl.value(), gaussian, 1e-9);
}

TEST(ChoosePriorTest, TheModelThatASignatureNamesIsTheDefault) {
  v1::Signature signature;
  signature.add_parameters()->set_name("a");
  *signature.mutable_parameters(0)->mutable_prior() = Uniform(0, 1);
  signature.set_prior_model("projects/p/models/prior/versions/2");
  const auto prior_model = NormalModel({"a"}, {0}, {1});
  ASSERT_OK_AND_ASSIGN(const MarginalPrior prior, ChoosePrior(signature, {}, prior_model.get()));
  EXPECT_EQ(prior.model, prior_model.get());
  EXPECT_THAT(ChoosePrior(signature, {}, nullptr),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("projects/p/models/prior/versions/2")));
  v1::PriorChoice analytic;
  (*analytic.mutable_analytic()->mutable_priors())["a"] = Uniform(0, 2);
  ASSERT_OK_AND_ASSIGN(const MarginalPrior given, ChoosePrior(signature, analytic, nullptr));
  EXPECT_EQ(given.model, nullptr);
}

// A version of two members, both N(0, sd), and the rows it was trained on.
struct Trainee {
  v1::Dataset dataset;
  RowBlock rows;
  std::unique_ptr<DensityEstimator> model;

  explicit Trainee(int64_t n, double sd) {
    v1::ModelVersion description = Trained({sd});
    v1::HeldOutStatistics& held_out = *description.mutable_training()->mutable_held_out();
    held_out.set_in_sample_log_prob(held_out.out_of_fold_log_prob() + 0.01);
    held_out.set_effective_size(static_cast<double>(n));
    description.mutable_spec()->mutable_training()->set_members(2);
    description.mutable_training()->set_num_rows(n);
    description.mutable_signature()->add_parameters()->set_name("a");
    dataset.set_row_kind(v1::INDEPENDENT);
    dataset.add_parameters()->set_name("a");
    rows.num_rows = n;
    const RandomStream random(9, RandomPurpose::kStatistics);
    for (int64_t i = 0; i < n; ++i) rows.theta.push_back(sd * random.Normal(i));
    model = *DensityEstimator::Create(description, {NormalTree({0}, {sd}), NormalTree({0}, {sd})});
  }
  MarginalRows at_hand() const { return {&dataset, &rows, ""}; }
};

// The rows scatter, and log q and log prior with them, but not their difference.
TEST(MarginalTest, OtherPriorsAreComparedOverTheRowsOfTheTraining) {
  const Trainee trainee(1000, 1);
  MarginalPrior prior;
  prior.analytic = {Normal(0, 1)};
  EXPECT_TRUE(NeedsRows(*trainee.model, prior));
  ASSERT_OK_AND_ASSIGN(const MarginalStatistics same,
                       ComputeMarginal(*trainee.model, prior, trainee.at_hand(), 1000, 1, StopToken()));
  EXPECT_NEAR(same.kl.value(), 0, 1e-9);
  EXPECT_NEAR(same.kl.error(), 0.4 * 0.005, 1e-9);
  EXPECT_NEAR(same.dimensionality.value(), 0, 1e-9);
  EXPECT_TRUE(same.remarks.empty());
  // Beside it, and wider: f = log 2 - x^2 (1 - 1/4) / 2 - x / 4 + 1/8, D_KL and d_G in closed form.
  prior.analytic = {Normal(1, 2)};
  ASSERT_OK_AND_ASSIGN(const MarginalStatistics wider,
                       ComputeMarginal(*trainee.model, prior, trainee.at_hand(), 1000, 1, StopToken()));
  EXPECT_NEAR(wider.kl.value(), std::log(2.0) + 0.25 - 0.5, 4 * wider.kl.error());
  EXPECT_NEAR(wider.kl.error(), std::sqrt((0.28125 + 0.0625) / 1000), 0.003);
  EXPECT_NEAR(wider.dimensionality.value(), 2 * (0.28125 + 0.0625), 4 * wider.dimensionality.error());
  // Rows that are gone cost an error, and are named.
  MarginalRows gone;
  gone.missing = "the chain was deleted";
  ASSERT_OK_AND_ASSIGN(const MarginalStatistics draws,
                       ComputeMarginal(*trainee.model, prior, gone, 1000, 1, StopToken()));
  EXPECT_GT(draws.kl.error(), wider.kl.error());
  EXPECT_THAT(draws.remarks, ElementsAre(HasSubstr("the chain was deleted")));
  // Of 50000 rows every third is asked.
  const Trainee many(50000, 1);
  ASSERT_OK_AND_ASSIGN(const MarginalStatistics thinned,
                       ComputeMarginal(*many.model, prior, many.at_hand(), 1000, 1, StopToken()));
  EXPECT_THAT(thinned.remarks, ElementsAre(HasSubstr("one of every 3")));
  EXPECT_NEAR(thinned.kl.value(), std::log(2.0) + 0.25 - 0.5, 4 * thinned.kl.error());
}

TEST(MarginalTest, TheDeclaredPriorsAreAnsweredByWhatTheVersionCarries) {
  v1::ModelVersion trained = Trained({0.5});
  v1::Parameter& parameter = *trained.mutable_signature()->add_parameters();
  parameter.set_name("a");
  *parameter.mutable_prior() = Normal(0, 1);
  v1::HeldOutStatistics& ratio = *trained.mutable_training()->mutable_held_out_log_ratio();
  ratio.set_in_sample_log_prob(0.33);
  ratio.set_out_of_fold_log_prob(0.31);
  ratio.set_chain_error(0.004);
  ratio.set_effective_size(10000);
  const auto model = *DensityEstimator::Create(trained, {NormalTree({0}, {0.5})});
  ASSERT_OK_AND_ASSIGN(const MarginalPrior prior, ChoosePrior(trained.signature(), {}, nullptr));
  EXPECT_FALSE(NeedsRows(*model, prior));
  ASSERT_OK_AND_ASSIGN(const MarginalStatistics statistics, ComputeMarginal(*model, prior, 1000, 1, StopToken()));
  EXPECT_NEAR(statistics.kl.value(), 0.32, 1e-12);
  EXPECT_NEAR(statistics.kl.chain_error(), 0.004, 1e-12);
  EXPECT_EQ(statistics.kl.monte_carlo_error(), 0);
  EXPECT_TRUE(statistics.remarks.empty());
}

// A prior model that ends three standard deviations before the posterior begins: what it says there is no density.
TEST(MarginalTest, APriorModelWithoutSamplesAtThePosteriorIsNamed) {
  const Trainee trainee(1000, 1);
  v1::ModelVersion description = Trained({0.1});
  description.mutable_signature()->add_parameters()->set_name("a");
  description.mutable_training()->mutable_held_out()->set_log_prob_floor(-6);
  const auto prior_model = *DensityEstimator::Create(description, {NormalTree({0}, {0.1}), NormalTree({0.001}, {0.1})});
  MarginalPrior prior;
  prior.model = prior_model.get();
  ASSERT_OK_AND_ASSIGN(const MarginalStatistics statistics,
                       ComputeMarginal(*trainee.model, prior, trainee.at_hand(), 1000, 1, StopToken()));
  EXPECT_THAT(statistics.warnings, Contains(v1::OUTSIDE_TRAINING_REGION));
  EXPECT_THAT(statistics.warnings, Contains(v1::NOT_DETERMINED));
  EXPECT_THAT(statistics.remarks, Contains(HasSubstr("of the posterior lies where the prior's model has hardly any")));
  ASSERT_OK_AND_ASSIGN(const MarginalStatistics by_draws, ComputeMarginal(*trainee.model, prior, 1000, 1, StopToken()));
  EXPECT_THAT(by_draws.warnings, Contains(v1::NOT_DETERMINED));
}

TEST(MarginalTest, PassesOnWhatTheTrainingWarnedOf) {
  v1::ModelVersion trained = Trained({0.1});
  trained.mutable_training()->add_warnings(v1::ROWS_LEFT_OUT);
  trained.mutable_training()->add_warnings(v1::FEW_DISTINCT_ROWS);
  trained.mutable_training()->set_num_rows(630);
  trained.mutable_training()->set_num_rows_outside(370);
  trained.mutable_training()->set_num_distinct_rows(5);
  MarginalPrior prior;
  prior.analytic = {Uniform(-5, 5)};
  ASSERT_OK_AND_ASSIGN(const MarginalStatistics statistics,
                       ComputeMarginal(*NormalModel({"a"}, {0}, {0.1}, trained), prior, 1000, 1, StopToken()));
  EXPECT_THAT(statistics.warnings, ElementsAre(v1::ROWS_LEFT_OUT, v1::FEW_DISTINCT_ROWS));
  EXPECT_THAT(statistics.dimensionality_warnings, ElementsAre(v1::ROWS_LEFT_OUT, v1::FEW_DISTINCT_ROWS));
  EXPECT_THAT(statistics.remarks, ElementsAre(HasSubstr("370 rows"), HasSubstr("only 5 of the 630 rows")));
}

TEST(MarginalTest, WithoutHeldOutStatisticsThereIsNoError) {
  const auto model = NormalModel({"a"}, {0}, {0.1});
  MarginalPrior prior;
  prior.analytic = {Uniform(-5, 5)};
  EXPECT_THAT(ComputeMarginal(*model, prior, 1000, 1, StopToken()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("held-out statistics")));
}

TEST(ChoosePriorTest, NeverAssumesOne) {
  v1::Signature signature;
  signature.add_parameters()->set_name("a");
  *signature.mutable_parameters(0)->mutable_prior() = Uniform(0, 1);
  EXPECT_THAT(ChoosePrior(signature, {}, nullptr), IsOk());
  signature.add_parameters()->set_name("sigma8");
  EXPECT_THAT(ChoosePrior(signature, {}, nullptr),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no prior for sigma8")));
  v1::PriorChoice choice;
  (*choice.mutable_analytic()->mutable_priors())["a"] = Uniform(0, 1);
  EXPECT_THAT(ChoosePrior(signature, choice, nullptr),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no prior for sigma8")));
  (*choice.mutable_analytic()->mutable_priors())["sigma8"] = Normal(0, -1);
  EXPECT_THAT(ChoosePrior(signature, choice, nullptr),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("positive standard deviation")));
  (*choice.mutable_analytic()->mutable_priors())["sigma8"] = Normal(0, 1);
  ASSERT_OK_AND_ASSIGN(const MarginalPrior prior, ChoosePrior(signature, choice, nullptr));
  EXPECT_EQ(prior.analytic[1].normal().stddev(), 1);
  (*choice.mutable_analytic()->mutable_priors())["h"] = Normal(0, 1);
  EXPECT_THAT(ChoosePrior(signature, choice, nullptr),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("the model's parameters are a, sigma8")));
}

// log L = log P + log Z - log pi; the other sign would give a value 2 (log Z - log pi) away.
TEST(LogLikelihoodTest, IsPosteriorTimesEvidenceOverPrior) {
  v1::ModelVersion description;
  description.mutable_log_evidence()->set_value(-7);
  auto model = NormalModel({"a"}, {0}, {1}, description);
  EXPECT_THAT(LogLikelihood(*model, {0.5}, StopToken()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no prior for a")));
  description.mutable_signature()->add_parameters()->set_name("a");
  *description.mutable_signature()->mutable_parameters(0)->mutable_prior() = Uniform(-2, 2);
  v1::ModelVersion complete = description;
  Plan plan = RandomPlan(AutoregressiveLayer::Kind::kSpline, 1, 1);
  plan.columns[0].lower = -2;
  plan.columns[0].upper = 2;
  auto boxed = *DensityEstimator::Create(complete, {FlowTree(plan)});
  std::vector<double> log_p(2);
  ASSERT_THAT(boxed->density()->LogProb({0.5, 2.0}, absl::MakeSpan(log_p), StopToken()), IsOk());
  ASSERT_OK_AND_ASSIGN(const std::vector<double> log_l, LogLikelihood(*boxed, {0.5, 2.0}, StopToken()));
  EXPECT_NEAR(log_l[0], log_p[0] - 7 + std::log(4.0), 1e-12);
  EXPECT_EQ(log_l[1], -INFINITY);
  complete.clear_log_evidence();
  boxed = *DensityEstimator::Create(complete, {FlowTree(plan)});
  EXPECT_THAT(LogLikelihood(*boxed, {0.5}, StopToken()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("log-evidence")));
}

}  // namespace
}  // namespace creamery
