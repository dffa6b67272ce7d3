#include "server/row_blocks.h"

#include <atomic>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

TEST(RowBlocksTest, EveryRowIsVisitedOnceAndSeveralThreadsTakePart) {
  ComputePool pool("compute", 4, 16);
  std::vector<std::atomic<int>> visits(1000);
  std::atomic<int> at_work{0};
  std::atomic<int> most{0};
  const auto work = [&](int64_t begin, int64_t end) {
    const int now = ++at_work;
    for (int before = most; now > before && !most.compare_exchange_weak(before, now);) {
    }
    for (int64_t i = begin; i < end; ++i) ++visits[i];
    absl::SleepFor(absl::Milliseconds(1));
    --at_work;
    return absl::OkStatus();
  };
  // Blocks of ten rows.
  EXPECT_THAT(ForRowBlocks(pool, 1000, absl::Microseconds(500), work), IsOk());
  for (const auto& count : visits) EXPECT_EQ(count, 1);
  EXPECT_GT(most, 1);
  EXPECT_LE(most, 4);  // the caller and three helpers
}

TEST(RowBlocksTest, FewRowsStayOnTheCallingThread) {
  ComputePool pool("compute", 4, 16);
  const auto caller = std::this_thread::get_id();
  const auto work = [&](int64_t begin, int64_t end) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
    EXPECT_EQ(end - begin, 8);
    return absl::OkStatus();
  };
  EXPECT_THAT(ForRowBlocks(pool, 8, absl::Microseconds(500), work), IsOk());
}

TEST(RowBlocksTest, TheErrorIsThatOfTheFirstRowWhateverTheThreads) {
  ComputePool pool("compute", 4, 16);
  for (int round = 0; round < 50; ++round) {
    const auto work = [](int64_t begin, int64_t) -> absl::Status {
      if (begin < 200) return absl::OkStatus();
      return absl::InvalidArgumentError(absl::StrCat("row ", begin));
    };
    EXPECT_THAT(ForRowBlocks(pool, 1000, absl::Microseconds(500), work),
                StatusIs(absl::StatusCode::kInvalidArgument, ::testing::StrEq("row 200")));
  }
}

TEST(RowBlocksTest, ABusyPoolDoesNotHoldItUpAndOthersGoInBetween) {
  ComputePool pool("compute", 2, 16);
  std::atomic<bool> free{false};
  for (int i = 0; i < 2; ++i) {
    ASSERT_THAT(pool.Submit([&free] {
      while (!free) absl::SleepFor(absl::Milliseconds(1));
    }),
                IsOk());
  }
  std::atomic<int64_t> rows{0};
  const auto work = [&rows](int64_t begin, int64_t end) {
    rows += end - begin;
    return absl::OkStatus();
  };
  EXPECT_THAT(ForRowBlocks(pool, 1000, absl::Microseconds(500), work), IsOk());
  EXPECT_EQ(rows, 1000);
  free = true;  // the helpers that start now find nothing left, and no `work`
}

}  // namespace
}  // namespace creamery
