// The gradient by vector kernels against the reference in float64.
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <vector>

#include "models/plan/fused/fused_plan.h"
#include "models/plan/gradient.h"
#include "models/plan/interpreter.h"
#include "models/random.h"
#include "tests/models/plan/random_plan.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using Kind = AutoregressiveLayer::Kind;

// n draws of the plan's own density.
std::vector<double> Rows(const Plan& plan, int64_t n) {
  std::vector<double> u(n * plan.d());
  RandomStream(8, RandomPurpose::kStatistics).Uniforms(0, n, plan.d(), u.data());
  std::vector<double> theta(u.size());
  EXPECT_THAT(PlanInverse(plan, u, absl::MakeSpan(theta), StopToken()), IsOk());
  return theta;
}

struct Answer {
  std::vector<double> log_prob;
  std::vector<double> gradient;
};

template <typename Ask>
Answer AnswerOf(const Plan& plan, absl::Span<const double> theta, const Ask& ask) {
  Answer answer = {std::vector<double>(theta.size() / plan.d()), std::vector<double>(theta.size())};
  EXPECT_THAT(ask(theta, absl::MakeSpan(answer.log_prob), absl::MakeSpan(answer.gradient)), IsOk());
  return answer;
}

Answer Fused(const FusedPlan& fused, const Plan& plan, absl::Span<const double> theta) {
  return AnswerOf(plan, theta, [&](auto rows, auto log_prob, auto gradient) {
    return fused.LogProbGradient(rows, log_prob, gradient, StopToken());
  });
}

Answer Reference(const Plan& plan, absl::Span<const double> theta) {
  return AnswerOf(plan, theta, [&](auto rows, auto log_prob, auto gradient) {
    return PlanLogProbGradient(plan, rows, log_prob, gradient, StopToken());
  });
}

class FusedGradientTest : public ::testing::TestWithParam<std::tuple<Kind, int64_t, bool>> {
 protected:
  // Three large tiles, a small one, and three rows alone.
  static constexpr int64_t kRows = 3 * 64 + 16 + 3;
  const Kind kind_ = std::get<0>(GetParam());
  const int64_t d_ = std::get<1>(GetParam());
  const Plan plan_ = std::get<2>(GetParam()) ? LargePlan(kind_, d_, 1) : RandomPlan(kind_, d_, 42);
  const FusedPlan fused_{plan_};
  const std::vector<double> theta_ = Rows(plan_, kRows);
};

// Errors are counted in the largest derivative of the row, or in 1 if that is more. Networks in float32 carry errors of
// 6e-8 in every sum and of up to 5e-7 in a tanh, whose slope 1 - tanh^2 has twice as much: some tens of them in a
// derivative make a few 1e-6, and steep layers multiply them, by up to ten for these rows.
TEST_P(FusedGradientTest, AgreesWithTheReference) {
  const Answer fused = Fused(fused_, plan_, theta_);
  const Answer reference = Reference(plan_, theta_);
  std::vector<double> errors;
  for (int64_t i = 0; i < kRows; ++i) {
    double largest = 1;
    double error = 0;
    for (int64_t j = i * d_; j < (i + 1) * d_; ++j) {
      largest = std::max(largest, std::abs(reference.gradient[j]));
      error = std::max(error, std::abs(fused.gradient[j] - reference.gradient[j]));
    }
    errors.push_back(error / largest);
  }
  std::sort(errors.begin(), errors.end());
  EXPECT_LT(errors[kRows * 19 / 20], kind_ == Kind::kAffine ? 1e-5 : 1e-12);
  EXPECT_LT(errors.back(), kind_ == Kind::kAffine ? 1e-4 : 1e-11);
  // These two plans are served in float32; else nothing would be said of it.
  if (kind_ == Kind::kAffine && d_ == 6) {
    EXPECT_GT(errors.back(), 1e-9);
  }
}

