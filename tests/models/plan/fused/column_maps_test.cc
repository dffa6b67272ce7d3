// Column maps in lanes against the reference, one number at a time.
#include "models/plan/fused/column_maps.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "models/plan/column_map.h"
#include "models/random.h"
#include "tests/models/plan/map_cases.h"
#include "tests/models/plan/random_plan.h"

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kRows = 43;  // no whole number of vectors
constexpr int64_t kStride = 48;

// Every map, and ten more boxes: more columns of a kind than a block has, with splines of several sizes.
std::vector<ColumnMap> Columns() {
  std::vector<ColumnMap> columns;
  for (const MapCase& map_case : MapCases()) columns.push_back(map_case.map);
  for (int j = 0; j < 10; ++j) {
    ColumnMap box;
    box.space = ColumnMap::Space::kProbit;
    box.upper = 2 + j;
    box.shift = 0.01 * j;
    if (j % 2 == 0) box.spline = SteepKnots();
    if (j % 4 == 0) box.spline = {{0, 0.1, 0.3, 0.6, 0.9, 1}, {0, 0.3, 0.5, 0.6, 0.7, 1}, {1, 2, 0.5, 0.4, 1, 3}};
    columns.push_back(box);
  }
  return columns;
}

// What all functions say of some rows, points in lanes.
struct Answers {
  Answers(const ColumnMaps& maps, const std::vector<double>& theta, int64_t rows)
      : y(theta.size() / rows * kStride), ladj(kStride), inverse(theta.size()), gradient(theta.size()) {
    maps.Forward(theta.data(), rows, kStride, y.data(), ladj.data());
    maps.Inverse(y.data(), rows, kStride, inverse.data());
    maps.Gradient(theta.data(), y.data(), rows, kStride, gradient.data());  // of |y|^2 / 2 + ladj
    ladj.resize(rows);
  }
  std::vector<double> y, ladj, inverse, gradient;
};

// Places of typical points of each column, some of them far out.
std::vector<double> Rows(const std::vector<ColumnMap>& columns) {
  const RandomStream random(3, RandomPurpose::kStatistics);
  std::vector<double> theta;
  for (int64_t i = 0; i < kRows; ++i) {
    for (size_t j = 0; j < columns.size(); ++j) {
      const bool is_unit = columns[j].space == ColumnMap::Space::kUnit;
      const auto sub = static_cast<uint32_t>(j);
      theta.push_back(MapInverse(columns[j], is_unit ? random.Uniform(i, sub) : 2 * random.Normal(i, sub)));
    }
  }
  return theta;
}

TEST(ColumnMapsTest, AgreeWithTheReferenceToRounding) {
  const std::vector<ColumnMap> columns = Columns();
  const std::vector<double> theta = Rows(columns);
  const auto d = static_cast<int64_t>(columns.size());
  for (int64_t j = 0; j < d; ++j) {
    std::vector<double> of_column;
    for (int64_t i = 0; i < kRows; ++i) of_column.push_back(theta[i * d + j]);
    const Answers answers(ColumnMaps({columns[j]}), of_column, kRows);
    for (int64_t i = 0; i < kRows; ++i) {
      const MappedSlope expected = MapForwardSlope(columns[j], of_column[i]);
      // Of each elementary function some units of 2^-53; a zoom's difference of two Phi multiplies them where the bound
      // is near, by at most 30 for these rows.
      const double unit = 3e-14;
      EXPECT_NEAR(answers.y[i], expected.y, unit * std::max(1.0, std::abs(expected.y))) << j << " at " << of_column[i];
      EXPECT_NEAR(answers.ladj[i], expected.ladj, unit * std::max(1.0, std::abs(expected.ladj))) << j;
      const double first = expected.y * expected.slope;
      EXPECT_NEAR(answers.gradient[i], first + expected.ladj_slope,
                  100 * unit * (std::abs(first) + std::abs(expected.ladj_slope) + std::abs(expected.slope)))
          << j << " at " << of_column[i];
      const double back = MapInverse(columns[j], answers.y[i]);
      EXPECT_NEAR(answers.inverse[i], back, unit * std::max(std::abs(back), 1 / std::abs(expected.slope))) << j;
    }
  }
}

TEST(ColumnMapsTest, OneRowHasTheBitsOfMany) {
  const std::vector<ColumnMap> columns = Columns();
  const auto d = static_cast<int64_t>(columns.size());
  const ColumnMaps maps(columns);
  const std::vector<double> theta = Rows(columns);
  const Answers many(maps, theta, kRows);
  for (int64_t i = 0; i < kRows; ++i) {
    const double* row = &theta[i * d];
    std::vector<double> y(d), ladj(d), inverse(d), gradient(d);
    maps.ForwardOne(row, y.data(), ladj.data());
    maps.InverseOne(y.data(), inverse.data());
    maps.GradientOne(row, y.data(), gradient.data());
    double sum = 0;
    for (int64_t j = 0; j < d; ++j) {
      sum += ladj[j];
      EXPECT_EQ(y[j], many.y[j * kStride + i]) << j;
      EXPECT_EQ(inverse[j], many.inverse[i * d + j]) << j;
      EXPECT_EQ(gradient[j], many.gradient[i * d + j]) << j;
    }
    EXPECT_EQ(sum, many.ladj[i]);
    const Answers alone(maps, {row, row + d}, 1);
    EXPECT_EQ(alone.ladj[0], many.ladj[i]);
    EXPECT_EQ(alone.inverse, inverse);
    EXPECT_EQ(alone.gradient, gradient);
  }
}

