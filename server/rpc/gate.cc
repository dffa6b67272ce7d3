#include "server/rpc/gate.h"

#include "absl/strings/str_cat.h"
#include "grpcpp/support/proto_buffer_reader.h"
#include "proto/support/status_macros.h"
#include "server/rpc/wire_cost.h"

namespace creamery::internal {
namespace {

// Messages below this cannot cost much, whatever is in them: they are neither walked nor counted.
constexpr size_t kSmall = 1024;

}  // namespace

absl::Status GateKeeper::Open() {
  ABSL_RETURN_IF_ERROR(AuthenticateCall(method_.runtime, *context_, method_.role).status());
  ABSL_RETURN_IF_ERROR(intake().Enter(this));
  return method_.limits.lasting ? intake().Last(this, context_->peer()) : absl::OkStatus();
}

grpc::Status GateKeeper::Refusal(const absl::Status& status) const {
  if (absl::IsUnavailable(status)) context_->AddTrailingMetadata("creamery-not-begun", "1");
  return ToGrpcStatus(status, context_);
}

absl::Status GateKeeper::Take(grpc::ByteBuffer* bytes, google::protobuf::Message* request) {
  const google::protobuf::Descriptor& type = *request->GetDescriptor();
  const size_t length = bytes->Length();
  if (length > static_cast<size_t>(method_.limits.message_bytes)) {
    return absl::ResourceExhaustedError(absl::StrCat("the ", type.full_name(), " has ", length,
                                                     " bytes, expected at most ", method_.limits.message_bytes));
  }
  if (length > kSmall) {
    grpc::ProtoBufferReader reader(bytes);
    ABSL_ASSIGN_OR_RETURN(const int64_t structure, StructureBytes(type, &reader, method_.limits.structure_bytes));
    // The bytes themselves and what they become.
    ABSL_RETURN_IF_ERROR(intake().Charge(this, 2 * static_cast<int64_t>(length) + structure));
    charged_ = true;
  }
  grpc::ProtoBufferReader reader(bytes);
  if (!reader.status().ok() || !request->ParseFromZeroCopyStream(&reader)) {
    return absl::InvalidArgumentError(absl::StrCat("the request is not a valid ", type.full_name()));
  }
  bytes->Clear();
  return absl::OkStatus();
}

void GateKeeper::Release() {
  if (charged_) intake().Charge(this, 0).IgnoreError();
  charged_ = false;
}

}  // namespace creamery::internal
