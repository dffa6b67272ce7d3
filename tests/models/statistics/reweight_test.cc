#include "models/statistics/reweight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

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

// An old likelihood with a chain of exact draws and a model, and a new likelihood.
struct Change {
  GaussianProblem before;
  GaussianProblem after;
  v1::Dataset dataset;
  RowBlock rows;
  std::unique_ptr<FakeModel> model;

  Change(const GaussianProblem& from, const GaussianProblem& to, int64_t n, uint64_t seed = 1)
      : before(from), after(to), dataset(from.dataset()), rows(from.Rows(n, seed)), model(MakeModel(from, 0, 1, n)) {}

  absl::StatusOr<v1::ReweightResponse> Round(v1::ReweightRequest request, const std::vector<double>& values,
                                             uint64_t seed = 1) const {
    *request.mutable_log_likelihood() = ToArray(values);
    return ReweightRound(*model, before.prior(), {&dataset, &rows}, request, seed, kPlenty, StopToken());
  }
};

struct Answered {
  v1::ReweightResponse response;
  std::vector<double> theta;
  int rounds = 0;
};

// What a client does: answers rounds until done.
absl::StatusOr<Answered> Answer(const Change& change, const v1::ReweightRequest& request, uint64_t seed = 1) {
  Answered answered;
  for (; answered.rounds < 100; ++answered.rounds) {
    auto response = change.Round(request, change.after.log_likelihood(answered.theta), seed);
    if (!response.ok()) return response.status();
    answered.response = *std::move(response);
    if (answered.response.done()) return answered;
    const std::vector<double> next = FromArray(answered.response.next_theta());
    answered.theta.insert(answered.theta.end(), next.begin(), next.end());
  }
  return absl::InternalError("a hundred rounds and not done");
}

v1::ReweightRequest Request(double target, int64_t max_points = 0) {
  v1::ReweightRequest request;
  request.set_target_effective_size(target);
  request.set_max_points(max_points);
  return request;
}

// Weighted moments of the first parameter.
WeightedMoments FirstParameter(const Answered& answered, int64_t d) {
  const std::vector<double> log_weight = FromArray(answered.response.log_weight());
  std::vector<double> first;
  for (size_t i = 0; i < log_weight.size(); ++i) first.push_back(answered.theta[i * d]);
  return Moments(first, MeanOneWeights(log_weight));
}

TEST(ReweightTest, TheChainAloneReachesANearbyPosterior) {
  const Change change({2, 0.5, 0.3}, {2, 0.55, 0.3}, 4000);
  ASSERT_OK_AND_ASSIGN(const Answered answered, Answer(change, Request(1000)));
  const v1::ReweightResponse& response = answered.response;
  EXPECT_GE(response.effective_size(), 1000);
  EXPECT_LT(response.log_weight().shape(0), 4000);  // some of the chain was enough
  EXPECT_THAT(response.warnings(), Not(Contains(v1::PARTIAL_RESULT)));
  EXPECT_LT(response.k_hat(), 0.7);
  const WeightedMoments first = FirstParameter(answered, 2);
  const double sd = change.after.posterior_sd();
  EXPECT_NEAR(first.mean, change.after.posterior_mean(), 4 * sd / std::sqrt(response.effective_size()));
  EXPECT_NEAR(std::sqrt(first.variance), sd, 4 * sd / std::sqrt(2 * response.effective_size()));
  const double truth = change.after.log_z() - change.before.log_z();
  EXPECT_NEAR(response.log_evidence_ratio().value(), truth, 4 * response.log_evidence_ratio().error());
  EXPECT_LT(response.log_evidence_ratio().error(), 0.02);
}

TEST(ReweightTest, TheSameLikelihoodGivesEqualWeightsAndARatioOfOne) {
  const Change change({2, 0.5, 0.3}, {2, 0.5, 0.3}, 1000);
  v1::ReweightRequest request = Request(1500);
  ASSERT_OK_AND_ASSIGN(const Answered answered, Answer(change, request));
  // 1000 rows of the chain, the rest draws; each weight is 1 or Z of a perfect model: a wrong sign would show at once.
  EXPECT_EQ(answered.response.log_weight().shape(0), answered.response.effective_size());
  for (const double w : FromArray(answered.response.log_weight())) EXPECT_NEAR(w, 0, 1e-9);
  EXPECT_NEAR(answered.response.log_evidence_ratio().value(), 0, 1e-12);
  EXPECT_EQ(answered.response.k_hat(), 0);
}

