// Joint analyses of Gaussians against closed form.
#include "models/statistics/joint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "tests/models/statistics/exact_gaussian.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr double kHalfWidth = 15;
const double kLogVolume = std::log(2 * kHalfWidth);

std::vector<std::string> Names(int64_t d) {
  std::vector<std::string> names;
  for (int64_t j = 0; j < d; ++j) names.push_back(absl::StrCat("p", j));
  return names;
}

std::vector<v1::Prior> Boxes(int64_t d) { return std::vector<v1::Prior>(d, UniformPriorOf(-kHalfWidth, kHalfWidth)); }

// Two posteriors of d parameters whose means are `separation` standard deviations of their difference apart.
std::vector<GaussianPosterior> Pair(int64_t d, double separation) {
  GaussianPosterior a{Names(d), std::vector<double>(d, 0), Correlated(d, 0.5)};
  GaussianPosterior b{Names(d), std::vector<double>(d, 0), Correlated(d, -0.3)};
  const std::vector<double> nowhere(d, 0);
  const double near = TruthOf({a, b}, Names(d), nowhere).log_r;
  b.mean[0] = 1;
  // log R falls by half the squared distance.
  b.mean[0] = separation / std::sqrt(2 * (near - TruthOf({a, b}, Names(d), nowhere).log_r));
  a.mean[0] = -b.mean[0] / 2;
  b.mean[0] /= 2;
  return {a, b};
}

struct Case {
  int64_t d;
  double separation;
};

class GaussianPairTest : public testing::TestWithParam<Case> {};

TEST_P(GaussianPairTest, ExactDensitiesGiveTheClosedForm) {
  const auto [d, separation] = GetParam();
  const std::vector<GaussianPosterior> pair = Pair(d, separation);
  const JointTruth truth = TruthOf(pair, Names(d), std::vector<double>(d, kLogVolume));
  const auto a = ExactModel(pair[0], Boxes(d));
  const auto b = ExactModel(pair[1], Boxes(d));
  const Estimator* models[] = {a.get(), b.get()};
  JointInput input;
  input.models = models;
  input.seed = 7;
  ASSERT_OK_AND_ASSIGN(const JointResult result, ComputeJoint(input, nullptr, StopToken()));
  const v1::JointStatistics& s = result.head.statistics();
  EXPECT_NEAR(s.log_r().value(), truth.log_r, 4 * s.log_r().monte_carlo_error());
  EXPECT_LT(s.log_r().monte_carlo_error(), 0.03);
  EXPECT_NEAR(s.joint_kl().value(), truth.joint_kl, 4 * s.joint_kl().monte_carlo_error());
  EXPECT_NEAR(s.information().value(), truth.information, 4 * s.information().monte_carlo_error());
  EXPECT_NEAR(s.dimensionality().value(), truth.dimensionality, 4 * s.dimensionality().monte_carlo_error());
  EXPECT_GT(result.head.effective_size(), 3000);
  EXPECT_LT(result.head.k_hat(), 0.7);
}

INSTANTIATE_TEST_SUITE_P(Gaussians, GaussianPairTest,
                         testing::Values(Case{2, 0}, Case{2, 4}, Case{5, 2}, Case{5, 8}, Case{10, 0}, Case{10, 1},
                                         Case{10, 4}));

