// The real server and the real worker as processes: what happens to a job when they are killed, stopped, restarted.
#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <algorithm>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "creamery/v1/dataset_service.grpc.pb.h"
#include "creamery/v1/job_service.grpc.pb.h"
#include "creamery/v1/model_service.grpc.pb.h"
#include "creamery/v1/project_service.grpc.pb.h"
#include "proto/support/array.h"
#include "proto/support/safetensors.h"
#include "tests/server/jobs/process.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr int kCancelTrials = 20;

class EndToEndTest : public ::testing::Test {
 protected:
  EndToEndTest() : server_({"--local_workers=0", "--lease_seconds=2"}) { Connect(); }

  void SetUp() override {
    v1::CreateProjectRequest project;
    project.set_project_id("p");
    v1::Project made;
    ASSERT_TRUE(v1::ProjectService::NewStub(channel_)->CreateProject(&*Context(), project, &made).ok());
    v1::CreateDatasetRequest dataset;
    dataset.set_parent("projects/p");
    dataset.set_dataset_id("d");
    dataset.mutable_dataset()->set_row_kind(v1::INDEPENDENT);
    dataset.mutable_dataset()->add_parameters()->set_name("a");
    dataset.mutable_dataset()->add_parameters()->set_name("b");
    v1::Dataset reply;
    const auto stub = v1::DatasetService::NewStub(channel_);
    ASSERT_TRUE(stub->CreateDataset(&*Context(), dataset, &reply).ok());

    std::mt19937_64 generator(7);
    std::normal_distribution<double> normal;
    std::vector<double> theta(2 * 400);
    for (double& value : theta) value = normal(generator);
    v1::AppendRowsRequest rows;
    rows.set_name("projects/p/datasets/d");
    rows.set_total_rows(400);
    *rows.mutable_rows()->mutable_theta() = FromDoubles(theta, {400, 2});
    const auto context = Context();
    const auto writer = stub->AppendRows(&*context, &reply);
    writer->Write(rows);
    writer->WritesDone();
    const grpc::Status status = writer->Finish();
    ASSERT_TRUE(status.ok()) << status.error_message();
  }

  void Connect() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 200);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    channel_ = grpc::CreateCustomChannel(server_.address(), grpc::InsecureChannelCredentials(), arguments);
    jobs_ = v1::JobService::NewStub(channel_);
  }
  static std::unique_ptr<grpc::ClientContext> Context() {
    auto context = std::make_unique<grpc::ClientContext>();
    context->AddMetadata("authorization", "Bearer " + ServerProcess::PersonToken());
    context->set_wait_for_ready(true);
    context->set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    return context;
  }

  // Two members of `epochs` epochs each, all of them.
  std::string CreateJob(int epochs, const std::string& model = "m") {
    v1::CreateJobRequest request;
    request.set_parent("projects/p");
    v1::TrainingJob& training = *request.mutable_job()->mutable_training();
    training.set_model("projects/p/models/" + model);
    training.set_dataset("projects/p/datasets/d");
    training.mutable_spec()->mutable_maf()->set_transforms(2);
    training.mutable_spec()->mutable_maf()->add_hidden_units(16);
    v1::TrainingOptions& options = *training.mutable_spec()->mutable_training();
    options.set_members(2);
    options.set_max_epochs(epochs);
    options.set_patience(epochs);
    options.set_seed(3);
    v1::Job job;
    const grpc::Status status = jobs_->CreateJob(&*Context(), request, &job);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return job.name();
  }
  v1::Job Get(const std::string& name) {
    v1::GetJobRequest request;
    request.set_name(name);
    v1::Job job;
    const grpc::Status status = jobs_->GetJob(&*Context(), request, &job);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return job;
  }
  static bool Ended(const v1::Job& job) { return job.state() >= v1::SUCCEEDED; }
  // Watches until `until` is true of the job, or it has ended.
  template <typename Predicate>
  v1::Job Watch(const std::string& name, Predicate until) {
    v1::WatchJobRequest request;
    request.set_name(name);
    const auto context = Context();
    const auto reader = jobs_->WatchJob(&*context, request);
    v1::Job job;
    while (reader->Read(&job) && !until(job) && !Ended(job)) {
    }
    context->TryCancel();
    reader->Finish();
    return job;
  }
  v1::Job WaitForEnd(const std::string& name) { return Watch(name, Ended); }
  v1::Job WaitForEpoch(const std::string& name, int epoch) {
    return Watch(name, [epoch](const v1::Job& job) { return job.progress().epoch() >= epoch; });
  }
  void Cancel(const std::string& name) {
    v1::CancelJobRequest request;
    request.set_name(name);
    v1::Job job;
    const grpc::Status status = jobs_->CancelJob(&*Context(), request, &job);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  // Seconds from the request to the end of the job.
  double SecondsToCancel(const std::string& name, v1::Job* ended) {
    const absl::Time start = absl::Now();
    Cancel(name);
    *ended = WaitForEnd(name);
    return absl::ToDoubleSeconds(absl::Now() - start);
  }

  v1::ModelVersion Version(const std::string& name) {
    v1::GetModelVersionRequest request;
    request.set_name(name);
    v1::ModelVersion version;
    const grpc::Status status = v1::ModelService::NewStub(channel_)->GetModelVersion(&*Context(), request, &version);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return version;
  }
  int64_t LatestVersion(const std::string& model) {
    v1::GetModelRequest request;
    request.set_name("projects/p/models/" + model);
    v1::Model reply;
    EXPECT_TRUE(v1::ModelService::NewStub(channel_)->GetModel(&*Context(), request, &reply).ok());
    return reply.latest_version();
  }
  // The bytes after the header of a job's artifact: every tensor, in the order of their names.
  std::string Weights(const v1::Job& job) {
    const std::string bytes = server_.Blob(Version(job.model_version()).artifact_digest());
    uint64_t header = 0;
    EXPECT_GT(bytes.size(), 8);
    for (int i = 0; i < 8; ++i) header |= uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
    EXPECT_LT(8 + header, bytes.size());
    return bytes.substr(8 + header);
  }

  ServerProcess server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::JobService::Stub> jobs_;
};

