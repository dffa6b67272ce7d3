#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "creamery/v1/model_service.grpc.pb.h"
#include "proto/support/digest.h"
#include "proto/support/status_macros.h"
#include "proto/support/text_check.h"
#include "server/rpc/client_stream.h"
#include "server/rpc/gated_service.h"
#include "server/rpc/server_stream.h"
#include "server/rpc/unary.h"
#include "server/services/services.h"
#include "server/services/upload.h"

namespace creamery {
namespace {

constexpr int kMaxLabels = 64;
constexpr size_t kMaxLabelBytes = 63;

absl::Status CheckLabels(const google::protobuf::Map<std::string, std::string>& labels) {
  if (static_cast<int>(labels.size()) > kMaxLabels) {
    return absl::InvalidArgumentError(
        absl::StrCat("there are ", labels.size(), " labels, expected at most ", kMaxLabels));
  }
  for (const auto& [key, value] : labels) {
    if (key.empty() || key.size() > kMaxLabelBytes || value.size() > kMaxLabelBytes) {
      return absl::InvalidArgumentError(absl::StrCat("the label '", Shown(key, kMaxLabelBytes),
                                                     "' is empty, or it or its value is longer than ", kMaxLabelBytes,
                                                     " bytes"));
    }
    ABSL_RETURN_IF_ERROR(CheckText("the key of a label", key));
    ABSL_RETURN_IF_ERROR(CheckText(absl::StrCat("the label '", key, "'"), value));
  }
  return absl::OkStatus();
}

// Of a search: empty for any.
absl::Status CheckFamily(const std::string& family) {
  const auto* families = v1::EstimatorSpec::descriptor()->FindOneofByName("family");
  std::vector<std::string> names;
  for (int i = 0; i < families->field_count(); ++i) names.push_back(families->field(i)->name());
  if (family.empty() || std::find(names.begin(), names.end(), family) != names.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("there is no family '", family.substr(0, kMaxLabelBytes),
                                                 "'; the families are ", absl::StrJoin(names, ", ")));
}

class ModelServiceImpl final : public GatedService<v1::ModelService> {
 public:
  ModelServiceImpl(const RpcRuntime& rpc, Registry& registry, ServedModels& models, const Limits& limits)
      : GatedService(rpc, Role::kClient), rpc_(rpc), registry_(registry), models_(models), limits_(limits) {
    GateMethods(&ModelServiceImpl::GetModel, &ModelServiceImpl::GetModelVersion, &ModelServiceImpl::ListModels,
                &ModelServiceImpl::ListVersions, &ModelServiceImpl::SetAlias, &ModelServiceImpl::UpdateLabels,
                &ModelServiceImpl::DeleteVersion, &ModelServiceImpl::ExportVersion, &ModelServiceImpl::ImportVersion);
  }

  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context, const v1::GetModelRequest* request,
                                     v1::Model* response) override {
    return HandleUnary(rpc_, context, *request, Role::kClient, Work::Disk(), [=](const Call&) -> absl::Status {
      ABSL_ASSIGN_OR_RETURN(const ModelName name, ModelName::Parse(request->name()));
      ABSL_ASSIGN_OR_RETURN(*response, registry_.GetModel(name));
      return absl::OkStatus();
    });
  }

  grpc::ServerUnaryReactor* GetModelVersion(grpc::CallbackServerContext* context,
                                            const v1::GetModelVersionRequest* request,
                                            v1::ModelVersion* response) override {
    return HandleUnary(rpc_, context, *request, Role::kClient, Work::Disk(), [=](const Call&) -> absl::Status {
      ABSL_ASSIGN_OR_RETURN(*response, VersionOf(request->name()));
      return absl::OkStatus();
    });
  }

  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context, const v1::ListModelsRequest* request,
                                       v1::ListModelsResponse* response) override {
    return HandleUnary(rpc_, context, *request, Role::kClient, Work::Disk(), [=](const Call&) -> absl::Status {
      ABSL_ASSIGN_OR_RETURN(const ProjectName parent, ParseListParent(request->parent()));
      ABSL_ASSIGN_OR_RETURN(const PageRequest page, MakePageRequest(request->page_size(), request->page_token()));
      ABSL_RETURN_IF_ERROR(CheckFamily(request->family()));
      ABSL_RETURN_IF_ERROR(CheckLabels(request->labels()));
      const ModelQuery wanted = {
          request->parameter(), request->family(), {request->labels().begin(), request->labels().end()}};
      ABSL_ASSIGN_OR_RETURN(Page<v1::Model> models, registry_.ListModels(parent, wanted, page));
      for (v1::Model& model : models.items) *response->add_models() = std::move(model);
      response->set_next_page_token(models.next_token);
      return absl::OkStatus();
    });
  }

  grpc::ServerUnaryReactor* ListVersions(grpc::CallbackServerContext* context, const v1::ListVersionsRequest* request,
                                         v1::ListVersionsResponse* response) override {
    return HandleUnary(rpc_, context, *request, Role::kClient, Work::Disk(), [=](const Call&) -> absl::Status {
      ABSL_ASSIGN_OR_RETURN(const ModelName parent, ModelName::Parse(request->parent()));
      ABSL_ASSIGN_OR_RETURN(const PageRequest page, MakePageRequest(request->page_size(), request->page_token()));
      ABSL_ASSIGN_OR_RETURN(Page<v1::ModelVersion> versions, registry_.ListVersions(parent, page));
      for (v1::ModelVersion& version : versions.items) *response->add_versions() = std::move(version);
      response->set_next_page_token(versions.next_token);
      return absl::OkStatus();
    });
  }