TEST(ReweightTest, DrawsFromTheModelTakeOverWhereTheChainIsTooShort) {
  const Change change({2, 0.5, 0.3}, {2, 0.65, 0.2}, 500);
  ASSERT_OK_AND_ASSIGN(const Answered answered, Answer(change, Request(1000)));
  const v1::ReweightResponse& response = answered.response;
  EXPECT_GT(response.log_weight().shape(0), 1500);
  EXPECT_GE(response.effective_size(), 1000);
  EXPECT_NEAR(KishSize(MeanOneWeights(FromArray(response.log_weight()))), response.effective_size(), 1e-6);
  const WeightedMoments first = FirstParameter(answered, 2);
  const double sd = change.after.posterior_sd();
  EXPECT_NEAR(first.mean, change.after.posterior_mean(), 4 * sd / std::sqrt(response.effective_size()));
  EXPECT_NEAR(std::sqrt(first.variance), sd, 4 * sd / std::sqrt(2 * response.effective_size()));
  const double truth = change.after.log_z() - change.before.log_z();
  EXPECT_NEAR(response.log_evidence_ratio().value(), truth, 4 * response.log_evidence_ratio().error());
}

TEST(ReweightTest, AverageAndRatioScatterAsStated) {
  std::vector<double> mean_pulls;
  std::vector<double> ratio_pulls;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Change change({2, 0.5, 0.3}, {2, 0.6, 0.27}, 200, 500 + seed);
    ASSERT_OK_AND_ASSIGN(const Answered answered, Answer(change, Request(400), seed));
    const double error = change.after.posterior_sd() / std::sqrt(answered.response.effective_size());
    mean_pulls.push_back((FirstParameter(answered, 2).mean - change.after.posterior_mean()) / error);
    const v1::Estimate& ratio = answered.response.log_evidence_ratio();
    ratio_pulls.push_back((ratio.value() - change.after.log_z() + change.before.log_z()) / ratio.error());
  }
  // Kish's size is exact for averages that do not depend on the weights; the parameter does, a little.
  EXPECT_NEAR(Moments(mean_pulls, {}).mean, 0, 4 / std::sqrt(200));
  EXPECT_NEAR(std::sqrt(Moments(mean_pulls, {}).variance), 1, 0.25);
  EXPECT_NEAR(Moments(ratio_pulls, {}).mean, 0, 4 / std::sqrt(200) + 0.05);
  EXPECT_NEAR(std::sqrt(Moments(ratio_pulls, {}).variance), 1, 4 / std::sqrt(400));
}

TEST(ReweightTest, PointsDoNotDependOnTheRounds) {
  const Change change({2, 0.5, 0.3}, {2, 0.8, 0.3}, 300);
  v1::ReweightRequest whole = Request(1e6, 700);
  whole.set_round_size(700);
  v1::ReweightRequest pieces = whole;
  pieces.set_round_size(110);
  ASSERT_OK_AND_ASSIGN(const Answered a, Answer(change, whole));
  ASSERT_OK_AND_ASSIGN(const Answered b, Answer(change, pieces));
  EXPECT_EQ(a.theta, b.theta);
  EXPECT_EQ(a.rounds, 1);
  EXPECT_EQ(b.rounds, 7);
  EXPECT_EQ(a.response.SerializeAsString(), b.response.SerializeAsString());
  EXPECT_THAT(a.response.warnings(), Contains(v1::PARTIAL_RESULT));
  EXPECT_TRUE(a.response.done());
}

TEST(ReweightTest, AFarPosteriorHasHeavyTailsAndSaysSo) {
  const Change change({4, 0.5, 0.1}, {4, 1.0, 0.1}, 2000);
  ASSERT_OK_AND_ASSIGN(const Answered answered, Answer(change, Request(1000, 8000)));
  EXPECT_THAT(answered.response.warnings(), Contains(v1::HEAVY_TAILED_WEIGHTS));
  EXPECT_THAT(answered.response.warnings(), Contains(v1::PARTIAL_RESULT));
  EXPECT_GT(answered.response.k_hat(), 0.7);
}

