#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "creamery/v1/dataset_service.grpc.pb.h"
#include "proto/support/rows.h"
#include "proto/support/status_macros.h"
#include "server/rpc/client_stream.h"
#include "server/rpc/gated_service.h"
#include "server/rpc/server_stream.h"
#include "server/rpc/unary.h"
#include "server/services/limits.h"
#include "server/services/services.h"
#include "server/services/upload.h"
#include "storage/parts.h"

namespace creamery {
namespace {

// Bytes of one row of Rows, all fields counted.
int64_t BytesPerRow(const v1::Dataset& schema) {
  return 8 * (schema.parameters_size() + (schema.has_weight() ? 1 : 0) + (schema.has_chain() ? 1 : 0) +
              (schema.has_log_likelihood() ? 1 : 0) + (schema.has_log_likelihood_birth() ? 1 : 0));
}

class DatasetServiceImpl final : public GatedService<v1::DatasetService> {
 public:
  DatasetServiceImpl(const RpcRuntime& rpc, Registry& registry)
      : GatedService(rpc, Role::kClient), rpc_(rpc), registry_(registry) {
    GateMethods(&DatasetServiceImpl::CreateDataset, &DatasetServiceImpl::AppendRows, &DatasetServiceImpl::GetDataset,
                &DatasetServiceImpl::ListDatasets, &DatasetServiceImpl::DeleteDataset,
                &DatasetServiceImpl::DownloadRows);
  }

  grpc::ServerUnaryReactor* CreateDataset(grpc::CallbackServerContext* context, const v1::CreateDatasetRequest* request,
                                          v1::Dataset* response) override;
  grpc::ServerReadReactor<v1::AppendRowsRequest>* AppendRows(grpc::CallbackServerContext* context,
                                                             v1::Dataset* response) override;
  grpc::ServerUnaryReactor* GetDataset(grpc::CallbackServerContext* context, const v1::GetDatasetRequest* request,
                                       v1::Dataset* response) override;
  grpc::ServerUnaryReactor* ListDatasets(grpc::CallbackServerContext* context, const v1::ListDatasetsRequest* request,
                                         v1::ListDatasetsResponse* response) override;
  grpc::ServerUnaryReactor* DeleteDataset(grpc::CallbackServerContext* context, const v1::DeleteDatasetRequest* request,
                                          v1::DeleteDatasetResponse* response) override;
  grpc::ServerWriteReactor<v1::DownloadRowsResponse>* DownloadRows(grpc::CallbackServerContext* context,
                                                                   const v1::DownloadRowsRequest* request) override;