TEST_F(EndToEndTest, AKilledWorkersJobResumesAndEndsWithTheSameWeightsBitForBit) {
  const std::string whole = CreateJob(30, "whole");
  {
    const auto worker = server_.StartWorker({});
    ASSERT_EQ(WaitForEnd(whole).state(), v1::SUCCEEDED);
  }
  const std::string broken = CreateJob(30, "broken");
  auto first = server_.StartWorker({"--checkpoint-seconds=0"});
  ASSERT_TRUE(first->WaitForLog("checkpoint stored", kPatience));
  first->Kill();
  ASSERT_FALSE(Ended(Get(broken)));
  const auto second = server_.StartWorker({});
  const v1::Job ended = WaitForEnd(broken);
  ASSERT_EQ(ended.state(), v1::SUCCEEDED) << ended.error().message();
  EXPECT_EQ(ended.attempt(), 2);
  EXPECT_EQ(ended.counted_attempts(), 0);  // it brought a checkpoint
  EXPECT_THAT(second->log(), HasSubstr("resumes from checkpoint"));
  EXPECT_EQ(Weights(ended), Weights(Get(whole)));
}

TEST_F(EndToEndTest, AWorkerStoppedPastItsLeaseIsRefusedAndOneVersionExists) {
  const std::string name = CreateJob(6000);
  const auto sleeper = server_.StartWorker({});
  ASSERT_EQ(WaitForEpoch(name, 1).state(), v1::RUNNING);
  sleeper->Signal(SIGSTOP);
  const auto other = server_.StartWorker({});
  const v1::Job ended = WaitForEnd(name);
  EXPECT_EQ(ended.state(), v1::SUCCEEDED);
  EXPECT_EQ(ended.attempt(), 2);
  sleeper->Signal(SIGCONT);
  EXPECT_TRUE(sleeper->WaitForLog("dropped: ", kPatience));
  EXPECT_THAT(sleeper->log(), ::testing::Not(HasSubstr("published")));
  EXPECT_EQ(LatestVersion("m"), 1);
}

TEST_F(EndToEndTest, AWorkerAskedToEndStoresACheckpointAndReleasesItsJob) {
  const std::string name = CreateJob(100000);
  const auto worker = server_.StartWorker({});
  ASSERT_EQ(WaitForEpoch(name, 1).state(), v1::RUNNING);
  worker->Signal(SIGTERM);
  EXPECT_EQ(worker->Wait(absl::Seconds(20)), 0);
  EXPECT_THAT(worker->log(), HasSubstr("checkpoint stored"));
  EXPECT_EQ(Get(name).state(), v1::QUEUED);
  EXPECT_EQ(Get(name).counted_attempts(), 0);
}

