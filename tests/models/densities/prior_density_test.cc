#include "models/densities/prior_density.h"

#include <gtest/gtest.h>

#include <cmath>

#include "models/densities/density_tree.h"
#include "models/plan/column_map.h"
#include "tests/models/densities/random_tree.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::HasSubstr;

v1::Signature Signature() {
  v1::Signature signature;
  for (const char* name : {"uniform", "normal", "log"}) signature.add_parameters()->set_name(name);
  signature.mutable_parameters(0)->mutable_prior()->mutable_uniform()->set_lower(-1);
  signature.mutable_parameters(0)->mutable_prior()->mutable_uniform()->set_upper(3);
  signature.mutable_parameters(1)->mutable_prior()->mutable_normal()->set_mean(2);
  signature.mutable_parameters(1)->mutable_prior()->mutable_normal()->set_stddev(0.5);
  signature.mutable_parameters(2)->mutable_prior()->mutable_log_uniform()->set_lower(1);
  signature.mutable_parameters(2)->mutable_prior()->mutable_log_uniform()->set_upper(100);
  return signature;
}

// Like the first parameter alone, with a posterior of N(1, .1).
struct OneDimension {
  OneDimension() {
    *signature.add_parameters() = Signature().parameters(0);
    DensityTree tree = RandomKernels(1, 1, 3);
    tree.kernels.columns[0] = ColumnMap();
    tree.kernels.centers = {1};
    tree.kernels.cholesky = {0.1};
    density = MakeDensity(tree);
  }
  v1::Signature signature;
  std::unique_ptr<Density> density;
};

TEST(PriorDensityTest, IsTheProductOfItsClosedForms) {
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Density> prior, MakePriorDensity(Signature()));
  std::vector<double> log_prob(4);
  std::vector<double> gradient(12);
  const std::vector<double> theta = {0, 2.5, 10, 3, 2, 10, 0, 2, 1, -1.5, 2, 10};
  ASSERT_THAT(prior->LogProbGradient(theta, absl::MakeSpan(log_prob), absl::MakeSpan(gradient), StopToken()), IsOk());
  const double expected = -std::log(4) + NormalLogDensity(1) - std::log(0.5) - std::log(10) - std::log(std::log(100));
  EXPECT_NEAR(log_prob[0], expected, 1e-14);
  EXPECT_EQ(gradient[0], 0);
  EXPECT_NEAR(gradient[1], -2, 1e-14);  // -(2.5 - 2) / .25
  EXPECT_NEAR(gradient[2], -0.1, 1e-14);
  for (int row = 1; row < 4; ++row) {  // on a bound, on a bound, outside
    EXPECT_EQ(log_prob[row], -INFINITY);
    for (int j = 0; j < 3; ++j) EXPECT_EQ(gradient[3 * row + j], 0);
  }
}

TEST(PriorDensityTest, MapsTheUnitCubeOntoItsSupportAndBack) {
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Density> prior, MakePriorDensity(Signature()));
  std::vector<double> theta(9);
  ASSERT_THAT(prior->PriorTransform({0.25, 0.5, 0.5, 1e-300, 0.1, 1e-300, 1 - 0x1p-53, 0.1, 1 - 0x1p-53},
                                    absl::MakeSpan(theta), StopToken()),
              IsOk());
  EXPECT_DOUBLE_EQ(theta[0], 0);
  EXPECT_DOUBLE_EQ(theta[1], 2);
  EXPECT_DOUBLE_EQ(theta[2], 10);
  std::vector<double> log_prob(3);
  ASSERT_THAT(prior->LogProb(theta, absl::MakeSpan(log_prob), StopToken()), IsOk());
  for (const double value : log_prob) EXPECT_TRUE(std::isfinite(value));  // strictly inside
  std::vector<double> u(3);
  ASSERT_THAT(prior->InversePriorTransform({0, 2, 10}, absl::MakeSpan(u), StopToken()), IsOk());
  EXPECT_NEAR(u[0], 0.25, 1e-15);
  EXPECT_NEAR(u[1], 0.5, 1e-15);
  EXPECT_NEAR(u[2], 0.5, 1e-15);
  EXPECT_THAT(prior->InversePriorTransform({4, 2, 10}, absl::MakeSpan(u), StopToken()),
              HasCode(absl::StatusCode::kInvalidArgument));
}

