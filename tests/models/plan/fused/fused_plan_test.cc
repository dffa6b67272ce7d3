// Vector kernels against the reference in float64, and against themselves in other company: alone, in other batches, on
// other threads, on other instruction sets.
#include "models/plan/fused/fused_plan.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <thread>
#include <tuple>
#include <vector>

#include "models/plan/interpreter.h"
#include "models/random.h"
#include "tests/models/plan/random_plan.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using Kind = AutoregressiveLayer::Kind;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Shape {
  const char* name;
  PlanSizes sizes;
};

// Hidden layers of sizes that are multiples of nothing, and those of a default flow.
const Shape kShapes[] = {{"NoHidden", {2, {}, 3, 0, 0.05}},
                         {"OneHidden", {3, {13}, 1, 0.5, 0.1}},
                         {"TwoHidden", {6, {50, 50}, 8, 0.2, 0.05}},
                         {"ThreeHidden", {2, {17, 33, 9}, 5, 0.4, 0.1}}};

class FusedPlanTest : public ::testing::TestWithParam<std::tuple<Kind, int64_t, Shape>> {
 protected:
  static constexpr int64_t kRows = 203;  // three large tiles, a large one that is not full

  std::vector<double> LogProb(absl::Span<const double> theta) const {
    std::vector<double> log_prob(theta.size() / d_);
    EXPECT_THAT(fused_.LogProb(theta, absl::MakeSpan(log_prob), StopToken()), IsOk());
    return log_prob;
  }
  std::vector<double> Inverse(absl::Span<const double> u) const {
    std::vector<double> theta(u.size());
    EXPECT_THAT(fused_.Inverse(u, absl::MakeSpan(theta), StopToken()), IsOk());
    return theta;
  }
  std::vector<double> Forward(absl::Span<const double> theta) const {
    std::vector<double> u(theta.size());
    EXPECT_THAT(fused_.Forward(theta, absl::MakeSpan(u), StopToken()), IsOk());
    return u;
  }
  // All that `ask` answers, asked for `rows` rows at a time.
  template <typename Ask>
  std::vector<double> InPieces(const std::vector<double>& from, int64_t rows, const Ask& ask) const {
    std::vector<double> all;
    for (int64_t row = 0; row < kRows; row += rows) {
      const int64_t count = std::min(rows, kRows - row);
      const std::vector<double> part = ask(absl::MakeConstSpan(from).subspan(row * d_, count * d_));
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }

  const Kind kind_ = std::get<0>(GetParam());
  const int64_t d_ = std::get<1>(GetParam());
  const Plan plan_ = SizedPlan(kind_, d_, std::get<2>(GetParam()).sizes, 7);
  const FusedPlan fused_ = FusedPlan(plan_);
  const std::vector<double> u_ = [this] {
    std::vector<double> u(kRows * d_);
    RandomStream(8, RandomPurpose::kStatistics).Uniforms(0, kRows, d_, u.data());
    return u;
  }();
  const std::vector<double> theta_ = Inverse(u_);
};

TEST_P(FusedPlanTest, LogProbAgreesWithTheReferenceOnDraws) {
  ASSERT_THAT(CheckPlan(plan_), IsOk());
  std::vector<double> reference(kRows);
  ASSERT_THAT(PlanLogProb(plan_, theta_, absl::MakeSpan(reference), StopToken()), IsOk());
  const std::vector<double> fused = LogProb(theta_);
  for (int64_t i = 0; i < kRows; ++i) {
    ASSERT_TRUE(std::isfinite(reference[i])) << "row " << i;
    EXPECT_NEAR(fused[i], reference[i], 1e-5 * std::max(1.0, std::abs(reference[i]))) << "row " << i;
  }
}

TEST_P(FusedPlanTest, ThePlaceInTheBaseAgreesWithTheReference) {
  std::vector<double> reference(kRows * d_);
  ASSERT_THAT(PlanForward(plan_, theta_, absl::MakeSpan(reference), StopToken()), IsOk());
  const std::vector<double> fused = Forward(theta_);
  for (size_t i = 0; i < fused.size(); ++i) {
    EXPECT_NEAR(fused[i], reference[i], 1e-5) << i;  // errors of z of 1e-5 and below, times a density below .4
    EXPECT_NEAR(u_[i], reference[i], 1e-5) << i;
  }
}

TEST_P(FusedPlanTest, ForwardUndoesTheInverse) {
  const std::vector<double> u = Forward(theta_);
  for (size_t i = 0; i < u.size(); ++i) EXPECT_NEAR(u[i], u_[i], 1e-9) << i;
}

TEST_P(FusedPlanTest, BitsDoNotDependOnTheRowsAround) {
  const std::vector<double> log_prob = LogProb(theta_);
  const std::vector<double> u = Forward(theta_);
  for (const int64_t rows : {1, 2, 3, 4, 5, 16, 17, 32, 33, 63, 64, 65, 100}) {
    EXPECT_EQ(InPieces(theta_, rows, [&](auto theta) { return LogProb(theta); }), log_prob) << rows;
    EXPECT_EQ(InPieces(theta_, rows, [&](auto theta) { return Forward(theta); }), u) << rows;
    EXPECT_EQ(InPieces(u_, rows, [&](auto part) { return Inverse(part); }), theta_) << rows;
  }
}

TEST_P(FusedPlanTest, BitsDoNotDependOnTheThread) {
  const std::vector<double> log_prob = LogProb(theta_);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(LogProb(theta_), log_prob);
        EXPECT_EQ(InPieces(u_, 20 + t, [&](auto u) { return Inverse(u); }), theta_);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(FusedPlanTest, BitsDoNotDependOnTheInstructionSet) {
  if ((hwy::SupportedTargets() & HWY_AVX3) == 0) GTEST_SKIP() << "this processor has no AVX-512 to compare with AVX2";
  std::vector<std::vector<double>> answers;
  for (const int64_t target : {HWY_AVX2, HWY_AVX3}) {
    hwy::SetSupportedTargetsForTest(target);
    std::vector<double> all = LogProb(theta_);
    for (const std::vector<double>& more : {Inverse(u_), Forward(theta_), LogProb(absl::MakeSpan(theta_).first(d_))}) {
      all.insert(all.end(), more.begin(), more.end());
    }
    answers.push_back(std::move(all));
  }
  hwy::SetSupportedTargetsForTest(0);
  EXPECT_EQ(answers[0], answers[1]);
}

TEST_P(FusedPlanTest, TheBaselineWithoutAFusedMultiplyAddAgreesToRounding) {
  const std::vector<double> best = LogProb(theta_);
  hwy::SetSupportedTargetsForTest(HWY_STATIC_TARGET);
  const std::vector<double> tiles = LogProb(theta_);
  const std::vector<double> rows = InPieces(theta_, 1, [&](auto theta) { return LogProb(theta); });
  hwy::SetSupportedTargetsForTest(0);
  EXPECT_EQ(tiles, rows);
  for (int64_t i = 0; i < kRows; ++i) EXPECT_NEAR(tiles[i], best[i], 1e-5 * std::max(1.0, std::abs(best[i]))) << i;
}

// Both say -inf, or the same to rounding; the draws around keep their bits.
TEST_P(FusedPlanTest, FarOutAndOutsideTheAnswerIsThatOfTheReferenceAndNobodyElseIsTouched) {
  const std::vector<double> before = LogProb(theta_);
  for (const double value :
       {-1e308, -1e200, -1e30, -1e18, -100.0, -1.0, 0.0, 2.0, 4.0, 1e17, 3e17, 6e17, 1e30, 1e300}) {
    std::vector<double> theta = theta_;
    for (int64_t j = 0; j < d_; ++j) theta[70 * d_ + j] = value;
    theta[100 * d_ + d_ - 1] = value;
    const std::vector<double> log_prob = LogProb(theta);
    for (const int64_t row : {70, 100}) {
      double reference = 0;
      ASSERT_THAT(
          PlanLogProb(plan_, absl::MakeSpan(theta).subspan(row * d_, d_), absl::MakeSpan(&reference, 1), StopToken()),
          IsOk());
      if (reference == -kInfinity) {
        EXPECT_EQ(log_prob[row], -kInfinity) << value;
      } else {
        EXPECT_NEAR(log_prob[row], reference, 1e-5 * std::max(1.0, std::abs(reference))) << value;
      }
    }
    for (int64_t i = 0; i < kRows; ++i) {
      if (i == 70 || i == 100) continue;
      ASSERT_EQ(log_prob[i], before[i]) << value;
    }
    // Which rows the kernels leave to the reference does not depend on the shape.
    ASSERT_EQ(InPieces(theta, 1, [&](auto row) { return LogProb(row); }), log_prob) << value;
  }
}

TEST_P(FusedPlanTest, TheFirstRowOutsideTheSupportIsNamed) {
  if (kind_ == Kind::kAffine && d_ == 1) return;  // no bounds
  std::vector<double> theta = theta_;
  const int64_t bounded = kind_ == Kind::kSpline ? 0 : 1;
  theta[150 * d_ + bounded] = theta[190 * d_ + bounded] = -1;  // its lower bound, or below
  std::vector<double> u(theta.size());
  EXPECT_THAT(fused_.Forward(theta, absl::MakeSpan(u), StopToken()),
              StatusIs(absl::StatusCode::kInvalidArgument, testing::HasSubstr("row 150")));
}

TEST_P(FusedPlanTest, StopsWhenAskedAndRefusesShapesThatDoNotFit) {
  StopSource source;
  source.RequestStop();
  std::vector<double> log_prob(kRows);
  EXPECT_THAT(fused_.LogProb(theta_, absl::MakeSpan(log_prob), source.token()), HasCode(absl::StatusCode::kCancelled));
  log_prob.pop_back();
  EXPECT_THAT(fused_.LogProb(theta_, absl::MakeSpan(log_prob), StopToken()),
              HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_GT(fused_.memory_bytes(), 0);
}

std::string NameOf(const testing::TestParamInfo<std::tuple<Kind, int64_t, Shape>>& info) {
  return (std::get<0>(info.param) == Kind::kAffine ? "Affine" : "Spline") + std::to_string(std::get<1>(info.param)) +
         std::get<2>(info.param).name;
}
INSTANTIATE_TEST_SUITE_P(Plans, FusedPlanTest,
                         testing::Combine(testing::Values(Kind::kAffine, Kind::kSpline),
                                          testing::Values(int64_t{1}, int64_t{2}, int64_t{3}, int64_t{6}, int64_t{26}),
                                          testing::ValuesIn(kShapes)),
                         NameOf);

// Layers so sharp that float32 would lose 1e-3.
TEST(FusedPlanRangeTest, NetworksThatAmplifyRoundingAreComputedInFloat64) {
  EXPECT_TRUE(FusedPlan(LargePlan(Kind::kAffine, 6, 1)).is_float32());
  const Plan plan = SizedPlan(Kind::kAffine, 26, {6, {50, 50}, 0, 0.3, 0.15}, 7);
  const FusedPlan fused(plan);
  EXPECT_FALSE(fused.is_float32());
  std::vector<double> u(200 * 26), theta(u.size()), log_prob(200), reference(200);
  RandomStream(8, RandomPurpose::kStatistics).Uniforms(0, 200, 26, u.data());
  ASSERT_THAT(fused.Inverse(u, absl::MakeSpan(theta), StopToken()), IsOk());
  ASSERT_THAT(fused.LogProb(theta, absl::MakeSpan(log_prob), StopToken()), IsOk());
  ASSERT_THAT(PlanLogProb(plan, theta, absl::MakeSpan(reference), StopToken()), IsOk());
  for (int i = 0; i < 200; ++i) {
    EXPECT_NEAR(log_prob[i], reference[i], 1e-5 * std::max(1.0, std::abs(reference[i]))) << i;
  }
}

// What float32 cannot hold is computed in float64: weights, and rows that leave its range between two layers.
TEST(FusedPlanRangeTest, NumbersBeyondFloat32AreLeftToFloat64) {
  Plan plan = SizedPlan(Kind::kAffine, 3, {3, {13}, 0, 0.7, 0.4}, 7);
  std::vector<double> u(50 * 3);
  RandomStream(8, RandomPurpose::kStatistics).Uniforms(0, 50, 3, u.data());
  const auto compare = [&](const Plan& changed) {
    ASSERT_THAT(CheckPlan(changed), IsOk());
    const FusedPlan fused(changed);
    std::vector<double> theta(u.size()), expected_theta(u.size()), log_prob(50), expected(50);
    ASSERT_THAT(fused.Inverse(u, absl::MakeSpan(theta), StopToken()), IsOk());
    ASSERT_THAT(PlanInverse(changed, u, absl::MakeSpan(expected_theta), StopToken()), IsOk());
    for (int64_t i = 0; i < 150; ++i) {
      EXPECT_NEAR(theta[i], expected_theta[i], 1e-5 * std::max(1.0, std::abs(expected_theta[i]))) << i;
    }
    ASSERT_THAT(PlanLogProb(changed, theta, absl::MakeSpan(expected), StopToken()), IsOk());
    ASSERT_THAT(fused.LogProb(theta, absl::MakeSpan(log_prob), StopToken()), IsOk());
    for (int i = 0; i < 50; ++i) {
      if (expected[i] == -kInfinity) {
        EXPECT_EQ(log_prob[i], -kInfinity);
      } else {
        EXPECT_NEAR(log_prob[i], expected[i], 1e-5 * std::max(1.0, std::abs(expected[i]))) << i;
      }
    }
  };
  Plan large_weight = plan;
  large_weight.layers[1].network[0].weight[0] = 1e30f;
  compare(large_weight);
  Plan large_scale = plan;  // alpha of the last position: y = z exp(60) passes 10^18
  large_scale.layers[2].network.back().bias[5] = 60;
  large_scale.layers[0].network.back().bias[5] = -60;
  compare(large_scale);
  Plan overflow = plan;  // exp(-alpha) overflows float64
  overflow.layers[1].network.back().bias[5] = -800;
  compare(overflow);
}

}  // namespace
}  // namespace creamery
