#include "models/statistics/held_out.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "models/random.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::HasSubstr;

// Four members whose log q is truth + noise of their own, higher by 0.2 on rows they have seen.
struct Sample {
  int64_t n;
  std::vector<double> log_q;
  std::vector<int64_t> fold;
  std::vector<double> truth;

  explicit Sample(int64_t rows) : n(rows), log_q(4 * rows) {
    const RandomStream random(1, RandomPurpose::kStatistics);
    for (int64_t i = 0; i < n; ++i) {
      fold.push_back(i % 4);
      truth.push_back(-1 + 0.7 * random.Normal(i));
      for (int64_t m = 0; m < 4; ++m) {
        log_q[m * n + i] = truth[i] + 0.5 * random.Normal(i, 1 + m) + (m == fold[i] ? 0 : 0.2);
      }
    }
  }
  HeldOutInput input() const {
    HeldOutInput input;
    input.members = 4;
    input.log_q = log_q;
    input.fold = fold;
    return input;
  }
};

TEST(HeldOutTest, SeparatesTruthFromTheNoiseOfTheMembers) {
  const Sample sample(20000);
  ASSERT_OK_AND_ASSIGN(const v1::HeldOutStatistics statistics, ComputeHeldOut(sample.input()));
  const double root = std::sqrt(20000);
  const double total = 0.49 + 0.25;
  EXPECT_NEAR(statistics.out_of_fold_log_prob(), -1, 4 * std::sqrt(total) / root);
  EXPECT_NEAR(statistics.in_sample_log_prob(), -0.8, 4 * std::sqrt(total) / root);
  EXPECT_NEAR(statistics.log_prob_variance(), total, 4 * total * std::sqrt(2) / root);
  EXPECT_NEAR(statistics.log_prob_covariance(), 0.49, 4 * total * std::sqrt(2) / root);
  EXPECT_LT(statistics.covariance_spread(), 0.02);
  EXPECT_NEAR(statistics.chain_error(), std::sqrt(total) / root, 0.05 * std::sqrt(total) / root);
  // The product of members by row is s^2 + s (e_0 / 2 + 3 e / 2) + e_0 e / 2 + q / 2: s of the truth, e_0 of the member
  // that held the row out, e and q the mean of the others' noise and of its products by pairs.
  const double of_products = std::sqrt(2 * 0.49 * 0.49 + 0.49 * 0.25 + 2 * 0.25 * 0.25 / 12);
  EXPECT_NEAR(statistics.variance_chain_error(), of_products / root, 0.05 * of_products / root);
  EXPECT_NEAR(statistics.effective_size(), 20000, 1e-6);
  EXPECT_NEAR(statistics.kish_size(), 20000, 1e-6);
  EXPECT_NEAR(statistics.log_prob_floor(), -1 - 3.72 * std::sqrt(total), 0.5);  // two rows of 20000 lie below
  EXPECT_EQ(statistics.num_chains(), 0);
}

// log q follows a prior that varies by more than the posterior's density over it does: the statistics are of the
// difference, and its error does not know of the prior's scatter.
TEST(HeldOutTest, StatisticsOfADifferenceAreOverTheSameRows) {
  const Sample sample(20000);
  ASSERT_OK_AND_ASSIGN(const v1::HeldOutStatistics alone, ComputeHeldOut(sample.input()));
  Sample shifted = sample;
  const RandomStream random(2, RandomPurpose::kStatistics);
  std::vector<double> log_prior;
  for (int64_t i = 0; i < sample.n; ++i) {
    log_prior.push_back(3 * random.Normal(i));
    for (int64_t m = 0; m < 4; ++m) shifted.log_q[m * sample.n + i] += log_prior[i];
  }
  HeldOutInput input = shifted.input();
  input.log_prior = log_prior;
  ASSERT_OK_AND_ASSIGN(const v1::HeldOutStatistics difference, ComputeHeldOut(input));
  EXPECT_NEAR(difference.out_of_fold_log_prob(), alone.out_of_fold_log_prob(), 1e-9);
  EXPECT_NEAR(difference.in_sample_log_prob(), alone.in_sample_log_prob(), 1e-9);
  EXPECT_NEAR(difference.log_prob_covariance(), alone.log_prob_covariance(), 1e-9);
  EXPECT_NEAR(difference.chain_error(), alone.chain_error(), 1e-9);
  log_prior[7] = -INFINITY;
  EXPECT_THAT(ComputeHeldOut(input), StatusIs(absl::StatusCode::kInternal, HasSubstr("log prior")));
}