TEST(ReweightTest, WithoutLogLikelihoodsAllPointsComeFromTheModel) {
  Change change({2, 0.5, 0.3}, {2, 0.55, 0.3}, 400);
  change.rows.log_likelihood.clear();
  ASSERT_OK_AND_ASSIGN(const Answered answered, Answer(change, Request(500)));
  EXPECT_FALSE(answered.response.has_log_evidence_ratio());
  EXPECT_GE(answered.response.effective_size(), 500);
  v1::ReweightRequest request = Request(500);
  request.set_chain_points(10);
  EXPECT_THAT(change.Round(request, {}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no log-likelihoods")));
}

TEST(ReweightTest, NothingButZerosIsAnAnswerAndNotNaN) {
  const Change change({2, 0.5, 0.3}, {2, 0.55, 0.3}, 100);
  ASSERT_OK_AND_ASSIGN(const v1::ReweightResponse response,
                       change.Round(Request(1000), std::vector<double>(150, -kInfinity)));
  EXPECT_EQ(response.effective_size(), 0);
  EXPECT_FALSE(response.has_log_evidence_ratio());
  EXPECT_FALSE(response.done());
  EXPECT_EQ(response.next_theta().shape(0), 150);
  for (const double w : FromArray(response.log_weight())) EXPECT_EQ(w, -kInfinity);
  EXPECT_THAT(response.warnings(), Contains(v1::FEW_EFFECTIVE_SAMPLES));
}

TEST(ReweightTest, BadValuesAndOptionsAreNamed) {
  const Change change({2, 0.5, 0.3}, {2, 0.55, 0.3}, 100);
  EXPECT_THAT(change.Round(Request(10), {0, NAN}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("row 1")));
  EXPECT_THAT(change.Round(Request(10), {kInfinity}), HasCode(absl::StatusCode::kInvalidArgument));
  v1::ReweightRequest request = Request(10);
  request.set_chain_points(-1);
  EXPECT_THAT(change.Round(request, {}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("chain_points is -1")));
  change.model->mutable_description().mutable_signature()->add_marginalised("nuisance");
  EXPECT_THAT(change.Round(Request(10), {}), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("nuisance")));
}

TEST(ReweightTest, TheChainsShareFollowsItsAutocorrelation) {
  // Every row ten times over, as a chain that stands still: 1000 rows are worth 100.
  Change change({1, 0.5, 0.3}, {1, 0.5, 0.3}, 1000);
  for (int64_t i = 0; i < 1000; ++i) change.rows.theta[i] = change.rows.theta[i / 10 * 10];
  change.rows.log_likelihood = change.before.log_likelihood(change.rows.theta);
  change.dataset.set_row_kind(v1::MCMC);
  v1::ReweightRequest request = Request(2000);
  request.set_chain_points(1000);
  request.set_round_size(1000);
  ASSERT_OK_AND_ASSIGN(const Answered answered, Answer(change, request));
  ASSERT_OK_AND_ASSIGN(
      const v1::ReweightResponse chain_alone,
      change.Round(request, change.after.log_likelihood(absl::MakeConstSpan(answered.theta).first(1000))));
  // Relative error of an autocorrelation size: sqrt(2 (2 W + 1) / n) with a window of about 10.
  EXPECT_NEAR(chain_alone.effective_size() / 100, 1, 4 * std::sqrt(2 * 21.0 / 1000));
  // A draw then weighs as much as a row of an independent chain would: ten rows of the chain.
  const std::vector<double> log_weight = FromArray(answered.response.log_weight());
  EXPECT_NEAR(std::exp(log_weight[0] - log_weight.back()), chain_alone.effective_size() / 1000, 1e-6);
  // The default asks the chain for as many points as it is worth.
  v1::ReweightRequest defaults = Request(1e6, 5000);
  defaults.set_round_size(5000);
  ASSERT_OK_AND_ASSIGN(const v1::ReweightResponse first, change.Round(defaults, {}));
  const std::vector<double> next = FromArray(first.next_theta());
  const int64_t of_chain = std::count_if(next.begin(), next.end(), [&](double x) {
    return std::find(change.rows.theta.begin(), change.rows.theta.end(), x) != change.rows.theta.end();
  });
  EXPECT_EQ(of_chain, static_cast<int64_t>(chain_alone.effective_size()));
}

}  // namespace
}  // namespace creamery