TEST(PriorDensityTest, NamesTheParametersWithoutPrior) {
  v1::Signature signature = Signature();
  signature.mutable_parameters(1)->clear_prior();
  EXPECT_THAT(MakePriorDensity(signature),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no analytic prior for normal")));
}

TEST(MixWithPriorTest, IsTheWeightedSumAndStaysNormalised) {
  const OneDimension one;
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Density> mixed, MixWithPrior(*one.density, one.signature, 0.1));
  std::vector<double> theta = {1.1, 2.9};
  std::vector<double> log_prob(2);
  ASSERT_THAT(mixed->LogProb(theta, absl::MakeSpan(log_prob), StopToken()), IsOk());
  EXPECT_NEAR(log_prob[0], std::log(0.9 * 10 * std::exp(NormalLogDensity(1)) + 0.1 / 4), 1e-13);
  EXPECT_NEAR(log_prob[1], std::log(0.1 / 4), 1e-13);  // 19 sigma out the prior is still there
  const int n = 40000;
  theta.clear();
  for (int i = 0; i < n; ++i) theta.push_back(-1 + 4 * (i + 0.5) / n);
  log_prob.resize(n);
  ASSERT_THAT(mixed->LogProb(theta, absl::MakeSpan(log_prob), StopToken()), IsOk());
  double sum = 0;
  for (const double value : log_prob) sum += std::exp(value) * 4 / n;
  EXPECT_NEAR(sum, 1, 1e-6);
}

TEST(MixWithPriorTest, PointsBelowTheFractionGoToThePriorExactly) {
  const OneDimension one;
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Density> mixed, MixWithPrior(*one.density, one.signature, 0.25));
  std::vector<double> theta(3);
  ASSERT_THAT(mixed->PriorTransform({0.625, 0.125, 0.2}, absl::MakeSpan(theta), StopToken()), IsOk());
  EXPECT_NEAR(theta[0], 1, 1e-14);    // u = .5 of the posterior
  EXPECT_NEAR(theta[1], 1, 1e-14);    // u = .5 of the prior
  EXPECT_NEAR(theta[2], 2.2, 1e-14);  // u = .8 of the prior
  std::vector<double> u(2);
  ASSERT_THAT(mixed->InversePriorTransform({1.05, 2.2}, absl::MakeSpan(u), StopToken()), IsOk());
  EXPECT_NEAR(u[0], 0.25 + 0.75 * NormalCdf(0.5), 1e-14);
  EXPECT_NEAR(u[1], 0.2, 1e-14);
}

TEST(MixWithPriorTest, WithoutAFractionItIsTheDensityAndBadOnesAreRefused) {
  const OneDimension one;
  v1::Signature bare;
  bare.add_parameters()->set_name("uniform");
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Density> plain, MixWithPrior(*one.density, bare, 0));
  double log_prob = 0;
  double expected = 0;
  ASSERT_THAT(plain->LogProb({1.03}, absl::MakeSpan(&log_prob, 1), StopToken()), IsOk());
  ASSERT_THAT(one.density->LogProb({1.03}, absl::MakeSpan(&expected, 1), StopToken()), IsOk());
  EXPECT_EQ(log_prob, expected);
  EXPECT_THAT(MixWithPrior(*one.density, bare, 0.1), HasCode(absl::StatusCode::kFailedPrecondition));
  for (const double fraction : {-0.1, 1.0, static_cast<double>(NAN)}) {
    EXPECT_THAT(MixWithPrior(*one.density, one.signature, fraction),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("prior_fraction is")));
  }
  // Rows are named by their place among all, however they are taken apart.
  std::vector<double> theta(1000, 1);
  theta[777] = NAN;
  std::vector<double> out(1000);
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Density> mixed, MixWithPrior(*one.density, one.signature, 0.1));
  EXPECT_THAT(mixed->LogProb(theta, absl::MakeSpan(out), StopToken()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("row 777, column 0 (uniform)")));
}

}  // namespace
}  // namespace creamery
