// The channel and its stubs, shared by the handles of a client. Internal: the one header of the library with gRPC in
// it.
#ifndef CREAMERY_CLIENT_CPP_CONNECTION_H_
#define CREAMERY_CLIENT_CPP_CONNECTION_H_

#include <grpcpp/grpcpp.h>

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

// Sleeps between attempt `attempt` (from 0) and the next: .1 s, doubling, at most 2 s.
void BackOff(int attempt);
// Attempts of a call that the client repeats by itself.
inline constexpr int kMaxAttempts = 5;

// Thread-safe.
class Connection {
 public:
  static absl::StatusOr<std::shared_ptr<Connection>> Open(const std::string& address, const ClientOptions& options);

  // A context with the token, and a deadline unless `timeout` is infinite.
  std::unique_ptr<grpc::ClientContext> NewContext(absl::Duration timeout) const;
  std::unique_ptr<grpc::ClientContext> NewStreamContext() const { return NewContext(absl::InfiniteDuration()); }

  // One unary call: `connection.Call(*connection.jobs, &v1::JobService::Stub::GetJob, request)`.
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(Stub& stub,
                                grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                const Request& request) const {
    const std::unique_ptr<grpc::ClientContext> context = NewContext(timeout_);
    Response response;
    const absl::Status status = ToStatus((stub.*method)(context.get(), request, &response));
    if (!status.ok()) return status;
    return response;
  }

  // The same for a question to a density, repeated while the server is UNAVAILABLE, over a channel without gRPC's own
  // repetition, which costs 5 microseconds a call.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Ask(grpc::Status (v1::InferenceService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                                                  Response*),
                               const Request& request) const {
    for (int attempt = 1;; ++attempt) {
      absl::StatusOr<Response> response = Call(*questions, method, request);
      if (!absl::IsUnavailable(response.status()) || attempt == kMaxAttempts) return response;
      BackOff(attempt - 1);
    }
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

 private:
  std::string address_;
  std::string authorization_;  // "Bearer …", or empty
  absl::Duration timeout_;
};

}  // namespace creamery

#endif  // CREAMERY_CLIENT_CPP_CONNECTION_H_
