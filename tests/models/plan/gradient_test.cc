#include "models/plan/gradient.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <tuple>

#include "models/plan/interpreter.h"
#include "models/random.h"
#include "tests/models/plan/random_plan.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using Kind = AutoregressiveLayer::Kind;

// n draws of the plan's own density.
std::vector<double> Rows(const Plan& plan, int64_t n) {
  const RandomStream random(8, RandomPurpose::kStatistics);
  std::vector<double> u;
  for (int64_t i = 0; i < n * plan.d(); ++i) u.push_back(random.Uniform(i));
  std::vector<double> theta(u.size());
  EXPECT_THAT(PlanInverse(plan, u, absl::MakeSpan(theta), StopToken()), IsOk());
  return theta;
}

class GradientTest : public ::testing::TestWithParam<std::tuple<Kind, int64_t>> {
 protected:
  static constexpr int64_t kRows = 45;  // two blocks of sixteen and thirteen single rows
  const int64_t d_ = std::get<1>(GetParam());
  const Plan plan_ = RandomPlan(std::get<0>(GetParam()), d_, 42);
  const std::vector<double> theta_ = Rows(plan_, kRows);
};

// Central differences of column j over +-step[i] in row i.
std::vector<double> Differences(const Plan& plan, const std::vector<double>& theta, int64_t j,
                                const std::vector<double>& step) {
  const int64_t n = static_cast<int64_t>(theta.size()) / plan.d();
  std::vector<double> above = theta;
  std::vector<double> below = theta;
  for (int64_t i = 0; i < n; ++i) above[i * plan.d() + j] += step[i];
  for (int64_t i = 0; i < n; ++i) below[i * plan.d() + j] -= step[i];
  std::vector<double> high(n);
  std::vector<double> low(n);
  EXPECT_THAT(PlanLogProb(plan, above, absl::MakeSpan(high), StopToken()), IsOk());
  EXPECT_THAT(PlanLogProb(plan, below, absl::MakeSpan(low), StopToken()), IsOk());
  for (int64_t i = 0; i < n; ++i) high[i] = (high[i] - low[i]) / (above[i * plan.d() + j] - below[i * plan.d() + j]);
  return high;
}

// The steps shrink where the density is steep, as it is just inside a bound. Rounding leaves an error of about
// 1e-15 |log p| / step = 1e-10 (100 + |slope|) in a difference. What the step leaves goes with its square, so the
// differences of a step and of half of it give a better one; it is off by less than a twentieth of what they differ by.
TEST_P(GradientTest, AgreesWithCentralDifferences) {
  std::vector<double> log_prob(kRows);
  std::vector<double> gradient(kRows * d_);
  ASSERT_THAT(PlanLogProbGradient(plan_, theta_, absl::MakeSpan(log_prob), absl::MakeSpan(gradient), StopToken()),
              IsOk());
  double largest = 0;
  for (int64_t j = 0; j < d_; ++j) {
    std::vector<double> step;
    std::vector<double> half;
    for (int64_t i = 0; i < kRows; ++i) {
      step.push_back(1e-4 / (100 + std::fabs(gradient[i * d_ + j])));
      half.push_back(step[i] / 2);
    }
    const std::vector<double> coarse = Differences(plan_, theta_, j, step);
    const std::vector<double> fine = Differences(plan_, theta_, j, half);
    for (int64_t i = 0; i < kRows; ++i) {
      const double expected = (4 * fine[i] - coarse[i]) / 3;
      const double tolerance = 1e-6 * (1 + std::fabs(expected)) + 0.05 * std::fabs(fine[i] - coarse[i]);
      EXPECT_NEAR(gradient[i * d_ + j], expected, tolerance) << "row " << i << ", column " << j;
      largest = std::max(largest, std::fabs(expected));
    }
  }
  EXPECT_GT(largest, 0.3);  // else the comparison would say nothing
}

