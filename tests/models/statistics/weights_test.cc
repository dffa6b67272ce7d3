#include "models/statistics/weights.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>

#include "models/random.h"
#include "models/statistics/held_out.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::HasSubstr;
using ::testing::Test;

// Numbers of a text file by line; empty if it does not exist.
std::vector<std::vector<double>> ReadTable(const std::string& name) {
  std::ifstream file(std::string(CREAMERY_SHARED_DATA) + "/" + name);
  std::vector<std::vector<double>> table;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    table.emplace_back();
    for (std::string word; words >> word;) table.back().push_back(std::strtod(word.c_str(), nullptr));
  }
  return table;
}

TEST(KishSizeTest, CountsEqualRowsAndDiscountsUnequalOnes) {
  EXPECT_DOUBLE_EQ(KishSize({2, 2, 2}), 3);
  EXPECT_DOUBLE_EQ(KishSize({1, 3, 0}), 1.6);
  EXPECT_EQ(KishSize({0, 0}), 0);
}

// Powers of two from the smallest number to the largest: the same digits, whatever the size.
TEST(ScaleTest, WeightsAndValuesOfAnySizeGiveTheSameDigits) {
  const RandomStream random(3, RandomPurpose::kStatistics);
  std::vector<double> weight;
  std::vector<double> value;
  for (int i = 0; i < 500; ++i) {
    weight.push_back(std::ldexp(std::floor(1 + 1000 * random.Uniform(i)), -10));
    value.push_back(std::ldexp(std::floor(1000 * random.Normal(i)), -10));
  }
  const auto times = [](std::vector<double> numbers, int exponent) {
    for (double& number : numbers) number = std::ldexp(number, exponent);
    return numbers;
  };
  const WeightedMoments expected = Moments(value, weight);
  const double error = ChainError(value, weight, {});
  for (const int exponent : {-1064, -1000, -540, -300, 300, 520, 1000, 1010}) {
    const std::vector<double> w = times(weight, exponent);
    EXPECT_EQ(KishSize(w), KishSize(weight)) << exponent;
    EXPECT_EQ(Moments(value, w).mean, expected.mean) << exponent;
    EXPECT_EQ(Moments(value, w).variance, expected.variance) << exponent;
    EXPECT_EQ(ChainError(value, w, {}), error) << exponent;
    EXPECT_EQ(AutocorrelationSize(value, w, {}), AutocorrelationSize(value, weight, {})) << exponent;
  }
  for (const int exponent : {-1000, -540, -300, 300, 520, 1000, 1010}) {
    const std::vector<double> v = times(value, exponent);
    EXPECT_EQ(Moments(v, weight).mean, std::ldexp(expected.mean, exponent)) << exponent;
    EXPECT_EQ(Moments(v, weight).deviation, std::ldexp(expected.deviation, exponent)) << exponent;
    EXPECT_EQ(ChainError(v, weight, {}), std::ldexp(error, exponent)) << exponent;
    EXPECT_EQ(AutocorrelationSize(v, weight, {}), AutocorrelationSize(value, weight, {})) << exponent;
  }
}

TEST(ScaleTest, ARowWithoutWeightDoesNotSetTheScale) {
  EXPECT_EQ(Moments({1, 3, 1e300}, {1, 1, 0}).deviation, 1);
  EXPECT_EQ(ChainError({1, 3, 1e300}, {1, 1, 0}, {}), ChainError({1, 3}, {1, 1}, {}));
}

TEST(ScaleTest, HeldOutStatisticsDoNotKnowTheScaleOfTheWeights) {
  const RandomStream random(4, RandomPurpose::kStatistics);
  std::vector<double> log_q;
  std::vector<int64_t> fold;
  std::vector<double> weight;
  for (int i = 0; i < 400; ++i) log_q.push_back(random.Normal(i));
  for (int i = 0; i < 200; ++i) fold.push_back(i % 2);
  for (int i = 0; i < 200; ++i) weight.push_back(std::ldexp(std::floor(1 + 9 * random.Uniform(i)), -4));
  HeldOutInput input;
  input.members = 2;
  input.log_q = log_q;
  input.fold = fold;
  input.weight = weight;
  ASSERT_OK_AND_ASSIGN(const v1::HeldOutStatistics expected, ComputeHeldOut(input));
  for (const int exponent : {-1060, -600, 600, 1010}) {
    std::vector<double> scaled = weight;
    for (double& w : scaled) w = std::ldexp(w, exponent);
    input.weight = scaled;
    ASSERT_OK_AND_ASSIGN(const v1::HeldOutStatistics statistics, ComputeHeldOut(input));
    EXPECT_EQ(statistics.SerializeAsString(), expected.SerializeAsString()) << exponent;
  }
}

