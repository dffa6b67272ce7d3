#include "models/statistics/importance_sampling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "models/densities/product_density.h"
#include "models/statistics/weights.h"
#include "tests/models/statistics/evidence_problem.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

v1::ImportanceSampling Request(double target, double prior_fraction = 0) {
  v1::ImportanceSampling request;
  request.set_target_effective_size(target);
  request.set_prior_fraction(prior_fraction);
  return request;
}

// What a client does: answers rounds until done.
absl::StatusOr<v1::EvidenceResponse> Answer(const GaussianProblem& problem, const Estimator& model,
                                            v1::ImportanceSampling request, uint64_t seed, int* rounds = nullptr,
                                            std::vector<double>* points = nullptr) {
  std::vector<double> values;
  for (int round = 0; round < 100; ++round) {
    *request.mutable_log_likelihood() = ToArray(values);
    auto response = ImportanceSamplingEvidence(model, problem.prior(), request, seed, kPlenty, StopToken());
    if (!response.ok() || response->done()) return response;
    const std::vector<double> theta = FromArray(response->next_theta());
    const std::vector<double> next = problem.log_likelihood(theta);
    values.insert(values.end(), next.begin(), next.end());
    if (points != nullptr) points->insert(points->end(), theta.begin(), theta.end());
    if (rounds != nullptr) ++*rounds;
  }
  return absl::InternalError("a hundred rounds and not done");
}

TEST(ImportanceSamplingTest, TheExactPosteriorGivesTheExactEvidenceWithoutError) {
  const GaussianProblem problem{3, 0.5, 0.3};
  const auto model = MakeModel(problem, 0, 1);
  int rounds = 0;
  ASSERT_OK_AND_ASSIGN(const v1::EvidenceResponse response, Answer(problem, *model, Request(500), 1, &rounds));
  // Every weight is Z: a wrong sign anywhere in log L + log prior - log q would show at once.
  EXPECT_NEAR(response.log_z().value(), problem.log_z(), 1e-9);
  EXPECT_NEAR(response.log_z().error(), 0, 1e-7);
  EXPECT_NEAR(response.efficiency(), 1, 1e-9);
  EXPECT_EQ(rounds, 1);
  EXPECT_TRUE(response.done());
  EXPECT_EQ(response.seed(), 1u);
  EXPECT_THAT(response.columns(), ElementsAre("p0", "p1", "p2"));
  EXPECT_TRUE(response.warnings().empty());
  EXPECT_THAT(response.next_theta().shape(), ElementsAre(0, 3));
}

TEST(ImportanceSamplingTest, TheStatedErrorIsThatOfReplicates) {
  const GaussianProblem problem{4, 0.5, 0.3};
  const auto model = MakeModel(problem, 0.3, 1.2);
  std::vector<double> pulls;
  double error = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    v1::ImportanceSampling request = Request(1e6);
    request.set_max_points(1000);
    request.set_round_size(1000);
    ASSERT_OK_AND_ASSIGN(const v1::EvidenceResponse response, Answer(problem, *model, request, seed));
    pulls.push_back((response.log_z().value() - problem.log_z()) / response.log_z().error());
    error += response.log_z().error() / 400;
  }
  const WeightedMoments moments = Moments(pulls, {});
  // Means of 400 pulls: error 1/20; their standard deviation: 1/sqrt(800). The log's bias, half the variance, is
  // error/2.
  EXPECT_NEAR(moments.mean, 0, 4.0 / 20 + error / 2);
  EXPECT_NEAR(std::sqrt(moments.variance), 1, 4 / std::sqrt(800));
}

