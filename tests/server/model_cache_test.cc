#include "server/model_cache.h"

#include <atomic>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::HasSubstr;

// An estimator that is nothing but its size.
class Sized final : public Estimator {
 public:
  explicit Sized(int64_t bytes) : bytes_(bytes) {}
  const v1::ModelVersion& description() const override { return description_; }
  int64_t memory_bytes() const override { return bytes_; }

 private:
  const int64_t bytes_;
  const v1::ModelVersion description_;
};

ModelCache::Loader LoaderOf(int64_t bytes, std::atomic<int>* loads) {
  return [=](const std::string&) -> absl::StatusOr<std::unique_ptr<Estimator>> {
    ++*loads;
    return std::make_unique<Sized>(bytes);
  };
}

TEST(ModelCacheTest, TheOldestThatNobodyHoldsMakesRoom) {
  std::atomic<int> loads{0};
  ModelCache cache(250, LoaderOf(100, &loads));
  ASSERT_THAT(cache.Get("a", {}), IsOk());
  ASSERT_THAT(cache.Get("b", {}), IsOk());
  EXPECT_NE(cache.Peek("a"), nullptr);  // now b is the oldest
  ASSERT_THAT(cache.Get("c", {}), IsOk());
  EXPECT_NE(cache.Peek("a"), nullptr);
  EXPECT_EQ(cache.Peek("b"), nullptr);
  EXPECT_EQ(cache.bytes(), 200);
  EXPECT_EQ(loads.load(), 3);
}

TEST(ModelCacheTest, AModelLetGoButHeldStillCounts) {
  std::atomic<int> loads{0};
  ModelCache cache(250, LoaderOf(100, &loads));
  ASSERT_OK_AND_ASSIGN(ModelCache::Handle a, cache.Get("a", {}));
  ASSERT_OK_AND_ASSIGN(ModelCache::Handle b, cache.Get("b", {}));
  cache.Forget("a");
  EXPECT_EQ(cache.Peek("a"), nullptr);
  EXPECT_EQ(cache.bytes(), 200);
  EXPECT_THAT(cache.Get("c", {}), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("250 bytes")));
  a.reset();
  EXPECT_EQ(cache.bytes(), 100);
  EXPECT_THAT(cache.Get("c", {}), IsOk());
  EXPECT_EQ(b->memory_bytes(), 100);
}

TEST(ModelCacheTest, AModelLargerThanTheBudgetIsRefusedWithBothNumbers) {
  std::atomic<int> loads{0};
  ModelCache cache(99, LoaderOf(100, &loads));
  EXPECT_THAT(cache.Get("a", {}), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("takes 100 bytes")));
  EXPECT_THAT(cache.Get("a", {}), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("at most 99")));
}

TEST(ModelCacheTest, AHandleOutlivesTheCache) {
  std::atomic<int> loads{0};
  ModelCache::Handle handle;
  {
    ModelCache cache(1000, LoaderOf(100, &loads));
    ASSERT_OK_AND_ASSIGN(handle, cache.Get("a", {}));
  }
  EXPECT_EQ(handle->memory_bytes(), 100);
}

TEST(ModelCacheTest, ManyWhoAskAtOnceShareOneLoadAndItsErrorAndTheNextTriesAgain) {
  absl::Notification go_on;
  std::atomic<int> loads{0};
  ModelCache cache(1000, [&](const std::string&) -> absl::StatusOr<std::unique_ptr<Estimator>> {
    if (++loads > 1) return std::make_unique<Sized>(100);
    go_on.WaitForNotification();
    return absl::DataLossError("the blob is damaged");
  });
  std::atomic<int> lost{0};
  std::vector<std::thread> threads;
  threads.emplace_back([&] { lost += absl::IsDataLoss(cache.Get("a", {}).status()) ? 1 : 0; });
  while (loads.load() == 0) std::this_thread::yield();
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] { lost += absl::IsDataLoss(cache.Get("a", {}).status()) ? 1 : 0; });
  }
  absl::SleepFor(absl::Milliseconds(100));  // time for them to come and wait
  EXPECT_EQ(loads.load(), 1);
  go_on.Notify();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(lost.load(), 4);
  EXPECT_THAT(cache.Get("a", {}), IsOk());
  EXPECT_EQ(loads.load(), 2);
}

TEST(ModelCacheTest, WhoeverWaitsForALoadStopsWhenAskedTo) {
  absl::Notification go_on;
  std::atomic<int> loads{0};
  ModelCache cache(1000, [&](const std::string&) -> absl::StatusOr<std::unique_ptr<Estimator>> {
    ++loads;
    go_on.WaitForNotification();
    return std::make_unique<Sized>(100);
  });
  std::thread loader([&] { EXPECT_THAT(cache.Get("a", {}), IsOk()); });
  while (loads.load() == 0) std::this_thread::yield();
  const StopSource past(absl::Now());
  EXPECT_THAT(cache.Get("a", past.token()), HasCode(absl::StatusCode::kDeadlineExceeded));
  go_on.Notify();
  loader.join();
}

TEST(ModelCacheTest, AVersionDeletedWhileItLoadsIsNotKept) {
  std::atomic<int> loads{0};
  ModelCache* self = nullptr;
  ModelCache cache(1000, [&](const std::string& name) -> absl::StatusOr<std::unique_ptr<Estimator>> {
    ++loads;
    self->Forget(name);
    return std::make_unique<Sized>(100);
  });
  self = &cache;
  EXPECT_THAT(cache.Get("a", {}), IsOk());
  EXPECT_EQ(cache.Peek("a"), nullptr);
  EXPECT_EQ(cache.bytes(), 0);
}

}  // namespace
}  // namespace creamery
