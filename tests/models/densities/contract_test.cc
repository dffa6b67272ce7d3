// What every density promises, whatever it is made of.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "models/densities/density_tree.h"
#include "models/random.h"
#include "tests/models/densities/random_tree.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<NamedTree> Cases() {
  std::vector<NamedTree> cases;
  for (const int64_t d : {1, 2, 4}) {
    for (NamedTree& named : EveryKind(d)) {
      cases.push_back({named.name + "_" + std::to_string(d), std::move(named.tree)});
    }
  }
  return cases;
}

class DensityContractTest : public ::testing::TestWithParam<NamedTree> {
 protected:
  static constexpr int64_t kRows = 45;

  DensityContractTest() {
    const RandomStream random(5, RandomPurpose::kStatistics);
    for (int64_t i = 0; i < kRows * d_; ++i) u_.push_back(random.Uniform(i));
    theta_.resize(u_.size());
    EXPECT_THAT(density_->PriorTransform(u_, absl::MakeSpan(theta_), StopToken()), IsOk());
  }

  std::vector<double> LogProbOf(const std::vector<double>& theta) const { return LogProbOf(*density_, theta); }
  std::vector<double> LogProbOf(const Density& density, const std::vector<double>& theta) const {
    std::vector<double> log_prob(theta.size() / d_);
    EXPECT_THAT(density.LogProb(theta, absl::MakeSpan(log_prob), StopToken()), IsOk());
    return log_prob;
  }
  std::vector<double> Row(const std::vector<double>& rows, int64_t i) const {
    return {rows.begin() + i * d_, rows.begin() + (i + 1) * d_};
  }

  const DensityTree& tree_ = GetParam().tree;
  const int64_t d_ = tree_.d();
  const std::unique_ptr<Density> density_ = MakeDensity(tree_);
  std::vector<double> u_;
  std::vector<double> theta_;  // draws
};

TEST_P(DensityContractTest, PassesItsCheckAndComesBackFromAnArtifactWithTheSameBits) {
  ASSERT_THAT(CheckDensityTree(tree_), IsOk());
  Safetensors artifact;
  WriteDensityTree(tree_, "member0/", artifact);
  ASSERT_OK_AND_ASSIGN(const Safetensors parsed, Safetensors::Parse(artifact.Serialize()));
  ASSERT_OK_AND_ASSIGN(const DensityTree read, ReadDensityTree(parsed, "member0/"));
  std::vector<double> log_prob(kRows);
  ASSERT_THAT(MakeDensity(read)->LogProb(theta_, absl::MakeSpan(log_prob), StopToken()), IsOk());
  EXPECT_EQ(log_prob, LogProbOf(theta_));
  EXPECT_GT(tree_.memory_bytes(), 100);
}

TEST_P(DensityContractTest, TheInverseFindsAPointThatLeadsBack) {
  std::vector<double> u(u_.size());
  std::vector<double> again(u_.size());
  ASSERT_THAT(density_->InversePriorTransform(theta_, absl::MakeSpan(u), StopToken()), IsOk());
  for (const double value : u) {
    EXPECT_GT(value, 0);
    EXPECT_LT(value, 1);
  }
  ASSERT_THAT(density_->PriorTransform(u, absl::MakeSpan(again), StopToken()), IsOk());
  // u is rounded by 1e-16, which a mixture's share of .2 and a density of 1e-5 there make 1e-10 of theta.
  for (size_t i = 0; i < theta_.size(); ++i) {
    EXPECT_NEAR(again[i], theta_[i], 1e-9 * (1 + std::fabs(theta_[i]))) << "row " << i / d_;
  }
}

