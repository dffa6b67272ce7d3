// Long, mostly idle streams of states: a watcher of a job, the replies of a heartbeat. Anybody may send at any time
// without waiting; nothing sits on a thread.
#ifndef CREAMERY_SERVER_RPC_STATE_STREAM_H_
#define CREAMERY_SERVER_RPC_STATE_STREAM_H_

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "grpcpp/support/server_callback.h"
#include "proto/support/mutex.h"
#include "server/rpc/call.h"

namespace creamery {

// The sending end, kept as a shared_ptr by whoever has states to tell. Thread-safe; no method blocks.
template <typename Response>
class StateStream {
 public:
  // Sends a state. A client that is slow gets the newest ones: the last of 8 waiting is replaced.
  // False once the stream has ended or the client has left: forget the stream then.
  bool Send(Response state) {
    {
      MutexLock lock(&mu_);
      if (ended_) return false;
      if (writing_) {
        if (waiting_.size() >= kMaxWaiting) waiting_.pop_back();
        waiting_.push_back(std::move(state));
        return true;
      }
      writing_ = true;
      current_ = std::move(state);
    }
    start_write_(&current_);
    return true;
  }
  // Ends the stream after what waits. Only the first End counts.
  void End(absl::Status status) {
    {
      MutexLock lock(&mu_);
      if (ended_) return;
      ended_ = true;
      status_ = std::move(status);
      if (writing_ || holds_ > 0) return;
      finished_ = true;
    }
    finish_(status_);
  }
  bool ended() const {
    MutexLock lock(&mu_);
    return ended_;
  }
  // Keeps something (a subscription) until the call is over, then lets it go on a gRPC thread of its own.
  void KeepUntilDone(std::shared_ptr<void> thing) {
    MutexLock lock(&mu_);
    if (!done_) kept_.push_back(std::move(thing));
  }

  // --- For the reactors below. gRPC may run a reaction before a Start returns: never call it with mu_ held.
  StateStream(std::function<void(const Response*)> start_write, std::function<void(const absl::Status&)> finish)
      : start_write_(std::move(start_write)), finish_(std::move(finish)) {}
  void WriteDone(bool ok) {
    bool more = false;
    {
      MutexLock lock(&mu_);
      if (!ok) {
        if (!ended_) status_ = absl::CancelledError("the client left");
        ended_ = true;
        waiting_.clear();
      }
      if (!waiting_.empty()) {
        current_ = std::move(waiting_.front());
        waiting_.pop_front();
        more = true;
      } else {
        writing_ = false;
        if (!ended_ || holds_ > 0) return;
        finished_ = true;
      }
    }
    more ? start_write_(&current_) : finish_(status_);
  }
  // Between TryHold and Release the call is not finished, so that a step may use its reactor.
  bool TryHold() {
    MutexLock lock(&mu_);
    if (ended_) return false;
    ++holds_;
    return true;
  }
  void Done() {
    std::vector<std::shared_ptr<void>> kept;
    MutexLock lock(&mu_);
    done_ = true;
    kept.swap(kept_);
  }
  void Release() {
    {
      MutexLock lock(&mu_);
      --holds_;
      if (!ended_ || writing_ || holds_ > 0 || finished_) return;
      finished_ = true;
    }
    finish_(status_);
  }

 private:
  static constexpr size_t kMaxWaiting = 8;
  const std::function<void(const Response*)> start_write_;
  const std::function<void(const absl::Status&)> finish_;
  Response current_;     // belongs to the write under way
  absl::Status status_;  // constant once ended_
  mutable Mutex mu_;
  std::deque<Response> waiting_ ABSL_GUARDED_BY(mu_);
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  int holds_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<std::shared_ptr<void>> kept_ ABSL_GUARDED_BY(mu_);
};

namespace internal {

template <typename Response>
class StateReactor final : public grpc::ServerWriteReactor<Response> {
 public:
  using Stream = std::shared_ptr<StateStream<Response>>;
  using Start = std::function<absl::Status(const Call&, const Stream&)>;