// x_t = 0.9 x_{t-1} + noise has n_eff = n (1 - 0.9) / (1 + 0.9).
std::vector<double> AutoregressiveChain(int64_t n, uint64_t seed) {
  const RandomStream random(seed, RandomPurpose::kStatistics);
  std::vector<double> chain(n);
  double x = random.Normal(0, 1);
  for (int64_t i = 0; i < n; ++i) chain[i] = x = 0.9 * x + std::sqrt(1 - 0.81) * random.Normal(i);
  return chain;
}

TEST(AutocorrelationSizeTest, FindsTheSizeOfAnAutoregressiveChain) {
  const int64_t n = 40000;
  const double truth = static_cast<double>(n) * 0.1 / 1.9;
  // The relative error of an integrated autocorrelation time with window W is sqrt(2 (2 W + 1) / n); W is about 50
  // here.
  const double tolerance = 4 * std::sqrt(2 * 101.0 / static_cast<double>(n));
  EXPECT_NEAR(AutocorrelationSize(AutoregressiveChain(n, 1), {}, {}) / truth, 1, tolerance);

  // Longer than the longest series that is correlated row by row.
  EXPECT_NEAR(AutocorrelationSize(AutoregressiveChain(100000, 2), {}, {}) / (truth * 2.5), 1, tolerance);

  // Interleaved chains are told apart by their ids.
  const std::vector<double> first = AutoregressiveChain(n / 2, 3);
  const std::vector<double> second = AutoregressiveChain(n / 2, 4);
  std::vector<double> both;
  std::vector<int64_t> chain;
  for (int64_t i = 0; i < n / 2; ++i) {
    both.insert(both.end(), {first[i], second[i]});
    chain.insert(chain.end(), {7, 3});
  }
  EXPECT_NEAR(AutocorrelationSize(both, {}, chain) / truth, 1, tolerance);
}

TEST(AutocorrelationSizeTest, RowsWithMultiplicitiesAreRepeatedRows) {
  const std::vector<double> values = AutoregressiveChain(4000, 5);
  const RandomStream random(6, RandomPurpose::kStatistics);
  std::vector<double> multiplicity;
  std::vector<double> repeated;
  for (size_t i = 0; i < values.size(); ++i) {
    const int times = 1 + static_cast<int>(5 * random.Uniform(i));
    multiplicity.push_back(times);
    repeated.insert(repeated.end(), times, values[i]);
  }
  EXPECT_NEAR(ChainError(values, multiplicity, {}) / ChainError(repeated, {}, {}), 1, 0.1);
}

TEST(AutocorrelationSizeTest, ChainsThatDisagreeShowIt) {
  std::vector<double> values = AutoregressiveChain(4000, 8);
  std::vector<int64_t> chain(4000, 0);
  const double agreeing = ChainError(values, {}, chain);
  for (int64_t i = 2000; i < 4000; ++i) {
    values[i] += 5;
    chain[i] = 1;
  }
  EXPECT_GT(ChainError(values, {}, chain), 10 * agreeing);
}

// Integrated autocorrelation time with Sokal's window of 5 times itself (Sokal 1997), about the series' own mean.
double SokalTime(const std::vector<double>& series) {
  const double mean = Moments(series, {}).mean;
  double at_zero = 0;
  for (const double x : series) at_zero += (x - mean) * (x - mean);
  double time = 1;
  for (size_t lag = 1; lag < series.size() && static_cast<double>(lag) < 5 * time; ++lag) {
    double sum = 0;
    for (size_t i = 0; i + lag < series.size(); ++i) sum += (series[i] - mean) * (series[i + lag] - mean);
    time += 2 * sum / at_zero;
  }
  return time;
}

