#include "tests/bench/bench_server.h"

#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "creamery/v1/dataset_service.grpc.pb.h"
#include "creamery/v1/job_service.grpc.pb.h"
#include "creamery/v1/project_service.grpc.pb.h"
#include "proto/support/array.h"

extern char** environ;

namespace creamery::bench {
namespace {

[[noreturn]] void Die(const std::string& message) {
  std::cerr << "serving_bench: " << message << std::endl;
  std::exit(1);
}

void Must(const grpc::Status& status, const std::string& what) {
  if (!status.ok()) Die(what + ": " + status.error_message());
}

// The least a callback server can do: no interceptor, no check, no copy.
class EmptyService final : public v1::ProjectService::CallbackService {
  grpc::ServerUnaryReactor* GetProject(grpc::CallbackServerContext* context, const v1::GetProjectRequest*,
                                       v1::Project*) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

}  // namespace

Child::Child(const std::vector<std::string>& argv) {
  std::vector<char*> pointers;
  pointers.reserve(argv.size() + 1);
  for (const std::string& argument : argv) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  if (posix_spawn(&pid_, pointers[0], nullptr, nullptr, pointers.data(), environ) != 0) {
    Die("cannot start " + argv[0]);
  }
}

Child::~Child() {
  kill(pid_, SIGTERM);
  for (int i = 0; i < 1000; ++i) {
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) return;
    absl::SleepFor(absl::Milliseconds(10));
  }
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

double Child::ResidentMib() const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmRSS:", 0) == 0) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

void ServeEmptyHandler(const std::string& port_file) {
  EmptyService service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) Die("the empty server did not start");
  std::ofstream(port_file + ".new") << "127.0.0.1:" << port << "\n";
  std::filesystem::rename(port_file + ".new", port_file);
  server->Wait();
  std::exit(0);
}

std::string WaitForAddress(const std::string& port_file) {
  const absl::Time end = absl::Now() + absl::Seconds(30);
  std::string address;
  while (!(std::ifstream(port_file) >> address)) {
    if (absl::Now() > end) Die("no server wrote " + port_file);
    absl::SleepFor(absl::Milliseconds(1));
  }
  return address;
}

std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
  return grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
}

int64_t Upload(grpc::Channel& channel, const std::string& id, int64_t n, int64_t d) {
  const std::shared_ptr<grpc::Channel> shared(&channel, [](grpc::Channel*) {});
  {
    grpc::ClientContext context;
    v1::CreateProjectRequest request;
    request.set_project_id("bench");
    v1::Project project;
    const grpc::Status status = v1::ProjectService::NewStub(shared)->CreateProject(&context, request, &project);
    if (status.error_code() != grpc::StatusCode::ALREADY_EXISTS) Must(status, "CreateProject");
  }
  const auto stub = v1::DatasetService::NewStub(shared);
  {
    grpc::ClientContext context;
    v1::CreateDatasetRequest request;
    request.set_parent("projects/bench");
    request.set_dataset_id(id);
    request.mutable_dataset()->set_row_kind(v1::INDEPENDENT);
    for (int64_t j = 0; j < d; ++j) request.mutable_dataset()->add_parameters()->set_name("p" + std::to_string(j));
    v1::Dataset dataset;
    Must(stub->CreateDataset(&context, request, &dataset), "CreateDataset");
  }
  const int64_t rows_per_message = std::max<int64_t>(1, (1 << 20) / (8 * d));
  std::mt19937_64 generator(7);
  std::normal_distribution<double> normal;
  std::vector<double> values(static_cast<size_t>(std::min(n, rows_per_message) * d));
  for (double& value : values) value = normal(generator);

  grpc::ClientContext context;
  v1::Dataset dataset;
  const auto writer = stub->AppendRows(&context, &dataset);
  for (int64_t first = 0; first < n; first += rows_per_message) {
    const int64_t rows = std::min(rows_per_message, n - first);
    v1::AppendRowsRequest request;
    if (first == 0) {
      request.set_name("projects/bench/datasets/" + id);
      request.set_total_rows(n);
    }
    *request.mutable_rows()->mutable_theta() =
        FromDoubles(absl::MakeConstSpan(values).subspan(0, static_cast<size_t>(rows * d)), {rows, d});
    if (!writer->Write(request)) break;
  }
  writer->WritesDone();
  Must(writer->Finish(), "AppendRows");
  return n * d * 8;
}

v1::Job Train(grpc::Channel& channel, const std::string& dataset_id, const std::string& model_id) {
  const std::shared_ptr<grpc::Channel> shared(&channel, [](grpc::Channel*) {});
  const auto stub = v1::JobService::NewStub(shared);
  v1::Job job;
  {
    grpc::ClientContext context;
    v1::CreateJobRequest request;
    request.set_parent("projects/bench");
    v1::TrainingJob* training = request.mutable_job()->mutable_training();
    training->set_model("projects/bench/models/" + model_id);
    training->set_dataset("projects/bench/datasets/" + dataset_id);
    training->mutable_spec()->mutable_maf()->set_transforms(6);
    training->mutable_spec()->mutable_training()->set_members(2);
    training->mutable_spec()->mutable_training()->set_batch_size(128);
    training->mutable_spec()->mutable_training()->set_max_epochs(4);
    Must(stub->CreateJob(&context, request, &job), "CreateJob");
  }
  grpc::ClientContext context;
  v1::WatchJobRequest request;
  request.set_name(job.name());
  const auto reader = stub->WatchJob(&context, request);
  v1::Progress progress;
  while (reader->Read(&job)) {
    if (job.progress().steps_per_second() > 0) progress = job.progress();
  }
  Must(reader->Finish(), "WatchJob");
  if (job.state() != v1::SUCCEEDED) Die("training failed: " + job.error().message());
  *job.mutable_progress() = progress;
  return job;
}

}  // namespace creamery::bench