  grpc::ServerUnaryReactor* SetAlias(grpc::CallbackServerContext* context, const v1::SetAliasRequest* request,
                                     v1::Model* response) override {
    return HandleUnary(rpc_, context, *request, Role::kClient, Work::Disk(), [=](const Call& call) -> absl::Status {
      ABSL_ASSIGN_OR_RETURN(const ModelName name, ModelName::Parse(request->name()));
      ABSL_RETURN_IF_ERROR(CheckAlias(request->alias()));
      if (request->version() < 0 || (request->has_expected_version() && request->expected_version() < 0)) {
        return absl::InvalidArgumentError("version and expected_version are version numbers, or 0 for none");
      }
      ABSL_ASSIGN_OR_RETURN(const Caller caller, MakeCaller(call, "SetAlias", "", *request));
      const int64_t expected = request->has_expected_version() ? request->expected_version() : -1;
      ABSL_ASSIGN_OR_RETURN(*response,
                            registry_.SetAlias(caller, name, request->alias(), request->version(), expected));
      return models_.Changed(name);
    });
  }

  grpc::ServerUnaryReactor* UpdateLabels(grpc::CallbackServerContext* context, const v1::UpdateLabelsRequest* request,
                                         v1::Model* response) override {
    return HandleUnary(rpc_, context, *request, Role::kClient, Work::Disk(), [=](const Call& call) -> absl::Status {
      ABSL_ASSIGN_OR_RETURN(const ModelName name, ModelName::Parse(request->name()));
      ABSL_RETURN_IF_ERROR(CheckLabels(request->labels()));
      ABSL_ASSIGN_OR_RETURN(const Caller caller, MakeCaller(call, "UpdateLabels", "", *request));
      ABSL_ASSIGN_OR_RETURN(*response,
                            registry_.UpdateLabels(caller, name, {request->labels().begin(), request->labels().end()}));
      return absl::OkStatus();
    });
  }

  grpc::ServerUnaryReactor* DeleteVersion(grpc::CallbackServerContext* context, const v1::DeleteVersionRequest* request,
                                          v1::DeleteVersionResponse* /*response*/) override {
    return HandleUnary(rpc_, context, *request, Role::kClient, Work::Disk(), [=](const Call& call) -> absl::Status {
      ABSL_ASSIGN_OR_RETURN(const VersionName name, VersionName::Parse(request->name()));
      if (name.number == 0) {
        return absl::InvalidArgumentError(absl::StrCat("a version is deleted by its number: '", request->name(),
                                                       "' is not projects/{project}/models/{model}/versions/{number}"));
      }
      ABSL_ASSIGN_OR_RETURN(const Caller caller, MakeCaller(call, "DeleteVersion", "", *request));
      ABSL_RETURN_IF_ERROR(registry_.DeleteVersion(caller, name.model_name(), name.number));
      ABSL_RETURN_IF_ERROR(models_.Deleted(name));
      registry_.CollectGarbage().IgnoreError();  // what stays is collected at the next start
      return absl::OkStatus();
    });
  }

  grpc::ServerWriteReactor<v1::ExportVersionResponse>* ExportVersion(grpc::CallbackServerContext* context,
                                                                     const v1::ExportVersionRequest* request) override {
    using Reply = v1::ExportVersionResponse;
    return HandleServerStream<Reply>(
        rpc_, context, *request, Role::kClient, Work::Disk(), [=](const Call&) -> absl::StatusOr<Producer<Reply>> {
          ABSL_ASSIGN_OR_RETURN(const v1::ModelVersion version, VersionOf(request->name()));
          ABSL_ASSIGN_OR_RETURN(std::shared_ptr<BlobReader> blob,
                                registry_.blobs().OpenBlob(version.artifact_digest()));
          auto digest = std::make_shared<Sha256>();
          return Producer<Reply>([=, offset = int64_t{0}](Reply* reply) mutable -> absl::StatusOr<bool> {
            if (offset == blob->size()) return false;
            const int64_t length = std::min(kChunkBytes, blob->size() - offset);
            ABSL_ASSIGN_OR_RETURN(*reply->mutable_chunk(), blob->Read(offset, length));
            digest->Update(reply->chunk());
            if (offset == 0) *reply->mutable_version() = version;
            offset += length;
            if (offset == blob->size() && digest->Finish() != version.artifact_digest()) {
              return absl::DataLossError(absl::StrCat("the artifact of ", version.name(), ", blob ",
                                                      version.artifact_digest(), ", is damaged"));
            }
            return true;
          });
        });
  }

  grpc::ServerReadReactor<v1::ImportVersionRequest>* ImportVersion(grpc::CallbackServerContext* context,
                                                                   v1::ModelVersion* response) override {
    return HandleClientStream<v1::ImportVersionRequest>(
        rpc_, context, response, Role::kClient,
        [this](const Call& call) { return std::make_unique<VersionUpload>(registry_, models_, limits_, call); });
  }

 private:
  absl::StatusOr<v1::ModelVersion> VersionOf(const std::string& name) {
    ABSL_ASSIGN_OR_RETURN(const std::string full_name, models_.directory().Resolve(name));
    ABSL_ASSIGN_OR_RETURN(const VersionName version, VersionName::Parse(full_name));
    return registry_.GetVersion(version.model_name(), version.number);
  }

  const RpcRuntime rpc_;
  Registry& registry_;
  ServedModels& models_;
  const Limits limits_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeModelService(const RpcRuntime& rpc, Registry& registry, ServedModels& models,
                                                const Limits& limits) {
  return std::make_unique<ModelServiceImpl>(rpc, registry, models, limits);
}

}  // namespace creamery
