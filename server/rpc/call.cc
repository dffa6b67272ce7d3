#include "server/rpc/call.h"

#include <exception>
#include <new>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/unknown_field_set.h"
#include "proto/support/digest.h"
#include "proto/support/status_macros.h"
#include "proto/support/text_check.h"

namespace creamery {
namespace {

constexpr size_t kMaxRequestId = 128;
// A status travels as metadata, of which clients take 8 KiB; what is not ASCII becomes three times as long there.
constexpr size_t kMaxMessage = 2000;

ComputePool& PoolFor(const RpcRuntime& runtime, const Work& work) {
  if (work.kind == Work::Kind::kDisk) return *runtime.disk;
  if (work.kind == Work::Kind::kLong && runtime.statistics != nullptr) return *runtime.statistics;
  return *runtime.compute;
}

}  // namespace

absl::Status Dispatch(const RpcRuntime& runtime, Work work, std::function<void()> step) {
  if (work.RunsAtOnce()) {
    step();
    return absl::OkStatus();
  }
  return PoolFor(runtime, work).Submit(std::move(step));
}

void DispatchNext(const RpcRuntime& runtime, Work work, std::function<void()> step) {
  PoolFor(runtime, work).Resume(std::move(step));
}

absl::StatusOr<std::string> AuthenticateCall(const RpcRuntime& runtime, const grpc::CallbackServerContext& context,
                                             Role role) {
  std::optional<absl::string_view> authorization;
  const auto& metadata = context.client_metadata();
  if (const auto found = metadata.find("authorization"); found != metadata.end()) {
    authorization = absl::string_view(found->second.data(), found->second.size());
  }
  return runtime.auth->Authenticate(authorization, role);
}

absl::Time DeadlineOf(const grpc::CallbackServerContext& context) { return absl::FromChrono(context.deadline()); }

grpc::Status ToGrpcStatus(const absl::Status& status, grpc::CallbackServerContext* context) {
  if (status.ok()) return grpc::Status::OK;
  if (context != nullptr && absl::IsUnavailable(status)) {
    context->AddTrailingMetadata("grpc-retry-pushback-ms", "100");
  }
  return grpc::Status(static_cast<grpc::StatusCode>(status.raw_code()), ShortMessage(status.message(), kMaxMessage));
}

absl::Status CheckNoUnknownFields(const google::protobuf::Message& message) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  const google::protobuf::UnknownFieldSet& unknown = reflection.GetUnknownFields(message);
  if (!unknown.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("unknown field ", unknown.field(0).number(), " in ",
                                                   message.GetDescriptor()->full_name(),
                                                   ": the server is older than the client"));
  }
  // Not Reflection::ListFields: it makes a list of all fields, most of a short call's own work.
  const google::protobuf::Descriptor& descriptor = *message.GetDescriptor();
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const google::protobuf::FieldDescriptor* const field = descriptor.field(i);
    if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      if (!reflection.HasField(message, field)) continue;
      ABSL_RETURN_IF_ERROR(CheckNoUnknownFields(reflection.GetMessage(message, field)));
      continue;
    }
    for (int j = 0; j < reflection.FieldSize(message, field); ++j) {
      ABSL_RETURN_IF_ERROR(CheckNoUnknownFields(reflection.GetRepeatedMessage(message, field, j)));
    }
  }
  return absl::OkStatus();
}

std::string RequestDigest(absl::string_view method, const google::protobuf::Message& request) {
  std::string bytes = absl::StrCat(method, "\n");
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    request.SerializePartialToCodedStream(&coded);
  }
  return Sha256Hex(bytes);
}

absl::StatusOr<Caller> MakeCaller(const Call& call, absl::string_view method, const std::string& request_id,
                                  const google::protobuf::Message& request) {
  if (request_id.size() > kMaxRequestId) {
    return absl::InvalidArgumentError(
        absl::StrCat("request_id has ", request_id.size(), " bytes, expected at most ", kMaxRequestId));
  }
  Caller caller;
  caller.principal = call.principal;
  caller.time = absl::Now();
  if (!request_id.empty()) {
    caller.request_id = request_id;
    caller.request_digest = RequestDigest(method, request);
  }
  return caller;
}

absl::Status RunGuarded(absl::FunctionRef<absl::Status()> handler) {
  try {
    return handler();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("the server has not enough memory for this request");
  } catch (const std::exception& exception) {
    return absl::InternalError(absl::StrCat("unexpected: ", exception.what()));
  }
}

}  // namespace creamery