// Log R, log S, D and d of densities that are themselves fitted to a finite chain miss the truth by the chain's noise,
// and say so: over 40 pairs of chains the mean square of error over stated error is 1, give or take 3 sqrt(2 / 40).
TEST(JointTest, ErrorsOfFiniteChainsAreStated) {
  constexpr int64_t kDimensions = 4;
  constexpr int kPairs = 40;
  const std::vector<GaussianPosterior> pair = Pair(kDimensions, 3);
  const JointTruth truth = TruthOf(pair, Names(kDimensions), std::vector<double>(kDimensions, kLogVolume));
  double log_r = 0;
  double log_s = 0;
  int within = 0;
  for (int k = 0; k < kPairs; ++k) {
    const auto a = FittedModel(pair[0], Boxes(kDimensions), 2000, 2 * k);
    const auto b = FittedModel(pair[1], Boxes(kDimensions), 2000, 2 * k + 1);
    const Estimator* models[] = {a.get(), b.get()};
    JointInput input;
    input.models = models;
    input.num_samples = 4000;
    ASSERT_OK_AND_ASSIGN(const JointResult result, ComputeJoint(input, nullptr, StopToken()));
    const v1::JointStatistics& s = result.head.statistics();
    const double pull = (s.log_r().value() - truth.log_r) / s.log_r().error();
    log_r += pull * pull / kPairs;
    log_s +=
        std::pow((s.log_suspiciousness().value() - (truth.log_r - truth.information)) / s.log_suspiciousness().error(),
                 2) /
        kPairs;
    within += std::fabs(pull) < 3 ? 1 : 0;
  }
  EXPECT_GT(log_r, 0.4);
  EXPECT_LT(log_r, 1.7);
  EXPECT_GT(log_s, 0.3);
  EXPECT_LT(log_s, 1.7);
  EXPECT_GE(within, kPairs - 1);
}

// 20 objects of the same two parameters: the prior enters once, and the cost is 20 times that of one.
TEST(JointTest, APopulationOfObjectsHasTheClosedForm) {
  std::vector<GaussianPosterior> objects;
  std::vector<std::unique_ptr<Estimator>> owned;
  std::vector<const Estimator*> models;
  for (int k = 0; k < 20; ++k) {
    objects.push_back({Names(2), {std::sin(k), std::cos(3 * k)}, Correlated(2, 0.8 * std::sin(2 * k), 1 + 0.05 * k)});
    owned.push_back(ExactModel(objects.back(), Boxes(2)));
    DescriptionOf(*owned.back()).mutable_log_evidence()->set_value(-2);
    DescriptionOf(*owned.back()).mutable_log_evidence()->set_error(0.1);
    models.push_back(owned.back().get());
  }
  const JointTruth truth = TruthOf(objects, Names(2), {kLogVolume, kLogVolume});
  JointInput input;
  input.models = models;
  ASSERT_OK_AND_ASSIGN(const JointResult result, ComputeJoint(input, nullptr, StopToken()));
  const v1::JointStatistics& s = result.head.statistics();
  EXPECT_NEAR(s.log_r().value(), truth.log_r, 4 * s.log_r().monte_carlo_error());
  EXPECT_LT(s.log_r().monte_carlo_error(), 0.05);
  EXPECT_NEAR(s.log_z().value(), s.log_r().value() - 40, 1e-9);
  EXPECT_GE(s.log_z().error(), 0.1 * std::sqrt(20.0));
  EXPECT_NEAR(s.information().value(), truth.information, 0.1);
  EXPECT_NEAR(s.dimensionality().value(), 38, 1);
  double mean[2] = {0, 0};
  for (size_t i = 0; i < result.weight.size(); ++i) {
    for (int j = 0; j < 2; ++j) mean[j] += result.weight[i] * result.theta[2 * i + j];
  }
  for (int j = 0; j < 2; ++j) {
    const double error = std::sqrt(truth.covariance[3 * j] / result.head.effective_size());
    EXPECT_NEAR(mean[j] / static_cast<double>(result.weight.size()), truth.mean[j], 4 * error);
  }
}