TEST_P(DensityContractTest, AnswersAreThoseOfDoublePrecisionToRounding) {
  const std::unique_ptr<const Density> exact = density_->InDoublePrecision();
  std::vector<double> log_prob(kRows), exact_log_prob(kRows);
  std::vector<double> gradient(kRows * d_), exact_gradient(kRows * d_);
  ASSERT_THAT(density_->LogProbGradient(theta_, absl::MakeSpan(log_prob), absl::MakeSpan(gradient), StopToken()),
              IsOk());
  ASSERT_THAT(
      exact->LogProbGradient(theta_, absl::MakeSpan(exact_log_prob), absl::MakeSpan(exact_gradient), StopToken()),
      IsOk());
  EXPECT_EQ(log_prob, LogProbOf(theta_));
  for (int64_t i = 0; i < kRows; ++i) {
    EXPECT_NEAR(log_prob[i], exact_log_prob[i], 1e-5 * std::max(1.0, std::fabs(exact_log_prob[i]))) << "row " << i;
    double largest = 1;
    for (const double slope : Row(exact_gradient, i)) largest = std::max(largest, std::fabs(slope));
    for (int64_t j = 0; j < d_; ++j) {
      EXPECT_NEAR(gradient[i * d_ + j], exact_gradient[i * d_ + j], 1e-5 * largest) << "row " << i << ", column " << j;
    }
  }
}

// In double precision: differences would magnify the rounding of float32 networks.
TEST_P(DensityContractTest, GradientAgreesWithDifferencesAndKeepsTheBitsOfLogProb) {
  const std::unique_ptr<const Density> exact = density_->InDoublePrecision();
  std::vector<double> log_prob(kRows);
  std::vector<double> gradient(kRows * d_);
  ASSERT_THAT(exact->LogProbGradient(theta_, absl::MakeSpan(log_prob), absl::MakeSpan(gradient), StopToken()), IsOk());
  EXPECT_EQ(log_prob, LogProbOf(*exact, theta_));
  for (int64_t j = 0; j < d_; ++j) {
    // Rounding leaves 1e-15 / step; the step's own error goes with its square and is told by halving it.
    const auto difference = [&](double fraction) {
      std::vector<double> above = theta_;
      std::vector<double> below = theta_;
      for (int64_t i = 0; i < kRows; ++i) {
        const double step = fraction * 1e-4 / (100 + std::fabs(gradient[i * d_ + j]));
        above[i * d_ + j] += step;
        below[i * d_ + j] -= step;
      }
      std::vector<double> high = LogProbOf(*exact, above);
      const std::vector<double> low = LogProbOf(*exact, below);
      for (int64_t i = 0; i < kRows; ++i) high[i] = (high[i] - low[i]) / (above[i * d_ + j] - below[i * d_ + j]);
      return high;
    };
    const std::vector<double> coarse = difference(1);
    const std::vector<double> fine = difference(0.5);
    for (int64_t i = 0; i < kRows; ++i) {
      const double expected = (4 * fine[i] - coarse[i]) / 3;
      EXPECT_NEAR(gradient[i * d_ + j], expected,
                  1e-6 * (1 + std::fabs(expected)) + 0.05 * std::fabs(fine[i] - coarse[i]))
          << "row " << i << ", column " << j;
    }
  }
}

TEST_P(DensityContractTest, NothingDependsOnTheNumberOfRows) {
  const std::vector<double> log_prob = LogProbOf(theta_);
  std::vector<double> gradient(kRows * d_);
  std::vector<double> again(kRows);
  std::vector<double> u(kRows * d_);
  ASSERT_THAT(density_->LogProbGradient(theta_, absl::MakeSpan(again), absl::MakeSpan(gradient), StopToken()), IsOk());
  ASSERT_THAT(density_->InversePriorTransform(theta_, absl::MakeSpan(u), StopToken()), IsOk());
  std::vector<double> row(d_);
  double alone = 0;
  for (int64_t i = 0; i < kRows; ++i) {
    const std::vector<double> theta = Row(theta_, i);
    EXPECT_EQ(LogProbOf(theta)[0], log_prob[i]);
    ASSERT_THAT(density_->LogProbGradient(theta, absl::MakeSpan(&alone, 1), absl::MakeSpan(row), StopToken()), IsOk());
    EXPECT_EQ(row, Row(gradient, i));
    ASSERT_THAT(density_->PriorTransform(Row(u_, i), absl::MakeSpan(row), StopToken()), IsOk());
    EXPECT_EQ(row, theta);
    ASSERT_THAT(density_->InversePriorTransform(theta, absl::MakeSpan(row), StopToken()), IsOk());
    EXPECT_EQ(row, Row(u, i));
  }
}

