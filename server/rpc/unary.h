// Unary methods over the callback API. A service method is one return statement:
//
//   grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context, const v1::GetModelRequest* request,
//                                      v1::Model* response) override {
//     return HandleUnary(rpc_, context, *request, Role::kClient, Work::Disk(), [=](const Call& call) -> absl::Status {
//       ABSL_ASSIGN_OR_RETURN(ModelName name, ModelName::Parse(request->name()));
//       ABSL_ASSIGN_OR_RETURN(*response, registry_.GetModel(name));
//       return absl::OkStatus();
//     });
//   }
//
// The request and the response live until the reply is sent; capture their pointers.
#ifndef CREAMERY_SERVER_RPC_UNARY_H_
#define CREAMERY_SERVER_RPC_UNARY_H_

#include <functional>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "grpcpp/support/server_callback.h"
#include "server/rpc/call.h"

namespace creamery {

namespace internal {

// On the thread that the request arrived on, with gRPC's own reactor: a reactor of ours would cost a hop to another
// thread for its OnDone, 15 microseconds of a round trip.
grpc::ServerUnaryReactor* AnswerAtOnce(const RpcRuntime& runtime, grpc::CallbackServerContext* context,
                                       const google::protobuf::Message& request, Role role,
                                       absl::FunctionRef<absl::Status(const Call&)> handler);
grpc::ServerUnaryReactor* AnswerOnPool(const RpcRuntime& runtime, grpc::CallbackServerContext* context,
                                       const google::protobuf::Message& request, Role role, Work work,
                                       std::function<absl::Status(const Call&)> handler);

}  // namespace internal

// Authenticates, refuses unknown fields, runs `handler`, an absl::Status(const Call&), where `work` belongs and sends
// its status.
template <typename Handler>
grpc::ServerUnaryReactor* HandleUnary(const RpcRuntime& runtime, grpc::CallbackServerContext* context,
                                      const google::protobuf::Message& request, Role role, Work work, Handler handler) {
  if (work.RunsAtOnce()) {
    return internal::AnswerAtOnce(runtime, context, request, role,
                                  [&handler](const Call& call) { return handler(call); });
  }
  return internal::AnswerOnPool(runtime, context, request, role, work, std::move(handler));
}

// Ends a call; exactly once, from any thread. The response must not be touched afterwards.
using UnaryDone = std::function<void(absl::Status)>;
// For a long poll: `handler` runs on the disk pool, keeps `done` and returns; nothing waits on a thread. `call.stop`
// says when the client has left, and then `on_cancel`, if there is one, is called once on a gRPC thread (it must not
// block): `done` must still be called.
grpc::ServerUnaryReactor* HandleUnaryLater(const RpcRuntime& runtime, grpc::CallbackServerContext* context,
                                           const google::protobuf::Message& request, Role role,
                                           std::function<void(const Call&, UnaryDone)> handler,
                                           std::function<void()> on_cancel = nullptr);

}  // namespace creamery

#endif  // CREAMERY_SERVER_RPC_UNARY_H_