TEST(ImportanceSamplingTest, PointsDoNotDependOnTheRounds) {
  const GaussianProblem problem;
  const auto model = MakeModel(problem, 0.5, 1.3);
  v1::ImportanceSampling whole = Request(1e6);
  whole.set_max_points(300);
  whole.set_round_size(300);
  v1::ImportanceSampling pieces = whole;
  pieces.set_round_size(70);
  std::vector<double> points;
  std::vector<double> same;
  int rounds = 0;
  ASSERT_OK_AND_ASSIGN(const v1::EvidenceResponse a, Answer(problem, *model, whole, 9, nullptr, &points));
  ASSERT_OK_AND_ASSIGN(const v1::EvidenceResponse b, Answer(problem, *model, pieces, 9, &rounds, &same));
  EXPECT_EQ(points, same);
  EXPECT_EQ(points.size(), 600u);
  EXPECT_EQ(rounds, 5);
  EXPECT_EQ(a.SerializeAsString(), b.SerializeAsString());
}

TEST(ImportanceSamplingTest, RoundsGrowUntilTheTargetIsReached) {
  const GaussianProblem problem{4, 0.5, 0.3};
  const auto model = MakeModel(problem, 0.6, 1.1);
  int rounds = 0;
  std::vector<double> points;
  ASSERT_OK_AND_ASSIGN(const v1::EvidenceResponse response,
                       Answer(problem, *model, Request(2000), 2, &rounds, &points));
  EXPECT_GE(response.effective_size(), 2000);
  EXPECT_LT(response.effective_size(), 2600);  // hardly more than asked
  EXPECT_GE(rounds, 2);
  EXPECT_LE(rounds, 4);
  EXPECT_NEAR(response.efficiency(), response.effective_size() / (static_cast<double>(points.size()) / 4), 1e-12);
  EXPECT_NEAR(response.log_z().value(), problem.log_z(), 4 * response.log_z().error());
  EXPECT_THAT(response.warnings(), Not(Contains(v1::PARTIAL_RESULT)));
}

TEST(ImportanceSamplingTest, ABudgetThatEndsBeforeTheTargetIsMarked) {
  const GaussianProblem problem;
  const auto model = MakeModel(problem, 1, 1);
  v1::ImportanceSampling request = Request(1000);
  request.set_max_points(150);
  ASSERT_OK_AND_ASSIGN(const v1::EvidenceResponse response, Answer(problem, *model, request, 2));
  EXPECT_TRUE(response.done());
  EXPECT_LT(response.effective_size(), 150);
  EXPECT_THAT(response.warnings(), Contains(v1::PARTIAL_RESULT));
  EXPECT_TRUE(response.has_log_z());
}

TEST(ImportanceSamplingTest, AProposalThatIsTooNarrowHasHeavyTailsAndSaysSo) {
  const GaussianProblem problem{4, 0.5, 0.3};
  v1::ImportanceSampling request = Request(1e6);
  request.set_max_points(20000);
  request.set_round_size(20000);
  // Weights grow as exp(x^2 (1 - 1/4) / 2) in units of the proposal's width 1/2: shape k = 1 - 1/4.
  ASSERT_OK_AND_ASSIGN(const v1::EvidenceResponse response, Answer(problem, *MakeModel(problem, 0, 0.4), request, 1));
  EXPECT_GT(response.k_hat(), 0.7);
  EXPECT_THAT(response.warnings(), Contains(v1::HEAVY_TAILED_WEIGHTS));
}

TEST(ImportanceSamplingTest, SomeOfThePriorKeepsTheWeightsOfANarrowProposalBounded) {
  const GaussianProblem problem{2, 0.5, 0.3};
  v1::ImportanceSampling request = Request(1e6, 0.1);
  request.set_max_points(20000);
  request.set_round_size(20000);
  ASSERT_OK_AND_ASSIGN(const v1::EvidenceResponse response, Answer(problem, *MakeModel(problem, 0, 0.4), request, 1));
  EXPECT_LT(response.k_hat(), 0.7);
  EXPECT_NEAR(response.log_z().value(), problem.log_z(), 4 * response.log_z().error());
  EXPECT_LT(response.log_z().error(), 0.05);
}

