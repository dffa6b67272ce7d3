#include "models/statistics/evidence_error.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "models/random.h"
#include "models/statistics/weights.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

// Standard deviation of (estimate - truth) / error over 200 replicates: 1, itself known to 1/20.
double PullOf(double truth, const std::function<absl::StatusOr<LogMeanExp>(uint64_t seed)>& replicate) {
  std::vector<double> pulls;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const auto mean = replicate(seed);
    EXPECT_THAT(mean, IsOk());
    if (!mean.ok()) return 0;
    pulls.push_back((mean->log_mean - truth) / mean->error);
  }
  EXPECT_NEAR(Moments(pulls, {}).mean, 0, 0.4);
  return std::sqrt(Moments(pulls, {}).variance);
}

TEST(EvidenceErrorTest, ErrorsOfWeightedIndependentRowsAreThoseOfReplicates) {
  // x ~ N(0, 1.3) weighted to N(0, 1); the mean of exp(x / 2) is exp(1/8). Weight and value go together.
  const double pull = PullOf(0.125, [](uint64_t seed) {
    const RandomStream random(seed, RandomPurpose::kBootstrap);
    std::vector<double> weight;
    std::vector<double> value;
    for (int i = 0; i < 1000; ++i) {
      const double x = 1.3 * random.Normal(i);
      weight.push_back(std::exp(-0.5 * x * x * (1 - 1 / 1.69)));
      value.push_back(x / 2);
    }
    ChainRows rows;
    rows.weight = weight;
    return AverageExponentials(value, rows);
  });
  EXPECT_NEAR(pull, 1, 0.2);
}

TEST(EvidenceErrorTest, ErrorsOfMarkovChainsAreThoseOfReplicates) {
  const double pull = PullOf(0.125, [](uint64_t seed) {
    const RandomStream random(seed, RandomPurpose::kBootstrap);
    std::vector<double> value;
    std::vector<int64_t> chain;
    double x = 0;
    for (int i = 0; i < 4000; ++i) {
      x = i % 1000 == 0 ? random.Normal(i) : 0.8 * x + 0.6 * random.Normal(i);
      value.push_back(x / 2);
      chain.push_back(i / 1000);
    }
    const std::vector<double> weight(4000, 1.0);
    ChainRows rows;
    rows.kind = v1::MCMC;
    rows.weight = weight;
    rows.chain = chain;
    return AverageExponentials(value, rows);
  });
  EXPECT_NEAR(pull, 1, 0.25);  // the autocorrelation of 4000 rows is known to some 10 %
}

// A run of 100 live points over prior volumes X, L = exp(-(X / 0.02)^2 / 2): the posterior mean of X / 0.02 is that of
// a half-normal, sqrt(2 / pi).
TEST(EvidenceErrorTest, ErrorsOfNestedSamplingAreThoseOfReplicates) {
  const double pull = PullOf(0.5 * std::log(2 / M_PI), [](uint64_t seed) {
    constexpr int kLive = 100;
    constexpr double kWidth = 0.02;
    const RandomStream random(seed, RandomPurpose::kBootstrap);
    const auto log_likelihood = [](double x) { return -0.5 * x * x / (kWidth * kWidth); };
    std::vector<double> x;
    std::vector<double> birth(kLive, -INFINITY);
    for (int i = 0; i < kLive; ++i) x.push_back(random.Uniform(i));
    std::vector<int> live(kLive);
    for (int i = 0; i < kLive; ++i) live[i] = i;
    for (int step = 0; step < 700; ++step) {
      const auto worst = std::max_element(live.begin(), live.end(), [&](int a, int b) { return x[a] < x[b]; });
      birth.push_back(log_likelihood(x[*worst]));
      x.push_back(x[*worst] * random.Uniform(kLive + step));
      *worst = static_cast<int>(x.size()) - 1;
    }
    std::vector<double> death;
    std::vector<int64_t> row;
    for (size_t i = 0; i < x.size(); ++i) death.push_back(log_likelihood(x[i]));
    const auto run = NestedRun::Create(death, birth);
    EXPECT_THAT(run, IsOk());
    const std::vector<double> all = MeanOneWeights(run->LogWeights());
    std::vector<double> weight;
    std::vector<double> value;
    for (size_t i = 0; i < x.size(); ++i) {
      if (all[i] == 0) continue;
      row.push_back(static_cast<int64_t>(i));
      weight.push_back(all[i]);
      value.push_back(std::log(x[i] / kWidth));
    }
    ChainRows rows;
    rows.kind = v1::NESTED_SAMPLING;
    rows.weight = weight;
    rows.dataset_row = row;
    rows.log_likelihood = death;
    rows.log_likelihood_birth = birth;
    rows.seed = seed;
    return AverageExponentials(value, rows);
  });
  EXPECT_NEAR(pull, 1, 0.25);  // a standard deviation over 100 realisations is known to 7 %
}

TEST(EvidenceErrorTest, HugeValuesNeitherOverflowNorVanish) {
  const std::vector<double> weight = {1, 2, 1};
  ChainRows rows;
  rows.weight = weight;
  ASSERT_OK_AND_ASSIGN(const LogMeanExp up, AverageExponentials({5000, 5001, 5002}, rows));
  ASSERT_OK_AND_ASSIGN(const LogMeanExp down, AverageExponentials({-5002, -5001, -5000}, rows));
  EXPECT_NEAR(up.log_mean, 5000 + std::log((1 + 2 * std::exp(1) + std::exp(2)) / 4), 1e-9);
  EXPECT_NEAR(down.log_mean, up.log_mean - 10002, 1e-9);
  EXPECT_NEAR(up.error, down.error, 1e-9);
  ASSERT_OK_AND_ASSIGN(const LogMeanExp zeros, AverageExponentials({-INFINITY, 1, 1}, rows));
  EXPECT_NEAR(zeros.log_mean, 1 + std::log(0.75), 1e-12);
  EXPECT_THAT(AverageExponentials({-INFINITY, -INFINITY, -INFINITY}, rows),
              HasCode(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(AverageExponentials({NAN, 1, 1}, rows), HasCode(absl::StatusCode::kInternal));
  EXPECT_THAT(AverageExponentials({1, 1}, rows), HasCode(absl::StatusCode::kInternal));
}

}  // namespace
}  // namespace creamery
