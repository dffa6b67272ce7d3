#include "models/statistics/misfit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <vector>

#include "models/data_preparation.h"
#include "models/densities/density_tree.h"
#include "models/random.h"
#include "tests/models/plan/random_plan.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

// N(0, sd^2) in d dimensions.
std::unique_ptr<Density> Normal(int64_t d, double sd) {
  Plan plan = RandomPlan(AutoregressiveLayer::Kind::kAffine, d, 1);
  plan.whitening.clear();
  plan.layers.resize(1);
  for (Linear& linear : plan.layers[0].network) {
    std::fill(linear.weight.begin(), linear.weight.end(), 0.0f);
    std::fill(linear.bias.begin(), linear.bias.end(), 0.0f);
  }
  for (int64_t j = 0; j < d; ++j) {
    plan.columns[j] = ColumnMap();
    plan.columns[j].scale = sd;
  }
  return MakeDensity(FlowTree(std::move(plan)));
}

// Four members N(0, sd^2) held against rows that are given.
struct Problem {
  int64_t d;
  std::unique_ptr<Density> density;
  std::vector<const Density*> members;
  std::vector<v1::Parameter> parameters;
  std::vector<double> theta;
  std::vector<double> weight;
  std::vector<int64_t> fold;

  Problem(int64_t dimensions, double sd, int64_t n, v1::RowKind kind = v1::INDEPENDENT)
      : d(dimensions),
        density(Normal(dimensions, sd)),
        members(4, density.get()),
        parameters(dimensions),
        theta(n * dimensions),
        weight(n, 1.0),
        fold(AssignFolds(kind, n, {}, 4, 1)) {
    const RandomStream random(5, RandomPurpose::kBootstrap);
    for (size_t i = 0; i < theta.size(); ++i) theta[i] = random.Normal(i);
  }
  MisfitInput input() const {
    MisfitInput input;
    input.members = members;
    input.parameters = parameters;
    input.theta = theta;
    input.fold = fold;
    input.weight = weight;
    return input;
  }
};

TEST(MisfitTest, TheRightDensityHasNone) {
  for (const int64_t d : {1, 2, 5}) {
    const Problem problem(d, 1, 4000);
    ASSERT_OK_AND_ASSIGN(const Misfit misfit, ComputeMisfit(problem.input(), StopToken()));
    EXPECT_EQ(misfit.rows, 4000);
    EXPECT_NEAR(misfit.kl, 0, 4 * misfit.error) << d;
    // Variance psi'(4) + psi'(8) = 0.42 of a term.
    EXPECT_NEAR(misfit.error, std::sqrt(0.42 / 4000), 0.15 * std::sqrt(0.42 / 4000)) << d;
  }
}

TEST(MisfitTest, AWiderDensityHasItsDivergence) {
  for (const int64_t d : {1, 3}) {
    const Problem problem(d, 1.5, 4000);
    ASSERT_OK_AND_ASSIGN(const Misfit misfit, ComputeMisfit(problem.input(), StopToken()));
    const double kl = static_cast<double>(d) * (std::log(1.5) + 0.5 / 2.25 - 0.5);
    // Distances to neighbours smooth a little of it away.
    EXPECT_NEAR(misfit.kl, kl, 4 * misfit.error + 0.05 * kl) << d;
  }
}

// Two modes at +-2 of variance 0.25 under a Gaussian of the same moments, as a single Gaussian would be fitted.
TEST(MisfitTest, AGaussianOverTwoModesIsFarFromThem) {
  Problem problem(1, std::sqrt(4.25), 4000);
  for (size_t i = 0; i < problem.theta.size(); ++i) problem.theta[i] = 0.5 * problem.theta[i] + (i % 2 == 0 ? 2 : -2);
  ASSERT_OK_AND_ASSIGN(const Misfit misfit, ComputeMisfit(problem.input(), StopToken()));
  const double entropy = std::log(2.0) + 0.5 * std::log(2 * M_PI * M_E * 0.25);  // the modes do not overlap
  EXPECT_NEAR(misfit.kl, 0.5 * std::log(2 * M_PI * M_E * 4.25) - entropy, 4 * misfit.error + 0.02);
}

// Rows of N(0, 1.5^2) weighted to N(0, 1).
TEST(MisfitTest, WeightsCount) {
  Problem problem(2, 1, 8000);
  for (size_t i = 0; i < problem.weight.size(); ++i) {
    double square = 0;
    for (size_t j = 0; j < 2; ++j) square += std::pow(problem.theta[2 * i + j] *= 1.5, 2);
    problem.weight[i] = std::exp(-square / 2 * (1 - 1 / 2.25));
  }
  ASSERT_OK_AND_ASSIGN(const Misfit misfit, ComputeMisfit(problem.input(), StopToken()));
  EXPECT_GT(misfit.rows, 2000);
  EXPECT_LT(misfit.rows, 5000);
  EXPECT_NEAR(misfit.kl, 0, 4 * misfit.error);
}

// An autoregression of time 19: neighbours in time are neighbours in space, as if the density were higher there.
TEST(MisfitTest, ChainsAreThinnedBeforeNeighboursAreSought) {
  const int64_t n = 40000;
  Problem problem(2, 1, n, v1::MCMC);
  for (int64_t i = 1; i < n; ++i) {
    for (int64_t j = 0; j < 2; ++j) {
      problem.theta[2 * i + j] = 0.9 * problem.theta[2 * (i - 1) + j] + std::sqrt(0.19) * problem.theta[2 * i + j];
    }
  }
  MisfitInput input = problem.input();
  input.kind = v1::MCMC;
  input.effective_rows = n / 19.0;
  ASSERT_OK_AND_ASSIGN(const Misfit thinned, ComputeMisfit(input, StopToken()));
  EXPECT_NEAR(thinned.rows, n / 57, 2);
  // The folds are quarters of the chain, each with a mean of its own: sd 0.04, worth 0.002 of divergence.
  EXPECT_NEAR(thinned.kl, 0, 4 * thinned.error + 0.005);
}

TEST(MisfitTest, FewRowsTellNothingAndTheStopTokenIsLookedAt) {
  ASSERT_OK_AND_ASSIGN(const Misfit misfit, ComputeMisfit(Problem(2, 1, 396).input(), StopToken()));
  EXPECT_EQ(misfit.rows, 0);
  EXPECT_EQ(misfit.error, 0);
  StopSource source;
  source.RequestStop();
  EXPECT_THAT(ComputeMisfit(Problem(2, 1, 4000).input(), source.token()), HasCode(absl::StatusCode::kCancelled));
}

}  // namespace
}  // namespace creamery