// A member that is lost at one row in a thousand is no news of the posterior's variance.
TEST(HeldOutTest, ARowWhereOneMemberIsFarOffHardlyChangesTheVarianceAndItsError) {
  Sample sample(1000);
  ASSERT_OK_AND_ASSIGN(const v1::HeldOutStatistics before, ComputeHeldOut(sample.input()));
  sample.log_q[2 * sample.n + 10] = -80;  // row 10 is of fold 2: held out
  ASSERT_OK_AND_ASSIGN(const v1::HeldOutStatistics after, ComputeHeldOut(sample.input()));
  EXPECT_NEAR(after.log_prob_covariance(), before.log_prob_covariance(), 0.02 * before.log_prob_covariance());
  EXPECT_NEAR(after.variance_chain_error(), before.variance_chain_error(), 0.1 * before.variance_chain_error());
  EXPECT_NEAR(after.covariance_spread(), before.covariance_spread(), 0.02);
  EXPECT_LT(after.out_of_fold_log_prob(), before.out_of_fold_log_prob() - 0.07);  // of D_KL it is
}

TEST(HeldOutTest, AMemberThatIsShiftedShowsInTheMemberSpread) {
  Sample sample(4000);
  for (int64_t i = 0; i < sample.n; ++i) sample.log_q[3 * sample.n + i] += 1;
  ASSERT_OK_AND_ASSIGN(const v1::HeldOutStatistics statistics, ComputeHeldOut(sample.input()));
  EXPECT_NEAR(statistics.member_spread(), 0.5, 0.05);  // standard deviation of 0, 0, 0, 1
}

TEST(HeldOutTest, WeightsCount) {
  Sample sample(4000);
  HeldOutInput input = sample.input();
  std::vector<double> weight;
  for (int64_t i = 0; i < sample.n; ++i) weight.push_back(i < 1000 ? 2.0 : 0.0);
  input.weight = weight;
  ASSERT_OK_AND_ASSIGN(const v1::HeldOutStatistics statistics, ComputeHeldOut(input));
  EXPECT_NEAR(statistics.kish_size(), 1000, 1e-9);
  double sum = 0;
  for (int64_t i = 0; i < 1000; ++i) sum += sample.log_q[sample.fold[i] * sample.n + i];
  EXPECT_NEAR(statistics.out_of_fold_log_prob(), sum / 1000, 1e-12);
}

TEST(HeldOutTest, CorrelatedRowsOfAChainCountForLess) {
  Sample sample(4000);
  for (int64_t i = 0; i < sample.n; ++i) {
    for (int64_t m = 0; m < 4; ++m) sample.log_q[m * sample.n + i] = sample.log_q[m * sample.n + i / 20 * 20];
  }
  std::fill(sample.fold.begin(), sample.fold.end(), 0);
  HeldOutInput input = sample.input();
  input.kind = v1::MCMC;
  std::vector<int64_t> chain(4000, 5);
  std::fill(chain.begin() + 2000, chain.end(), 6);
  input.chain = chain;
  ASSERT_OK_AND_ASSIGN(const v1::HeldOutStatistics statistics, ComputeHeldOut(input));
  // 200 blocks of equal rows. Relative error of the size: sqrt(2 (2 W + 1) / n) with a window W of 20.
  EXPECT_NEAR(statistics.effective_size() / 200, 1, 4 * std::sqrt(2 * 41.0 / 4000));
  EXPECT_EQ(statistics.num_chains(), 2);
}

