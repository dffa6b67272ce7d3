#include <algorithm>
#include <ostream>

#include "client/cpp/client.h"
#include "client/cpp/connection.h"
#include "proto/support/digest.h"
#include "proto/support/resource_names.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

absl::StatusOr<v1::ModelVersion> SendArtifact(const Connection& connection, const v1::ImportVersionRequest& first,
                                              const std::string& artifact) {
  const std::unique_ptr<grpc::ClientContext> context = connection.NewStreamContext();
  v1::ModelVersion version;
  const auto writer = connection.models->ImportVersion(context.get(), &version);
  v1::ImportVersionRequest message = first;
  for (size_t begin = 0; begin < artifact.size(); begin += kChunkBytes) {
    message.set_chunk(artifact.substr(begin, kChunkBytes));
    if (!writer->Write(message)) break;  // Finish says why.
    message.Clear();
  }
  writer->WritesDone();
  ABSL_RETURN_IF_ERROR(connection.ToStatus(writer->Finish()));
  return version;
}

}  // namespace

absl::StatusOr<Model> Client::GetModel(const std::string& name) const {
  ABSL_ASSIGN_OR_RETURN(const VersionName version, ParseTypedVersion(name));
  v1::GetModelVersionRequest request;
  request.set_name(version.ToString());
  ABSL_ASSIGN_OR_RETURN(v1::ModelVersion resolved,
                        connection_->Call(*connection_->models, &v1::ModelService::Stub::GetModelVersion, request));
  return Model(connection_, std::move(resolved));
}

absl::StatusOr<v1::Model> Client::DescribeModel(const std::string& name) const {
  ABSL_ASSIGN_OR_RETURN(const VersionName version, ParseTypedVersion(name));
  v1::GetModelRequest request;
  request.set_name(version.model_name().ToString());
  return connection_->Call(*connection_->models, &v1::ModelService::Stub::GetModel, request);
}

absl::StatusOr<v1::Model> Client::SetAlias(const std::string& model, const std::string& alias, int64_t version) const {
  ABSL_ASSIGN_OR_RETURN(const VersionName name, ParseTypedVersion(model));
  v1::SetAliasRequest request;
  request.set_name(name.model_name().ToString());
  request.set_alias(alias);
  request.set_version(version);
  return connection_->Call(*connection_->models, &v1::ModelService::Stub::SetAlias, request);
}

absl::StatusOr<v1::Model> Client::UpdateLabels(const std::string& model,
                                               const std::map<std::string, std::string>& labels) const {
  ABSL_ASSIGN_OR_RETURN(const VersionName name, ParseTypedVersion(model));
  v1::UpdateLabelsRequest request;
  request.set_name(name.model_name().ToString());
  for (const auto& [key, value] : labels) (*request.mutable_labels())[key] = value;
  return connection_->Call(*connection_->models, &v1::ModelService::Stub::UpdateLabels, request);
}

absl::Status Client::DeleteVersion(const std::string& version) const {
  ABSL_ASSIGN_OR_RETURN(const VersionName name, ParseTypedVersion(version));
  // "The latest" and an alias may mean another version by the time the request arrives.
  if (name.number == 0) {
    return absl::InvalidArgumentError("'" + version + "' names no version by number; expected project/model@3");
  }
  v1::DeleteVersionRequest request;
  request.set_name(name.ToString());
  return connection_->Call(*connection_->models, &v1::ModelService::Stub::DeleteVersion, request).status();
}

absl::StatusOr<v1::ModelVersion> Client::ExportVersion(const std::string& version, std::ostream& out) const {
  ABSL_ASSIGN_OR_RETURN(const VersionName name, ParseTypedVersion(version));
  v1::ExportVersionRequest request;
  request.set_name(name.ToString());
  const std::unique_ptr<grpc::ClientContext> context = connection_->NewStreamContext();
  const auto reader = connection_->models->ExportVersion(context.get(), request);
  v1::ExportVersionResponse response;
  v1::ModelVersion exported;
  Sha256 digest;
  while (reader->Read(&response)) {
    if (response.has_version()) exported = response.version();
    digest.Update(response.chunk());
    out.write(response.chunk().data(), static_cast<std::streamsize>(response.chunk().size()));
  }
  ABSL_RETURN_IF_ERROR(connection_->ToStatus(reader->Finish()));
  if (!exported.artifact_digest().empty() && digest.Finish() != exported.artifact_digest()) {
    return absl::DataLossError("the bytes of " + exported.name() + " do not match their digest");
  }
  if (!out.flush()) return absl::ResourceExhaustedError("the artifact of " + exported.name() + " cannot be written");
  return exported;
}

absl::StatusOr<v1::ModelVersion> Client::ImportVersion(const std::string& model, const std::string& artifact) const {
  ABSL_ASSIGN_OR_RETURN(const VersionName name, ParseTypedVersion(model));
  if (artifact.empty()) return absl::InvalidArgumentError("the artifact is empty");
  ABSL_RETURN_IF_ERROR(EnsureProject(name.project));
  v1::ImportVersionRequest first;
  first.set_parent(name.model_name().ToString());
  first.set_request_id(RandomHex(16));
  for (Repetition repetition(*connection_);;) {
    absl::StatusOr<v1::ModelVersion> version = SendArtifact(*connection_, first, artifact);
    if (version.ok() || !repetition.Again(version.status(), nullptr)) return version;
  }
}

}  // namespace creamery
