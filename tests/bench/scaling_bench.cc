// What a question costs as what it is asked of grows: log_prob of up to 10^7 rows, streamed, with the memory that
// client and server take; and calls of the registry with 10 to 10 000 models in it.
//
// Registries of all sizes are served at once, by servers of their own, and a call is asked of each in turn, a hundred
// times, in an order drawn anew each round: the ratios are medians over rounds.
#include <google/protobuf/stubs/common.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "creamery/v1/inference_service.grpc.pb.h"
#include "creamery/v1/model_service.grpc.pb.h"
#include "proto/support/array.h"
#include "tests/bench/bench_flow.h"
#include "tests/bench/bench_main.h"
#include "tests/bench/bench_server.h"

namespace creamery::bench {
namespace {

constexpr int64_t kParameters = 6;

// ---- rows ----

void StreamRows(benchmark::State& state, CreameryServer& server, const Plan& plan, int64_t rows) {
  const Model model = Must(server.client().GetModel("bench/maf"));
  const std::vector<double> some = DrawnRows(plan, 4096);
  const double client_before = ResidentMib(getpid());
  const double server_before = ResidentMib(server.process().pid());
  ResetPeak(getpid());
  ResetPeak(server.process().pid());
  for (auto _ : state) {
    int64_t asked = 0;
    int64_t answered = 0;
    const auto source = [&](absl::Span<double> theta) -> absl::StatusOr<int64_t> {
      const int64_t n = std::min(static_cast<int64_t>(theta.size()) / kParameters, rows - asked);
      for (int64_t done = 0; done < n; done += 4096) {
        std::copy_n(some.begin(), std::min<int64_t>(4096, n - done) * kParameters, theta.begin() + done * kParameters);
      }
      asked += n;
      return n * kParameters;
    };
    const auto sink = [&](const Answer& answer) {
      answered += static_cast<int64_t>(answer.values.size());
      return absl::OkStatus();
    };
    MustBeOk(model.LogProbOfRows(source, sink));
    if (answered != rows) Die(absl::StrCat(answered, " answers to ", rows, " rows"));
  }
  state.counters["client_growth_MiB"] = PeakMib(getpid()) - client_before;
  state.counters["server_growth_MiB"] = PeakMib(server.process().pid()) - server_before;
  state.counters["client_peak_MiB"] = PeakMib(getpid());
  state.counters["server_peak_MiB"] = PeakMib(server.process().pid());
}

// ---- registry ----

// Flows of two parameters that do nothing: what they cost is that they are there.
std::string TinyArtifact() {
  Plan plan = MakePlan(AutoregressiveLayer::Kind::kAffine, 2);
  plan.layers.resize(1);
  return FlowArtifact(plan);
}

std::string ModelName(int64_t i) { return absl::StrCat("projects/bench/models/model-", i); }

void MustBeFine(const grpc::Status& status) {
  if (!status.ok()) Die(status.error_message());
}

constexpr int kPage = 10;

// A server with many models, ten at least.
class Registry {
 public:
  explicit Registry(int64_t size) : size_(size), channel_(Connect(server_.address())) {
    const std::string artifact = TinyArtifact();
    MustBeOk(server_.client().EnsureProject("bench"));
    const auto start = std::chrono::steady_clock::now();
    for (int64_t i = 0; i < size; ++i) {
      grpc::ClientContext context;
      v1::ModelVersion version;
      const auto writer = models_->ImportVersion(&context, &version);
      v1::ImportVersionRequest request;
      request.set_parent(ModelName(i));
      request.set_chunk(artifact);
      writer->Write(request);
      writer->WritesDone();
      MustBeFine(writer->Finish());
    }
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
    import_milliseconds_ = time.count() / static_cast<double>(size);
  }

  int64_t size() const { return size_; }
  double import_milliseconds() const { return import_milliseconds_; }
  double resident_mib() { return ResidentMib(server_.process().pid()); }

  // One call; `i` counts, and picks the model.
  void GetModel(int64_t i) {
    v1::GetModelRequest request;
    request.set_name(Some(i));
    v1::Model model;
    grpc::ClientContext context;
    MustBeFine(models_->GetModel(&context, request, &model));
  }
  void ListModels(int64_t) { ListPage(""); }
  // The page in the middle of the list.
  void ListModelsMiddle(int64_t) {
    for (; pages_passed_ < size_ / kPage / 2; ++pages_passed_) middle_ = ListPage(middle_);
    ListPage(middle_);
  }
  void ListVersions(int64_t i) {
    v1::ListVersionsRequest request;
    request.set_parent(Some(i));
    v1::ListVersionsResponse response;
    grpc::ClientContext context;
    MustBeFine(models_->ListVersions(&context, request, &response));
  }
  void SetAlias(int64_t i) {
    v1::SetAliasRequest request;
    request.set_name(Some(i));
    request.set_alias(i % 20 < 10 ? "production" : "candidate");
    request.set_version(1);
    v1::Model model;
    grpc::ClientContext context;
    MustBeFine(models_->SetAlias(&context, request, &model));
  }
  // Of ten models in turn, loaded before.
  void LogProb(int64_t i) {
    v1::LogProbRequest request;
    request.set_model(Some(i));
    *request.mutable_theta() = FromDoubles({0.25, 0.5}, {1, 2});
    v1::LogProbResponse response;
    grpc::ClientContext context;
    MustBeFine(inference_->LogProb(&context, request, &response));
  }

