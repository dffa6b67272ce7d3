#include "models/plan/column_map.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/models/plan/map_cases.h"
#include "tests/models/plan/random_plan.h"

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(NormalQuantileTest, IsAccurateInTheMiddleAndInBothTails) {
  // Reference values to 17 digits from mpmath at 40 digits.
  EXPECT_DOUBLE_EQ(NormalQuantile(0.5), 0);
  EXPECT_DOUBLE_EQ(NormalQuantile(0.975), 1.9599639845400542);
  EXPECT_DOUBLE_EQ(NormalQuantile(0.025), -1.9599639845400542);
  EXPECT_DOUBLE_EQ(NormalQuantile(1e-20), -9.2623400897984076);
  EXPECT_DOUBLE_EQ(NormalQuantile(1e-300), -37.047096299361199);
  for (const double x : {-37.0, -20.0, -8.0, -3.0, -1.0, -0.1, 0.3, 1.0, 2.0}) {
    EXPECT_NEAR(NormalQuantile(NormalCdf(x)), x, 4e-15 * std::max(1.0, std::fabs(x))) << x;
  }
}

class ColumnMapTest : public ::testing::TestWithParam<int> {
 protected:
  const MapCase map_case_ = MapCases()[GetParam()];
  const ColumnMap& map_ = map_case_.map;
};

TEST_P(ColumnMapTest, InverseUndoesForwardAndLadjIsTheDerivative) {
  for (const double factor : {0.97, 1.0, 1.02}) {
    const double theta = map_case_.inside * factor;
    const MappedValue mapped = MapForward(map_, theta);
    EXPECT_NEAR(MapInverse(map_, mapped.y), theta, 1e-12 * std::fabs(theta)) << map_case_.name;
    const double step = 1e-5 * std::fabs(theta);
    const double slope = (MapForward(map_, theta + step).y - MapForward(map_, theta - step).y) / (2 * step);
    EXPECT_NEAR(mapped.ladj, std::log(std::fabs(slope)), 1e-5) << map_case_.name;
  }
}

TEST_P(ColumnMapTest, SlopesAreTheDerivativesOfTheSameBits) {
  for (const double factor : {0.97, 1.0, 1.02}) {
    const double theta = map_case_.inside * factor;
    const MappedValue mapped = MapForward(map_, theta);
    const MappedSlope slope = MapForwardSlope(map_, theta);
    EXPECT_EQ(slope.y, mapped.y) << map_case_.name;
    EXPECT_EQ(slope.ladj, mapped.ladj) << map_case_.name;
    const double step = 1e-6 * std::fabs(theta);
    const MappedValue above = MapForward(map_, theta + step);
    const MappedValue below = MapForward(map_, theta - step);
    // Rounding of 1e-15 over a relative step of 1e-6, and as much from the third derivative.
    const double y_slope = (above.y - below.y) / (2 * step);
    EXPECT_NEAR(slope.slope, y_slope, 1e-7 * std::fabs(y_slope)) << map_case_.name;
    const double ladj_slope = (above.ladj - below.ladj) / (2 * step);
    EXPECT_NEAR(slope.ladj_slope * std::fabs(theta), ladj_slope * std::fabs(theta),
                1e-7 * (1 + std::fabs(ladj_slope * theta)))
        << map_case_.name;
  }
}

TEST_P(ColumnMapTest, NeverGivesNaNHoweverFarOut) {
  for (const double theta : {-1e308, -1e30, -100.0, -3.0, 0.0, 5e-324, 2.0, 5.0, 100.0, 1e30, 1e308}) {
    const MappedValue mapped = MapForward(map_, theta);
    EXPECT_TRUE(std::isfinite(mapped.y)) << map_case_.name << " at " << theta;
    EXPECT_FALSE(std::isnan(mapped.ladj)) << map_case_.name << " at " << theta;
    EXPECT_LT(mapped.ladj, kInfinity) << map_case_.name << " at " << theta;
  }
}

TEST_P(ColumnMapTest, InverseLandsStrictlyInsideTheBounds) {
  const bool unit = map_.space == ColumnMap::Space::kUnit;
  for (double y : {-1e300, -1e4, -45.0, -8.3, 0.0, 1e-300, 1e-17, 1 - 0x1p-53, 1.0, 8.3, 45.0, 1e4, 1e300}) {
    if (unit && (y < 0 || y > 1)) continue;
    const double theta = MapInverse(map_, y);
    ASSERT_TRUE(std::isfinite(theta)) << map_case_.name << " at " << y;
    EXPECT_GT(MapForward(map_, theta).ladj, -kInfinity) << map_case_.name << " at " << y << ", theta " << theta;
  }
}

