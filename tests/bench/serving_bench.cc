// Times the service from outside, beside a server whose handler is empty: one client thread, over loopback. The model
// is a maf of 6 layers of 50 x 50 in 6 parameters.
//
// What a single point costs over an empty call is a difference of microseconds: the kinds of calls take turns every
// fifty calls, in an order drawn anew each time, empty calls stand before and after each, and each turn gives one ratio
// ("round_trip"). A second empty server, asked in the same way, shows what such a ratio is worth. The other cases are
// Google Benchmark's.
#include <google/protobuf/stubs/common.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "creamery/v1/inference_service.grpc.pb.h"
#include "creamery/v1/project_service.grpc.pb.h"
#include "models/families.h"
#include "proto/support/array.h"
#include "tests/bench/bench_flow.h"
#include "tests/bench/bench_main.h"
#include "tests/bench/bench_server.h"

namespace creamery::bench {
namespace {

constexpr int64_t kParameters = 6;
constexpr char kName[] = "projects/bench/models/maf";

v1::LogProbRequest MakeRequest(const Plan& plan, int64_t n) {
  v1::LogProbRequest request;
  request.set_model(kName);
  *request.mutable_theta() = FromDoubles(DrawnRows(plan, n), {n, plan.d()});
  return request;
}

void MustBeFine(const grpc::Status& status) {
  if (!status.ok()) Die(status.error_message());
}

// One way of asking, over and over; every call of Run asks `calls` questions and waits for their answers.
class Asker {
 public:
  virtual ~Asker() = default;
  virtual void Run(int64_t calls) = 0;
};

class EmptyCalls final : public Asker {
 public:
  explicit EmptyCalls(const std::string& address) : stub_(v1::ProjectService::NewStub(Connect(address))) {}
  void Run(int64_t calls) override {
    for (int64_t i = 0; i < calls; ++i) {
      grpc::ClientContext context;
      v1::Project project;
      MustBeFine(stub_->GetProject(&context, {}, &project));
    }
  }

 private:
  const std::unique_ptr<v1::ProjectService::Stub> stub_;
};

// A call for each question, through the stub, as any language could.
class StubCalls final : public Asker {
 public:
  StubCalls(const std::string& address, v1::LogProbRequest request)
      : stub_(v1::InferenceService::NewStub(Connect(address))), request_(std::move(request)) {}
  void Run(int64_t calls) override {
    for (int64_t i = 0; i < calls; ++i) {
      grpc::ClientContext context;
      v1::LogProbResponse response;
      MustBeFine(stub_->LogProb(&context, request_, &response));
    }
  }

 private:
  const std::unique_ptr<v1::InferenceService::Stub> stub_;
  const v1::LogProbRequest request_;
};

// As users of the C++ client ask: over a line that it keeps open.
class ClientCalls final : public Asker {
 public:
  ClientCalls(Client& client, std::vector<double> theta)
      : model_(Must(client.GetModel("bench/maf"))), theta_(std::move(theta)) {}
  void Run(int64_t calls) override {
    for (int64_t i = 0; i < calls; ++i) MustBeOk(model_.LogProb(theta_).status());
  }

 private:
  const Model model_;
  const std::vector<double> theta_;
};

// Over one stream of the C++ client, `ahead` questions before the first answer is read.
class StreamCalls final : public Asker {
 public:
  StreamCalls(Client& client, std::vector<double> theta, int64_t ahead)
      : stream_(Must(client.GetModel("bench/maf")).OpenLogProbStream()), theta_(std::move(theta)), ahead_(ahead) {}
  void Run(int64_t calls) override {
    for (int64_t asked = 0, answered = 0; answered < calls; ++answered) {
      for (; asked < std::min(calls, answered + ahead_); ++asked) MustBeOk(stream_.Send(theta_));
      MustBeOk(stream_.Receive(&reply_));
      MustBeOk(reply_.status);
    }
  }

