// What every gRPC method shares: who calls, when to stop, where work runs, and how a Status travels.
#ifndef CREAMERY_SERVER_RPC_CALL_H_
#define CREAMERY_SERVER_RPC_CALL_H_

#include <functional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/status.h"
#include "proto/support/stop_token.h"
#include "server/auth.h"
#include "server/compute_pool.h"
#include "storage/registry.h"

namespace creamery {

class IdleWatch;
class Intake;
class OpenStreams;

// What the handlers of all services share. Everything must outlive the gRPC server.
struct RpcRuntime {
  const Authenticator* auth = nullptr;
  ComputePool* compute = nullptr;
  ComputePool* disk = nullptr;
  ComputePool* statistics = nullptr;  // null: as compute
  IdleWatch* idle = nullptr;          // null: uploads may stall
  OpenStreams* streams = nullptr;     // null: streams of questions keep a draining server waiting
  Intake* intake = nullptr;           // gated services need it
};

// What a handler knows of its call. Copy it if you need it later.
struct Call {
  std::string principal;
  StopToken stop;  // the client left, or its deadline passed
};

// Compute work below this is done where it arrives: handing it to a thread costs 10 microseconds.
inline constexpr absl::Duration kInlineLimit = absl::Microseconds(50);
// Statistics above this are long work.
inline constexpr absl::Duration kLongLimit = absl::Seconds(1);

// Where a handler runs.
struct Work {
  enum class Kind { kCompute, kDisk, kLong };
  Kind kind = Kind::kCompute;
  absl::Duration cost = absl::ZeroDuration();
  // Looks at memory alone and takes about `cost`.
  static Work Compute(absl::Duration cost) { return {Kind::kCompute, cost}; }
  // May wait for files or SQLite.
  static Work Disk() { return {Kind::kDisk, absl::InfiniteDuration()}; }
  // Computes for seconds to minutes, and may read files too.
  static Work Long() { return {Kind::kLong, absl::InfiniteDuration()}; }

  // Done on the thread that the request arrives on; else on a pool.
  bool RunsAtOnce() const { return kind == Kind::kCompute && cost < kInlineLimit; }
};

// Runs `step` at once or on one of the pools; UNAVAILABLE if its queue is full.
absl::Status Dispatch(const RpcRuntime& runtime, Work work, std::function<void()> step);
// The same for a later step of a call that runs already: never refused, never inline.
void DispatchNext(const RpcRuntime& runtime, Work work, std::function<void()> step);

// The principal of a call, by its `authorization` metadata.
absl::StatusOr<std::string> AuthenticateCall(const RpcRuntime& runtime, const grpc::CallbackServerContext& context,
                                             Role role);
// The time after which nobody waits for the answer.
absl::Time DeadlineOf(const grpc::CallbackServerContext& context);

// Code for code, with the message. UNAVAILABLE also asks clients to wait 100 ms before they try again.
grpc::Status ToGrpcStatus(const absl::Status& status, grpc::CallbackServerContext* context = nullptr);

// INVALID_ARGUMENT "unknown field 17 in creamery.v1.LogProbRequest: the server is older than the client", at any depth.
absl::Status CheckNoUnknownFields(const google::protobuf::Message& message);

// SHA-256 of the method's name and the message, serialised in a fixed order.
std::string RequestDigest(absl::string_view method, const google::protobuf::Message& request);
// Who changes something, for storage. INVALID_ARGUMENT for a request_id above 128 bytes.
absl::StatusOr<Caller> MakeCaller(const Call& call, absl::string_view method, const std::string& request_id,
                                  const google::protobuf::Message& request);

// `handler()`, with an exception (no memory, a bug) turned into a Status.
absl::Status RunGuarded(absl::FunctionRef<absl::Status()> handler);

}  // namespace creamery

#endif  // CREAMERY_SERVER_RPC_CALL_H_