  StateReactor(const RpcRuntime& runtime, grpc::CallbackServerContext* context,
               const google::protobuf::Message& request, Role role, Start start)
      : stop_(DeadlineOf(*context)),
        stream_(std::make_shared<StateStream<Response>>(
            [this](const Response* state) { this->StartWrite(state); },
            [this, context](const absl::Status& status) { this->Finish(ToGrpcStatus(status, context)); })) {
    absl::StatusOr<std::string> principal = AuthenticateCall(runtime, *context, role);
    absl::Status status = principal.status();
    if (status.ok()) status = CheckNoUnknownFields(request);
    Stream stream = stream_;
    stream->TryHold();  // the request stays alive while start runs
    if (status.ok()) {
      Call call{*std::move(principal), stop_.token()};
      status = Dispatch(runtime, Work::Disk(), [stream, call = std::move(call), start = std::move(start)] {
        absl::Status started = RunGuarded([&] { return start(call, stream); });
        if (!started.ok()) stream->End(started);
        stream->Release();
      });
    }
    if (!status.ok()) {
      stream->End(status);
      stream->Release();
    }
  }
  void OnCancel() override {
    stop_.RequestStop();
    stream_->End(absl::CancelledError("the client left"));
  }
  void OnWriteDone(bool ok) override {
    Stream stream = stream_;
    stream->WriteDone(ok);
  }
  void OnDone() override {
    stream_->Done();
    delete this;
  }

 private:
  StopSource stop_;
  const Stream stream_;
};

template <typename Request, typename Response>
class ConversationReactor final : public grpc::ServerBidiReactor<Request, Response> {
 public:
  using Stream = std::shared_ptr<StateStream<Response>>;
  using OnMessage = std::function<absl::Status(const Call&, const Request&, const Stream&)>;

  ConversationReactor(const RpcRuntime& runtime, grpc::CallbackServerContext* context, Role role, OnMessage on_message)
      : runtime_(runtime),
        on_message_(std::move(on_message)),
        stop_(DeadlineOf(*context)),
        stream_(std::make_shared<StateStream<Response>>(
            [this](const Response* reply) { this->StartWrite(reply); },
            [this, context](const absl::Status& status) { this->Finish(ToGrpcStatus(status, context)); })) {
    absl::StatusOr<std::string> principal = AuthenticateCall(runtime, *context, role);
    if (!principal.ok()) {
      stream_->End(principal.status());
      return;
    }
    call_ = {*std::move(principal), stop_.token()};
    this->StartRead(&request_);
  }
  void OnCancel() override {
    stop_.RequestStop();
    stream_->End(absl::CancelledError("the client left"));
  }
  void OnReadDone(bool ok) override {
    Stream stream = stream_;
    if (!ok) return stream->End(absl::OkStatus());
    if (!stream->TryHold()) return;
    DispatchNext(runtime_, Work::Disk(), [this, stream] {
      absl::Status status = CheckNoUnknownFields(request_);
      if (status.ok()) status = RunGuarded([this, &stream] { return on_message_(call_, request_, stream); });
      if (!status.ok()) {
        stream->End(status);
      } else if (!stream->ended()) {
        request_.Clear();
        this->StartRead(&request_);
      }
      stream->Release();
    });
  }
  void OnWriteDone(bool ok) override {
    Stream stream = stream_;
    stream->WriteDone(ok);
  }
  void OnDone() override {
    stream_->Done();
    delete this;
  }

 private:
  const RpcRuntime runtime_;
  const OnMessage on_message_;
  StopSource stop_;
  const Stream stream_;
  Call call_;
  Request request_;
};

}  // namespace internal

// A server stream of states. `start` runs on the disk pool: it sends the first state and keeps the stream wherever
// changes are noticed. An error ends the stream with it; OK leaves it open until somebody calls End or the client
// leaves.
template <typename Response>
grpc::ServerWriteReactor<Response>* HandleStateStream(const RpcRuntime& runtime, grpc::CallbackServerContext* context,
                                                      const google::protobuf::Message& request, Role role,
                                                      typename internal::StateReactor<Response>::Start start) {
  return new internal::StateReactor<Response>(runtime, context, request, role, std::move(start));
}

// A bidirectional stream. `on_message` runs on the disk pool for each message, in order, one at a time, and may keep
// the stream to send later. An error ends the stream with it; the client's end of sending ends it with OK.
template <typename Request, typename Response>
grpc::ServerBidiReactor<Request, Response>* HandleConversation(
    const RpcRuntime& runtime, grpc::CallbackServerContext* context, Role role,
    typename internal::ConversationReactor<Request, Response>::OnMessage on_message) {
  return new internal::ConversationReactor<Request, Response>(runtime, context, role, std::move(on_message));
}

}  // namespace creamery

#endif  // CREAMERY_SERVER_RPC_STATE_STREAM_H_
