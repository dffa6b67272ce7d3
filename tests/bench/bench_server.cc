#include "tests/bench/bench_server.h"

#include <google/protobuf/stubs/common.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "creamery/v1/project_service.grpc.pb.h"
#include "models/families.h"
#include "tests/bench/bench_main.h"

namespace creamery::bench {
namespace {

constexpr char kServeEmpty[] = "--serve_empty";

class EmptyService final : public v1::ProjectService::CallbackService {
  grpc::ServerUnaryReactor* GetProject(grpc::CallbackServerContext* context, const v1::GetProjectRequest*,
                                       v1::Project*) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

std::string Program(const std::string& name) {
  return (std::filesystem::canonical("/proc/self/exe").parent_path() / name).string();
}

std::string Address(const std::string& port_file, ChildProcess& process) {
  const std::string address = WaitForWord(port_file, process, absl::Seconds(30));
  if (address.empty()) Die(absl::StrCat("a server did not start: ", process.log()));
  return address;
}

// A line of /proc/PID/status, MiB.
double StatusMib(pid_t pid, const std::string& field) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(field, 0) == 0) return std::stod(line.substr(field.size())) / 1024;
  }
  return 0;
}

}  // namespace

EmptyServer::EmptyServer()
    : process_({std::filesystem::canonical("/proc/self/exe").string(), kServeEmpty, directory_ / "port"},
               directory_ / "log"),
      address_(Address(directory_ / "port", process_)) {}

void MaybeServeEmptyHandler(int argc, char** argv) {
  if (argc != 3 || std::string(argv[1]) != kServeEmpty) return;
  const std::string port_file = argv[2];
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

CreameryServer::CreameryServer(int local_workers)
    : process_({Program("creamery-server"), "--listen=127.0.0.1:0", "--data=" + (directory_ / "data"),
                "--port_file=" + (directory_ / "port"), absl::StrCat("--local_workers=", local_workers)},
               directory_ / "log"),
      address_(Address(directory_ / "port", process_)),
      client_(std::make_unique<Client>(Must(Client::Connect(address_)))) {}

std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

std::string FlowArtifact(const Plan& plan) {
  v1::ModelVersion description;
  const bool spline = plan.layers.front().kind == AutoregressiveLayer::Kind::kSpline;
  const auto transforms = static_cast<int>(plan.layers.size());
  if (spline) {
    description.mutable_spec()->mutable_nsf()->set_transforms(transforms);
  } else {
    description.mutable_spec()->mutable_maf()->set_transforms(transforms);
  }
  for (int64_t j = 0; j < plan.d(); ++j) {
    description.mutable_signature()->add_parameters()->set_name(absl::StrCat("p", j));
  }
  description.mutable_signature()->add_abilities(v1::DENSITY);
  Safetensors artifact;
  WritePlan(plan, "member0/", artifact);
  WriteDescription(description, artifact);
  return artifact.Serialize();
}

void MustBeOk(const absl::Status& status) {
  if (!status.ok()) Die(std::string(status.message()));
}

double ResidentMib(pid_t pid) { return StatusMib(pid, "VmRSS:"); }
double PeakMib(pid_t pid) { return StatusMib(pid, "VmHWM:"); }
void ResetPeak(pid_t pid) { std::ofstream(absl::StrCat("/proc/", pid, "/clear_refs")) << 5; }

double ProcessorSeconds(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::stringstream text;
  text << file.rdbuf();
  // The second field is a name in parentheses; fields 14 and 15 are ticks in user and in system mode.
  std::stringstream fields(text.str().substr(text.str().rfind(')') + 2));
  std::string skipped;
  for (int i = 3; i < 14; ++i) fields >> skipped;
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace creamery::bench
