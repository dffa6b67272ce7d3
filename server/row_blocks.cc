#include "server/row_blocks.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>

#include "proto/support/mutex.h"
#include "server/rpc/call.h"

namespace creamery {
namespace {

constexpr absl::Duration kBlockTime = absl::Milliseconds(5);
// A helper gives its thread back after this and queues itself again.
constexpr int kBlocksInARow = 4;

// Shared with helpers that may start, or start again, after the question was answered: they find it closed.
class Blocks : public std::enable_shared_from_this<Blocks> {
 public:
  Blocks(ComputePool& pool, int64_t rows, int64_t block,
         absl::FunctionRef<absl::Status(int64_t begin, int64_t end)> work)
      : pool_(pool), rows_(rows), block_(block), work_(work) {}

  void Help() {
    pool_.Resume([self = shared_from_this()] {
      if (!self->Enter()) return;
      const bool more = self->RunSome(kBlocksInARow);
      self->Leave();
      if (more) self->Help();
    });
  }
  absl::Status RunAll() {
    RunSome(std::numeric_limits<int>::max());
    MutexLock lock(&mu_);
    closed_ = true;
    while (active_ > 0) left_.Wait(&mu_);
    return status_;
  }

 private:
  bool Enter() {
    MutexLock lock(&mu_);
    if (closed_) return false;
    ++active_;
    return true;
  }
  void Leave() {
    MutexLock lock(&mu_);
    --active_;
    left_.SignalAll();
  }
  // False if there are no more.
  bool RunSome(int blocks) {
    for (int i = 0; i < blocks; ++i) {
      const int64_t begin = next_.fetch_add(block_);
      if (begin >= rows_) return false;
      const absl::Status status = RunGuarded([this, begin] { return work_(begin, std::min(rows_, begin + block_)); });
      if (status.ok()) continue;
      next_ = rows_;  // blocks are taken in order: all before this one were
      MutexLock lock(&mu_);
      if (begin < first_failed_) {
        first_failed_ = begin;
        status_ = status;
      }
      return false;
    }
    return true;
  }

  ComputePool& pool_;
  const int64_t rows_;
  const int64_t block_;
  const absl::FunctionRef<absl::Status(int64_t begin, int64_t end)> work_;  // there until closed_
  std::atomic<int64_t> next_{0};
  Mutex mu_;
  CondVar left_;
  int active_ ABSL_GUARDED_BY(mu_) = 0;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  int64_t first_failed_ ABSL_GUARDED_BY(mu_) = std::numeric_limits<int64_t>::max();
  absl::Status status_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

absl::Status ForRowBlocks(ComputePool& pool, int64_t rows, absl::Duration cost_per_row,
                          absl::FunctionRef<absl::Status(int64_t begin, int64_t end)> work) {
  const int64_t block = std::max<int64_t>(1, kBlockTime / std::max(cost_per_row, absl::Nanoseconds(1)));
  const int64_t helpers = std::min<int64_t>(pool.threads() - 1, (rows - 1) / block);
  if (helpers <= 0) return work(0, rows);
  const auto blocks = std::make_shared<Blocks>(pool, rows, block, work);
  for (int64_t i = 0; i < helpers; ++i) blocks->Help();
  return blocks->RunAll();
}

}  // namespace creamery