// The sizes of 100 to 157 quoted for this chain are Sokal's, with the rows repeated by their weights and every chain
// about its own mean. Ours are smaller: Geyer's sequence ends where the correlation has gone, not at five times the
// time found so far, and these chains' correlation falls slowly beyond that window (a window of 10 gives anything from
// 81 to 230); and chains are held about their common mean, so their disagreement counts. The next test shows which bar
// is right where the truth is known.
TEST(PlanckChainTest, KishSizeIs1928AndAutocorrelationSizesAreAHundredOrLess) {
  std::vector<double> weight;
  std::vector<double> theta;
  std::vector<int64_t> chain;
  for (int64_t c = 0; c < 2; ++c) {
    for (const auto& row : ReadTable("planck_montepython/2019-01-24_200000__" + std::to_string(c + 1) + ".txt")) {
      weight.push_back(row[0]);
      theta.insert(theta.end(), row.begin() + 2, row.begin() + 8);
      chain.push_back(c);
    }
  }
  if (weight.empty()) GTEST_SKIP() << "no shared data at " << CREAMERY_SHARED_DATA;
  EXPECT_NEAR(KishSize(weight), 1928, 1);
  std::vector<double> column(weight.size());
  double least = INFINITY;
  double most = 0;
  for (int j = 0; j < 6; ++j) {
    std::vector<std::vector<double>> repeated(2);
    for (size_t i = 0; i < column.size(); ++i) {
      column[i] = theta[i * 6 + j];
      repeated[chain[i]].insert(repeated[chain[i]].end(), static_cast<size_t>(weight[i]), column[i]);
    }
    double sokal = 0;
    for (const auto& series : repeated) sokal += static_cast<double>(series.size()) / SokalTime(series);
    least = std::min(least, sokal);
    most = std::max(most, sokal);
    // The same series with the common mean, by Geyer's sequence in numpy: 94, 72, 74, 52, 96, 58 (52 for x3, A_s).
    const double size = AutocorrelationSize(column, weight, chain);
    EXPECT_GT(size, 50) << "column " << j;
    EXPECT_LT(size, 100) << "column " << j;
    EXPECT_LT(size, sokal) << "column " << j;
  }
  EXPECT_NEAR(least, 100, 1);
  EXPECT_NEAR(most, 157, 1);
  ASSERT_OK_AND_ASSIGN(const double rows, EffectiveRows(v1::MCMC, theta, 6, weight, chain));
  EXPECT_NEAR(rows, 53, 2);  // of the slowest column
}

// Chains like Planck's: 60 % of the variance with a short time, the rest with a long one; two chains of 2500 rows, 60
// effective ones. The bar must be the scatter of the mean over many such runs.
TEST(AutocorrelationSizeTest, TheBarOfChainsOfTwoTimeScalesIsTheScatterOfTheirMeans) {
  const int64_t n = 2500;
  const int trials = 300;
  double squares = 0;
  double geyer = 0;
  double sokal = 0;
  for (int trial = 0; trial < trials; ++trial) {
    const RandomStream random(trial, RandomPurpose::kStatistics);
    std::vector<double> values;
    std::vector<int64_t> chain;
    double sokal_square = 0;
    for (int64_t c = 0; c < 2; ++c) {
      double fast = random.Normal(c, 3);
      double slow = random.Normal(c, 4);
      for (int64_t i = 0; i < n; ++i) {
        fast = 0.8 * fast + 0.6 * random.Normal(c * n + i, 0);
        slow = 0.98 * slow + std::sqrt(1 - 0.98 * 0.98) * random.Normal(c * n + i, 1);
        values.push_back(std::sqrt(0.6) * fast + std::sqrt(0.4) * slow);
        chain.push_back(c);
      }
      const std::vector<double> series(values.end() - n, values.end());
      sokal_square += Moments(series, {}).variance * SokalTime(series) / n / 4;
    }
    squares += std::pow(Moments(values, {}).mean, 2) / trials;
    geyer += std::pow(ChainError(values, {}, chain), 2) / trials;
    sokal += sokal_square / trials;
  }
  const double scatter = 4 * std::sqrt(2.0 / trials);
  EXPECT_NEAR(geyer / squares, 1, scatter);
  EXPECT_LT(std::fabs(geyer / squares - 1), std::fabs(sokal / squares - 1));
}

