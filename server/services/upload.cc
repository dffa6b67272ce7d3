#include "server/services/upload.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "models/families.h"
#include "proto/support/status_macros.h"

namespace creamery {

absl::Status RowsUpload::Begin(const v1::AppendRowsRequest& request) {
  head_ = request;
  head_.clear_rows();
  ABSL_ASSIGN_OR_RETURN(name_, DatasetName::Parse(request.name()));
  if (request.has_expected_num_rows() && request.expected_num_rows() < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected_num_rows is ", request.expected_num_rows(), ", expected 0 or more"));
  }
  ABSL_RETURN_IF_ERROR(MakeCaller(call_, "AppendRows", request.request_id(), head_).status());
  ABSL_ASSIGN_OR_RETURN(const v1::Dataset schema, registry_.GetDataset(name_));
  ABSL_ASSIGN_OR_RETURN(writer_, PartWriter::Create(registry_.blobs(), schema, request.total_rows()));
  return absl::OkStatus();
}

absl::Status RowsUpload::Consume(const v1::AppendRowsRequest& request) {
  if (writer_ == nullptr) {
    ABSL_RETURN_IF_ERROR(Begin(request));
  } else if (!request.name().empty() && request.name() != head_.name()) {
    return absl::InvalidArgumentError(
        absl::StrCat("an upload to ", head_.name(), " cannot go on to ", request.name(), ": make two uploads"));
  }
  return request.has_rows() ? writer_->Append(request.rows()) : absl::OkStatus();
}

absl::Status RowsUpload::Finish(v1::Dataset* response) {
  if (writer_ == nullptr) {
    return absl::InvalidArgumentError("the upload is empty: its first message must name the dataset");
  }
  ABSL_ASSIGN_OR_RETURN(const BlobWriter::Committed part, writer_->Commit());
  ABSL_RETURN_IF_ERROR(call_.stop.Check());
  // The same name, numbers and rows are the same content, however the rows were cut into messages.
  ABSL_ASSIGN_OR_RETURN(const Caller caller,
                        MakeCaller(call_, absl::StrCat("AppendRows ", part.digest), head_.request_id(), head_));
  const int64_t expected = head_.has_expected_num_rows() ? head_.expected_num_rows() : -1;
  ABSL_ASSIGN_OR_RETURN(
      *response,
      registry_.AppendPart(caller, name_, {part.digest, head_.total_rows(), writer_->num_rows_outside()}, expected));
  return absl::OkStatus();
}

absl::Status VersionUpload::Consume(const v1::ImportVersionRequest& request) {
  if (!begun_) {
    begun_ = true;
    ABSL_ASSIGN_OR_RETURN(name_, ModelName::Parse(request.parent()));
    head_.set_parent(request.parent());
    head_.set_request_id(request.request_id());
    ABSL_RETURN_IF_ERROR(MakeCaller(call_, "ImportVersion", request.request_id(), head_).status());
    ABSL_RETURN_IF_ERROR(registry_.GetProject({name_.project}).status());
  }
  if (static_cast<int64_t>(artifact_.size() + request.chunk().size()) > limits_.max_artifact_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the artifact is larger than the ", limits_.max_artifact_bytes, " bytes this server takes"));
  }
  artifact_ += request.chunk();
  return absl::OkStatus();
}

absl::Status VersionUpload::Finish(v1::ModelVersion* response) {
  if (!begun_) return absl::InvalidArgumentError("the upload is empty: its first message must name the model");
  absl::StatusOr<std::unique_ptr<Estimator>> estimator = LoadEstimator(artifact_);
  if (absl::IsDataLoss(estimator.status())) {  // nothing of ours was lost: what came in is bad
    return absl::InvalidArgumentError(
        absl::StrCat("what was uploaded is not an artifact of Creamery: ", estimator.status().message()));
  }
  ABSL_RETURN_IF_ERROR(estimator.status());
  ABSL_ASSIGN_OR_RETURN(const std::unique_ptr<BlobWriter> writer, registry_.blobs().NewBlob());
  ABSL_RETURN_IF_ERROR(writer->Append(artifact_));
  ABSL_ASSIGN_OR_RETURN(const BlobWriter::Committed blob, writer->Commit());
  ABSL_RETURN_IF_ERROR(call_.stop.Check());
  ABSL_ASSIGN_OR_RETURN(const Caller caller,
                        MakeCaller(call_, absl::StrCat("ImportVersion ", blob.digest), head_.request_id(), head_));
  ABSL_ASSIGN_OR_RETURN(*response, registry_.ImportVersion(caller, name_, (*estimator)->description(), blob.digest));
  return models_.Changed(name_);
}

}  // namespace creamery
