// A fixed number of threads and a bounded queue. The server has three: `compute` for answers, `disk` for everything
// that waits for files or SQLite, so that an upload's fsync never stands before a query, and `statistics`, of low
// priority, for what computes for seconds to minutes, so that it never stands before anything. No thread is ever held
// by a slow client: streams come back for a thread message by message (rpc/).
#ifndef CREAMERY_SERVER_COMPUTE_POOL_H_
#define CREAMERY_SERVER_COMPUTE_POOL_H_

#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "proto/support/mutex.h"

namespace creamery {

// Thread-safe.
class ComputePool {
 public:
  enum class Priority { kNormal, kLow };
  ComputePool(std::string name, int threads, int max_queued, Priority priority = Priority::kNormal);
  ~ComputePool();
  // Runs what is queued, then ends the threads; later work is never run. Not from two threads at once.
  void Stop();

  // Queues new work. UNAVAILABLE when `max_queued` pieces wait.
  absl::Status Submit(std::function<void()> work);
  // Queues the next step of work that was admitted before; never refused, since open streams are bounded elsewhere.
  void Resume(std::function<void()> work);
  int threads() const { return static_cast<int>(threads_.size()); }

 private:
  void Run();

  const std::string name_;
  const size_t max_queued_;
  Mutex mu_;
  CondVar changed_;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace creamery

#endif  // CREAMERY_SERVER_COMPUTE_POOL_H_
