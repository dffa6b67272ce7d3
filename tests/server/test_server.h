// A whole server on a temporary directory, with real storage, asked through a channel without a network.
#ifndef CREAMERY_TESTS_SERVER_TEST_SERVER_H_
#define CREAMERY_TESTS_SERVER_TEST_SERVER_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "creamery/v1/dataset_service.grpc.pb.h"
#include "creamery/v1/inference_service.grpc.pb.h"
#include "creamery/v1/model_service.grpc.pb.h"
#include "creamery/v1/project_service.grpc.pb.h"
#include "grpcpp/client_context.h"
#include "server/config.h"
#include "server/served_models.h"
#include "server/server.h"
#include "storage/registry.h"
#include "tests/server/test_artifact.h"
#include "tests/status_matchers.h"
#include "tests/support/scratch_directory.h"

namespace creamery {

inline absl::Status FromGrpc(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

class TestServer : public ::testing::Test {
 protected:
  TestServer() {
    config_.set_data(directory_ / "data");
    config_.set_listen("127.0.0.1:0");
    config_.set_local_workers(0);
    config_.set_min_free_mib(0);
    config_.set_drain_seconds(5);
  }
  ~TestServer() override { server_.reset(); }

  void StartServer() {
    ASSERT_THAT(CompleteConfig(&config_), IsOk());
    ASSERT_OK_AND_ASSIGN(server_, Server::Start(config_));
    channel_ = server_->InProcessChannel({});
    projects_ = v1::ProjectService::NewStub(channel_);
    datasets_ = v1::DatasetService::NewStub(channel_);
    models_ = v1::ModelService::NewStub(channel_);
    inference_ = v1::InferenceService::NewStub(channel_);
  }

  absl::Status CreateProject(const std::string& id) {
    grpc::ClientContext context;
    v1::CreateProjectRequest request;
    request.set_project_id(id);
    v1::Project project;
    return FromGrpc(projects_->CreateProject(&context, request, &project));
  }

  // Uploads `artifact` in pieces of `piece` bytes.
  absl::Status Import(const std::string& model, const std::string& artifact, v1::ModelVersion* version = nullptr,
                      const std::string& request_id = "", size_t piece = 1000) {
    grpc::ClientContext context;
    v1::ModelVersion reply;
    auto writer = models_->ImportVersion(&context, &reply);
    for (size_t begin = 0; begin < artifact.size() || begin == 0; begin += piece) {
      v1::ImportVersionRequest request;
      if (begin == 0) request.set_parent(model);
      if (begin == 0) request.set_request_id(request_id);
      request.set_chunk(artifact.substr(begin, piece));
      if (!writer->Write(request)) break;
    }
    writer->WritesDone();
    absl::Status status = FromGrpc(writer->Finish());
    if (version != nullptr) *version = reply;
    return status;
  }

  ScratchDirectory directory_;
  ServerConfig config_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::ProjectService::Stub> projects_;
  std::unique_ptr<v1::DatasetService::Stub> datasets_;
  std::unique_ptr<v1::ModelService::Stub> models_;
  std::unique_ptr<v1::InferenceService::Stub> inference_;
};

}  // namespace creamery

#endif  // CREAMERY_TESTS_SERVER_TEST_SERVER_H_
