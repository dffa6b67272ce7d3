#include "models/statistics/reweight_points.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "models/random.h"

namespace creamery {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

TEST(ThinChainTest, EqualWeightsGiveEverySoManyth) {
  const ChainPoints points = ThinChain(std::vector<double>(100, 2.0), 20, 1);
  ASSERT_EQ(points.row.size(), 20u);
  std::vector<int64_t> sorted = points.row;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 1; i < 20; ++i) EXPECT_EQ(sorted[i] - sorted[i - 1], 5);
  EXPECT_THAT(points.weight, Each(1.0));
}

TEST(ThinChainTest, TheFirstPointsAreSpreadOverTheWholeChain) {
  const ChainPoints points = ThinChain(std::vector<double>(1000, 1.0), 64, 1);
  for (const int first : {4, 8, 16, 32}) {
    std::vector<int64_t> quarter(4, 0);
    for (int i = 0; i < first; ++i) ++quarter[points.row[i] / 250];
    EXPECT_THAT(quarter, Each(first / 4));
  }
}

TEST(ThinChainTest, HeavyRowsAreAllThereOnceAndKeepTheirWeight) {
  // 10 rows of weight 50 and 500 of weight 1: with 60 points, the ten and 50 of the others, each for ten.
  std::vector<double> weight(510, 1.0);
  for (int i = 0; i < 10; ++i) weight[50 * i + 3] = 50;
  const ChainPoints points = ThinChain(weight, 60, 2);
  ASSERT_EQ(points.row.size(), 60u);
  EXPECT_EQ(std::count_if(points.row.begin(), points.row.end(), [&](int64_t i) { return weight[i] == 50; }), 10);
  std::vector<int64_t> sorted = points.row;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(std::unique(sorted.begin(), sorted.end()), sorted.end());
  for (size_t i = 0; i < 60; ++i) {
    const double expected = (weight[points.row[i]] == 50 ? 50.0 : 10.0) * 60 / 1000;
    EXPECT_NEAR(points.weight[i], expected, 1e-12);
  }
}

TEST(ThinChainTest, AveragesOverSeedsAreThoseOfTheWeights) {
  const RandomStream random(3, RandomPurpose::kStatistics);
  std::vector<double> weight;
  for (int i = 0; i < 50; ++i) weight.push_back(random.Uniform(i) * random.Uniform(i, 1));
  std::vector<double> found(50, 0);
  constexpr int kSeeds = 4000;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    const ChainPoints points = ThinChain(weight, 12, seed);
    ASSERT_EQ(points.row.size(), 12u);
    for (size_t i = 0; i < points.row.size(); ++i) found[points.row[i]] += points.weight[i] / 12 / kSeeds;
  }
  const double total = std::accumulate(weight.begin(), weight.end(), 0.0);
  // A row is there with probability p and then counts 1/p: error sqrt((1 - p) / p / seeds) at most, p = share * 12.
  for (int i = 0; i < 50; ++i) {
    const double share = weight[i] / total;
    EXPECT_NEAR(found[i], share, 4.5 * share / std::sqrt(std::min(1.0, 12 * share) * kSeeds));
  }
}

TEST(ThinChainTest, AllRowsIfThereAreNoMore) {
  EXPECT_THAT(ThinChain({1.0, 3.0}, 5, 1).row, UnorderedElementsAre(0, 1));
  EXPECT_THAT(ThinChain({1.0, 3.0}, 2, 1).weight, ElementsAre(0.5, 1.5));
  EXPECT_TRUE(ThinChain({1.0, 3.0}, 0, 1).row.empty());
}

}  // namespace
}  // namespace creamery