// The prior is a trained density whose parameters come in another order: N(0, 1) for p0, N(1, 2) for p1.
TEST(ImportanceSamplingTest, APriorModelIsMatchedByNameAndMixedIn) {
  const GaussianProblem problem{2, 0.5, 0.3};
  v1::ModelVersion description;
  description.mutable_signature()->add_parameters()->set_name("p1");
  description.mutable_signature()->add_parameters()->set_name("p0");
  const FakeModel prior_model(description,
                              std::make_unique<ProductDensity>(
                                  std::vector<std::shared_ptr<const Density>>{std::make_shared<NormalDensity>(1, 1, 2),
                                                                              std::make_shared<NormalDensity>(1, 0, 1)},
                                  std::vector<std::vector<int64_t>>{{0}, {1}}));
  MarginalPrior prior;
  prior.model = &prior_model;
  const auto model = MakeModel(problem, 0, 1.2);
  v1::ImportanceSampling request = Request(1e6, 0.5);
  request.set_max_points(20000);
  request.set_round_size(20000);
  ASSERT_OK_AND_ASSIGN(v1::EvidenceResponse response,
                       ImportanceSamplingEvidence(*model, prior, request, 1, kPlenty, StopToken()));
  const std::vector<double> theta = FromArray(response.next_theta());
  std::vector<double> second;
  for (size_t i = 1; i < theta.size(); i += 2) second.push_back(theta[i]);
  // Half of the points have p1 ~ N(1, 2): 15.9 % of these beyond 3, and none of the others.
  const double beyond =
      static_cast<double>(std::count_if(second.begin(), second.end(), [](double x) { return x > 3; }));
  EXPECT_NEAR(beyond / 20000, 0.5 * 0.1587, 4 * std::sqrt(0.079 / 20000));
  *request.mutable_log_likelihood() = ToArray(problem.log_likelihood(theta));
  ASSERT_OK_AND_ASSIGN(response, ImportanceSamplingEvidence(*model, prior, request, 1, kPlenty, StopToken()));
  const auto log_normal = [](double x, double variance) {
    return -0.5 * x * x / variance - 0.5 * std::log(2 * M_PI * variance);
  };
  EXPECT_NEAR(response.log_z().value(), log_normal(0.5, 1.09) + log_normal(0.5 - 1, 4.09),
              4 * response.log_z().error());
  EXPECT_LT(response.log_z().error(), 0.02);
  EXPECT_THAT(response.warnings(), Contains(v1::PRIOR_IS_ESTIMATED));
}

TEST(ImportanceSamplingTest, NothingButZerosIsAnAnswerAndNotNaN) {
  const GaussianProblem problem;
  const auto model = MakeModel(problem, 0, 1);
  v1::ImportanceSampling request = Request(1000);
  request.set_max_points(250);
  *request.mutable_log_likelihood() = ToArray(std::vector<double>(200, -kInfinity));
  ASSERT_OK_AND_ASSIGN(const v1::EvidenceResponse more,
                       ImportanceSamplingEvidence(*model, problem.prior(), request, 1, kPlenty, StopToken()));
  EXPECT_FALSE(more.has_log_z());
  EXPECT_EQ(more.effective_size(), 0);
  EXPECT_EQ(more.next_theta().shape(0), 50);
  EXPECT_THAT(more.warnings(), Contains(v1::FEW_EFFECTIVE_SAMPLES));
  *request.mutable_log_likelihood() = ToArray(std::vector<double>(250, -kInfinity));
  ASSERT_OK_AND_ASSIGN(const v1::EvidenceResponse last,
                       ImportanceSamplingEvidence(*model, problem.prior(), request, 1, kPlenty, StopToken()));
  EXPECT_FALSE(last.has_log_z());
  EXPECT_TRUE(last.done());
  EXPECT_THAT(last.warnings(), Contains(v1::PARTIAL_RESULT));
}

