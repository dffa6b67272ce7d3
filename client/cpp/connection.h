// The channel and its stubs, shared by the handles of a client. Internal: the one header of the library with gRPC in
// it.
#ifndef CREAMERY_CLIENT_CPP_CONNECTION_H_
#define CREAMERY_CLIENT_CPP_CONNECTION_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cpp/lines.h"
#include "creamery/v1/dataset_service.grpc.pb.h"
#include "creamery/v1/inference_service.grpc.pb.h"
#include "creamery/v1/job_service.grpc.pb.h"
#include "creamery/v1/model_service.grpc.pb.h"
#include "creamery/v1/project_service.grpc.pb.h"
#include "creamery/v1/statistics_service.grpc.pb.h"

namespace creamery {

struct ClientOptions;

// Rows and bytes travel in messages of about this size.
inline constexpr int64_t kChunkBytes = 1 << 20;

// An error as a message of a stream brings it; OK if there is none.
absl::Status ToStatus(const v1::Error& error);

// Sleeps between attempt `attempt` (from 0) and the next: .1 s, doubling, at most .5 s: a server that
// restarts is back within one.
void BackOff(int attempt);

class Connection;

// When a call is made again that the server did not answer. One thread's.
class Repetition {
 public:
  // `connection` must outlive this.
  explicit Repetition(const Connection& connection) : connection_(connection) {}
  // After a pause: whether to make the call again that ended with `status`. Only while the server is UNAVAILABLE, for
  // the connection's patience. With `request`, only if it asks, or carries a request id, or the server says that it did
  // not begin it.
  bool Again(const absl::Status& status, const grpc::ClientContext* context,
             const google::protobuf::Message* request = nullptr);
  // An answer came: patience begins anew.
  void Restart() { attempt_ = 0; }

 private:
  const Connection& connection_;
  int attempt_ = 0;
  absl::Time end_;
};

// Thread-safe.
class Connection {
 public:
  static absl::StatusOr<std::shared_ptr<Connection>> Open(const std::string& address, const ClientOptions& options);

  // A context with the token, and a deadline unless `timeout` is infinite.
  std::unique_ptr<grpc::ClientContext> NewContext(absl::Duration timeout) const;
  std::unique_ptr<grpc::ClientContext> NewStreamContext() const { return NewContext(absl::InfiniteDuration()); }

  // One unary call: `connection.Call(*connection.jobs, &v1::JobService::Stub::GetJob, request)`. Repeated while the
  // server is UNAVAILABLE, if that is safe.
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(Stub& stub,
                                grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                const Request& request) const {
    Repetition repetition(*this);
    for (;;) {
      const std::unique_ptr<grpc::ClientContext> context = NewContext(timeout_);
      Response response;
      const absl::Status status = ToStatus((stub.*method)(context.get(), request, &response));
      if (status.ok()) {
        Answered();
        return response;
      }
      if (!repetition.Again(status, context.get(), &request)) return status;
    }
  }

  // The same for a question to a density, over a channel without gRPC's own repetition, which costs 5 microseconds a
  // call.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Ask(grpc::Status (v1::InferenceService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                                                  Response*),
                               const Request& request) const {
    return Call(*questions, method, request);
  }

  // The same code and message; UNAVAILABLE says where nobody answered.
  absl::Status ToStatus(const grpc::Status& status) const;
  // Of a stream whose next answer was still due: never OK.
  absl::Status EndOfStream(const grpc::Status& status) const;

  // Set by Open, constant afterwards.
  std::unique_ptr<v1::ProjectService::Stub> projects;
  std::unique_ptr<v1::DatasetService::Stub> datasets;
  std::unique_ptr<v1::JobService::Stub> jobs;
  std::unique_ptr<v1::ModelService::Stub> models;
  std::unique_ptr<v1::InferenceService::Stub> inference;
  std::unique_ptr<v1::InferenceService::Stub> questions;  // the same over the channel of Ask
  std::unique_ptr<v1::StatisticsService::Stub> statistics;
  std::unique_ptr<Lines> lines;  // over the channel of Ask too

  // Longest time of a call; infinite: any.
  absl::Duration timeout() const { return timeout_; }
  // Longest time that a call is repeated.
  absl::Duration patience() const;
  // The server is there: it may come back.
  void Answered() const {
    if (!answered_.load(std::memory_order_relaxed)) answered_.store(true, std::memory_order_relaxed);
  }

 private:
  std::string address_;
  std::string authorization_;  // "Bearer …", or empty
  absl::Duration timeout_;
  absl::Duration patience_;
  mutable std::atomic<bool> answered_{false};
};

}  // namespace creamery

#endif  // CREAMERY_CLIENT_CPP_CONNECTION_H_
