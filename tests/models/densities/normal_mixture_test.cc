#include "models/densities/normal_mixture.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "models/plan/column_map.h"
#include "models/random.h"

namespace creamery {
namespace {

TEST(NormalMixtureTest, OfOneKernelIsTheNormalDistribution) {
  EXPECT_EQ(NormalMixtureQuantile({2.0}, {3.0}, 0.975), 3 + NormalQuantile(0.975));
  EXPECT_DOUBLE_EQ(NormalMixtureCdf({2.0}, {3.0}, 2), NormalCdf(-1));
  EXPECT_DOUBLE_EQ(NormalMixtureQuantile({1.0, 1.0}, {3.0, 3.0}, 1e-300), 3 - 37.047096299361199);
}

TEST(NormalMixtureTest, OfTwoIsTheirWeightedSum) {
  EXPECT_DOUBLE_EQ(NormalMixtureCdf({1.0, 3.0}, {-1.0, 2.0}, 0.5), 0.25 * NormalCdf(1.5) + 0.75 * NormalCdf(-1.5));
  EXPECT_NEAR(NormalMixtureQuantile({1.0, 1.0}, {-4.0, 4.0}, 0.5), 0, 1e-14);
  // The kernel that is far above has no part in the lowest hundredth.
  EXPECT_NEAR(NormalMixtureQuantile({0.1, 0.9}, {-500.0, 500.0}, 0.01), -500 + NormalQuantile(0.1), 1e-12);
  EXPECT_NEAR(NormalMixtureQuantile({0.1, 0.9}, {-500.0, 500.0}, 0.99), 500 - NormalQuantile(0.01 / 0.9), 1e-12);
}

TEST(NormalMixtureTest, QuantileUndoesTheDistributionFunctionToTheLastBits) {
  const RandomStream random(3, RandomPurpose::kStatistics);
  std::vector<double> weight;
  std::vector<double> center;
  for (int k = 0; k < 300; ++k) {
    weight.push_back(random.Uniform(k));
    center.push_back((k % 3) * 20 + 2 * random.Normal(k, 1));
  }
  for (const double u : {1e-300, 1e-100, 1e-17, 1e-5, 0.1, 0.3333, 0.5, 0.6667, 0.9, 0.99999}) {
    const double v = NormalMixtureQuantile(weight, center, u);
    // At v = -37 a last bit of v moves the tail by 37 v 2^-53 = 2e-13.
    EXPECT_NEAR(NormalMixtureCdf(weight, center, v) / u, 1, 1e-12) << u;
  }
  // Above one half the distance from 1 is solved for: the upper tail is as exact as the lower.
  std::vector<double> mirrored(center.size());
  for (size_t k = 0; k < center.size(); ++k) mirrored[k] = -center[k];
  const double u = 0x1p-50;
  EXPECT_NEAR(NormalMixtureQuantile(weight, mirrored, u), -NormalMixtureQuantile(weight, center, 1 - u), 1e-12);
}

// Kernels in cells: as the sum over all of them, to rounding, in the middle, at the tails and where there are gaps.
TEST(BinnedNormalMixtureTest, HasTheQuantilesOfTheSumOverAllKernels) {
  const RandomStream random(4, RandomPurpose::kStatistics);
  BinnedNormalMixture binned;
  for (const int count : {1, 150, 2000}) {        // few go without cells
    for (const double apart : {0.0, 8.0, 1e5}) {  // so do those far apart
      std::vector<double> weight;
      std::vector<double> center;
      for (int k = 0; k < count; ++k) {
        weight.push_back(std::exp(-20 * random.Uniform(k)));
        center.push_back((k % 3) * apart + 3 * random.Normal(k, 1));
      }
      binned.Reset(weight, center);
      for (int i = 0; i < 60; ++i) {
        const double u = i < 40 ? random.Uniform(i, 2) : std::pow(10, -(i - 39));
        const double v = NormalMixtureQuantile(weight, center, u);
        // The slope of F turns rounding of 1e-16 of the whole, or of the tail, into this much of v.
        double height = 0;
        double total = 0;
        for (int k = 0; k < count; ++k) {
          total += weight[k];
          height += weight[k] * std::exp(NormalLogDensity(v - center[k]));
        }
        const double tolerance = 1e-15 * total / height * std::max(u, 1e-4) + 4e-15 * (1 + std::fabs(v));
        EXPECT_NEAR(binned.Quantile(u), v, 10 * tolerance) << count << " kernels, " << apart << " apart, u " << u;
      }
    }
  }
}

}  // namespace
}  // namespace creamery
