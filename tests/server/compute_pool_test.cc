#include "server/compute_pool.h"

#include <atomic>

#include "absl/synchronization/notification.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::HasSubstr;

TEST(ComputePoolTest, AFullQueueIsUnavailableAndSaysHowMuchWaits) {
  absl::Notification started;
  absl::Notification go_on;
  ComputePool pool("compute", 1, 2);
  ASSERT_THAT(pool.Submit([&] {
    started.Notify();
    go_on.WaitForNotification();
  }),
              IsOk());
  started.WaitForNotification();
  EXPECT_THAT(pool.Submit([] {}), IsOk());
  EXPECT_THAT(pool.Submit([] {}), IsOk());
  EXPECT_THAT(pool.Submit([] {}), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("2 requests wait")));
  go_on.Notify();
}

TEST(ComputePoolTest, WhatIsQueuedRunsBeforeTheEnd) {
  std::atomic<int> runs{0};
  {
    ComputePool pool("compute", 2, 100);
    for (int i = 0; i < 50; ++i) pool.Resume([&runs] { ++runs; });
  }
  EXPECT_EQ(runs.load(), 50);
}

}  // namespace
}  // namespace creamery