 private:
  LogProbStream stream_;
  LogProbStream::Reply reply_;
  const std::vector<double> theta_;
  const int64_t ahead_;
};

using Askers = std::map<std::string, std::unique_ptr<Asker>>;

// Microseconds a call, on the mean of `calls`.
double MeanTime(Asker& asker, int64_t calls) {
  const auto start = std::chrono::steady_clock::now();
  asker.Run(calls);
  const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - start;
  return time.count() / static_cast<double>(calls);
}

void RoundTrips(benchmark::State& state, Asker& empty, const Askers& askers) {
  const int64_t calls = Quick() ? 5 : 50;
  std::map<std::string, std::vector<double>> microseconds, ratios;
  std::vector<std::string> order;
  for (const auto& [name, asker] : askers) {
    order.push_back(name);
    asker->Run(calls);
  }
  std::mt19937 generator(1);
  double before = MeanTime(empty, calls);
  for (auto _ : state) {
    std::shuffle(order.begin(), order.end(), generator);
    for (const std::string& name : order) {
      const double time = MeanTime(*askers.at(name), calls);
      const double after = MeanTime(empty, calls);
      microseconds["empty"].push_back(after);
      microseconds[name].push_back(time);
      ratios[name].push_back(2 * time / (before + after));
      before = after;
    }
  }
  for (const auto& [name, times] : microseconds) state.counters[name + "/us"] = Quantile(times, 0.5);
  for (const auto& [name, values] : ratios) {
    state.counters[name + "/ratio"] = Quantile(values, 0.5);
    state.counters[name + "/ratio_low"] = Quantile(values, 0.25);
    state.counters[name + "/ratio_high"] = Quantile(values, 0.75);
  }
}

void AddQuestion(const std::string& what, CreameryServer& server, const v1::LogProbRequest& request) {
  const auto asker = std::make_shared<StubCalls>(server.address(), request);
  Case(absl::StrCat(what, "/maf/d:", kParameters, "/rows:", request.theta().shape(0), "/served"),
       [asker](benchmark::State& state) {
         for (auto _ : state) asker->Run(1);
       });
}

void AddQuestions(CreameryServer& server, const Plan& plan) {
  const auto add_all = [&](const std::string& what, std::vector<int64_t> sizes, const auto& change) {
    for (const int64_t rows : sizes) {
      if (Quick() && rows > 16) continue;
      v1::LogProbRequest request = MakeRequest(plan, rows);
      change(request);
      AddQuestion(what, server, request);
    }
  };
  add_all("log_prob", {1, 16, 100, 1000, 10000, 100000}, [](v1::LogProbRequest&) {});
  add_all("gradient", {1, 100, 10000}, [](v1::LogProbRequest& request) { request.set_gradient(true); });
  add_all("double", {1, 10000}, [](v1::LogProbRequest& request) { request.set_precision(v1::DOUBLE_PRECISION); });

  const Model model = Must(server.client().GetModel("bench/maf"));
  for (const int64_t rows : {1, 10000}) {
    if (Quick() && rows > 16) continue;
    Case(absl::StrCat("sample/maf/d:", kParameters, "/rows:", rows, "/served"), [model, rows](benchmark::State& state) {
      for (auto _ : state) MustBeOk(model.Sample(rows, 1).status());
    });
    const std::vector<double> u = UniformRows(rows, kParameters);
    Case(absl::StrCat("prior_transform/maf/d:", kParameters, "/rows:", rows, "/served"),
         [model, u](benchmark::State& state) {
           for (auto _ : state) MustBeOk(model.PriorTransform(u).status());
         });
  }
}

// From the start of the process to its first answer, and the memory it then holds.
void StartUp(benchmark::State& state) {
  double resident = 0;
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    CreameryServer server;
    MustBeOk(server.client().ListProjects().status());
    state.SetIterationTime(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    resident = std::max(resident, ResidentMib(server.process().pid()));
  }
  state.counters["resident_MiB"] = resident;
}

// What the service says is what the density says in this process.
void Compare(CreameryServer& server, const Plan& plan) {
  const std::vector<double> theta = DrawnRows(plan, 100);
  const std::string artifact = FlowArtifact(plan);
  const auto estimator = Must(LoadEstimator(artifact));
  std::vector<double> here(100);
  MustBeOk(estimator->density()->LogProb(theta, absl::MakeSpan(here), StopToken()));
  if (Must(Must(server.client().GetModel("bench/maf")).LogProb(theta)).values != here) {
    Die("the service's answers are not those of the density in this process");
  }
}

void Run() {
  benchmark::AddCustomContext("grpc", grpc::Version());
  benchmark::AddCustomContext("protobuf", std::to_string(GOOGLE_PROTOBUF_VERSION));
  const Plan plan = MakePlan(AutoregressiveLayer::Kind::kAffine, kParameters);
  EmptyServer empty, second_empty;
  CreameryServer server;
  MustBeOk(server.client().ImportVersion("bench/maf", FlowArtifact(plan)).status());
  Compare(server, plan);
  benchmark::AddCustomContext("idle_resident_MiB", absl::StrCat(ResidentMib(server.process().pid())));

  const v1::LogProbRequest single = MakeRequest(plan, 1);
  const auto askers = std::make_shared<Askers>();
  const auto empty_calls = std::make_shared<EmptyCalls>(empty.address());
  askers->emplace("second empty", std::make_unique<EmptyCalls>(second_empty.address()));
  askers->emplace("client", std::make_unique<ClientCalls>(server.client(), DrawnRows(plan, 1)));
  askers->emplace("stub", std::make_unique<StubCalls>(server.address(), single));
  askers->emplace("stream", std::make_unique<StreamCalls>(server.client(), DrawnRows(plan, 1), 1));
  askers->emplace("stream, 64 ahead", std::make_unique<StreamCalls>(server.client(), DrawnRows(plan, 1), 64));
  askers->emplace("16 points", std::make_unique<StubCalls>(server.address(), MakeRequest(plan, 16)));
  Case("round_trip", [empty_calls, askers](benchmark::State& state) { RoundTrips(state, *empty_calls, *askers); })
      ->Iterations(Quick() ? 2 : 200)
      ->Repetitions(1);
  AddQuestions(server, plan);
  benchmark::RegisterBenchmark("start_up", StartUp)->UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(1);
  benchmark::RunSpecifiedBenchmarks();
}

}  // namespace
}  // namespace creamery::bench

int main(int argc, char** argv) {
  creamery::bench::MaybeServeEmptyHandler(argc, argv);
  creamery::bench::Initialize(argc, argv);
  creamery::bench::Run();
  return 0;
}
