// The two uploads, message by message: rows to a part of a dataset, bytes to a version of a model. All or nothing.
#ifndef CREAMERY_SERVER_SERVICES_UPLOAD_H_
#define CREAMERY_SERVER_SERVICES_UPLOAD_H_

#include <memory>
#include <string>

#include "creamery/v1/dataset_service.pb.h"
#include "creamery/v1/model_service.pb.h"
#include "server/rpc/client_stream.h"
#include "server/served_models.h"
#include "server/services/limits.h"
#include "storage/parts.h"
#include "storage/registry.h"

namespace creamery {

// AppendRows. Rows go to a temporary file as they arrive; memory stays flat.
class RowsUpload final : public StreamConsumer<v1::AppendRowsRequest, v1::Dataset> {
 public:
  RowsUpload(Registry& registry, Call call) : registry_(registry), call_(std::move(call)) {}
  absl::Status Consume(const v1::AppendRowsRequest& request) override;
  absl::Status Finish(v1::Dataset* response) override;

 private:
  absl::Status Begin(const v1::AppendRowsRequest& request);

  Registry& registry_;
  const Call call_;
  v1::AppendRowsRequest head_;  // the first message without its rows
  DatasetName name_;
  std::unique_ptr<PartWriter> writer_;  // set by the first message
};

// ImportVersion. The artifact is loaded before it is stored, so that what is stored can answer.
class VersionUpload final : public StreamConsumer<v1::ImportVersionRequest, v1::ModelVersion> {
 public:
  VersionUpload(Registry& registry, ServedModels& models, const Limits& limits, Call call)
      : registry_(registry), models_(models), limits_(limits), call_(std::move(call)) {}
  absl::Status Consume(const v1::ImportVersionRequest& request) override;
  absl::Status Finish(v1::ModelVersion* response) override;

 private:
  Registry& registry_;
  ServedModels& models_;
  const Limits limits_;
  const Call call_;
  bool begun_ = false;
  v1::ImportVersionRequest head_;  // the first message without its bytes
  ModelName name_;
  std::string artifact_;
};

}  // namespace creamery

#endif  // CREAMERY_SERVER_SERVICES_UPLOAD_H_
