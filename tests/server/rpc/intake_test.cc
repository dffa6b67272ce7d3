#include "server/rpc/intake.h"

#include <gtest/gtest.h>

#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::HasSubstr;

class Visitor final : public Intake::Guest {
 public:
  Visitor() : Guest(nullptr) {}
  void Expel(const absl::Status& why) override {
    said = why;
    expelled.Notify();
  }
  absl::Notification expelled;
  absl::Status said;
};

TEST(IntakeTest, BytesOfAllRequestsFitABudget) {
  Intake::Options options;
  options.max_request_bytes = 100;
  Intake intake(options);
  Visitor first, second;
  ASSERT_THAT(intake.Enter(&first), IsOk());
  ASSERT_THAT(intake.Enter(&second), IsOk());
  EXPECT_THAT(intake.Charge(&first, 101), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("at most 100")));
  EXPECT_THAT(intake.Charge(&first, 70), IsOk());
  EXPECT_THAT(intake.Charge(&second, 31), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("70 of 100")));
  EXPECT_THAT(intake.Charge(&first, 60), IsOk());  // in place of the 70
  EXPECT_THAT(intake.Charge(&second, 40), IsOk());
  intake.Leave(&first);
  EXPECT_THAT(intake.Charge(&second, 100), IsOk());
  intake.Leave(&second);
}

TEST(IntakeTest, AConnectionHoldsSoManyLastingCalls) {
  Intake::Options options;
  options.max_lasting_streams = 2;
  Intake intake(options);
  std::vector<Visitor> visitors(4);
  for (Visitor& visitor : visitors) ASSERT_THAT(intake.Enter(&visitor), IsOk());
  EXPECT_THAT(intake.Last(&visitors[0], "a"), IsOk());
  EXPECT_THAT(intake.Last(&visitors[1], "a"), IsOk());
  EXPECT_THAT(intake.Last(&visitors[2], "a"), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("holds 2")));
  EXPECT_THAT(intake.Last(&visitors[3], "b"), IsOk());
  intake.Leave(&visitors[0]);
  EXPECT_THAT(intake.Last(&visitors[2], "a"), IsOk());
  for (Visitor& visitor : visitors) intake.Leave(&visitor);
}

TEST(IntakeTest, WhoBringsNoRequestInTimeIsExpelledOnce) {
  Intake::Options options;
  options.request_patience = absl::Milliseconds(50);
  Intake intake(options);
  Visitor slow, quick;
  ASSERT_THAT(intake.Enter(&slow), IsOk());
  ASSERT_THAT(intake.Enter(&quick), IsOk());
  intake.BeginWaiting(&slow);
  intake.BeginWaiting(&quick);
  EXPECT_TRUE(intake.EndWaiting(&quick));
  ASSERT_TRUE(slow.expelled.WaitForNotificationWithTimeout(absl::Seconds(10)));
  EXPECT_THAT(slow.said, StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("50ms")));
  EXPECT_FALSE(intake.EndWaiting(&slow));
  EXPECT_FALSE(quick.expelled.HasBeenNotified());
  intake.Leave(&slow);
  intake.Leave(&quick);
}

TEST(IntakeTest, AClosedIntakeExpelsThoseThatWaitAndIsEmptyWhenAllHaveLeft) {
  Intake intake({});
  Visitor waiting, inside, late;
  ASSERT_THAT(intake.Enter(&waiting), IsOk());
  ASSERT_THAT(intake.Enter(&inside), IsOk());
  intake.BeginWaiting(&waiting);
  intake.Close();
  EXPECT_THAT(waiting.said, HasCode(absl::StatusCode::kUnavailable));
  EXPECT_FALSE(inside.expelled.HasBeenNotified());
  EXPECT_THAT(intake.Enter(&late), HasCode(absl::StatusCode::kUnavailable));
  intake.Leave(&late);
  intake.Leave(&waiting);
  EXPECT_FALSE(intake.AwaitEmpty(absl::Now()));
  intake.Leave(&inside);
  EXPECT_TRUE(intake.AwaitEmpty(absl::Now()));
}

}  // namespace
}  // namespace creamery