// log q = log L over a run with n live points that all die in turn: the error of sum w log L by volume realisations
// grows as the run has fewer points.
TEST(HeldOutTest, NestedSamplingErrorsFallWithTheSquareRootOfTheLivePoints) {
  const auto error_of = [](int64_t n) {
    const RandomStream random(4, RandomPurpose::kStatistics);
    Sample sample(n);
    std::vector<double> death(n);
    for (int64_t i = 0; i < n; ++i) death[i] = 3 * random.Uniform(i);
    for (int64_t m = 0; m < 4; ++m) std::copy(death.begin(), death.end(), sample.log_q.begin() + m * n);
    const std::vector<double> birth(n, -INFINITY);
    HeldOutInput input = sample.input();
    input.kind = v1::NESTED_SAMPLING;
    input.log_likelihood = death;
    input.log_likelihood_birth = birth;
    const auto statistics = ComputeHeldOut(input);
    EXPECT_THAT(statistics, IsOk());
    return statistics.ok() ? statistics->chain_error() : 0;
  };
  // n draws from the prior: the error of a mean over n independent rows, log L uniform on (0, 3), sd 0.87. A standard
  // deviation over 100 realisations is known to 7 %.
  EXPECT_NEAR(error_of(400), 0.87 / 20, 0.3 * 0.87 / 20);
  EXPECT_NEAR(error_of(1600), 0.87 / 40, 0.3 * 0.87 / 40);
}

TEST(HeldOutTest, ARowWithoutDensityIsLeftOutAndManyAreRefused) {
  Sample sample(1000);
  sample.log_q[17] = -INFINITY;
  ASSERT_OK_AND_ASSIGN(const v1::HeldOutStatistics statistics, ComputeHeldOut(sample.input()));
  EXPECT_NEAR(statistics.kish_size(), 999, 1e-9);
  for (int64_t i = 0; i < 20; ++i) sample.log_q[i] = -INFINITY;
  EXPECT_THAT(ComputeHeldOut(sample.input()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("2.0 % of the weight")));
  sample.log_q[1000 + 5] = NAN;
  EXPECT_THAT(ComputeHeldOut(sample.input()), StatusIs(absl::StatusCode::kInternal, HasSubstr("member 1")));
}

TEST(HeldOutTest, LooksAtTheStopToken) {
  StopSource source;
  source.RequestStop();
  EXPECT_THAT(ComputeHeldOut(Sample(100).input(), source.token()), HasCode(absl::StatusCode::kCancelled));
}

// Rows x ~ N(0, 1.5^2) weighted to N(0, 1), log q = -x^2 / 2: the weights are small where log q is extreme.
TEST(HeldOutTest, TheErrorOfWeightedRowsIsTheirScatter) {
  const int64_t n = 500;
  const int trials = 400;
  double squares = 0;
  double stated = 0;
  double by_kish = 0;
  for (int trial = 0; trial < trials; ++trial) {
    const RandomStream random(trial, RandomPurpose::kStatistics);
    std::vector<double> weight(n);
    std::vector<double> log_q(2 * n);
    std::vector<int64_t> fold(n);
    for (int64_t i = 0; i < n; ++i) {
      const double x = 1.5 * random.Normal(i);
      weight[i] = std::exp(-x * x / 2 * (1 - 1 / 2.25));
      log_q[i] = log_q[n + i] = -x * x / 2;
      fold[i] = i % 2;
    }
    HeldOutInput input;
    input.members = 2;
    input.log_q = log_q;
    input.fold = fold;
    input.weight = weight;
    ASSERT_OK_AND_ASSIGN(const v1::HeldOutStatistics statistics, ComputeHeldOut(input));
    squares += std::pow(statistics.out_of_fold_log_prob() + 0.5, 2) / trials;
    stated += std::pow(statistics.chain_error(), 2) / trials;
    by_kish += statistics.log_prob_variance() / statistics.kish_size() / trials;
  }
  EXPECT_NEAR(stated / squares, 1, 4 * std::sqrt(2.0 / trials));  // of a variance over the trials
  EXPECT_GT(by_kish / squares, 1 + 4 * std::sqrt(2.0 / trials));
}

