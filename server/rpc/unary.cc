#include "server/rpc/unary.h"

#include <memory>
#include <utility>

namespace creamery {
namespace {

// Authentication and the checks that every method shares.
absl::StatusOr<Call> Admit(const RpcRuntime& runtime, const grpc::CallbackServerContext& context,
                           const google::protobuf::Message& request, Role role, StopToken stop) {
  absl::StatusOr<std::string> principal = AuthenticateCall(runtime, context, role);
  if (!principal.ok()) return principal.status();
  if (absl::Status status = CheckNoUnknownFields(request); !status.ok()) return status;
  return Call{*std::move(principal), std::move(stop)};
}

class PoolReactor final : public grpc::ServerUnaryReactor {
 public:
  PoolReactor(const RpcRuntime& runtime, grpc::CallbackServerContext* context, const google::protobuf::Message& request,
              Role role, Work work, std::function<absl::Status(const Call&)> handler)
      : context_(context), handler_(std::move(handler)), stop_(DeadlineOf(*context)) {
    absl::StatusOr<Call> call = Admit(runtime, *context, request, role, stop_.token());
    absl::Status status = call.status();
    if (status.ok()) {
      call_ = *std::move(call);
      status = Dispatch(runtime, work, [this] { Run(); });
    }
    if (!status.ok()) Finish(ToGrpcStatus(status, context_));
  }
  void OnCancel() override { stop_.RequestStop(); }
  void OnDone() override { delete this; }

 private:
  void Run() {
    absl::Status status = call_.stop.Check();
    if (status.ok()) status = RunGuarded([this] { return handler_(call_); });
    Finish(ToGrpcStatus(status, context_));
  }

  grpc::CallbackServerContext* const context_;
  const std::function<absl::Status(const Call&)> handler_;
  StopSource stop_;
  Call call_;
};

class LaterReactor final : public grpc::ServerUnaryReactor {
 public:
  LaterReactor(const RpcRuntime& runtime, grpc::CallbackServerContext* context,
               const google::protobuf::Message& request, Role role, std::function<void(const Call&, UnaryDone)> handler,
               std::function<void()> on_cancel)
      : on_cancel_(std::move(on_cancel)), stop_(DeadlineOf(*context)) {
    const UnaryDone done = [this, context](const absl::Status& status) { Finish(ToGrpcStatus(status, context)); };
    absl::StatusOr<Call> call = Admit(runtime, *context, request, role, stop_.token());
    absl::Status status = call.status();
    if (status.ok()) {
      status = Dispatch(runtime, Work::Disk(),
                        [call = *std::move(call), done, handler = std::move(handler)] { handler(call, done); });
    }
    if (!status.ok()) done(status);
  }
  void OnCancel() override {
    stop_.RequestStop();
    if (on_cancel_ != nullptr) on_cancel_();
  }
  void OnDone() override { delete this; }

 private:
  const std::function<void()> on_cancel_;
  StopSource stop_;
};

}  // namespace

namespace internal {

grpc::ServerUnaryReactor* AnswerAtOnce(const RpcRuntime& runtime, grpc::CallbackServerContext* context,
                                       const google::protobuf::Message& request, Role role,
                                       absl::FunctionRef<absl::Status(const Call&)> handler) {
  // Nobody leaves within microseconds: the work is not asked to stop, but does not begin for those who have left.
  absl::Status status = absl::OkStatus();
  if (absl::Now() >= DeadlineOf(*context))
    status = absl::DeadlineExceededError("the deadline passed before the work began");
  if (status.ok()) {
    const absl::StatusOr<Call> call = Admit(runtime, *context, request, role, StopToken());
    status = call.ok() ? RunGuarded([&] { return handler(*call); }) : call.status();
  }
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(ToGrpcStatus(status, context));
  return reactor;
}

grpc::ServerUnaryReactor* AnswerOnPool(const RpcRuntime& runtime, grpc::CallbackServerContext* context,
                                       const google::protobuf::Message& request, Role role, Work work,
                                       std::function<absl::Status(const Call&)> handler) {
  return new PoolReactor(runtime, context, request, role, work, std::move(handler));
}

}  // namespace internal

grpc::ServerUnaryReactor* HandleUnaryLater(const RpcRuntime& runtime, grpc::CallbackServerContext* context,
                                           const google::protobuf::Message& request, Role role,
                                           std::function<void(const Call&, UnaryDone)> handler,
                                           std::function<void()> on_cancel) {
  return new LaterReactor(runtime, context, request, role, std::move(handler), std::move(on_cancel));
}

}  // namespace creamery
