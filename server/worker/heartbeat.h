// The signs of life of one lease: a bidirectional stream on threads of its own, opened again whenever it breaks, so
// that a server may restart under a training. Thread-safe.
#ifndef CREAMERY_SERVER_WORKER_HEARTBEAT_H_
#define CREAMERY_SERVER_WORKER_HEARTBEAT_H_

#include <functional>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "creamery/v1/worker_service.pb.h"
#include "proto/support/mutex.h"
#include "server/worker/server_link.h"

namespace creamery {

class Heartbeat {
 public:
  // Called from the heartbeat's threads; they must not block.
  struct Orders {
    std::function<void()> cancel;                   // the job is to be cancelled; may be called more than once
    std::function<void()> release;                  // the server wants the job back; may be called more than once
    std::function<void(const absl::Status&)> lost;  // ABORTED: somebody else has the job, or nobody. Once, last.
  };
  // `link` must outlive this.
  Heartbeat(ServerLink& link, const v1::LeaseId& lease, absl::Duration lease_duration, Orders orders);
  // Stops at once; no order is given any more.
  ~Heartbeat();

  // Sent soon, the newest only.
  void SetProgress(const v1::Progress& progress);

 private:
  void Run();
  // One stream, until it ends.
  absl::Status RunStream();

  ServerLink& link_;
  const v1::LeaseId lease_;
  const absl::Duration interval_;
  const Orders orders_;
  std::thread thread_;

  Mutex mu_;
  CondVar changed_;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  bool stream_ended_ ABSL_GUARDED_BY(mu_) = false;
  bool has_progress_ ABSL_GUARDED_BY(mu_) = false;
  v1::Progress progress_ ABSL_GUARDED_BY(mu_);
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mu_) = nullptr;
};

}  // namespace creamery

#endif  // CREAMERY_SERVER_WORKER_HEARTBEAT_H_
