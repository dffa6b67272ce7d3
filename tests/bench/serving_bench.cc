// Times the service from outside, beside a server whose handler is empty, in one run with shuffled order:
//
//   build/release/bin/serving_bench                                  a table
//   build/release/bin/serving_bench --benchmark_format=json          the same as JSON
//
// creamery-server and creamery-worker are taken from the folder of this program. The model is a maf of 6 transforms of
// 50 x 50 in 6 parameters. One client thread, one call at a time, over loopback.
#include <benchmark/benchmark.h>
#include <google/protobuf/stubs/common.h>
#include <grpcpp/grpcpp.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "absl/strings/str_cat.h"
#include "creamery/v1/inference_service.grpc.pb.h"
#include "creamery/v1/job_service.grpc.pb.h"
#include "creamery/v1/project_service.grpc.pb.h"
#include "proto/support/array.h"
#include "tests/bench/bench_server.h"

namespace creamery::bench {
namespace {

constexpr int64_t kParameters = 6;
const char kModel[] = "projects/bench/models/maf";

struct Site {
  std::filesystem::path programs;
  std::filesystem::path directory;
  std::unique_ptr<Child> server;
  std::unique_ptr<Child> empty_server;
  std::shared_ptr<grpc::Channel> channel;
  std::shared_ptr<grpc::Channel> empty_channel;
  double steps_per_second = 0;
};
Site* site = nullptr;

std::unique_ptr<Child> StartServer(const std::string& data, const std::string& port_file, int workers) {
  std::filesystem::remove(port_file);
  return std::make_unique<Child>(
      std::vector<std::string>{(site->programs / "creamery-server").string(), "--listen=127.0.0.1:0",
                               absl::StrCat("--data=", (site->directory / data).string()),
                               absl::StrCat("--port_file=", port_file), absl::StrCat("--local_workers=", workers)});
}

v1::LogProbRequest MakeRequest(int64_t n) {
  std::mt19937_64 generator(11);
  std::normal_distribution<double> normal;
  std::vector<double> theta(static_cast<size_t>(n * kParameters));
  for (double& value : theta) value = normal(generator);
  v1::LogProbRequest request;
  request.set_model(kModel);
  *request.mutable_theta() = FromDoubles(theta, {n, kParameters});
  return request;
}

void EmptyHandler(benchmark::State& state) {
  const auto stub = v1::ProjectService::NewStub(site->empty_channel);
  v1::GetProjectRequest request;
  for (auto _ : state) {
    grpc::ClientContext context;
    v1::Project project;
    if (!stub->GetProject(&context, request, &project).ok()) state.SkipWithError("the call failed");
  }
}

void AskLogProb(benchmark::State& state, bool gradient, bool spread) {
  const auto stub = v1::InferenceService::NewStub(site->channel);
  v1::LogProbRequest request = MakeRequest(state.range(0));
  request.set_gradient(gradient);
  request.set_spread(spread);
  for (auto _ : state) {
    grpc::ClientContext context;
    v1::LogProbResponse response;
    const grpc::Status status = stub->LogProb(&context, request, &response);
    if (!status.ok()) state.SkipWithError(status.error_message().c_str());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void LogProb(benchmark::State& state) { AskLogProb(state, false, false); }
void LogProbGradient(benchmark::State& state) { AskLogProb(state, true, false); }
void LogProbSpread(benchmark::State& state) { AskLogProb(state, false, true); }

void Sample(benchmark::State& state) {
  const auto stub = v1::InferenceService::NewStub(site->channel);
  for (auto _ : state) {
    grpc::ClientContext context;
    v1::SampleRequest request;
    request.set_model(kModel);
    request.set_num_samples(state.range(0));
    request.set_seed(1);
    const auto reader = stub->Sample(&context, request);
    v1::SampleResponse response;
    int64_t rows = 0;
    while (reader->Read(&response)) rows += response.theta().shape(0);
    if (!reader->Finish().ok() || rows != state.range(0)) state.SkipWithError("the call failed");
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void UploadRows(benchmark::State& state) {
  static int number = 0;
  int64_t bytes = 0;
  for (auto _ : state) {
    bytes += Upload(*site->channel, absl::StrCat("upload-", ++number), state.range(0), kParameters);
  }
  state.SetBytesProcessed(bytes);
}

// Queues many trainings in one call, and cancels them.
void CreateJobArray(benchmark::State& state) {
  const auto stub = v1::JobService::NewStub(site->channel);
  v1::CreateJobArrayRequest request;
  request.set_parent("projects/bench");
  for (int64_t i = 0; i < state.range(0); ++i) {
    v1::TrainingJob& training = *request.add_jobs()->mutable_training();
    training.set_model(absl::StrCat("projects/bench/models/object-", i));
    training.set_dataset("projects/bench/datasets/train");
    training.mutable_spec()->mutable_maf();
  }
  for (auto _ : state) {
    grpc::ClientContext context;
    v1::JobArray array;
    if (!stub->CreateJobArray(&context, request, &array).ok()) state.SkipWithError("the call failed");
    state.PauseTiming();
    grpc::ClientContext cancel_context;
    v1::CancelJobArrayRequest cancel;
    cancel.set_parent("projects/bench");
    cancel.set_array(array.array());
    if (!stub->CancelJobArray(&cancel_context, cancel, &array).ok()) state.SkipWithError("the cancel failed");
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

// From the start of the process to its first answer, and the memory it then holds.
void StartUp(benchmark::State& state) {
  double resident = 0;
  int number = 0;
  for (auto _ : state) {
    const std::string port_file = (site->directory / "start-port").string();
    const auto start = std::chrono::steady_clock::now();
    const auto server = StartServer(absl::StrCat("start-", ++number, "-", state.thread_index()), port_file, 0);
    const auto stub = v1::ProjectService::NewStub(Connect(WaitForAddress(port_file)));
    grpc::ClientContext context;
    v1::ListProjectsResponse response;
    if (!stub->ListProjects(&context, {}, &response).ok()) state.SkipWithError("the call failed");
    state.SetIterationTime(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    resident = std::max(resident, server->ResidentMib());
    std::filesystem::remove_all(site->directory / absl::StrCat("start-", number, "-", state.thread_index()));
  }
  state.counters["resident_MiB"] = resident;
}

// One short training; the steps a second are what the worker itself reports.
void TrainingSteps(benchmark::State& state) {
  static int number = 0;
  double steps = 0;
  for (auto _ : state) {
    steps = Train(*site->channel, "train", absl::StrCat("steps-", ++number)).progress().steps_per_second();
  }
  state.counters["steps_per_second"] = steps;
}

BENCHMARK(EmptyHandler)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(LogProb)->Arg(1)->Arg(100)->Arg(10000)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(LogProbGradient)->Arg(1)->Arg(10000)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(LogProbSpread)->Arg(1)->Arg(10000)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(CreateJobArray)->Arg(1000)->UseRealTime()->Unit(benchmark::kMillisecond)->Iterations(1);
BENCHMARK(Sample)->Arg(10000)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(UploadRows)->Arg(500000)->UseRealTime()->Unit(benchmark::kMillisecond)->Iterations(1);
BENCHMARK(StartUp)->UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(3);
BENCHMARK(TrainingSteps)->UseRealTime()->Unit(benchmark::kSecond)->Iterations(1);

int Run(int argc, char** argv) {
  // Interleaved at random and repeated, unless the command line says otherwise.
  std::vector<std::string> arguments = {argv[0], "--benchmark_enable_random_interleaving=true",
                                        "--benchmark_repetitions=5", "--benchmark_report_aggregates_only=true"};
  arguments.insert(arguments.end(), argv + 1, argv + argc);
  std::vector<char*> pointers;
  pointers.reserve(arguments.size());
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  int count = static_cast<int>(pointers.size());
  benchmark::Initialize(&count, pointers.data());
  if (benchmark::ReportUnrecognizedArguments(count, pointers.data())) return 2;

  Site the_site;
  site = &the_site;
  site->programs = std::filesystem::canonical("/proc/self/exe").parent_path();
  std::string pattern = (std::filesystem::temp_directory_path() / "creamery-bench-XXXXXX").string();
  site->directory = mkdtemp(pattern.data());
  const std::string empty_port = (site->directory / "empty-port").string();
  site->empty_server = std::make_unique<Child>(
      std::vector<std::string>{(site->programs / "serving_bench").string(), "--serve_empty", empty_port});
  const std::string port = (site->directory / "port").string();
  site->server = StartServer("data", port, 1);
  site->channel = Connect(WaitForAddress(port));
  site->empty_channel = Connect(WaitForAddress(empty_port));
  Upload(*site->channel, "train", 5000, kParameters);
  Train(*site->channel, "train", "maf");

  benchmark::AddCustomContext("grpc", grpc::Version());
  benchmark::AddCustomContext("protobuf", std::to_string(GOOGLE_PROTOBUF_VERSION));
  benchmark::AddCustomContext("idle_resident_MiB", absl::StrCat(site->server->ResidentMib()));
  benchmark::RunSpecifiedBenchmarks();
  site->server.reset();
  site->empty_server.reset();
  std::filesystem::remove_all(site->directory);
  return 0;
}

}  // namespace
}  // namespace creamery::bench

int main(int argc, char** argv) {
  if (argc == 3 && std::string(argv[1]) == "--serve_empty") creamery::bench::ServeEmptyHandler(argv[2]);
  return creamery::bench::Run(argc, argv);
}