TEST_P(GradientTest, LogProbHasTheBitsOfPlanLogProbAndNothingDependsOnTheNumberOfRows) {
  std::vector<double> plain(kRows);
  std::vector<double> log_prob(kRows);
  std::vector<double> gradient(kRows * d_);
  ASSERT_THAT(PlanLogProb(plan_, theta_, absl::MakeSpan(plain), StopToken()), IsOk());
  ASSERT_THAT(PlanLogProbGradient(plan_, theta_, absl::MakeSpan(log_prob), absl::MakeSpan(gradient), StopToken()),
              IsOk());
  EXPECT_EQ(plain, log_prob);
  std::vector<double> one(d_);
  for (int64_t i = 0; i < kRows; ++i) {
    double alone = 0;
    ASSERT_THAT(PlanLogProbGradient(plan_, absl::MakeConstSpan(theta_).subspan(i * d_, d_), absl::MakeSpan(&alone, 1),
                                    absl::MakeSpan(one), StopToken()),
                IsOk());
    EXPECT_EQ(alone, log_prob[i]);
    EXPECT_EQ(one, std::vector<double>(gradient.begin() + i * d_, gradient.begin() + (i + 1) * d_));
  }
}

TEST_P(GradientTest, IsZeroWhereTheDensityIsAndNeverNaN) {
  for (const double value : {-1e308, -1e200, -1e30, -100.0, -1.0, 0.0, 1e-300, 2.0, 1e30, 1e200, 1e308}) {
    double log_prob = 0;
    std::vector<double> gradient(d_);
    ASSERT_THAT(PlanLogProbGradient(plan_, std::vector<double>(d_, value), absl::MakeSpan(&log_prob, 1),
                                    absl::MakeSpan(gradient), StopToken()),
                IsOk());
    for (const double slope : gradient) {
      EXPECT_FALSE(std::isnan(slope)) << value;
      if (std::isinf(log_prob)) {
        EXPECT_EQ(slope, 0) << value;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, GradientTest,
                         ::testing::Combine(::testing::Values(Kind::kAffine, Kind::kSpline),
                                            ::testing::Values<int64_t>(1, 2, 3, 6)));

TEST(GradientOfNormalTest, IsMinusTheStandardisedDistance) {
  Plan plan = RandomPlan(Kind::kAffine, 1, 1);
  for (AutoregressiveLayer& layer : plan.layers) {
    for (Linear& linear : layer.network) std::fill(linear.bias.begin(), linear.bias.end(), 0.0f);
  }
  plan.whitening.clear();
  plan.columns[0] = ColumnMap();
  plan.columns[0].shift = 2;
  plan.columns[0].scale = 3;
  double log_prob = 0;
  double gradient = 0;
  ASSERT_THAT(PlanLogProbGradient(plan, {8}, absl::MakeSpan(&log_prob, 1), absl::MakeSpan(&gradient, 1), StopToken()),
              IsOk());
  EXPECT_DOUBLE_EQ(gradient, -6.0 / 9);
}

TEST(GradientStopTest, StopsWhenAskedAndRefusesShapesThatDoNotFit) {
  const Plan plan = RandomPlan(Kind::kAffine, 2, 1);
  StopSource source;
  source.RequestStop();
  std::vector<double> theta(2000, 0.5);
  std::vector<double> gradient(2000);
  std::vector<double> log_prob(1000);
  EXPECT_THAT(PlanLogProbGradient(plan, theta, absl::MakeSpan(log_prob), absl::MakeSpan(gradient), source.token()),
              HasCode(absl::StatusCode::kCancelled));
  gradient.pop_back();
  EXPECT_THAT(PlanLogProbGradient(plan, theta, absl::MakeSpan(log_prob), absl::MakeSpan(gradient), StopToken()),
              StatusIs(absl::StatusCode::kInvalidArgument, ::testing::HasSubstr("gradient has 1999 numbers")));
}

}  // namespace
}  // namespace creamery
