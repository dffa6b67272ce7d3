#include "models/plan/interpreter.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <tuple>

#include "models/plan/column_map.h"
#include "models/random.h"
#include "tests/models/plan/random_plan.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using Kind = AutoregressiveLayer::Kind;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

double LogProbOf(const Plan& plan, const std::vector<double>& theta) {
  double log_prob = 0;
  EXPECT_THAT(PlanLogProb(plan, theta, absl::MakeSpan(&log_prob, 1), StopToken()), IsOk());
  return log_prob;
}

std::vector<double> InverseOf(const Plan& plan, const std::vector<double>& u) {
  std::vector<double> theta(u.size());
  EXPECT_THAT(PlanInverse(plan, u, absl::MakeSpan(theta), StopToken()), IsOk());
  return theta;
}

std::vector<double> UniformRows(int64_t n, int64_t d) {
  const RandomStream random(5, RandomPurpose::kStatistics);
  std::vector<double> u;
  for (int64_t i = 0; i < n * d; ++i) u.push_back(random.Uniform(i));
  return u;
}

class InterpreterTest : public ::testing::TestWithParam<std::tuple<Kind, int64_t>> {
 protected:
  const int64_t d_ = std::get<1>(GetParam());
  const Plan plan_ = RandomPlan(std::get<0>(GetParam()), d_, 42);
};

TEST_P(InterpreterTest, APlanOfRandomWeightsPassesItsCheck) { EXPECT_THAT(CheckPlan(plan_), IsOk()); }

// Inverse maps uniform u to theta with density p, so p(theta) |d theta / du| = 1: the determinant by finite
// differences.
TEST_P(InterpreterTest, DensityIsTheJacobianOfTheInverse) {
  for (int64_t row = 0; row < 10; ++row) {
    std::vector<double> u = UniformRows(10, d_);
    u = {u.begin() + row * d_, u.begin() + (row + 1) * d_};
    std::vector<double> jacobian(d_ * d_);
    for (int64_t j = 0; j < d_; ++j) {
      const double step = 1e-6 * std::min(u[j], 1 - u[j]);
      std::vector<double> above = u;
      std::vector<double> below = u;
      above[j] += step;
      below[j] -= step;
      const std::vector<double> high = InverseOf(plan_, above);
      const std::vector<double> low = InverseOf(plan_, below);
      for (int64_t i = 0; i < d_; ++i) jacobian[i * d_ + j] = (high[i] - low[i]) / (2 * step);
    }
    double log_det = 0;  // Gaussian elimination with pivots
    for (int64_t k = 0; k < d_; ++k) {
      int64_t pivot = k;
      for (int64_t i = k; i < d_; ++i) {
        if (std::fabs(jacobian[i * d_ + k]) > std::fabs(jacobian[pivot * d_ + k])) pivot = i;
      }
      for (int64_t j = 0; j < d_; ++j) std::swap(jacobian[k * d_ + j], jacobian[pivot * d_ + j]);
      log_det += std::log(std::fabs(jacobian[k * d_ + k]));
      for (int64_t i = k + 1; i < d_; ++i) {
        const double factor = jacobian[i * d_ + k] / jacobian[k * d_ + k];
        for (int64_t j = k; j < d_; ++j) jacobian[i * d_ + j] -= factor * jacobian[k * d_ + j];
      }
    }
    EXPECT_NEAR(LogProbOf(plan_, InverseOf(plan_, u)), -log_det, 1e-4) << "row " << row;
  }
}

TEST_P(InterpreterTest, BitsDoNotDependOnTheNumberOfRows) {
  const int64_t n = 45;
  const std::vector<double> u = UniformRows(n, d_);
  const std::vector<double> theta = InverseOf(plan_, u);
  std::vector<double> log_prob(n);
  ASSERT_THAT(PlanLogProb(plan_, theta, absl::MakeSpan(log_prob), StopToken()), IsOk());
  for (int64_t i = 0; i < n; ++i) {
    const std::vector<double> row(theta.begin() + i * d_, theta.begin() + (i + 1) * d_);
    EXPECT_EQ(LogProbOf(plan_, row), log_prob[i]);
    EXPECT_EQ(InverseOf(plan_, {u.begin() + i * d_, u.begin() + (i + 1) * d_}), row);
  }
}

