#include "models/training/resampling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace creamery {
namespace {

using testing::DoubleEq;
using testing::ElementsAre;

TEST(SystematicResampleTest, FewRowsAreAllKeptWithTheirWeights) {
  const WeightedRows rows = SystematicResample(std::vector<double>{1, 3}, 10, 0.5);
  EXPECT_THAT(rows.row, ElementsAre(0, 1));
  EXPECT_THAT(rows.weight, ElementsAre(DoubleEq(0.25), DoubleEq(0.75)));
}

TEST(SystematicResampleTest, ARowWhoseShareIsTooSmallForANumberIsLeftOut) {
  const WeightedRows rows = SystematicResample(std::vector<double>{1e3, 5e-324, 3e3, 1e-305}, 10, 0.5);
  EXPECT_THAT(rows.row, ElementsAre(0, 2));
  EXPECT_THAT(rows.weight, ElementsAre(DoubleEq(0.25), DoubleEq(0.75)));
}

// Five draws of shares 0.1, 0.5, 0.1, 0.1, 0.1, 0.1: at 0.05, 0.25, 0.45, 0.65, 0.85 for the offset 1/4.
TEST(SystematicResampleTest, HeavyRowsComeByTheirShare) {
  const WeightedRows rows = SystematicResample(std::vector<double>{0.4, 2, 0.4, 0.4, 0.4, 0.4}, 5, 0.25);
  EXPECT_THAT(rows.row, ElementsAre(0, 1, 2, 4));
  EXPECT_THAT(rows.weight, ElementsAre(DoubleEq(0.2), DoubleEq(0.4), DoubleEq(0.2), DoubleEq(0.2)));
}

TEST(SystematicResampleTest, EveryRowsCountIsItsExpectationRoundedUpOrDown) {
  std::vector<double> weight;
  for (int i = 0; i < 1000; ++i) weight.push_back(1 + i % 7);
  const double total = std::accumulate(weight.begin(), weight.end(), 0.0);
  const WeightedRows rows = SystematicResample(weight, 400, 0.123);
  EXPECT_NEAR(std::accumulate(rows.weight.begin(), rows.weight.end(), 0.0), 1, 1e-12);
  for (size_t i = 0; i < rows.row.size(); ++i) {
    EXPECT_LT(std::abs(400 * rows.weight[i] - 400 * weight[rows.row[i]] / total), 1 + 1e-9);
  }
}

}  // namespace
}  // namespace creamery