// Both experiments leave the same two narrow modes, 40 standard deviations apart and askew: both are found, and
// weighed.
TEST(JointTest, SeveralModesAreAllFound) {
  const std::vector<double> tilted = {0.04, 0.03, 0.03, 0.04};
  const std::vector<double> other = {0.04, -0.03, -0.03, 0.04};
  const std::vector<GaussianPosterior> a = {{Names(2), {-4, -4}, tilted}, {Names(2), {4, 4}, tilted}};
  const std::vector<GaussianPosterior> b = {{Names(2), {-4.2, -4}, other}, {Names(2), {4, 4.4}, other}};
  double integral = 0;
  double upper = 0;
  for (const GaussianPosterior& one : a) {
    for (const GaussianPosterior& two : b) {
      const double part = 0.25 * std::exp(TruthOf({one, two}, Names(2), {kLogVolume, kLogVolume}).log_r);
      integral += part;
      if (one.mean[0] > 0) upper += part;
    }
  }
  const auto first = ExactMixture(a, Boxes(2));
  const auto second = ExactMixture(b, Boxes(2));
  const Estimator* models[] = {first.get(), second.get()};
  JointInput input;
  input.models = models;
  ASSERT_OK_AND_ASSIGN(const JointResult result, ComputeJoint(input, nullptr, StopToken()));
  const v1::Estimate& log_r = result.head.statistics().log_r();
  EXPECT_NEAR(log_r.value(), std::log(integral), 4 * log_r.monte_carlo_error());
  EXPECT_LT(log_r.monte_carlo_error(), 0.05);
  double share = 0;
  for (size_t i = 0; i < result.weight.size(); ++i) {
    if (result.theta[2 * i] > 0) share += result.weight[i] / static_cast<double>(result.weight.size());
  }
  EXPECT_NEAR(share, upper / integral, 4 * std::sqrt(0.25 / result.head.effective_size()));
}

TEST(JointTest, PrivateParametersAndAnyOrder) {
  const GaussianPosterior one{{"a", "b", "cal"}, {0, 1, 3}, {1, 0.3, 0.5, 0.3, 2, -0.4, 0.5, -0.4, 1.5}};
  const GaussianPosterior two{{"drift", "b", "a"}, {-2, 0, 1.5}, {4, 0.8, 0, 0.8, 1, 0.2, 0, 0.2, 0.5}};
  const std::vector<std::string> names = {"a", "b", "cal", "drift"};
  const JointTruth truth = TruthOf({one, two}, names, std::vector<double>(4, kLogVolume));
  const auto a = ExactModel(one, Boxes(3));
  const auto b = ExactModel(two, Boxes(3));
  const Estimator* models[] = {a.get(), b.get()};
  JointInput input;
  input.models = models;
  ASSERT_OK_AND_ASSIGN(const JointResult result, ComputeJoint(input, nullptr, StopToken()));
  EXPECT_THAT(result.head.columns(), ElementsAre("a", "b", "cal", "drift"));
  EXPECT_THAT(result.head.shared(), ElementsAre("a", "b"));
  const v1::JointStatistics& s = result.head.statistics();
  EXPECT_NEAR(s.log_r().value(), truth.log_r, 4 * s.log_r().monte_carlo_error());
  EXPECT_NEAR(s.information().value(), truth.information, 4 * s.information().monte_carlo_error());
  EXPECT_NEAR(s.dimensionality().value(), 2, 0.2);
  EXPECT_FALSE(s.has_log_z());
  EXPECT_THAT(result.head.warnings(), IsEmpty());
  // log R is the same where a private parameter has no prior; information is left out and said to be.
  std::vector<v1::Prior> some = Boxes(3);
  some[2].Clear();
  const auto without = ExactModel(one, some);
  models[0] = without.get();
  ASSERT_OK_AND_ASSIGN(const JointResult less, ComputeJoint(input, nullptr, StopToken()));
  EXPECT_NEAR(less.head.statistics().log_r().value(), truth.log_r, 0.03);
  EXPECT_FALSE(less.head.statistics().has_information());
  EXPECT_FALSE(less.head.statistics().has_sigma());
  EXPECT_THAT(less.head.remarks(), Contains(HasSubstr("no prior for cal")));
}

// Derived parameters under a prior that is itself a density: R = int P_A P_B / prior, all Gaussian.
TEST(JointTest, APriorModelStandsForTheSharedParameters) {
  const auto a = ExactModel({{"s8"}, {1}, {1}}, {});
  const auto b = ExactModel({{"s8"}, {0}, {1}}, {});
  const auto prior = ExactModel({{"s8"}, {0}, {100}}, {});
  const Estimator* models[] = {a.get(), b.get()};
  JointInput input;
  input.models = models;
  input.prior.set_model("projects/p/models/prior");
  input.prior_model = prior.get();
  ASSERT_OK_AND_ASSIGN(const JointResult result, ComputeJoint(input, nullptr, StopToken()));
  // Precision 2 - 1/100, pull 1: log of the integral in closed form.
  const double precision = 1.99;
  const double truth = -std::log(2 * M_PI) - 0.5 + 0.5 * std::log(2 * M_PI * 100) + 0.5 / precision +
                       0.5 * std::log(2 * M_PI / precision);
  EXPECT_NEAR(result.head.statistics().log_r().value(), truth,
              4 * result.head.statistics().log_r().monte_carlo_error());
  EXPECT_THAT(result.head.warnings(), Contains(v1::PRIOR_IS_ESTIMATED));
}

