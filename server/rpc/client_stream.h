// Client-streaming methods: uploads. Each message is consumed on the disk pool as it arrives, one at a time, and the
// next is read after it: a slow client holds no thread, a fast one is held back by HTTP/2's flow control, and one that
// sends nothing for longer than RpcRuntime::idle allows is ended with DEADLINE_EXCEEDED.
#ifndef CREAMERY_SERVER_RPC_CLIENT_STREAM_H_
#define CREAMERY_SERVER_RPC_CLIENT_STREAM_H_

#include <functional>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "grpcpp/support/server_callback.h"
#include "server/rpc/call.h"
#include "server/rpc/idle_watch.h"

namespace creamery {

// What an upload becomes. Destroyed without Finish when the client leaves or a call fails: it then leaves nothing
// behind.
template <typename Request, typename Response>
class StreamConsumer {
 public:
  virtual ~StreamConsumer() = default;
  // The next message, in order. An error ends the call with it.
  virtual absl::Status Consume(const Request& request) = 0;
  // The client has sent everything. A broken connection can look like that for a moment: an upload must know its own
  // end (rows, a digest, a format) and refuse to be short.
  virtual absl::Status Finish(Response* response) = 0;
};

namespace internal {

template <typename Request, typename Response>
class ConsumerReactor final : public grpc::ServerReadReactor<Request> {
 public:
  using Consumer = StreamConsumer<Request, Response>;
  using Start = std::function<std::unique_ptr<Consumer>(const Call&)>;

  ConsumerReactor(const RpcRuntime& runtime, grpc::CallbackServerContext* context, Response* response, Role role,
                  const Start& start)
      : runtime_(runtime), context_(context), response_(response), stop_(DeadlineOf(*context)) {
    absl::StatusOr<std::string> principal = AuthenticateCall(runtime, *context, role);
    if (!principal.ok()) {
      End(principal.status());
      return;
    }
    call_ = {*std::move(principal), stop_.token()};
    consumer_ = start(call_);
    if (runtime.idle != nullptr) runtime.idle->Add(clock_);
    Read();
  }

  void OnCancel() override { stop_.RequestStop(); }
  void OnReadDone(bool ok) override {
    if (!clock_->EndWaiting()) return;  // Idle has ended the call
    DispatchNext(runtime_, Work::Disk(), [this, ok] { ok ? Next() : Last(); });
  }
  void OnDone() override { delete this; }

 private:
  void Next() {
    absl::Status status = call_.stop.Check();
    if (status.ok()) status = CheckNoUnknownFields(request_);
    if (status.ok()) status = RunGuarded([this] { return consumer_->Consume(request_); });
    if (!status.ok()) return End(status);
    request_.Clear();
    Read();
  }
  void Read() {
    clock_->BeginWaiting();
    this->StartRead(&request_);
  }
  void Idle() {
    End(absl::DeadlineExceededError(absl::StrCat("the upload sent nothing for ",
                                                 absl::FormatDuration(runtime_.idle->limit()),
                                                 ": nothing of it is kept, send it again")));
  }
  void Last() {
    if (context_->IsCancelled()) stop_.RequestStop();
    absl::Status status = call_.stop.Check();
    if (status.ok()) status = RunGuarded([this] { return consumer_->Finish(response_); });
    End(status);
  }
  // The last thing that touches this. What the upload left is gone before its caller hears of the error.
  void End(const absl::Status& status) {
    consumer_.reset();
    this->Finish(ToGrpcStatus(status, context_));
  }

  const RpcRuntime runtime_;
  grpc::CallbackServerContext* const context_;
  Response* const response_;
  StopSource stop_;
  Call call_;
  std::unique_ptr<Consumer> consumer_;
  Request request_;
  const std::shared_ptr<WaitingClock> clock_ = std::make_shared<WaitingClock>([this] { Idle(); });
};

}  // namespace internal

// `start` makes the consumer on a gRPC thread: it must not wait for anything.
template <typename Request, typename Response>
grpc::ServerReadReactor<Request>* HandleClientStream(
    const RpcRuntime& runtime, grpc::CallbackServerContext* context, Response* response, Role role,
    const typename internal::ConsumerReactor<Request, Response>::Start& start) {
  return new internal::ConsumerReactor<Request, Response>(runtime, context, response, role, start);
}

}  // namespace creamery

#endif  // CREAMERY_SERVER_RPC_CLIENT_STREAM_H_
