// 64 concurrent clients of single points while a niced worker trains, against 64 concurrent clients of empty calls
// under the same load. Windows of the two take turns in pairs, in an order drawn anew for each; the ratios are medians
// over the pairs ("load/training"; "load/idle" is the same without a training). Every client has a connection of its
// own and asks again as soon as it is answered. Clients are callbacks on gRPC's own threads: what 64 threads would cost
// in switches is no part of the answer.
#include <google/protobuf/stubs/common.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/time/clock.h"
#include "client/cpp/samples.h"
#include "creamery/v1/inference_service.grpc.pb.h"
#include "creamery/v1/project_service.grpc.pb.h"
#include "proto/support/array.h"
#include "tests/bench/bench_flow.h"
#include "tests/bench/bench_main.h"
#include "tests/bench/bench_server.h"

namespace creamery::bench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int64_t kParameters = 6;

// One client: starts a call, and says when it has ended.
class Caller {
 public:
  virtual ~Caller() = default;
  virtual void Start(grpc::ClientContext* context, std::function<void(grpc::Status)> done) = 0;
};

class EmptyCaller final : public Caller {
 public:
  explicit EmptyCaller(const std::string& address) : stub_(v1::ProjectService::NewStub(Connect(address))) {}
  void Start(grpc::ClientContext* context, std::function<void(grpc::Status)> done) override {
    stub_->async()->GetProject(context, &request_, &response_, std::move(done));
  }

 private:
  const std::unique_ptr<v1::ProjectService::Stub> stub_;
  const v1::GetProjectRequest request_;
  v1::Project response_;
};

class LogProbCaller final : public Caller {
 public:
  LogProbCaller(const std::string& address, const v1::LogProbRequest& request)
      : stub_(v1::InferenceService::NewStub(Connect(address))), request_(request) {}
  void Start(grpc::ClientContext* context, std::function<void(grpc::Status)> done) override {
    stub_->async()->LogProb(context, &request_, &response_, std::move(done));
  }

 private:
  const std::unique_ptr<v1::InferenceService::Stub> stub_;
  const v1::LogProbRequest request_;
  v1::LogProbResponse response_;
};

// Asks through a caller over and over while a window is open, and keeps the times of the calls.
class Loop {
 public:
  explicit Loop(std::unique_ptr<Caller> caller) : caller_(std::move(caller)) {}

  // Keeps what starts from `from` on; starts nothing more at `until`, and then counts down.
  void Run(Clock::time_point from, Clock::time_point until, absl::BlockingCounter* ended) {
    from_ = from;
    until_ = until;
    ended_ = ended;
    microseconds_.clear();
    Ask();
  }
  const std::vector<double>& microseconds() const { return microseconds_; }

 private:
  void Ask() {
    context_ = std::make_unique<grpc::ClientContext>();
    const Clock::time_point start = Clock::now();
    caller_->Start(context_.get(), [this, start](const grpc::Status& status) {
      if (!status.ok()) Die(status.error_message());
      const Clock::time_point now = Clock::now();
      if (start >= from_) microseconds_.push_back(std::chrono::duration<double, std::micro>(now - start).count());
      if (now < until_) return Ask();
      ended_->DecrementCount();
    });
  }

  const std::unique_ptr<Caller> caller_;
  std::unique_ptr<grpc::ClientContext> context_;
  Clock::time_point from_, until_;
  absl::BlockingCounter* ended_ = nullptr;
  std::vector<double> microseconds_;
};

using Loops = std::vector<std::unique_ptr<Loop>>;

struct Window {
  double per_second = 0;
  double median = 0;  // microseconds
  double p99 = 0;
  // Microseconds of processor time that a call takes.
  double client_processor = 0;
  double server_processor = 0;
};

Window Measure(const Loops& loops, pid_t server) {
  const auto warm_up = std::chrono::milliseconds(Quick() ? 10 : 300);
  const auto length = std::chrono::milliseconds(Quick() ? 50 : 1500);
  const double client_before = ProcessorSeconds(getpid());
  const double server_before = ProcessorSeconds(server);
  const Clock::time_point from = Clock::now() + warm_up;
  absl::BlockingCounter ended(static_cast<int>(loops.size()));
  for (const auto& loop : loops) loop->Run(from, from + length, &ended);
  ended.Wait();
  const double client = ProcessorSeconds(getpid()) - client_before;
  const double served = ProcessorSeconds(server) - server_before;
  std::vector<double> all;
  for (const auto& loop : loops) all.insert(all.end(), loop->microseconds().begin(), loop->microseconds().end());
  const double seconds = std::chrono::duration<double>(length).count();
  const double per_second = static_cast<double>(all.size()) / seconds;
  const double calls = per_second * (seconds + std::chrono::duration<double>(warm_up).count());
  return {per_second, Quantile(all, 0.5), Quantile(all, 0.99), 1e6 * client / calls, 1e6 * served / calls};
}

