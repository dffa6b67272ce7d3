// Server-streaming methods that produce replies on demand: downloads, samples. The next reply is made when the one
// before has left, on a pool; a slow client holds no thread. Backpressure is the flow control of HTTP/2.
//
//   return HandleServerStream<v1::SampleResponse>(rpc_, context, *request, Role::kClient, Work::Disk(),
//   Work::Compute(cost),
//       [=](const Call& call) -> absl::StatusOr<Producer<v1::SampleResponse>> {
//         ... checks, what can fail at once ...
//         return Producer<v1::SampleResponse>([=](v1::SampleResponse* reply) -> absl::StatusOr<bool> {
//           if (nothing left) return false;
//           ... fill *reply ...
//           return true;
//         });
//       });
#ifndef CREAMERY_SERVER_RPC_SERVER_STREAM_H_
#define CREAMERY_SERVER_RPC_SERVER_STREAM_H_

#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpcpp/support/server_callback.h"
#include "server/rpc/call.h"

namespace creamery {

// Fills the next reply (which comes empty); false when there is none. Called one at a time.
template <typename Response>
using Producer = std::function<absl::StatusOr<bool>(Response*)>;

namespace internal {

template <typename Response>
class ProducerReactor final : public grpc::ServerWriteReactor<Response> {
 public:
  using Start = std::function<absl::StatusOr<Producer<Response>>(const Call&)>;

  ProducerReactor(const RpcRuntime& runtime, grpc::CallbackServerContext* context,
                  const google::protobuf::Message& request, Role role, Work work, Work step, Start start)
      : runtime_(runtime), context_(context), step_(step), start_(std::move(start)), stop_(DeadlineOf(*context)) {
    absl::StatusOr<std::string> principal = AuthenticateCall(runtime, *context, role);
    absl::Status status = principal.status();
    if (status.ok()) status = CheckNoUnknownFields(request);
    if (status.ok()) {
      call_ = {*std::move(principal), stop_.token()};
      status = Dispatch(runtime_, work, [this] { First(); });
    }
    if (!status.ok()) End(status);
  }

  void OnCancel() override { stop_.RequestStop(); }
  void OnWriteDone(bool ok) override {
    if (!ok) return End(absl::CancelledError("the client left before the end of the stream"));
    DispatchNext(runtime_, step_, [this] { Next(); });
  }
  void OnDone() override { delete this; }

 private:
  void First() {
    absl::Status status = call_.stop.Check();
    if (status.ok()) {
      status = RunGuarded([this]() -> absl::Status {
        absl::StatusOr<Producer<Response>> producer = start_(call_);
        if (!producer.ok()) return producer.status();
        producer_ = *std::move(producer);
        return absl::OkStatus();
      });
    }
    if (!status.ok()) return End(status);
    DispatchNext(runtime_, step_, [this] { Next(); });
  }
  void Next() {
    reply_.Clear();
    bool more = false;
    absl::Status status = call_.stop.Check();
    if (status.ok()) {
      status = RunGuarded([this, &more]() -> absl::Status {
        absl::StatusOr<bool> produced = producer_(&reply_);
        if (produced.ok()) more = *produced;
        return produced.status();
      });
    }
    if (!status.ok() || !more) return End(status);
    this->StartWrite(&reply_);
  }
  // The last thing that touches this.
  void End(const absl::Status& status) {
    producer_ = nullptr;
    start_ = nullptr;
    this->Finish(ToGrpcStatus(status, context_));
  }

  const RpcRuntime runtime_;
  grpc::CallbackServerContext* const context_;
  const Work step_;
  Start start_;
  StopSource stop_;
  Call call_;
  Producer<Response> producer_;
  Response reply_;
};

}  // namespace internal

// `start` runs where `work` belongs; each call of the producer it returns where `step` does.
template <typename Response>
grpc::ServerWriteReactor<Response>* HandleServerStream(const RpcRuntime& runtime, grpc::CallbackServerContext* context,
                                                       const google::protobuf::Message& request, Role role, Work work,
                                                       Work step,
                                                       typename internal::ProducerReactor<Response>::Start start) {
  return new internal::ProducerReactor<Response>(runtime, context, request, role, work, step, std::move(start));
}

// All of it where `work` belongs.
template <typename Response>
grpc::ServerWriteReactor<Response>* HandleServerStream(const RpcRuntime& runtime, grpc::CallbackServerContext* context,
                                                       const google::protobuf::Message& request, Role role, Work work,
                                                       typename internal::ProducerReactor<Response>::Start start) {
  return HandleServerStream<Response>(runtime, context, request, role, work, work, std::move(start));
}

}  // namespace creamery

#endif  // CREAMERY_SERVER_RPC_SERVER_STREAM_H_
