#include "models/statistics/evidence.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/status_matchers.h"

namespace creamery {
namespace {

constexpr int64_t kBytes = 16;
constexpr int64_t kPlenty = int64_t{1} << 30;

TEST(RoundsTest, TheFirstRoundIsALittleMoreThanTheTargetAndLaterOnesFollowTheEfficiency) {
  ASSERT_OK_AND_ASSIGN(const RoundOptions options, ParseRounds(0, 0, 0));
  EXPECT_EQ(options.target_effective_size, 1000);
  EXPECT_EQ(options.max_points, 100000);
  EXPECT_EQ(NextRound(options, 0, 0, kBytes, kPlenty), 1050);
  EXPECT_EQ(NextRound(options, 1050, 800, kBytes, kPlenty), 276);   // 1.05 * 200 / (800 / 1050), rounded up
  EXPECT_EQ(NextRound(options, 1050, 10, kBytes, kPlenty), 1050);   // at most as many as there are
  EXPECT_EQ(NextRound(options, 1050, 0, kBytes, kPlenty), 1050);    // nothing is known: double
  EXPECT_EQ(NextRound(options, 5000, 999.9, kBytes, kPlenty), 16);  // not point by point
  EXPECT_EQ(NextRound(options, 5000, 1000, kBytes, kPlenty), 0);
}

TEST(RoundsTest, NoRoundExceedsTheBudgetTheReplyOrAHundredThousand) {
  ASSERT_OK_AND_ASSIGN(const RoundOptions options, ParseRounds(1e6, 5000, 300));
  EXPECT_EQ(NextRound(options, 0, 0, kBytes, kPlenty), 300);
  EXPECT_EQ(NextRound(options, 4900, 10, kBytes, kPlenty), 100);
  EXPECT_EQ(NextRound(options, 5000, 10, kBytes, kPlenty), 0);
  EXPECT_EQ(NextRound(options, 6000, 10, kBytes, kPlenty), 0);
  EXPECT_EQ(NextRound(options, 0, 0, kBytes, 1600), 100);
  EXPECT_EQ(NextRound(options, 0, 0, kBytes, 1), 1);  // the service's limit speaks then
  ASSERT_OK_AND_ASSIGN(const RoundOptions wide, ParseRounds(1e6, 1000000, 0));
  EXPECT_EQ(NextRound(wide, 0, 0, kBytes, kPlenty), 100000);
}

TEST(FullSpaceTest, NamesWhatIsTooMuchAndWhatIsMissing) {
  v1::Signature signature;
  signature.add_parameters()->set_name("a");
  EXPECT_THAT(CheckFullSpace("the evidence", signature), IsOk());
  v1::Parameter& derived = *signature.add_parameters();
  derived.set_name("sigma8");
  derived.set_derived(true);
  EXPECT_THAT(CheckFullSpace("the evidence", signature),
              StatusIs(absl::StatusCode::kFailedPrecondition, testing::HasSubstr("the derived sigma8")));
  signature.add_marginalised("A_planck");
  EXPECT_THAT(CheckFullSpace("the evidence", signature),
              StatusIs(absl::StatusCode::kFailedPrecondition, testing::HasSubstr("marginalised A_planck")));
}

}  // namespace
}  // namespace creamery
