#include "models/training/dependence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "models/random.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using testing::ElementsAre;

constexpr int64_t kRows = 5000;

std::vector<double> Normals(uint32_t column) {
  const RandomStream stream(4, RandomPurpose::kSample);
  std::vector<double> values;
  for (int64_t i = 0; i < kRows; ++i) values.push_back(stream.Normal(i, column));
  return values;
}

double Information(const std::vector<double>& x, const std::vector<double>& y) {
  const std::vector<double> weight(x.size(), 1.0);
  return MutualInformation(NormalScores(x, weight), NormalScores(y, weight), weight);
}

// -1/2 log(1 - rho^2) plus what the expansion counts twice, (rho^4 + rho^6) / 2; the noise of 5000 rows is 9/2/5000.
TEST(DependenceTest, CorrelatedNormalsHaveTheirInformationWhateverTheirScale) {
  const std::vector<double> x = Normals(0);
  std::vector<double> y = Normals(1);
  for (int64_t i = 0; i < kRows; ++i) y[i] = std::exp(0.6 * x[i] + 0.8 * y[i]);
  const double exact = -0.5 * std::log(1 - 0.36);
  EXPECT_NEAR(Information(x, y), exact + 0.5 * (std::pow(0.6, 4) + std::pow(0.6, 6)), 0.04);
}

TEST(DependenceTest, IndependentColumnsStayBelowTheNoise) {
  for (uint32_t pair = 0; pair < 20; ++pair) {
    EXPECT_LT(Information(Normals(2 * pair), Normals(2 * pair + 1)), InformationNoise(kRows, 20));
  }
}

TEST(DependenceTest, ARingWithoutCorrelationIsSeen) {
  const std::vector<double> angle = Normals(0);
  std::vector<double> x;
  std::vector<double> y;
  for (const double g : angle) {
    x.push_back(std::cos(2 * M_PI * (0.5 + 0.5 * std::erf(g / std::sqrt(2.0)))));
    y.push_back(std::sin(2 * M_PI * (0.5 + 0.5 * std::erf(g / std::sqrt(2.0)))));
  }
  EXPECT_GT(Information(x, y), 0.02 + InformationNoise(kRows, 1));
}

// Rows of weight 1e-6 are correlated, those of weight 1 are not.
TEST(DependenceTest, RowsCountByTheirWeight) {
  std::vector<double> x = Normals(0);
  std::vector<double> y = Normals(1);
  std::vector<double> weight(kRows, 1.0);
  for (int64_t i = 0; i < kRows / 2; ++i) {
    y[i] = x[i];
    weight[i] = 1e-6;
  }
  EXPECT_LT(MutualInformation(NormalScores(x, weight), NormalScores(y, weight), weight),
            InformationNoise(kRows / 2.0, 1));
  EXPECT_GT(Information(x, y), 0.1);
}

TEST(DependenceTest, BlocksAreTheConnectedComponents) {
  // 0 - 3 - 4 joined in a chain, 1 - 2 by their squares, 5 alone.
  std::vector<std::vector<double>> column;
  for (uint32_t j = 0; j < 6; ++j) column.push_back(Normals(j));
  for (int64_t i = 0; i < kRows; ++i) {
    column[3][i] = 0.7 * column[0][i] + 0.7 * column[3][i];
    column[4][i] = 0.7 * column[3][i] + 0.7 * column[4][i];
    column[2][i] *= std::abs(column[1][i]);
  }
  std::vector<double> theta;
  for (int64_t i = 0; i < kRows; ++i) {
    for (int j = 0; j < 6; ++j) theta.push_back(column[j][i]);
  }
  ASSERT_OK_AND_ASSIGN(const auto blocks,
                       FindBlocks(theta, 6, std::vector<double>(kRows, 1.0), kRows, 0.02, 0.5, StopToken()));
  EXPECT_THAT(blocks, ElementsAre(ElementsAre(0, 3, 4), ElementsAre(1, 2), ElementsAre(5)));
}

}  // namespace
}  // namespace creamery