TEST_P(DensityContractTest, FarOutAndOutsideTheDensityIsZeroAndNeverNaN) {
  for (const double value : {-1e308, -1e200, -1e30, -100.0, -1.0, 0.0, 1e-300, 2.0, 1e30, 1e200, 1e308}) {
    const std::vector<double> theta(d_, value);
    std::vector<double> gradient(d_);
    double log_prob = 0;
    ASSERT_THAT(density_->LogProbGradient(theta, absl::MakeSpan(&log_prob, 1), absl::MakeSpan(gradient), StopToken()),
                IsOk());
    EXPECT_FALSE(std::isnan(log_prob)) << value;
    EXPECT_LT(log_prob, kInfinity) << value;
    EXPECT_EQ(LogProbOf(theta)[0], log_prob) << value;
    for (const double slope : gradient) EXPECT_FALSE(std::isnan(slope)) << value;
    std::vector<double> u(d_);
    const absl::Status inverted = density_->InversePriorTransform(theta, absl::MakeSpan(u), StopToken());
    if (log_prob == -kInfinity) {
      EXPECT_EQ(gradient, std::vector<double>(d_, 0)) << value;
      EXPECT_THAT(inverted, StatusIs(absl::StatusCode::kInvalidArgument, ::testing::HasSubstr("row 0"))) << value;
    } else {
      EXPECT_THAT(inverted, IsOk()) << value;
      for (const double place : u) EXPECT_TRUE(place > 0 && place < 1) << value;
    }
  }
  for (const double value : {std::numeric_limits<double>::denorm_min(), 1e-300, 1e-17, 1 - 0x1p-53}) {
    std::vector<double> theta(d_);
    ASSERT_THAT(density_->PriorTransform(std::vector<double>(d_, value), absl::MakeSpan(theta), StopToken()), IsOk());
    for (const double number : theta) EXPECT_TRUE(std::isfinite(number)) << value;
    EXPECT_FALSE(std::isnan(LogProbOf(theta)[0])) << value;
  }
}

TEST_P(DensityContractTest, StopsWhenAskedAndRefusesShapesThatDoNotFit) {
  StopSource source;
  source.RequestStop();
  std::vector<double> log_prob(kRows);
  std::vector<double> out(kRows * d_);
  EXPECT_THAT(density_->LogProb(theta_, absl::MakeSpan(log_prob), source.token()),
              HasCode(absl::StatusCode::kCancelled));
  EXPECT_THAT(density_->PriorTransform(u_, absl::MakeSpan(out), source.token()), HasCode(absl::StatusCode::kCancelled));
  EXPECT_THAT(density_->LogProbGradient(theta_, absl::MakeSpan(log_prob), absl::MakeSpan(out), source.token()),
              HasCode(absl::StatusCode::kCancelled));
  EXPECT_THAT(density_->InversePriorTransform(theta_, absl::MakeSpan(out), source.token()),
              HasCode(absl::StatusCode::kCancelled));
  log_prob.pop_back();
  EXPECT_THAT(density_->LogProb(theta_, absl::MakeSpan(log_prob), StopToken()),
              HasCode(absl::StatusCode::kInvalidArgument));
}

INSTANTIATE_TEST_SUITE_P(EveryKind, DensityContractTest, ::testing::ValuesIn(Cases()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace creamery
