#include "server/statistics/finite_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "creamery/v1/job.pb.h"
#include "creamery/v1/statistics_service.pb.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(FiniteAnswerTest, ANumberThatIsNoneIsInternalAndNamesVersionAndField) {
  v1::MarginalKLResponse answer;
  answer.set_model_version("projects/p/models/m/versions/3");
  answer.mutable_kl()->set_value(1.5);
  EXPECT_THAT(CheckFiniteAnswer(answer), IsOk());
  for (const double bad : {kNan, HUGE_VAL, -HUGE_VAL}) {
    answer.mutable_kl()->set_approximation_error(bad);
    EXPECT_THAT(CheckFiniteAnswer(answer),
                StatusIs(absl::StatusCode::kInternal,
                         AllOf(HasSubstr("projects/p/models/m/versions/3"), HasSubstr("kl.approximation_error"))));
  }
  v1::StatisticsResult result;
  *result.mutable_marginal_kl() = answer;
  EXPECT_THAT(CheckFiniteAnswer(result),
              StatusIs(absl::StatusCode::kInternal, AllOf(HasSubstr("versions/3"), HasSubstr("approximation_error"))));
}

TEST(FiniteAnswerTest, RepeatedFieldsAreLookedInto) {
  v1::EvidenceRatioResponse answer;
  answer.add_model_versions("projects/p/models/a/versions/1");
  answer.add_model_versions("projects/p/models/b/versions/2");
  answer.add_estimates()->mutable_log_ratio()->set_value(1);
  answer.add_estimates()->mutable_log_ratio()->set_value(kNan);
  EXPECT_THAT(CheckFiniteAnswer(answer),
              StatusIs(absl::StatusCode::kInternal, AllOf(HasSubstr("models/a/versions/1, projects/p/models/b"),
                                                          HasSubstr("log_ratio.value = nan"))));
}

TEST(FiniteAnswerTest, WhatIsUnknownBecauseOfOnePointMayBeInfinite) {
  v1::EvidenceResponse answer;
  answer.set_k_hat(HUGE_VAL);
  answer.mutable_log_z()->set_error(HUGE_VAL);
  answer.mutable_log_z()->set_monte_carlo_error(HUGE_VAL);
  EXPECT_THAT(CheckFiniteAnswer(answer), IsOk());
  answer.set_k_hat(kNan);
  EXPECT_THAT(CheckFiniteAnswer(answer), StatusIs(absl::StatusCode::kInternal, HasSubstr("k_hat = nan")));
}

}  // namespace
}  // namespace creamery