// The theory of marginal.h with fits whose answer is known: means of N(m, 1) in d dimensions, member k the mean of the
// rows outside fold k times h. Half the gap is d h v / 2 with v = 4 / (3 n), and the middle is the exact density's mean
// for h = 1 whatever the truth, and for h = 1/2 if the truth's square is v; O and I are not.
TEST(HeldOutTest, TheMiddleOfSeenAndUnseenRowsIsTheMeanOfTheExactDensity) {
  const int64_t n = 80;
  const int64_t d = 10;
  const int trials = 200;
  const double v = 4.0 / (3 * n);
  for (const double h : {1.0, 0.5}) {
    double off = 0;
    double off_square = 0;
    double gap = 0;
    for (int trial = 0; trial < trials; ++trial) {
      const RandomStream random(trial, RandomPurpose::kStatistics);
      const double truth = std::sqrt(v);
      std::vector<double> x(n * d);
      for (int64_t i = 0; i < n * d; ++i) x[i] = truth + random.Normal(i);
      std::vector<double> log_q(4 * n, 0);
      std::vector<int64_t> fold(n);
      double exact = 0;
      for (int64_t i = 0; i < n; ++i) fold[i] = i % 4;
      for (int64_t j = 0; j < d; ++j) {
        for (int64_t m = 0; m < 4; ++m) {
          double mean = 0;
          for (int64_t i = 0; i < n; ++i) mean += fold[i] == m ? 0 : h * x[i * d + j] / (0.75 * n);
          for (int64_t i = 0; i < n; ++i) log_q[m * n + i] -= std::pow(x[i * d + j] - mean, 2) / 2;
        }
        for (int64_t i = 0; i < n; ++i) exact -= std::pow(x[i * d + j] - truth, 2) / 2 / n;
      }
      HeldOutInput input;
      input.members = 4;
      input.log_q = log_q;
      input.fold = fold;
      ASSERT_OK_AND_ASSIGN(const v1::HeldOutStatistics statistics, ComputeHeldOut(input));
      const double middle = (statistics.in_sample_log_prob() + statistics.out_of_fold_log_prob()) / 2 - exact;
      off += middle / trials;
      off_square += middle * middle / trials;
      gap += (statistics.in_sample_log_prob() - statistics.out_of_fold_log_prob()) / 2 / trials;
    }
    const double half_gap = d * h * v / 2;
    EXPECT_NEAR(gap, half_gap, 0.1 * half_gap) << "h = " << h;
    EXPECT_NEAR(off, 0, 4 * std::sqrt(off_square / trials)) << "h = " << h;
    EXPECT_LT(std::sqrt(off_square), 0.6 * half_gap) << "h = " << h;
  }
}

TEST(EffectiveRowsTest, RefusesTooFewAndZeroWeights) {
  const std::vector<double> theta = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  EXPECT_THAT(EffectiveRows(v1::INDEPENDENT, {1, 2, 3, 4}, 1, {1, 1, 1, 1}, {}), IsOk());
  EXPECT_THAT(EffectiveRows(v1::INDEPENDENT, {1, 2, 3, 4}, 1, {1, 1, 0.5, 0}, {}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("n_eff = 2.8 is too few for 1 parameters, at least 4 are needed")));
  EXPECT_THAT(EffectiveRows(v1::INDEPENDENT, theta, 2, {1, 1, 1, 1, 1, 1}, {}), IsOk());
  EXPECT_THAT(EffectiveRows(v1::INDEPENDENT, theta, 3, {1, 1, 1, 1}, {}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("n_eff = 4.0 is too few for 3 parameters, at least 8 are needed")));
  EXPECT_THAT(EffectiveRows(v1::INDEPENDENT, {1, 2, 3, 4}, 1, {0, 0, 0, 0}, {}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("all weights are zero")));
}

}  // namespace
}  // namespace creamery