TEST(ImportanceSamplingTest, PointsOutsideThePriorCountAsZero) {
  GaussianProblem problem{1, 0.5, 0.3};
  const auto model = MakeModel(problem, 0, 1);
  MarginalPrior prior;
  prior.analytic.resize(1);
  prior.analytic[0].mutable_uniform()->set_lower(0);
  prior.analytic[0].mutable_uniform()->set_upper(10);
  std::vector<double> values;
  v1::ImportanceSampling request = Request(1e6);
  request.set_max_points(20000);
  request.set_round_size(20000);
  ASSERT_OK_AND_ASSIGN(v1::EvidenceResponse response,
                       ImportanceSamplingEvidence(*model, prior, request, 1, kPlenty, StopToken()));
  *request.mutable_log_likelihood() = ToArray(problem.log_likelihood(FromArray(response.next_theta())));
  ASSERT_OK_AND_ASSIGN(response, ImportanceSamplingEvidence(*model, prior, request, 1, kPlenty, StopToken()));
  const double truth = std::log(0.1 * 0.5 * std::erfc(-0.5 / 0.3 / std::sqrt(2.0)));
  EXPECT_NEAR(response.log_z().value(), truth, 4 * response.log_z().error());
  EXPECT_LT(response.log_z().error(), 0.01);
}

TEST(ImportanceSamplingTest, NaNAndInfinityNameTheRow) {
  const GaussianProblem problem;
  const auto model = MakeModel(problem, 0, 1);
  const auto status_of = [&](double value) {
    v1::ImportanceSampling request = Request(1000);
    *request.mutable_log_likelihood() = ToArray({-1, -2, value, -3});
    return ImportanceSamplingEvidence(*model, problem.prior(), request, 1, kPlenty, StopToken()).status();
  };
  EXPECT_THAT(status_of(NAN), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("nan in row 2")));
  EXPECT_THAT(status_of(kInfinity), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("inf in row 2")));
  EXPECT_THAT(status_of(-kInfinity), IsOk());
}

TEST(ImportanceSamplingTest, MarginalisedAndDerivedParametersAreNamed) {
  const GaussianProblem problem;
  const auto model = MakeModel(problem, 0, 1);
  model->mutable_description().mutable_signature()->add_marginalised("nuisance_a");
  model->mutable_description().mutable_signature()->mutable_parameters(1)->set_derived(true);
  EXPECT_THAT(ImportanceSamplingEvidence(*model, problem.prior(), Request(10), 1, kPlenty, StopToken()),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       testing::AllOf(HasSubstr("nuisance_a"), HasSubstr("derived p1"), HasSubstr("train a model"))));
}

TEST(ImportanceSamplingTest, OptionsOutOfRangeAreNamed) {
  const GaussianProblem problem;
  const auto model = MakeModel(problem, 0, 1);
  const auto message_of = [&](const v1::ImportanceSampling& request) {
    const auto response = ImportanceSamplingEvidence(*model, problem.prior(), request, 1, kPlenty, StopToken());
    EXPECT_THAT(response, HasCode(absl::StatusCode::kInvalidArgument));
    return std::string(response.status().message());
  };
  EXPECT_THAT(message_of(Request(-1)), HasSubstr("target_effective_size is -1"));
  EXPECT_THAT(message_of(Request(NAN)), HasSubstr("target_effective_size is nan"));
  EXPECT_THAT(message_of(Request(10, 1)), HasSubstr("prior_fraction is 1"));
  v1::ImportanceSampling request = Request(10);
  request.set_round_size(100001);
  EXPECT_THAT(message_of(request), HasSubstr("round_size is 100001"));
  request = Request(10);
  request.set_max_points(-5);
  EXPECT_THAT(message_of(request), HasSubstr("max_points is -5"));
}

TEST(ImportanceSamplingTest, ARoundFitsIntoTheReply) {
  const GaussianProblem problem;
  const auto model = MakeModel(problem, 0, 1);
  ASSERT_OK_AND_ASSIGN(const v1::EvidenceResponse response,
                       ImportanceSamplingEvidence(*model, problem.prior(), Request(5000), 1, 1000, StopToken()));
  EXPECT_EQ(response.next_theta().shape(0), 62);  // of 16 bytes each
}

}  // namespace
}  // namespace creamery
