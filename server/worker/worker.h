// What creamery-worker does: takes a job, works on it, takes the next, until it is told to end.
#ifndef CREAMERY_SERVER_WORKER_WORKER_H_
#define CREAMERY_SERVER_WORKER_WORKER_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "creamery/v1/worker_service.pb.h"
#include "proto/support/mutex.h"
#include "server/worker/attempt.h"
#include "server/worker/server_link.h"

namespace creamery {

class Worker {
 public:
  struct Options {
    v1::WorkerDescription description;
    absl::Duration lease_wait = absl::Seconds(20);
    Attempt::Options attempt;
  };
  // `link` must outlive this.
  Worker(ServerLink& link, Options options);

  // Until Shutdown: OK. A server that is gone is waited for; UNAUTHENTICATED, PERMISSION_DENIED, INVALID_ARGUMENT or
  // UNIMPLEMENTED from it end the worker, since waiting does not help.
  absl::Status Run();
  // From any thread: the job in hand is checkpointed and released, and Run returns.
  void Shutdown();

 private:
  ServerLink& link_;
  const Options options_;
  CallGroup waiting_;

  Mutex mu_;
  CondVar changed_;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  Attempt* attempt_ ABSL_GUARDED_BY(mu_) = nullptr;
};

}  // namespace creamery

#endif  // CREAMERY_SERVER_WORKER_WORKER_H_