TEST(ColumnMapsTest, InstructionSetsWithAFusedMultiplyAddGiveTheSameBits) {
  if ((hwy::SupportedTargets() & HWY_AVX3) == 0) GTEST_SKIP() << "this processor has no AVX-512 to compare with AVX2";
  const std::vector<ColumnMap> columns = Columns();
  const std::vector<double> theta = Rows(columns);
  std::vector<Answers> answers;
  for (const int64_t target : {HWY_AVX2, HWY_AVX3}) {
    hwy::SetSupportedTargetsForTest(target);
    answers.emplace_back(ColumnMaps(columns), theta, kRows);
  }
  hwy::SetSupportedTargetsForTest(0);
  EXPECT_EQ(answers[0].y, answers[1].y);
  EXPECT_EQ(answers[0].ladj, answers[1].ladj);
  EXPECT_EQ(answers[0].inverse, answers[1].inverse);
  EXPECT_EQ(answers[0].gradient, answers[1].gradient);
}

class ColumnMapsEdgeTest : public ::testing::TestWithParam<int> {
 protected:
  const MapCase map_case_ = MapCases()[GetParam()];
  const ColumnMaps maps_{absl::MakeConstSpan(&map_case_.map, 1)};
};

TEST_P(ColumnMapsEdgeTest, TheDensityIsZeroWhereTheReferenceSaysSoAndNothingIsEverNaN) {
  const double kLargest = std::numeric_limits<double>::max();
  for (const double theta : {-kLargest, -1e308, -1e200, -1e30, -100.0, -3.0, 0.0, 5e-324, 1e-9, 1e-5, 2.0, 5.0, 100.0,
                             1e30, 1e200, 1e308, kLargest}) {
    double y = 0;
    double ladj = 0;
    maps_.ForwardOne(&theta, &y, &ladj);
    EXPECT_TRUE(std::isfinite(y)) << map_case_.name << " at " << theta;
    const MappedValue expected = MapForward(map_case_.map, theta);
    EXPECT_EQ(ladj == -kInfinity, expected.ladj == -kInfinity) << map_case_.name << " at " << theta;
    EXPECT_FALSE(std::isnan(ladj)) << map_case_.name << " at " << theta;
    EXPECT_LT(ladj, kInfinity) << map_case_.name << " at " << theta;
    double gradient = 0;
    maps_.GradientOne(&theta, &y, &gradient);
    EXPECT_FALSE(std::isnan(gradient)) << map_case_.name << " at " << theta;
    if (ladj == -kInfinity) {
      EXPECT_EQ(gradient, 0) << map_case_.name << " at " << theta;
    }
  }
}

TEST_P(ColumnMapsEdgeTest, InverseLandsStrictlyInsideTheBounds) {
  const bool is_unit = map_case_.map.space == ColumnMap::Space::kUnit;
  for (const double y : {-1e300, -1e4, -45.0, -8.3, 0.0, 1e-300, 1e-17, 1 - 0x1p-53, 1.0, 8.3, 45.0, 1e4, 1e300}) {
    if (is_unit && (y < 0 || y > 1)) continue;
    double theta = 0;
    maps_.InverseOne(&y, &theta);
    ASSERT_TRUE(std::isfinite(theta)) << map_case_.name << " at " << y;
    double mapped = 0;
    double ladj = 0;
    maps_.ForwardOne(&theta, &mapped, &ladj);
    EXPECT_GT(ladj, -kInfinity) << map_case_.name << " at " << y << ", theta " << theta;
    EXPECT_GT(MapForward(map_case_.map, theta).ladj, -kInfinity) << map_case_.name << " at " << y;
  }
}

INSTANTIATE_TEST_SUITE_P(All, ColumnMapsEdgeTest, ::testing::Range(0, 16));

TEST(ColumnMapsUpperBoundTest, AZoomIsThatOfTheReferenceUpToTheBounds) {
  ColumnMap box;
  box.space = ColumnMap::Space::kProbit;
  box.lower = 0;
  box.upper = 4;
  box.zoom_center = 1;
  box.zoom_scale = 1.5;
  const ColumnMaps maps({box});
  for (double width = 0x1p-51; width < 0.1; width *= 1.01) {
    for (const double theta : {width, 4 - width}) {
      double y = 0;
      double ladj = 0;
      maps.ForwardOne(&theta, &y, &ladj);
      const MappedValue expected = MapForward(box, theta);
      // Where the series ends, at 1.5e-3 of the bound, a difference of two Phi has lost 3 of 16 digits.
      EXPECT_NEAR(y, expected.y, 1e-12) << theta;
      EXPECT_NEAR(ladj, expected.ladj, 1e-11) << theta;
    }
  }
}

// 1e-20 below the upper bound of a box that ends at 0: u is 1 in float64, but its distance from 1 is not lost.
TEST(ColumnMapsUpperBoundTest, ThePositionNearTheUpperBoundKeepsItsPrecision) {
  ColumnMap box;
  box.space = ColumnMap::Space::kProbit;
  box.lower = -1;
  box.upper = 0;
  box.spline = SteepKnots();  // slope 2 at the upper end
  const ColumnMaps maps({box});
  const double theta = -0.5e-20;
  double y = 0;
  double ladj = 0;
  maps.ForwardOne(&theta, &y, &ladj);
  EXPECT_NEAR(y, 9.2623400897984076, 1e-12);
  double back = 0;
  maps.InverseOne(&y, &back);
  EXPECT_NEAR(back / theta, 1, 1e-12);
}

}  // namespace
}  // namespace creamery