TEST(JointTest, FarApartItIsRightAndSaysThatTailsWereAsked) {
  const std::vector<GaussianPosterior> pair = Pair(3, 12);
  const JointTruth truth = TruthOf(pair, Names(3), std::vector<double>(3, kLogVolume));
  const auto a = ExactModel(pair[0], Boxes(3));
  const auto b = ExactModel(pair[1], Boxes(3));
  const Estimator* models[] = {a.get(), b.get()};
  JointInput input;
  input.models = models;
  ASSERT_OK_AND_ASSIGN(const JointResult result, ComputeJoint(input, nullptr, StopToken()));
  EXPECT_NEAR(result.head.statistics().log_r().value(), truth.log_r,
              4 * result.head.statistics().log_r().monte_carlo_error());
  EXPECT_THAT(result.head.warnings(), Contains(v1::LITTLE_OVERLAP));
  EXPECT_THAT(result.head.warnings(), Contains(v1::OUTSIDE_TRAINING_REGION));
  EXPECT_THAT(result.head.remarks(), Contains(HasSubstr("extrapolated")));
  EXPECT_NEAR(result.head.statistics().sigma(), 11.4, 0.3);  // chi^2 = 144 with three degrees of freedom
  const std::vector<GaussianPosterior> close = Pair(3, 1);
  const auto c = ExactModel(close[0], Boxes(3));
  const auto d = ExactModel(close[1], Boxes(3));
  const Estimator* agreeing[] = {c.get(), d.get()};
  input.models = agreeing;
  ASSERT_OK_AND_ASSIGN(const JointResult other, ComputeJoint(input, nullptr, StopToken()));
  EXPECT_THAT(other.head.warnings(), IsEmpty());
}

// Chains whose rows end before the posteriors meet: the answer says so, and that log R is not known.
TEST(JointTest, TailsOfFewRowsAreSaidToBeAskedAndNotToDetermine) {
  for (const auto& [separation, rows, far] :
       {std::tuple{1.0, 2000, false}, std::tuple{4.0, 500, true}, std::tuple{6.0, 20000, true}}) {
    const std::vector<GaussianPosterior> pair = Pair(3, separation);
    const auto a = FittedModel(pair[0], Boxes(3), rows, 1);
    const auto b = FittedModel(pair[1], Boxes(3), rows, 2);
    const Estimator* models[] = {a.get(), b.get()};
    JointInput input;
    input.models = models;
    ASSERT_OK_AND_ASSIGN(const JointResult result, ComputeJoint(input, nullptr, StopToken()));
    EXPECT_EQ(testing::Matches(Contains(v1::LITTLE_OVERLAP))(result.head.warnings()), far) << separation;
    const v1::Estimate& log_r = result.head.statistics().log_r();
    const bool determined = log_r.error() <= 1 || std::fabs(log_r.value()) >= 2 * log_r.error();
    EXPECT_EQ(testing::Matches(Contains(v1::NOT_DETERMINED))(result.head.warnings()), !determined) << separation;
    EXPECT_LT(result.head.statistics().sigma_low(), result.head.statistics().sigma());
    EXPECT_GT(result.head.statistics().sigma_high(), result.head.statistics().sigma());
  }
  // log R of 8 rows' worth of knowledge, where it is near zero.
  const std::vector<GaussianPosterior> pair = Pair(3, 5);
  const auto a = FittedModel(pair[0], Boxes(3), 60, 1);
  const auto b = FittedModel(pair[1], Boxes(3), 60, 2);
  const Estimator* models[] = {a.get(), b.get()};
  JointInput input;
  input.models = models;
  ASSERT_OK_AND_ASSIGN(const JointResult result, ComputeJoint(input, nullptr, StopToken()));
  EXPECT_THAT(result.head.warnings(), Contains(v1::NOT_DETERMINED));
  EXPECT_THAT(result.head.remarks(), Contains(HasSubstr("is not determined by these samples")));
}