INSTANTIATE_TEST_SUITE_P(All, ColumnMapTest, ::testing::Range(0, 16));

TEST(ColumnMapEdgeTest, SlopesAreZeroBeyondBounds) {
  ColumnMap box;
  box.space = ColumnMap::Space::kProbit;
  box.lower = -3;
  box.upper = 5;
  EXPECT_EQ(MapForwardSlope(box, 5).slope, 0);
  EXPECT_EQ(MapForwardSlope(box, 6).ladj_slope, 0);
}

TEST(ColumnMapEdgeTest, DensityIsZeroAtAndBeyondBounds) {
  ColumnMap box;
  box.space = ColumnMap::Space::kProbit;
  box.lower = -3;
  box.upper = 5;
  for (const double theta : {-3.0, -4.0, 5.0, 6.0, -1e300, 1e300}) {
    EXPECT_EQ(MapForward(box, theta).ladj, -kInfinity) << theta;
    EXPECT_TRUE(std::isfinite(MapForward(box, theta).y)) << theta;
  }
  ColumnMap log;
  log.scale_of_t = ColumnMap::Scale::kLogAbove;
  log.origin = 2;
  EXPECT_EQ(MapForward(log, 2).ladj, -kInfinity);
  EXPECT_EQ(MapForward(log, 1).ladj, -kInfinity);
}

// 1e-18 below the upper bound of a box that ends at 0: u is 1 in float64, but its distance from 1 is not lost.
TEST(ColumnMapEdgeTest, ThePositionNearTheUpperBoundKeepsItsPrecision) {
  ColumnMap box;
  box.space = ColumnMap::Space::kProbit;
  box.lower = -1;
  box.upper = 0;
  const MappedValue mapped = MapForward(box, -1e-20);
  EXPECT_NEAR(mapped.y, 9.2623400897984076, 1e-12);
  EXPECT_NEAR(MapInverse(box, mapped.y) / -1e-20, 1, 1e-12);
  box.spline = SteepKnots();  // slope 2 at the upper end
  EXPECT_NEAR(MapForward(box, -0.5e-20).y, 9.2623400897984076, 1e-12);
  EXPECT_NEAR(MapInverse(box, 9.2623400897984076) / -0.5e-20, 1, 1e-12);
}

// The mass between theta and a bound, of a normal that both are well inside of.
TEST(ColumnMapEdgeTest, AZoomKeepsItsPrecisionNearTheBounds) {
  ColumnMap box;
  box.space = ColumnMap::Space::kUnit;
  box.lower = 0;
  box.upper = 4;
  box.zoom_center = 1;
  box.zoom_scale = 1.5;
  const double mass = NormalCdf(2) - NormalCdf(-1 / 1.5);
  for (double width = 0x1p-60; width < 1e-2; width *= 1.5) {
    // Simpson's rule with a relative error of width^4 / 2880 times a fourth derivative of at most 3 / 1.5^4.
    const auto density = [](double theta) { return std::exp(NormalLogDensity((theta - 1) / 1.5)) / 1.5; };
    const double expected = width * (density(0) + 4 * density(width / 2) + density(width)) / 6 / mass;
    EXPECT_NEAR(MapForward(box, width).y / expected, 1, 1e-11) << width;
  }
  box.space = ColumnMap::Space::kProbit;
  // One rounding below the upper bound.
  const double width = 0x1p-51;
  const double expected = width * std::exp(NormalLogDensity(2)) / 1.5 / mass;
  EXPECT_NEAR(MapForward(box, 4 - width).y, -NormalQuantile(expected), 1e-13);
}

TEST(SplineTest, InverseUndoesForwardAndSlopesIntegrateToOne) {
  const SplineKnots knots = SteepKnots();
  const int n = 20000;
  double integral = 0;
  for (int i = 0; i < n; ++i) {
    const double u = (i + 0.5) / n;
    const MappedValue mapped = SplineForward(knots, u);
    ASSERT_NEAR(SplineInverse(knots, mapped.y), u, 1e-14);
    integral += std::exp(mapped.ladj) / n;
  }
  EXPECT_NEAR(integral, 1, 1e-6);  // midpoint rule, slopes with three kinks
  for (const double knot : {0.0, 0.2, 0.7, 1.0})
    EXPECT_NEAR(SplineInverse(knots, SplineForward(knots, knot).y), knot, 1e-15);
  EXPECT_NEAR(SplineForward(knots, 0.2).y, 0.5, 1e-15);
  EXPECT_NEAR(SplineForward(knots, 0.2).ladj, std::log(0.7), 1e-14);
  EXPECT_EQ(SplineForward({}, 0.3).y, 0.3);
}

}  // namespace
}  // namespace creamery