TEST_F(EndToEndTest, ATrainingGoesOnWhileTheServerIsKilledAndRestarted) {
  const std::string name = CreateJob(6000);
  const auto worker = server_.StartWorker({});
  ASSERT_EQ(WaitForEpoch(name, 1).state(), v1::RUNNING);
  server_.Kill();
  server_.Start();
  Connect();
  const v1::Job ended = WaitForEnd(name);
  EXPECT_EQ(ended.state(), v1::SUCCEEDED) << ended.error().message() << worker->log();
  EXPECT_EQ(ended.attempt(), 1) << worker->log();
}

TEST_F(EndToEndTest, ACancelledJobEndsWithinASecondInEveryPhase) {
  std::mt19937 random(5);
  double worst_queued = 0, worst_preparing = 0, worst_training = 0, worst_publishing = 0;
  v1::Job ended;
  for (int i = 0; i < kCancelTrials; ++i) {
    worst_queued = std::max(worst_queued, SecondsToCancel(CreateJob(10), &ended));
    EXPECT_EQ(ended.state(), v1::CANCELLED);
  }
  const auto worker = server_.StartWorker({});
  for (int i = 0; i < kCancelTrials; ++i) {
    const std::string name = CreateJob(100000);
    Watch(name, [](const v1::Job& job) { return job.state() == v1::RUNNING; });  // reads the rows about now
    absl::SleepFor(absl::Microseconds(random() % 3000));
    worst_preparing = std::max(worst_preparing, SecondsToCancel(name, &ended));
    EXPECT_EQ(ended.state(), v1::CANCELLED);
  }
  for (int i = 0; i < kCancelTrials; ++i) {
    const std::string name = CreateJob(100000);
    WaitForEpoch(name, 1);
    absl::SleepFor(absl::Microseconds(random() % 20000));
    worst_training = std::max(worst_training, SecondsToCancel(name, &ended));
    EXPECT_EQ(ended.state(), v1::CANCELLED);
  }
  int cancelled_while_publishing = 0;
  for (int i = 0; i < kCancelTrials; ++i) {
    const size_t before = worker->log().size();
    const std::string name = CreateJob(1);
    ASSERT_TRUE(worker->WaitForLog("publishing begins", kPatience, before));
    worst_publishing = std::max(worst_publishing, SecondsToCancel(name, &ended));
    EXPECT_TRUE(ended.state() == v1::CANCELLED || ended.state() == v1::SUCCEEDED);
    cancelled_while_publishing += ended.state() == v1::CANCELLED;
  }
  std::cout << "worst seconds from cancel to end: queued " << worst_queued << ", preparing " << worst_preparing
            << ", training " << worst_training << ", publishing " << worst_publishing << " ("
            << cancelled_while_publishing << " of " << kCancelTrials << " before the version existed)\n";
  EXPECT_LE(worst_queued, 1);
  EXPECT_LE(worst_preparing, 1);
  EXPECT_LE(worst_training, 1);
  EXPECT_LE(worst_publishing, 1);
}

TEST(DeviceFlagTest, AWorkerDoesNotStartWithoutTheDeviceThatIsAskedFor) {
  ServerProcess server({"--local_workers=0"});
  const auto worker = server.StartWorker({"--device=cuda:99"});
  EXPECT_EQ(worker->Wait(kPatience), 1);
  EXPECT_THAT(worker->log(), HasSubstr("device cuda:99"));
  const auto misspelt = server.StartWorker({"--device=gpu"});
  EXPECT_EQ(misspelt->Wait(kPatience), 1);
  EXPECT_THAT(misspelt->log(), HasSubstr("device is 'gpu', expected auto, cpu, cuda or cuda:NUMBER"));
}

TEST(LocalWorkersTest, AWorkerOfTheServerTrainsAndDiesWithIt) {
  ServerProcess server({"--local_workers=1"});
  ASSERT_TRUE(server.process().WaitForLog("LibTorch", kPatience));
  const std::string log = server.process().log();
  const size_t end = log.find(", creamery 0.1.0");
  const size_t begin = log.rfind(':', end) + 1;
  const pid_t worker = static_cast<pid_t>(std::stol(log.substr(begin, end - begin)));
  ASSERT_EQ(kill(worker, 0), 0);
  server.Kill();
  const absl::Time give_up = absl::Now() + absl::Seconds(10);
  while (kill(worker, 0) == 0 && absl::Now() < give_up) absl::SleepFor(absl::Milliseconds(5));
  EXPECT_EQ(kill(worker, 0), -1);
}

}  // namespace
}  // namespace creamery