TEST_P(FusedGradientTest, LogProbHasTheBitsOfLogProbAndNothingDependsOnTheNumberOfRows) {
  const Answer many = Fused(fused_, plan_, theta_);
  std::vector<double> log_prob(kRows);
  ASSERT_THAT(fused_.LogProb(theta_, absl::MakeSpan(log_prob), StopToken()), IsOk());
  EXPECT_EQ(many.log_prob, log_prob);
  for (const int64_t rows : {1, 5, 40}) {
    for (int64_t begin = 0; begin + rows <= kRows; begin += rows) {
      const Answer few = Fused(fused_, plan_, absl::MakeConstSpan(theta_).subspan(begin * d_, rows * d_));
      const double* expected = &many.gradient[begin * d_];
      ASSERT_EQ(few.log_prob, std::vector<double>(&many.log_prob[begin], &many.log_prob[begin] + rows));
      ASSERT_EQ(few.gradient, std::vector<double>(expected, expected + rows * d_)) << rows << " from " << begin;
    }
  }
}

TEST_P(FusedGradientTest, InstructionSetsWithAFusedMultiplyAddGiveTheSameBits) {
  if ((hwy::SupportedTargets() & HWY_AVX3) == 0) GTEST_SKIP() << "this processor has no AVX-512 to compare with AVX2";
  std::vector<Answer> many;
  std::vector<Answer> one;
  for (const int64_t target : {HWY_AVX2, HWY_AVX3}) {
    hwy::SetSupportedTargetsForTest(target);
    many.push_back(Fused(fused_, plan_, theta_));
    one.push_back(Fused(fused_, plan_, absl::MakeConstSpan(theta_).subspan(0, d_)));
  }
  hwy::SetSupportedTargetsForTest(0);
  EXPECT_EQ(many[0].log_prob, many[1].log_prob);
  EXPECT_EQ(many[0].gradient, many[1].gradient);
  EXPECT_EQ(one[0].gradient, one[1].gradient);
}

TEST_P(FusedGradientTest, IsZeroWhereTheDensityIsAndNeverNaN) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  std::vector<double> theta;
  for (const double value : {-1e308, -1e200, -1e30, -1e15, -100.0, -1.0, 0.0, 1e-300, 2.0, 1e15, 1e30, 1e200, 1e308}) {
    theta.insert(theta.end(), d_, value);
  }
  const Answer many = Fused(fused_, plan_, theta);
  const Answer reference = Reference(plan_, theta);
  for (size_t i = 0; i < many.log_prob.size(); ++i) {
    const Answer one = Fused(fused_, plan_, absl::MakeConstSpan(theta).subspan(i * d_, d_));
    EXPECT_EQ(many.log_prob[i] == -kInfinity, reference.log_prob[i] == -kInfinity) << theta[i * d_];
    for (int64_t j = 0; j < d_; ++j) {
      const double slope = many.gradient[i * d_ + j];
      EXPECT_EQ(slope, one.gradient[j]) << theta[i * d_];
      EXPECT_FALSE(std::isnan(slope)) << theta[i * d_];
      if (many.log_prob[i] == -kInfinity) {
        EXPECT_EQ(slope, 0) << theta[i * d_];
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Plans, FusedGradientTest,
                         ::testing::Combine(::testing::Values(Kind::kAffine, Kind::kSpline),
                                            ::testing::Values<int64_t>(1, 2, 3, 6, 9), ::testing::Bool()));

TEST(FusedGradientStopTest, StopsWhenAskedAndRefusesShapesThatDoNotFit) {
  const Plan plan = RandomPlan(Kind::kAffine, 2, 1);
  const FusedPlan fused(plan);
  StopSource source;
  source.RequestStop();
  std::vector<double> theta(2000, 0.5);
  std::vector<double> gradient(2000);
  std::vector<double> log_prob(1000);
  EXPECT_THAT(fused.LogProbGradient(theta, absl::MakeSpan(log_prob), absl::MakeSpan(gradient), source.token()),
              HasCode(absl::StatusCode::kCancelled));
  gradient.pop_back();
  EXPECT_THAT(fused.LogProbGradient(theta, absl::MakeSpan(log_prob), absl::MakeSpan(gradient), StopToken()),
              StatusIs(absl::StatusCode::kInvalidArgument, ::testing::HasSubstr("gradient has 1999 numbers")));
}

}  // namespace
}  // namespace creamery