struct RunCase {
  std::string dead;
  std::string live;
  double log_z, kl, dimensionality, log_z_without_live;
};

class PolychordTest : public ::testing::TestWithParam<RunCase> {};

TEST_P(PolychordTest, MeanVolumesGiveThePublishedStatistics) {
  std::vector<double> death;
  std::vector<double> birth;
  const auto add = [&](const std::string& name) {
    for (const auto& row : ReadTable(name)) {
      death.push_back(row[row.size() - 2]);
      birth.push_back(row[row.size() - 1]);
    }
  };
  add(GetParam().dead);
  if (death.empty()) GTEST_SKIP() << "no shared data at " << CREAMERY_SHARED_DATA;
  ASSERT_OK_AND_ASSIGN(const NestedRun dead, NestedRun::Create(death, birth));
  EXPECT_NEAR(dead.Summarize().log_z, GetParam().log_z_without_live, 0.0006);
  add(GetParam().live);
  ASSERT_OK_AND_ASSIGN(const NestedRun run, NestedRun::Create(death, birth));
  EXPECT_NEAR(run.Summarize().log_z, GetParam().log_z, 0.00006);  // to the digits published
  EXPECT_NEAR(run.Summarize().kl, GetParam().kl, 0.0006);
  EXPECT_NEAR(run.Summarize().dimensionality, GetParam().dimensionality, 0.0006);
}

INSTANTIATE_TEST_SUITE_P(
    Runs, PolychordTest,
    ::testing::Values(RunCase{"polychord_box/pc_dead-birth.txt", "polychord_box/pc_phys_live-birth.txt", -2.4965, 5.912,
                              4.667, -2.550},
                      RunCase{"polychord_box_250/pc_250_dead-birth.txt", "polychord_box_250/pc_250_phys_live-birth.txt",
                              -2.1189, 5.591, 4.267, -2.139}));

// Two live points at a time; volumes 2/3, 4/9, then the last point alone: 2/9.
TEST(NestedRunTest, ThreePointsByHand) {
  const double none = -std::numeric_limits<double>::infinity();
  ASSERT_OK_AND_ASSIGN(const NestedRun run, NestedRun::Create({2, 0, 1}, {0, none, none}));
  EXPECT_THAT(run.order(), ::testing::ElementsAre(1, 2, 0));
  EXPECT_THAT(run.live(), ::testing::ElementsAre(2, 2, 1));
  const std::vector<double> weight = run.LogWeights();
  EXPECT_NEAR(weight[1], 0 + std::log((1 - 4.0 / 9) / 2), 1e-14);
  EXPECT_NEAR(weight[2], 1 + std::log((2.0 / 3 - 2.0 / 9) / 2), 1e-14);
  EXPECT_NEAR(weight[0], 2 + std::log((4.0 / 9) / 2), 1e-14);
}

TEST(NestedRunTest, VolumesScatterAsTheLiveCountSays) {
  const int64_t n = 200;  // all alive from the start
  std::vector<double> death(n);
  for (int64_t i = 0; i < n; ++i) death[i] = static_cast<double>(i) * 1e-3;
  ASSERT_OK_AND_ASSIGN(const NestedRun run, NestedRun::Create(death, std::vector<double>(n, -INFINITY)));
  std::vector<double> first;  // log of (1 - X_2) / 2
  for (uint64_t r = 0; r < 400; ++r) first.push_back(std::exp(run.LogWeights(9, r)[0] - death[0]));
  // 1 - X_2 is the sum of two gaps of n uniform points: mean 2 / (n + 1), standard deviation about sqrt(2) / n.
  EXPECT_NEAR(Moments(first, {}).mean, 1.0 / 201, 4 * std::sqrt(0.5) / 200 / std::sqrt(400));
  EXPECT_NE(run.LogWeights(9, 0), run.LogWeights(9, 1));
  EXPECT_EQ(run.LogWeights(9, 1), run.LogWeights(9, 1));
}

TEST(NestedRunTest, RefusesPointsBornAboveTheirDeath) {
  EXPECT_THAT(NestedRun::Create({1, 2}, {0, 3}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("row 1")));
  EXPECT_THAT(NestedRun::Create({}, {}), HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(NestedRun::Create({NAN}, {0}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("row 0")));
}

}  // namespace
}  // namespace creamery