 private:
  const RpcRuntime rpc_;
  Registry& registry_;
};

grpc::ServerUnaryReactor* DatasetServiceImpl::CreateDataset(grpc::CallbackServerContext* context,
                                                            const v1::CreateDatasetRequest* request,
                                                            v1::Dataset* response) {
  return HandleUnary(rpc_, context, *request, Role::kClient, Work::Disk(), [=](const Call& call) -> absl::Status {
    ABSL_ASSIGN_OR_RETURN(const ProjectName parent, ProjectName::Parse(request->parent()));
    ABSL_RETURN_IF_ERROR(CheckId("dataset_id", request->dataset_id()));
    ABSL_RETURN_IF_ERROR(CheckSchema(request->dataset()));
    ABSL_ASSIGN_OR_RETURN(const Caller caller, MakeCaller(call, "CreateDataset", request->request_id(), *request));
    ABSL_ASSIGN_OR_RETURN(*response,
                          registry_.CreateDataset(caller, {parent.project, request->dataset_id()}, request->dataset()));
    return absl::OkStatus();
  });
}

grpc::ServerReadReactor<v1::AppendRowsRequest>* DatasetServiceImpl::AppendRows(grpc::CallbackServerContext* context,
                                                                               v1::Dataset* response) {
  return HandleClientStream<v1::AppendRowsRequest>(rpc_, context, response, Role::kClient, [this](const Call& call) {
    return std::make_unique<RowsUpload>(registry_, call);
  });
}

grpc::ServerUnaryReactor* DatasetServiceImpl::GetDataset(grpc::CallbackServerContext* context,
                                                         const v1::GetDatasetRequest* request, v1::Dataset* response) {
  return HandleUnary(rpc_, context, *request, Role::kClient, Work::Disk(), [=](const Call&) -> absl::Status {
    ABSL_ASSIGN_OR_RETURN(const DatasetName name, DatasetName::Parse(request->name()));
    ABSL_ASSIGN_OR_RETURN(*response, registry_.GetDataset(name));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* DatasetServiceImpl::ListDatasets(grpc::CallbackServerContext* context,
                                                           const v1::ListDatasetsRequest* request,
                                                           v1::ListDatasetsResponse* response) {
  return HandleUnary(rpc_, context, *request, Role::kClient, Work::Disk(), [=](const Call&) -> absl::Status {
    ABSL_ASSIGN_OR_RETURN(const ProjectName parent, ParseListParent(request->parent()));
    ABSL_ASSIGN_OR_RETURN(const PageRequest page, MakePageRequest(request->page_size(), request->page_token()));
    ABSL_ASSIGN_OR_RETURN(Page<v1::Dataset> datasets, registry_.ListDatasets(parent, request->parameter(), page));
    for (v1::Dataset& dataset : datasets.items) *response->add_datasets() = std::move(dataset);
    response->set_next_page_token(datasets.next_token);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* DatasetServiceImpl::DeleteDataset(grpc::CallbackServerContext* context,
                                                            const v1::DeleteDatasetRequest* request,
                                                            v1::DeleteDatasetResponse* /*response*/) {
  return HandleUnary(rpc_, context, *request, Role::kClient, Work::Disk(), [=](const Call& call) -> absl::Status {
    ABSL_ASSIGN_OR_RETURN(const DatasetName name, DatasetName::Parse(request->name()));
    ABSL_ASSIGN_OR_RETURN(const Caller caller, MakeCaller(call, "DeleteDataset", "", *request));
    ABSL_RETURN_IF_ERROR(registry_.DeleteDataset(caller, name));
    registry_.CollectGarbage().IgnoreError();  // what stays is collected at the next start
    return absl::OkStatus();
  });
}

grpc::ServerWriteReactor<v1::DownloadRowsResponse>* DatasetServiceImpl::DownloadRows(
    grpc::CallbackServerContext* context, const v1::DownloadRowsRequest* request) {
  using Reply = v1::DownloadRowsResponse;
  return HandleServerStream<Reply>(
      rpc_, context, *request, Role::kClient, Work::Disk(), Work::Disk(),
      [=](const Call&) -> absl::StatusOr<Producer<Reply>> {
        ABSL_ASSIGN_OR_RETURN(const DatasetName name, DatasetName::Parse(request->name()));
        std::vector<DatasetPart> parts;
        ABSL_ASSIGN_OR_RETURN(const v1::Dataset dataset,
                              registry_.GetDatasetRevision(name, request->revision(), &parts));
        ABSL_ASSIGN_OR_RETURN(std::shared_ptr<PartsReader> reader,
                              PartsReader::Open(registry_.blobs(), dataset, parts));
        const int64_t step = RowsPerChunk(BytesPerRow(dataset));
        return Producer<Reply>([=, begin = int64_t{0}](Reply* reply) mutable -> absl::StatusOr<bool> {
          const int64_t end = std::min(begin + step, reader->num_rows());
          if (begin == end) return false;
          ABSL_ASSIGN_OR_RETURN(const RowBlock block, reader->Read(begin, end));
          *reply->mutable_rows() = MakeRows(dataset, block, 0, end - begin);
          begin = end;
          return true;
        });
      });
}

}  // namespace

std::unique_ptr<grpc::Service> MakeDatasetService(const RpcRuntime& rpc, Registry& registry) {
  return std::make_unique<DatasetServiceImpl>(rpc, registry);
}

}  // namespace creamery
