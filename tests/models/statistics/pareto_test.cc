#include "models/statistics/pareto.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "models/random.h"

namespace creamery {
namespace {

// log of u^-k: excesses over any threshold are generalised Pareto of shape k.
std::vector<double> ParetoWeights(int64_t n, double k, uint64_t seed) {
  const RandomStream random(seed, RandomPurpose::kStatistics);
  std::vector<double> log_weight;
  for (int64_t i = 0; i < n; ++i) log_weight.push_back(-k * std::log(random.Uniform(i)));
  return log_weight;
}

class ParetoKHatTest : public testing::TestWithParam<double> {};

TEST_P(ParetoKHatTest, FindsTheShapeOfAParetoTail) {
  const double k = GetParam();
  const int64_t n = 100000;
  const double tail = 3 * std::sqrt(100000.0);  // 949 exceedances
  const double prior_shift = 10 * (0.5 - k) / (tail + 10);
  // The maximum-likelihood shape has the asymptotic standard deviation (1 + k) / sqrt(tail).
  for (const uint64_t seed : {1, 2, 3}) {
    EXPECT_NEAR(ParetoKHat(ParetoWeights(n, k, seed)), k + prior_shift, 3.5 * (1 + k) / std::sqrt(tail)) << seed;
  }
}

TEST_P(ParetoKHatTest, AveragesToTheShapeOverManySmallSamples) {
  const double k = GetParam();
  double sum = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) sum += ParetoKHat(ParetoWeights(1000, k, 100 + seed));
  const double tail = 95;  // ceil(3 sqrt(1000))
  const double expected = (k * tail + 0.5 * 10) / (tail + 10);
  // Twenty times smaller than one fit's error; the method's own bias is of order 1 / tail.
  EXPECT_NEAR(sum / 400, expected, 4 * (1 + k) / std::sqrt(tail) / 20 + 1 / tail);
}

INSTANTIATE_TEST_SUITE_P(Shapes, ParetoKHatTest, testing::Values(0.2, 0.5, 0.9));

TEST(ParetoTest, DoesNotDependOnScaleOrOrder) {
  std::vector<double> log_weight = ParetoWeights(2000, 0.6, 7);
  const double k = ParetoKHat(log_weight);
  std::reverse(log_weight.begin(), log_weight.end());
  for (double& w : log_weight) w += 5000;  // exp would overflow
  EXPECT_NEAR(ParetoKHat(log_weight), k, 1e-9);
  for (double& w : log_weight) w -= 10000;
  EXPECT_NEAR(ParetoKHat(log_weight), k, 1e-9);
}

TEST(ParetoTest, BoundedWeightsHaveALightTail) {
  const RandomStream random(5, RandomPurpose::kStatistics);
  std::vector<double> log_weight;
  for (int64_t i = 0; i < 10000; ++i) log_weight.push_back(std::log(random.Uniform(i)));
  EXPECT_LT(ParetoKHat(log_weight), 0);  // uniform excesses have shape -1
}

TEST(ParetoTest, WeightsOfZeroCountAsRows) {
  std::vector<double> log_weight = ParetoWeights(2000, 0.5, 9);
  log_weight.resize(4000, -INFINITY);
  // 190 exceedances now instead of 135, of the same distribution.
  EXPECT_NEAR(ParetoKHat(log_weight), 0.5, 3.5 * 1.5 / std::sqrt(190));
  // Fewer positive weights than the tail would hold: the tail is what there is.
  std::vector<double> few = ParetoWeights(60, 0.5, 9);
  few.resize(4000, -INFINITY);
  EXPECT_TRUE(std::isfinite(ParetoKHat(few)));
}

TEST(ParetoTest, SaysWhereNothingCanBeSaid) {
  EXPECT_EQ(ParetoKHat({}), INFINITY);
  EXPECT_EQ(ParetoKHat({0, 1, 2, 3}), INFINITY);
  EXPECT_EQ(ParetoKHat(std::vector<double>(1000, -INFINITY)), INFINITY);
  std::vector<double> one(1000, -INFINITY);
  one[3] = 5;
  EXPECT_EQ(ParetoKHat(one), INFINITY);
  EXPECT_EQ(ParetoKHat(std::vector<double>(1000, 2.5)), 0);
}

TEST(ParetoTest, WeightsThatDifferByLittleStillHaveATail) {
  const RandomStream random(5, RandomPurpose::kStatistics);
  std::vector<double> log_weight;
  for (int64_t i = 0; i < 4000; ++i) log_weight.push_back(1e-6 * random.Normal(i));
  EXPECT_NEAR(ParetoKHat(log_weight), 0, 0.35);  // a Gaussian's excesses are near exponential, a little lighter
}

TEST(ParetoTest, SmoothingKeepsTheOrderAndTheBulkAndTamesTheLargest) {
  const std::vector<double> log_weight = ParetoWeights(1000, 0.9, 11);
  const std::vector<double> smoothed = SmoothLogWeights(log_weight);
  std::vector<size_t> order(1000);
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return log_weight[a] < log_weight[b]; });
  for (size_t i = 0; i < 905; ++i) EXPECT_EQ(smoothed[order[i]], log_weight[order[i]]);
  for (size_t i = 1; i < 1000; ++i) EXPECT_GE(smoothed[order[i]], smoothed[order[i - 1]]);
  EXPECT_LE(smoothed[order[999]], log_weight[order[999]]);
  EXPECT_NE(smoothed[order[980]], log_weight[order[980]]);
}

// E[1] under weights: the mean of exact Pareto weights of shape 0.7 is 1 / 0.3, their variance infinite. Smoothed means
// scatter less.
TEST(ParetoTest, SmoothedMeansScatterLess) {
  double raw = 0;
  double smooth = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const std::vector<double> log_weight = ParetoWeights(1000, 0.7, 1000 + seed);
    double sum = 0;
    for (const double w : log_weight) sum += std::exp(w) / 1000;
    raw += (sum - 1 / 0.3) * (sum - 1 / 0.3);
    sum = 0;
    for (const double w : SmoothLogWeights(log_weight)) sum += std::exp(w) / 1000;
    smooth += (sum - 1 / 0.3) * (sum - 1 / 0.3);
  }
  EXPECT_LT(smooth, raw);
}

}  // namespace
}  // namespace creamery