TEST_P(InterpreterTest, LogProbIsNeverNaNAndInverseAlwaysInside) {
  for (const double value : {-1e308, -1e200, -1e30, -100.0, -1.0, 0.0, 1e-300, 2.0, 1e30, 1e200, 1e308}) {
    const double log_prob = LogProbOf(plan_, std::vector<double>(d_, value));
    EXPECT_FALSE(std::isnan(log_prob)) << value;
    EXPECT_LT(log_prob, kInfinity) << value;
  }
  for (const double u : {std::numeric_limits<double>::denorm_min(), 1e-300, 1e-17, 1 - 0x1p-53}) {
    EXPECT_FALSE(std::isnan(LogProbOf(plan_, InverseOf(plan_, std::vector<double>(d_, u))))) << u;
    for (const double theta : InverseOf(plan_, std::vector<double>(d_, u))) EXPECT_TRUE(std::isfinite(theta)) << u;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, InterpreterTest,
                         ::testing::Combine(::testing::Values(Kind::kAffine, Kind::kSpline),
                                            ::testing::Values<int64_t>(1, 2, 3, 6)));

// Midpoint rule in a box that holds all but 1e-8 of the mass.
double Integral(const Plan& plan, const std::vector<double>& lower, const std::vector<double>& upper, int64_t steps) {
  const int64_t d = plan.d();
  const int64_t n = static_cast<int64_t>(std::pow(steps, d));
  std::vector<double> theta(n * d);
  double cell = 1;
  for (int64_t j = 0; j < d; ++j) cell *= (upper[j] - lower[j]) / static_cast<double>(steps);
  for (int64_t i = 0; i < n; ++i) {
    int64_t rest = i;
    for (int64_t j = 0; j < d; ++j, rest /= steps) {
      theta[i * d + j] =
          lower[j] + (upper[j] - lower[j]) * (static_cast<double>(rest % steps) + 0.5) / static_cast<double>(steps);
    }
  }
  std::vector<double> log_prob(n);
  EXPECT_THAT(PlanLogProb(plan, theta, absl::MakeSpan(log_prob), StopToken()), IsOk());
  double sum = 0;
  for (const double value : log_prob) sum += std::exp(value) * cell;
  return sum;
}

TEST(InterpreterNormalisationTest, DensitiesIntegrateToOneInOneTwoAndThreeDimensions) {
  EXPECT_NEAR(Integral(RandomPlan(Kind::kAffine, 1, 1), {-20}, {20}, 20000), 1, 1e-4);
  EXPECT_NEAR(Integral(RandomPlan(Kind::kSpline, 1, 1), {-1}, {2}, 20000), 1, 1e-4);
  EXPECT_NEAR(Integral(RandomPlan(Kind::kAffine, 2, 1), {-15, 0}, {15, 4}, 400), 1, 1e-3);
  EXPECT_NEAR(Integral(RandomPlan(Kind::kSpline, 2, 1), {-1, -4}, {2, 5}, 400), 1, 1e-3);
  Plan smooth = RandomPlan(Kind::kAffine, 3, 1);  // few points a side: no kinks
  smooth.columns.assign(3, smooth.columns[0]);
  EXPECT_NEAR(Integral(smooth, {-14, -14, -14}, {14, 14, 14}, 96), 1, 1e-3);
}

TEST(InterpreterStructureTest, ZeroWeightsAreTheBaseItself) {
  Plan plan = RandomPlan(Kind::kAffine, 2, 1);
  for (AutoregressiveLayer& layer : plan.layers) {
    for (Linear& linear : layer.network) {
      std::fill(linear.weight.begin(), linear.weight.end(), 0.0f);
      std::fill(linear.bias.begin(), linear.bias.end(), 0.0f);
    }
  }
  plan.columns.assign(2, ColumnMap());
  plan.whitening = {1, 0, 0, 1};
  EXPECT_DOUBLE_EQ(LogProbOf(plan, {0.5, -1}), NormalLogDensity(0.5) + NormalLogDensity(-1));
  plan.whitening = {2, 0, 1, 3};  // y' = (2 y0, y0 + 3 y1)
  EXPECT_DOUBLE_EQ(LogProbOf(plan, {0.5, -1}), NormalLogDensity(1) + NormalLogDensity(-2.5) + std::log(6));
  EXPECT_NEAR(InverseOf(plan, {NormalCdf(1), NormalCdf(-2.5)})[1], -1, 1e-14);

  Plan box = RandomPlan(Kind::kSpline, 2, 1);
  for (AutoregressiveLayer& layer : box.layers) {
    for (Linear& linear : layer.network) {
      std::fill(linear.weight.begin(), linear.weight.end(), 0.0f);
      std::fill(linear.bias.begin(), linear.bias.end(), 0.0f);
    }
  }
  box.columns[1] = box.columns[0];
  EXPECT_NEAR(LogProbOf(box, {0.5, -0.9}), -2 * std::log(3.0), 1e-12);  // slopes of 1: the identity
}

// A layer whose order is 0, 1, 2: column 0's conditional density must not move with columns 1 and 2.
TEST(InterpreterStructureTest, EarlierColumnsDoNotDependOnLaterOnes) {
  Plan plan = RandomPlan(Kind::kSpline, 3, 4);
  plan.layers.resize(1);
  const std::vector<double> u = {0.3, 0.6, 0.2};
  const std::vector<double> first = InverseOf(plan, u);
  const std::vector<double> moved = InverseOf(plan, {0.3, 0.1, 0.9});
  EXPECT_EQ(first[0], moved[0]);
  const std::vector<double> third = InverseOf(plan, {0.3, 0.6, 0.9});
  EXPECT_EQ(first[1], third[1]);
  EXPECT_NE(first[1], InverseOf(plan, {0.4, 0.6, 0.2})[1]);
  EXPECT_NE(first[2], InverseOf(plan, {0.4, 0.6, 0.2})[2]);
}

TEST(InterpreterStopTest, StopsWhenAsked) {
  const Plan plan = RandomPlan(Kind::kAffine, 2, 1);
  StopSource source;
  source.RequestStop();
  std::vector<double> theta(2000, 0.5);
  std::vector<double> log_prob(1000);
  EXPECT_THAT(PlanLogProb(plan, theta, absl::MakeSpan(log_prob), source.token()),
              HasCode(absl::StatusCode::kCancelled));
  EXPECT_THAT(PlanInverse(plan, theta, absl::MakeSpan(theta), source.token()), HasCode(absl::StatusCode::kCancelled));
}

TEST(InterpreterStopTest, RefusesShapesThatDoNotFit) {
  const Plan plan = RandomPlan(Kind::kAffine, 2, 1);
  std::vector<double> log_prob(2);
  EXPECT_THAT(PlanLogProb(plan, std::vector<double>(3), absl::MakeSpan(log_prob), StopToken()),
              StatusIs(absl::StatusCode::kInvalidArgument, ::testing::HasSubstr("expected 2 rows of 2 parameters")));
}

}  // namespace
}  // namespace creamery
