#include "models/statistics/log_likelihood.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "tests/models/statistics/exact_gaussian.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

double LogNormal(double x, double mean, double sd) {
  return -0.5 * std::pow((x - mean) / sd, 2) - std::log(sd) - 0.5 * std::log(2 * M_PI);
}

GaussianPosterior OneParameter(const std::string& name, double mean, double sd) { return {{name}, {mean}, {sd * sd}}; }

// k objects of the same posterior N(m, s) under the same prior N(0, t): the likelihoods' sum is k (log P - log prior),
// and the posterior of all is the normal with precision k / s^2 - (k - 1) / t^2. Had the prior entered k times, or not
// at all, the curvature would be another.
TEST(LogLikelihoodTest, ThePriorEntersOnceHoweverManyObjectsThereAre) {
  constexpr int kObjects = 5;
  std::vector<std::unique_ptr<Estimator>> owned;
  std::vector<const Estimator*> models;
  for (int k = 0; k < kObjects; ++k) {
    owned.push_back(ExactModel(OneParameter("a", 0.3, 0.5), {NormalPriorOf(0, 2)}));
    DescriptionOf(*owned.back()).mutable_log_evidence()->set_value(-3);
    DescriptionOf(*owned.back()).mutable_log_evidence()->set_error(0.2);
    models.push_back(owned.back().get());
  }
  LogLikelihoodInput input;
  input.models = models;
  const std::vector<double> theta = {0.1, 0.9};
  input.theta = theta;
  ASSERT_OK_AND_ASSIGN(const LogLikelihoods sum, SumLogLikelihoods(input, StopToken()));
  for (int i = 0; i < 2; ++i) {
    EXPECT_NEAR(sum.values[i], kObjects * (LogNormal(theta[i], 0.3, 0.5) - 3 - LogNormal(theta[i], 0, 2)), 1e-10);
  }
  EXPECT_NEAR(sum.log_evidence_error, 0.2 * std::sqrt(5.0), 1e-12);
  // With the prior added once by the caller: the closed form of the joint posterior, up to its norm.
  const double precision = kObjects / 0.25 - (kObjects - 1) / 4.0;
  const double mean = kObjects * 0.3 / 0.25 / precision;
  const double difference = sum.values[1] + LogNormal(0.9, 0, 2) - sum.values[0] - LogNormal(0.1, 0, 2);
  EXPECT_NEAR(difference, -0.5 * precision * (std::pow(0.9 - mean, 2) - std::pow(0.1 - mean, 2)), 1e-10);
  input.without_evidence = true;
  ASSERT_OK_AND_ASSIGN(const LogLikelihoods without, SumLogLikelihoods(input, StopToken()));
  EXPECT_NEAR(without.values[0], sum.values[0] + 3 * kObjects, 1e-10);
  EXPECT_EQ(without.log_evidence_error, 0);
}

TEST(LogLikelihoodTest, ColumnsGoByNameOverTheUnion) {
  const auto a = ExactModel({{"x", "y"}, {1, 2}, {1, 0, 0, 4}}, {UniformPriorOf(-50, 50), UniformPriorOf(-50, 50)});
  const auto b = ExactModel({{"z", "x"}, {5, 0}, {9, 0, 0, 1}}, {UniformPriorOf(-50, 50), UniformPriorOf(-50, 50)});
  const Estimator* models[] = {a.get(), b.get()};
  LogLikelihoodInput input;
  input.models = models;
  input.without_evidence = true;
  const double truth =
      LogNormal(0.5, 1, 1) + LogNormal(3, 2, 2) + LogNormal(4, 5, 3) + LogNormal(0.5, 0, 1) + 4 * std::log(100.0);
  const std::vector<double> in_order = {0.5, 3, 4};
  input.theta = in_order;
  ASSERT_OK_AND_ASSIGN(LogLikelihoods sum, SumLogLikelihoods(input, StopToken()));
  EXPECT_NEAR(sum.values[0], truth, 1e-10);
  const std::vector<double> shuffled = {4, 0.5, 3};
  const std::vector<std::string> columns = {"z", "x", "y"};
  input.theta = shuffled;
  input.columns = columns;
  ASSERT_OK_AND_ASSIGN(sum, SumLogLikelihoods(input, StopToken()));
  EXPECT_NEAR(sum.values[0], truth, 1e-10);
  const std::vector<std::string> wrong = {"z", "x", "w"};
  input.columns = wrong;
  EXPECT_THAT(SumLogLikelihoods(input, StopToken()), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("y")));
}

TEST(LogLikelihoodTest, WarnsOutsideTheTrainingRegionAndOutsideTheSupport) {
  const auto model = ExactModel(OneParameter("a", 0, 1), {UniformPriorOf(-50, 10)});
  const Estimator* models[] = {model.get()};
  LogLikelihoodInput input;
  input.models = models;
  input.without_evidence = true;
  const std::vector<double> inside = {1};
  input.theta = inside;
  ASSERT_OK_AND_ASSIGN(LogLikelihoods answer, SumLogLikelihoods(input, StopToken()));
  EXPECT_THAT(answer.warnings, ElementsAre());
  const std::vector<double> far = {-9};
  input.theta = far;
  ASSERT_OK_AND_ASSIGN(answer, SumLogLikelihoods(input, StopToken()));
  EXPECT_THAT(answer.warnings, ElementsAre(v1::OUTSIDE_TRAINING_REGION));
  const std::vector<double> outside = {1, 12};
  input.theta = outside;
  ASSERT_OK_AND_ASSIGN(answer, SumLogLikelihoods(input, StopToken()));
  EXPECT_THAT(answer.warnings, ElementsAre(v1::OUTSIDE_SUPPORT));
  EXPECT_EQ(answer.values[1], -INFINITY);
}

TEST(LogLikelihoodTest, SaysWhichModelLacksWhat) {
  const auto a = ExactModel(OneParameter("a", 0, 1), {UniformPriorOf(-50, 10)});
  const auto b = ExactModel(OneParameter("a", 0, 1), {});
  DescriptionOf(*a).set_name("projects/p/models/a/versions/1");
  const Estimator* models[] = {a.get(), b.get()};
  LogLikelihoodInput input;
  input.models = models;
  const std::vector<double> theta = {1};
  input.theta = theta;
  EXPECT_THAT(
      SumLogLikelihoods(input, StopToken()),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("models/a/versions/1: the model has no log-evid")));
  input.without_evidence = true;
  EXPECT_THAT(SumLogLikelihoods(input, StopToken()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("model 2 (a): no prior for a")));
}

TEST(LogLikelihoodTest, APriorModelIsDividedOutByName) {
  const auto a = ExactModel({{"x", "s"}, {1, 2}, {1, 0, 0, 4}}, {});
  const auto prior = ExactModel({{"s", "x"}, {0, 0}, {100, 0, 0, 25}}, {});
  const Estimator* models[] = {a.get()};
  const Estimator* priors[] = {prior.get()};
  LogLikelihoodInput input;
  input.models = models;
  input.prior_models = priors;
  input.without_evidence = true;
  const std::vector<double> theta = {0.5, 3};
  input.theta = theta;
  ASSERT_OK_AND_ASSIGN(const LogLikelihoods answer, SumLogLikelihoods(input, StopToken()));
  EXPECT_NEAR(answer.values[0], LogNormal(0.5, 1, 1) + LogNormal(3, 2, 2) - LogNormal(0.5, 0, 5) - LogNormal(3, 0, 10),
              1e-10);
  EXPECT_THAT(answer.warnings, ElementsAre(v1::PRIOR_IS_ESTIMATED));
}

}  // namespace
}  // namespace creamery
