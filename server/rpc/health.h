// grpc.health.v1.Health for load balancers, which bring no token. It never reads a request, so that nobody can make it
// hold one: whatever service is asked about, the answer is the server's.
#ifndef CREAMERY_SERVER_RPC_HEALTH_H_
#define CREAMERY_SERVER_RPC_HEALTH_H_

#include <memory>
#include <set>

#include "grpcpp/impl/service_type.h"
#include "grpcpp/support/byte_buffer.h"
#include "proto/support/mutex.h"

namespace creamery {

// Thread-safe. NOT_SERVING until told otherwise. Must outlive the gRPC server.
class HealthService final : public grpc::Service {
 public:
  HealthService();
  ~HealthService() override;

  // Tells those who watch, too.
  void SetServing(bool serving);
  // Ends the calls of those who watch with UNAVAILABLE, and of those to come.
  void Close();

 private:
  class CheckCall;
  class WatchCall;

  Mutex mu_;
  bool serving_ ABSL_GUARDED_BY(mu_) = false;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  std::set<std::shared_ptr<WatchCall>> watchers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace creamery

#endif  // CREAMERY_SERVER_RPC_HEALTH_H_
