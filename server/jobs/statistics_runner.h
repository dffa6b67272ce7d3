// The threads that run statistics jobs, in the server itself, at low priority: each takes a job from the board by a
// lease as a worker would, so that states, attempts, progress, cancelling and restarts follow the same rules.
// Thread-safe.
#ifndef CREAMERY_SERVER_JOBS_STATISTICS_RUNNER_H_
#define CREAMERY_SERVER_JOBS_STATISTICS_RUNNER_H_

#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "creamery/v1/job.pb.h"
#include "proto/support/mutex.h"
#include "proto/support/stop_token.h"
#include "server/jobs/job_board.h"
#include "server/jobs/samples_blob.h"
#include "storage/registry.h"

namespace creamery {

// What a statistics job becomes.
struct StatisticsAnswer {
  v1::StatisticsResult result;  // without arrays of samples
  SampleTable samples;          // no columns: there are none
};

// How far an answer is: fraction 0 to 1, and what is being done, in words. May be called from any thread.
using StatisticsProgress = std::function<void(double fraction, const std::string& stage)>;

// Answers a pinned question: the same answer every time. Returns the token's status soon after it stops.
using StatisticsFunction = std::function<absl::StatusOr<StatisticsAnswer>(
    const v1::StatisticsJob& question, const StatisticsProgress& progress, const StopToken& stop)>;

class StatisticsRunner {
 public:
  // Starts `threads`. Board and registry must outlive this.
  StatisticsRunner(JobBoard& board, Registry& registry, StatisticsFunction answer, int threads);
  // Gives unfinished jobs back, as the board's Drain does, and ends the threads.
  ~StatisticsRunner();

 private:
  class Attempt;

  void Run(const std::string& name);
  // A job, or nothing after a while or when it is time to end.
  std::optional<LeaseGrant> WaitForJob(const std::string& name);

  JobBoard& board_;
  Registry& registry_;
  const StatisticsFunction answer_;
  Mutex mu_;
  CondVar changed_;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<Attempt*> attempts_ ABSL_GUARDED_BY(mu_);  // under way
  std::vector<std::thread> threads_;
};

}  // namespace creamery

#endif  // CREAMERY_SERVER_JOBS_STATISTICS_RUNNER_H_
