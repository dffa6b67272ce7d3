// What a damaged density says does not get out.
#include "models/densities/checked_density.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Answers every question with the numbers it was given, one for each row or number, the last for all others.
class FakeDensity final : public Density {
 public:
  explicit FakeDensity(std::vector<double> numbers) : numbers_(std::move(numbers)) {}

  int64_t num_parameters() const override { return 2; }
  absl::Status LogProb(absl::Span<const double>, absl::Span<double> log_prob, const StopToken&) const override {
    return Fill(log_prob);
  }
  absl::Status PriorTransform(absl::Span<const double>, absl::Span<double> theta, const StopToken&) const override {
    return Fill(theta);
  }
  absl::Status LogProbGradient(absl::Span<const double>, absl::Span<double> log_prob, absl::Span<double> gradient,
                               const StopToken&) const override {
    std::fill(log_prob.begin(), log_prob.end(), 0.0);
    return Fill(gradient);
  }
  absl::Status InversePriorTransform(absl::Span<const double>, absl::Span<double> u, const StopToken&) const override {
    return Fill(u);
  }
  absl::Status ContractedLogProb(absl::Span<const double>, double, absl::Span<double> log_prob,
                                 const StopToken&) const override {
    return Fill(log_prob);
  }

 private:
  absl::Status Fill(absl::Span<double> out) const {
    for (size_t i = 0; i < out.size(); ++i) out[i] = numbers_[std::min(i, numbers_.size() - 1)];
    return absl::OkStatus();
  }

  const std::vector<double> numbers_;
};

CheckedDensity Checked(std::vector<double> numbers) {
  v1::Signature signature;
  signature.add_parameters()->set_name("a");
  v1::Parameter& b = *signature.add_parameters();
  b.set_name("b");
  b.set_lower(0);
  return CheckedDensity(std::make_shared<FakeDensity>(std::move(numbers)), signature, "projects/p/models/m/versions/3");
}

const std::vector<double> kTheta = {1, 2, 3, 4};
const std::vector<double> kUnit = {.1, .2, .3, .4};

TEST(CheckedDensityTest, LogDensitiesThatAreNoneAreInternalAndNamed) {
  std::vector<double> log_prob(2);
  for (const double bad : {kNan, kInfinity}) {
    EXPECT_THAT(Checked({0, bad}).LogProb(kTheta, absl::MakeSpan(log_prob), StopToken()),
                StatusIs(absl::StatusCode::kInternal,
                         AllOf(HasSubstr("projects/p/models/m/versions/3"), HasSubstr("row 1"), HasSubstr("log p"))));
    EXPECT_THAT(Checked({0, bad}).ContractedLogProb(kTheta, .8, absl::MakeSpan(log_prob), StopToken()),
                StatusIs(absl::StatusCode::kInternal, HasSubstr("row 1")));
    EXPECT_THAT(Checked({0, bad}).InDoublePrecision()->LogProb(kTheta, absl::MakeSpan(log_prob), StopToken()),
                StatusIs(absl::StatusCode::kInternal, HasSubstr("versions/3")));
  }
  EXPECT_THAT(Checked({0, -kInfinity}).LogProb(kTheta, absl::MakeSpan(log_prob), StopToken()), IsOk());
  // Outside the bounds nobody asked it.
  EXPECT_THAT(Checked({kNan, 0}).LogProb({1, -2, 3, 4}, absl::MakeSpan(log_prob), StopToken()), IsOk());
  EXPECT_THAT(log_prob, ElementsAre(-kInfinity, 0));
}

TEST(CheckedDensityTest, DrawsAreFiniteAndInside) {
  std::vector<double> theta(4);
  EXPECT_THAT(Checked({1, -2, 3, 4}).PriorTransform(kUnit, absl::MakeSpan(theta), StopToken()), IsOk());
  EXPECT_GT(theta[1], 0);
  for (const double bad : {kNan, kInfinity}) {
    EXPECT_THAT(Checked({1, 2, bad, 4}).PriorTransform(kUnit, absl::MakeSpan(theta), StopToken()),
                StatusIs(absl::StatusCode::kInternal, AllOf(HasSubstr("'a'"), HasSubstr("row 1"))));
  }
  EXPECT_THAT(Checked({.1, .2, kNan}).InversePriorTransform(kTheta, absl::MakeSpan(theta), StopToken()),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("row 1")));
}

TEST(CheckedDensityTest, SlopesAreNumbers) {
  std::vector<double> log_prob(2), gradient(4);
  EXPECT_THAT(
      Checked({1, 2, kNan, 4}).LogProbGradient(kTheta, absl::MakeSpan(log_prob), absl::MakeSpan(gradient), StopToken()),
      StatusIs(absl::StatusCode::kInternal, HasSubstr("row 1")));
  EXPECT_THAT(Checked({1, -kInfinity, kInfinity, 4})
                  .LogProbGradient(kTheta, absl::MakeSpan(log_prob), absl::MakeSpan(gradient), StopToken()),
              IsOk());
  constexpr double kLargest = std::numeric_limits<double>::max();
  EXPECT_THAT(gradient, ElementsAre(1, -kLargest, kLargest, 4));
}

}  // namespace
}  // namespace creamery