 private:
  // Ten models, spread over the registry.
  std::string Some(int64_t i) const { return ModelName(i % 10 * (size_ / 10)); }
  std::string ListPage(const std::string& token) {
    v1::ListModelsRequest request;
    request.set_parent("projects/bench");
    request.set_page_size(kPage);
    request.set_page_token(token);
    v1::ListModelsResponse response;
    grpc::ClientContext context;
    MustBeFine(models_->ListModels(&context, request, &response));
    if (response.models_size() != kPage) Die("a page is not as long as it was asked to be");
    return response.next_page_token();
  }

  const int64_t size_;
  CreameryServer server_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::ModelService::Stub> models_ = v1::ModelService::NewStub(channel_);
  const std::unique_ptr<v1::InferenceService::Stub> inference_ = v1::InferenceService::NewStub(channel_);
  int64_t pages_passed_ = 0;
  std::string middle_;  // token of the page after these
  double import_milliseconds_ = 0;
};

using Registries = std::vector<std::unique_ptr<Registry>>;

void Ask(benchmark::State& state, const Registries& registries, void (Registry::*call)(int64_t)) {
  const int64_t calls = Quick() ? 10 : 100;
  std::map<int64_t, std::vector<double>> microseconds, ratios;
  std::vector<Registry*> order;
  for (const auto& registry : registries) {
    order.push_back(registry.get());
    for (int64_t i = 0; i < calls; ++i) (registry.get()->*call)(i);
  }
  std::mt19937 generator(1);
  for (auto _ : state) {
    std::map<int64_t, double> round;
    std::shuffle(order.begin(), order.end(), generator);
    for (Registry* registry : order) {
      const auto start = std::chrono::steady_clock::now();
      for (int64_t i = 0; i < calls; ++i) (registry->*call)(i);
      const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - start;
      round[registry->size()] = time.count() / static_cast<double>(calls);
    }
    for (const auto& [size, time] : round) {
      microseconds[size].push_back(time);
      ratios[size].push_back(time / round.begin()->second);
    }
  }
  for (const auto& [size, times] : microseconds) {
    state.counters[absl::StrCat(size, "/us")] = Quantile(times, 0.5);
    state.counters[absl::StrCat(size, "/ratio")] = Quantile(ratios[size], 0.5);
    state.counters[absl::StrCat(size, "/ratio_low")] = Quantile(ratios[size], 0.25);
    state.counters[absl::StrCat(size, "/ratio_high")] = Quantile(ratios[size], 0.75);
  }
}

void AddRegistries(Registries& registries) {
  const std::vector<int64_t> sizes =
      Quick() ? std::vector<int64_t>{10, 30} : std::vector<int64_t>{10, 100, 1000, 10000};
  Case("registry/import",
       [&registries, sizes](benchmark::State& state) {
         for (auto _ : state) {
           for (const int64_t size : sizes) registries.push_back(std::make_unique<Registry>(size));
         }
         for (const auto& registry : registries) {
           state.counters[absl::StrCat(registry->size(), "/ms")] = registry->import_milliseconds();
           state.counters[absl::StrCat(registry->size(), "/resident_MiB")] = registry->resident_mib();
         }
       })
      ->Iterations(1)
      ->Repetitions(1);
  const std::vector<std::pair<std::string, void (Registry::*)(int64_t)>> calls = {
      {"GetModel", &Registry::GetModel},
      {"ListModels", &Registry::ListModels},
      {"ListModels, a page in the middle", &Registry::ListModelsMiddle},
      {"ListVersions", &Registry::ListVersions},
      {"SetAlias", &Registry::SetAlias},
      {"LogProb", &Registry::LogProb}};
  for (const auto& [name, call] : calls) {
    Case("registry/" + name, [&registries, call = call](benchmark::State& state) { Ask(state, registries, call); })
        ->Iterations(Quick() ? 2 : 20)
        ->Repetitions(1);
  }
}

void Run() {
  benchmark::AddCustomContext("grpc", grpc::Version());
  benchmark::AddCustomContext("protobuf", std::to_string(GOOGLE_PROTOBUF_VERSION));
  const Plan plan = MakePlan(AutoregressiveLayer::Kind::kAffine, kParameters);
  CreameryServer server;
  MustBeOk(server.client().ImportVersion("bench/maf", FlowArtifact(plan)).status());
  for (const int64_t rows : {10000, 100000, 1000000, 10000000}) {
    if (Quick() && rows > 10000) continue;
    Case(absl::StrCat("stream/maf/d:", kParameters, "/rows:", rows),
         [&server, &plan, rows](benchmark::State& state) { StreamRows(state, server, plan, rows); })
        ->Iterations(std::max<int64_t>(1, 100000 / rows))
        ->Repetitions(rows < 10000000 ? 3 : 1);
  }
  Registries registries;
  AddRegistries(registries);
  benchmark::RunSpecifiedBenchmarks();
}

}  // namespace
}  // namespace creamery::bench

int main(int argc, char** argv) {
  // In this order: registries are filled before they are asked, and each case alternates by itself.
  std::vector<char*> arguments(argv, argv + argc);
  std::string in_order = "--benchmark_enable_random_interleaving=false";
  arguments.push_back(in_order.data());
  creamery::bench::Initialize(argc + 1, arguments.data());
  creamery::bench::Run();
  return 0;
}
