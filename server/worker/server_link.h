// A worker's calls to its server, as functions of statuses. Each call carries the token. Thread-safe.
#ifndef CREAMERY_SERVER_WORKER_SERVER_LINK_H_
#define CREAMERY_SERVER_WORKER_SERVER_LINK_H_

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "creamery/v1/worker_service.grpc.pb.h"
#include "creamery/v1/worker_service.pb.h"
#include "proto/support/mutex.h"
#include "proto/support/rows.h"

namespace creamery {

absl::Status FromGrpcStatus(const grpc::Status& status);

// Calls that can be broken off together: those of one attempt, or the wait for a job. Thread-safe.
class CallGroup {
 public:
  // Breaks off the calls under way and every later one: they return CANCELLED.
  void Cancel();
  bool cancelled();

 private:
  friend class ServerLink;
  void Enter(grpc::ClientContext* context);
  void Leave(grpc::ClientContext* context);

  Mutex mu_;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  std::set<grpc::ClientContext*> running_ ABSL_GUARDED_BY(mu_);
};

class ServerLink {
 public:
  // address: host:port or unix:PATH. `tls_ca`: PEM file of the authorities trusted, empty for no TLS.
  // NOT_FOUND if the file cannot be read.
  static absl::StatusOr<std::unique_ptr<ServerLink>> Connect(const std::string& address, const std::string& token,
                                                             const std::string& tls_ca);
  ServerLink(const std::shared_ptr<grpc::Channel>& channel, const std::string& token);

  // A reply without a lease: there was no job.
  absl::StatusOr<v1::LeaseResponse> Lease(const v1::WorkerDescription& worker, absl::Duration wait, CallGroup& group);
  // Appends the rows from `rows->num_rows` on; what came before an error is kept, so that the next call goes on there.
  absl::Status ReadDataset(const v1::LeaseId& lease, const v1::Dataset& schema, RowBlock* rows, CallGroup& group);
  // DATA_LOSS if what came has another digest.
  absl::StatusOr<std::string> GetBlob(const v1::LeaseId& lease, const std::string& digest, CallGroup& group);
  absl::Status PutBlob(const v1::LeaseId& lease, v1::BlobPurpose purpose, const std::string& digest,
                       const std::string& bytes, CallGroup& group);
  absl::StatusOr<v1::ModelVersion> Complete(const v1::LeaseId& lease, const std::string& digest);
  absl::Status Fail(const v1::LeaseId& lease, const absl::Status& error);
  absl::Status Release(const v1::LeaseId& lease);

  // For streams that their owner runs itself.
  v1::WorkerService::Stub& stub() { return *stub_; }
  void Authorize(grpc::ClientContext* context) const;

 private:
  // Runs a call as one of `group`.
  absl::Status Run(CallGroup& group, absl::Duration patience,
                   const std::function<grpc::Status(grpc::ClientContext*)>& call);

  const std::string authorization_;
  const std::unique_ptr<v1::WorkerService::Stub> stub_;
};

}  // namespace creamery

#endif  // CREAMERY_SERVER_WORKER_SERVER_LINK_H_