TEST(JointTest, ABudgetThatEndsGivesAPartialAnswerThatSaysSo) {
  const std::vector<GaussianPosterior> pair = Pair(5, 2);
  const JointTruth truth = TruthOf(pair, Names(5), std::vector<double>(5, kLogVolume));
  const auto a = ExactModel(pair[0], Boxes(5));
  const auto b = ExactModel(pair[1], Boxes(5));
  const Estimator* models[] = {a.get(), b.get()};
  JointInput input;
  input.models = models;
  input.max_evaluations = 30000;
  ASSERT_OK_AND_ASSIGN(const JointResult result, ComputeJoint(input, nullptr, StopToken()));
  EXPECT_THAT(result.head.warnings(), Contains(v1::PARTIAL_RESULT));
  EXPECT_LT(result.weight.size(), 10000);
  EXPECT_GE(result.weight.size(), 100);
  EXPECT_LE(result.head.evaluations(), 30000);
  EXPECT_NEAR(result.head.statistics().log_r().value(), truth.log_r,
              4 * result.head.statistics().log_r().monte_carlo_error());
  input.max_evaluations = 1000;
  EXPECT_THAT(ComputeJoint(input, nullptr, StopToken()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("max_evaluations is 1000, expected at least")));
  StopSource stop;
  stop.RequestStop();
  input.max_evaluations = 1000000;
  EXPECT_THAT(ComputeJoint(input, nullptr, stop.token()),
              StatusIs(absl::StatusCode::kCancelled, HasSubstr("cancelled")));
}

// 20 dimensions, 12 standard deviations apart, with a budget that does not carry the search: log R is off by several of
// its errors, and the answer says that it is not to be trusted.
TEST(JointTest, WeightsThatCannotBeTrustedAreSaidToBe) {
  const std::vector<GaussianPosterior> pair = Pair(20, 12);
  const auto a = ExactModel(pair[0], Boxes(20));
  const auto b = ExactModel(pair[1], Boxes(20));
  const Estimator* models[] = {a.get(), b.get()};
  JointInput input;
  input.models = models;
  input.max_evaluations = 5000;
  ASSERT_OK_AND_ASSIGN(const JointResult result, ComputeJoint(input, nullptr, StopToken()));
  EXPECT_GT(result.head.k_hat(), 0.7);
  EXPECT_THAT(result.head.warnings(), Contains(v1::HEAVY_TAILED_WEIGHTS));
  EXPECT_THAT(result.head.warnings(), Contains(v1::PARTIAL_RESULT));
}

TEST(JointTest, TheSameSeedGivesTheSameBitsAndProgressRises) {
  const std::vector<GaussianPosterior> pair = Pair(2, 1);
  const auto a = ExactModel(pair[0], Boxes(2));
  const auto b = ExactModel(pair[1], Boxes(2));
  const Estimator* models[] = {a.get(), b.get()};
  JointInput input;
  input.models = models;
  input.num_samples = 500;
  input.seed = 3;
  double done = 0;
  const auto rises = [&](double now) {
    EXPECT_GE(now, done);
    done = now;
  };
  ASSERT_OK_AND_ASSIGN(const JointResult first, ComputeJoint(input, rises, StopToken()));
  EXPECT_EQ(done, 1);
  ASSERT_OK_AND_ASSIGN(const JointResult again, ComputeJoint(input, nullptr, StopToken()));
  EXPECT_EQ(first.theta, again.theta);
  EXPECT_EQ(first.weight, again.weight);
  EXPECT_EQ(first.head.SerializeAsString(), again.head.SerializeAsString());
  input.seed = 4;
  ASSERT_OK_AND_ASSIGN(const JointResult other, ComputeJoint(input, nullptr, StopToken()));
  EXPECT_NE(first.theta, other.theta);
  EXPECT_NEAR(first.head.statistics().log_r().value(), other.head.statistics().log_r().value(), 0.1);
}

}  // namespace
}  // namespace creamery
