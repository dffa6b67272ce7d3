// Worker processes on this machine: children of the server that die with it, on its Unix socket, each with the token
// handed over an inherited pipe, never in arguments or the environment. One that ends is started again, later each time
// it ends soon after its start. Thread-safe.
#ifndef CREAMERY_SERVER_JOBS_LOCAL_WORKERS_H_
#define CREAMERY_SERVER_JOBS_LOCAL_WORKERS_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace creamery {

class LocalWorkers {
 public:
  struct Options {
    int count = 1;
    std::string binary;  // path of creamery-worker
    std::string server;  // what the workers connect to, "unix:/data/server.sock"
    std::string token;   // a worker's token of the server
    int threads_per_worker = 1;
    int nice = 5;  // the server's answers come first
    absl::Duration first_back_off = absl::Milliseconds(500);
    absl::Duration longest_back_off = absl::Seconds(30);
    std::vector<std::string> more_arguments;  // appended, "--checkpoint-seconds=1"
  };
  // Starts them. NOT_FOUND if the program is not there or cannot be executed.
  static absl::StatusOr<std::unique_ptr<LocalWorkers>> Start(Options options);
  virtual ~LocalWorkers() = default;  // as Stop(zero)

  // Asks all of them to checkpoint, release and end (SIGTERM), kills those that take longer than `patience`, and starts
  // none again. Returns when all have ended.
  virtual void Stop(absl::Duration patience) = 0;
  // Those that run now, for tests and for people.
  virtual std::vector<pid_t> pids() = 0;
};

}  // namespace creamery

#endif  // CREAMERY_SERVER_JOBS_LOCAL_WORKERS_H_
