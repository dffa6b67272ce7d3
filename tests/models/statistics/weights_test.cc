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
  for (int j = 0; j < 6; ++j) {
    for (size_t i = 0; i < column.size(); ++i) column[i] = theta[i * 6 + j];
    const double size = AutocorrelationSize(column, weight, chain);
    // Sokal's window of 5 and a cut at a correlation of 0.05 give 53 to 117 for these columns; a size of 60 is itself
    // known to about 30 %.
    EXPECT_GT(size, 53 * 0.7) << "column " << j;
    EXPECT_LT(size, 117 * 1.3) << "column " << j;
  }
  ASSERT_OK_AND_ASSIGN(const double rows, EffectiveRows(v1::MCMC, theta, 6, weight, chain));
  EXPECT_NEAR(rows, 54, 16);  // of the slowest column
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