struct Site {
  EmptyServer empty;
  CreameryServer server{/*local_workers=*/1};
  Loops empty_loops, loops;
};

void Pairs(benchmark::State& state, Site& site) {
  std::vector<Window> empty, ours;
  std::vector<double> throughput, p99;
  std::mt19937 generator(1);
  for (auto _ : state) {
    const bool ours_first = generator() % 2 == 0;
    for (const bool is_ours : {ours_first, !ours_first}) {
      if (is_ours) {
        ours.push_back(Measure(site.loops, site.server.process().pid()));
      } else {
        empty.push_back(Measure(site.empty_loops, site.empty.process().pid()));
      }
    }
    throughput.push_back(ours.back().per_second / empty.back().per_second);
    p99.push_back(ours.back().p99 / empty.back().p99);
  }
  const auto median = [](const std::vector<Window>& windows, double Window::*field) {
    std::vector<double> values;
    for (const Window& window : windows) values.push_back(window.*field);
    return Quantile(std::move(values), 0.5);
  };
  for (const auto& [name, windows] : {std::pair("empty", empty), std::pair("log_prob", ours)}) {
    state.counters[absl::StrCat(name, "/per_second")] = median(windows, &Window::per_second);
    state.counters[absl::StrCat(name, "/median_us")] = median(windows, &Window::median);
    state.counters[absl::StrCat(name, "/p99_us")] = median(windows, &Window::p99);
    state.counters[absl::StrCat(name, "/client_processor_us")] = median(windows, &Window::client_processor);
    state.counters[absl::StrCat(name, "/server_processor_us")] = median(windows, &Window::server_processor);
  }
  for (const auto& [name, values] : {std::pair("throughput", throughput), std::pair("p99", p99)}) {
    state.counters[absl::StrCat(name, "/ratio")] = Quantile(values, 0.5);
    state.counters[absl::StrCat(name, "/ratio_low")] = Quantile(values, 0);
    state.counters[absl::StrCat(name, "/ratio_high")] = Quantile(values, 1);
  }
}

// A training that would go on for hours; returns once its first epoch has passed.
Job StartTraining(Client& client) {
  const int64_t n = Quick() ? 1000 : 100000;
  const std::vector<double> theta = DrawnRows(MakePlan(AutoregressiveLayer::Kind::kAffine, kParameters), n);
  SampleArrays arrays;
  for (int64_t j = 0; j < kParameters; ++j) arrays.names.push_back(absl::StrCat("p", j));
  arrays.theta = theta;
  MustBeOk(client.UploadDataset("bench/rows", Must(MakeSamples(arrays))).status());
  TrainOptions options;
  options.model = "bench/endless";
  options.dataset = "bench/rows";
  options.spec.mutable_maf()->set_transforms(6);
  options.spec.mutable_training()->set_members(2);
  options.spec.mutable_training()->set_max_epochs(100000);
  options.spec.mutable_training()->set_patience(100000);
  Job job = Must(client.Train(options));
  while (Must(job.Get()).progress().epoch() < 1) absl::SleepFor(absl::Milliseconds(20));
  return job;
}

void PairsWhileTraining(benchmark::State& state, Site& site) {
  const Job job = StartTraining(site.server.client());
  const v1::Progress before = Must(job.Get()).progress();
  Pairs(state, site);
  const v1::Job after = Must(job.Get());
  if (after.state() != v1::RUNNING || after.progress().epoch() <= before.epoch()) Die("the training did not go on");
  state.counters["training_steps_per_second"] = after.progress().steps_per_second();
  MustBeOk(job.Cancel().status());
  MustBeOk(job.Wait().status());
}

void Run() {
  benchmark::AddCustomContext("grpc", grpc::Version());
  benchmark::AddCustomContext("protobuf", std::to_string(GOOGLE_PROTOBUF_VERSION));
  const Plan plan = MakePlan(AutoregressiveLayer::Kind::kAffine, kParameters);
  Site site;
  MustBeOk(site.server.client().ImportVersion("bench/maf", FlowArtifact(plan)).status());
  v1::LogProbRequest request;
  request.set_model("projects/bench/models/maf");
  *request.mutable_theta() = FromDoubles(DrawnRows(plan, 1), {1, plan.d()});
  const int clients = Quick() ? 4 : 64;
  for (int i = 0; i < clients; ++i) {
    site.empty_loops.push_back(std::make_unique<Loop>(std::make_unique<EmptyCaller>(site.empty.address())));
    site.loops.push_back(std::make_unique<Loop>(std::make_unique<LogProbCaller>(site.server.address(), request)));
  }
  const int pairs = Quick() ? 1 : 5;
  const auto add = [&](const std::string& name, void (*run)(benchmark::State&, Site&)) {
    Case(name, [&site, run](benchmark::State& state) { run(state, site); })->Iterations(pairs)->Repetitions(1);
  };
  add("load/idle", Pairs);
  add("load/training", PairsWhileTraining);
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
