// Phi and its inverse in lanes against long doubles.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "models/plan/column_map.h"
#include "models/plan/fused/base.h"

namespace creamery {
namespace {

std::vector<double> Grid(double begin, double end, int count) {
  std::vector<double> values;
  for (int i = 0; i < count; ++i) values.push_back(begin + (end - begin) * i / (count - 1));
  return values;
}

long double ExactCdf(double x) { return 0.5L * erfcl(-x * 0.707106781186547524400844362104849L); }

// -37.5: the smallest normal number is Phi(-37.519).
TEST(NormalCdfsTest, KeepItsRelativePrecisionInBothTails) {
  const std::vector<double> x = Grid(-37.5, 37.5, 200001);
  std::vector<double> p(x.size());
  NormalCdfs(x.data(), static_cast<int64_t>(x.size()), p.data());
  for (size_t i = 0; i < x.size(); ++i) {
    // Eight roundings; and the long double's own, of which the tail makes x^2 times as much.
    const long double truth = ExactCdf(x[i]);
    const double tolerance = 1e-15 + x[i] * x[i] * 0x1p-63;
    ASSERT_LE(std::abs(static_cast<double>((p[i] - truth) / truth)), tolerance) << x[i];
  }
}

TEST(NormalCdfsTest, EndAtZeroAndOne) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double x[] = {-kInfinity, -100, 0, 100, kInfinity};
  double p[5];
  NormalCdfs(x, 5, p);
  EXPECT_EQ(p[0], 0);
  EXPECT_EQ(p[1], 0);
  EXPECT_EQ(p[2], 0.5);
  EXPECT_EQ(p[3], 1);
  EXPECT_EQ(p[4], 1);
}

// Phi(x + e) = Phi(x) + e N(x) + O(e^2) tells the quantile's error from that of its Phi.
TEST(NormalQuantilesTest, AreExactToFloat64InTheMiddleAndInTheLowerTail) {
  std::vector<double> p = Grid(1e-6, 1 - 1e-6, 100001);
  for (const double exponent : Grid(-708, -1, 100001)) p.push_back(std::exp(exponent));
  std::vector<double> x(p.size());
  NormalQuantiles(p.data(), static_cast<int64_t>(p.size()), x.data());
  for (size_t i = 0; i < p.size(); ++i) {
    const long double density = expl(-0.5L * x[i] * x[i]) * 0.398942280401432677939946L;
    const auto error = static_cast<double>((ExactCdf(x[i]) - p[i]) / density);
    // Wichura's formula is exact to 1e-16 of x; rounding adds some eight units of 2^-53. 1 - p is rounded as well.
    const double of_one_minus_p = p[i] > 0.5 ? 0x1p-53 / static_cast<double>(density) : 0;
    ASSERT_LE(std::abs(error), 1e-15 * std::max(1.0, std::abs(x[i])) + of_one_minus_p) << p[i];
  }
}

TEST(NormalQuantilesTest, ReachTheEndsOfTheRange) {
  const double p[] = {std::numeric_limits<double>::min(), 0.5, 1 - 0x1p-53, 0, 1};
  double x[5];
  NormalQuantiles(p, 5, x);
  EXPECT_NEAR(x[0], -37.5193793471445, 1e-13);  // mpmath, 40 digits
  EXPECT_EQ(x[1], 0);
  EXPECT_NEAR(x[2], 8.2095361516013869, 1e-14);
  EXPECT_EQ(x[3], x[0]);
  EXPECT_EQ(x[4], -x[0]);
}

TEST(NormalQuantilesTest, AreTheSameForOneAndForMany) {
  const std::vector<double> p = Grid(1e-15, 1 - 1e-15, 101);
  std::vector<double> many(p.size());
  NormalQuantiles(p.data(), 101, many.data());
  std::vector<double> cdf(p.size());
  NormalCdfs(many.data(), 101, cdf.data());
  for (size_t i = 0; i < p.size(); ++i) {
    double x = p[i];
    NormalQuantiles(&x, 1, &x);
    EXPECT_EQ(x, many[i]);
    NormalCdfs(&x, 1, &x);
    EXPECT_EQ(x, cdf[i]);
  }
}

}  // namespace
}  // namespace creamery
