// Statistics as jobs, arrays of jobs and prior models, through a channel to a whole server.
#include <algorithm>
#include <iostream>
#include <vector>

#include "tests/server/statistics_fixture.h"

namespace creamery {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class StatisticsJobsTest : public StatisticsFixture {
 protected:
  v1::Job AskKL() const {
    v1::Job job;
    job.mutable_statistics()->mutable_marginal_kl()->set_model(Name("first"));
    return job;
  }
  static v1::Job AskJoint(const v1::JointPosteriorRequest& request) {
    v1::Job job;
    *job.mutable_statistics()->mutable_joint_posterior() = request;
    return job;
  }
  // A joint posterior that takes the best part of a minute.
  static v1::Job AskForever() { return AskJoint(AskCrowd()); }
  void AwaitRunning(const std::string& name) {
    const absl::Time end = absl::Now() + absl::Seconds(20);
    while (GetJob(name)->state() != v1::RUNNING && absl::Now() < end) absl::SleepFor(absl::Milliseconds(5));
    ASSERT_EQ(GetJob(name)->state(), v1::RUNNING);
  }
  v1::Job Cancel(const std::string& name) {
    grpc::ClientContext context;
    v1::CancelJobRequest request;
    request.set_name(name);
    v1::Job job;
    EXPECT_THAT(FromGrpc(jobs_->CancelJob(&context, request, &job)), IsOk());
    return job;
  }
  absl::Status DeleteVersion(const std::string& name) {
    grpc::ClientContext context;
    v1::DeleteVersionRequest request;
    request.set_name(name);
    v1::DeleteVersionResponse response;
    return FromGrpc(models_->DeleteVersion(&context, request, &response));
  }
  absl::StatusOr<v1::JobArray> CreateArray(const std::vector<v1::Job>& jobs, const std::string& request_id = "") {
    grpc::ClientContext context;
    v1::CreateJobArrayRequest request;
    request.set_parent("projects/planck");
    *request.mutable_jobs() = {jobs.begin(), jobs.end()};
    request.set_request_id(request_id);
    v1::JobArray array;
    const absl::Status status = FromGrpc(jobs_->CreateJobArray(&context, request, &array));
    if (!status.ok()) return status;
    return array;
  }
  static v1::Job Training(const std::string& model) {
    v1::Job job;
    job.mutable_training()->set_model(Name(model));
    job.mutable_training()->set_dataset("projects/planck/datasets/chain");
    job.mutable_training()->mutable_spec()->mutable_maf();
    return job;
  }
};

TEST_F(StatisticsJobsTest, AJobGivesTheNumbersOfItsMethod) {
  StartWithProject();
  ImportPair();
  ASSERT_OK_AND_ASSIGN(const v1::Job created, CreateJob(AskKL()));
  EXPECT_EQ(created.state(), v1::QUEUED);
  // What it means is written down: a newer version changes nothing.
  const v1::MarginalKLRequest& pinned = created.statistics().marginal_kl();
  EXPECT_EQ(pinned.model(), Name("first") + "/versions/1");
  ASSERT_TRUE(pinned.has_seed());
  const v1::Job done = Await(created.name());
  ASSERT_EQ(done.state(), v1::SUCCEEDED) << done.DebugString();
  EXPECT_EQ(done.attempt(), 1);
  ASSERT_OK_AND_ASSIGN(const v1::MarginalKLResponse direct, MarginalKL(pinned));
  EXPECT_EQ(done.statistics_result().marginal_kl().SerializeAsString(), direct.SerializeAsString());
  EXPECT_THAT(ReadSamples(created.name()), HasCode(absl::StatusCode::kFailedPrecondition));

  v1::Job dimensionality;
  dimensionality.mutable_statistics()->mutable_model_dimensionality()->set_model(Name("first"));
  ASSERT_OK_AND_ASSIGN(const v1::Job second, CreateJob(dimensionality));
  EXPECT_NEAR(Await(second.name()).statistics_result().model_dimensionality().dimensionality().value(), 2, 0.5);
}

TEST_F(StatisticsJobsTest, SamplesOfAJobAreThoseOfTheMethod) {
  StartWithProject();
  ImportPair();
  ASSERT_OK_AND_ASSIGN(const v1::Job created, CreateJob(AskJoint(AskPair(40000))));
  const v1::Job done = Await(created.name());
  ASSERT_EQ(done.state(), v1::SUCCEEDED) << done.DebugString();
  EXPECT_FALSE(done.statistics_result().joint_posterior().has_samples());
  ASSERT_OK_AND_ASSIGN(const Joint direct, JointPosterior(AskPair(40000)));
  ASSERT_OK_AND_ASSIGN(const Joint read, ReadSamples(created.name()));
  EXPECT_EQ(read.messages, 2);
  EXPECT_THAT(read.head.columns(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(read.theta, direct.theta);
  EXPECT_EQ(read.weight, direct.weight);
  EXPECT_EQ(read.log_density, direct.log_density);
  EXPECT_EQ(done.statistics_result().joint_posterior().SerializeAsString(), direct.head.SerializeAsString());
  ASSERT_OK_AND_ASSIGN(const std::vector<std::string> problems, server_->registry().Verify());
  EXPECT_THAT(problems, SizeIs(0));
}

TEST_F(StatisticsJobsTest, EvidenceAndItsRatioAreJobsToo) {
  StartWithProject();
  MakeChain("chain", 3000);
  v1::Job job;
  job.mutable_statistics()->mutable_evidence()->set_model(Name("chain"));
  job.mutable_statistics()->mutable_evidence()->mutable_harmonic_mean();
  ASSERT_OK_AND_ASSIGN(const v1::Job harmonic, CreateJob(job));
  const v1::Estimate log_z = Await(harmonic.name()).statistics_result().evidence().log_z();
  EXPECT_NEAR(log_z.value(), ChainLogZ(), 3 * log_z.error());
  // Points of a round come as samples.
  job.mutable_statistics()->mutable_evidence()->mutable_importance_sampling()->set_round_size(1000);
  ASSERT_OK_AND_ASSIGN(const v1::Job round, CreateJob(job));
  ASSERT_EQ(Await(round.name()).state(), v1::SUCCEEDED);
  grpc::ClientContext context;
  v1::ReadSamplesRequest request;
  request.set_name(round.name());
  const auto reader = jobs_->ReadSamples(&context, request);
  v1::WeightedSamples points;
  ASSERT_TRUE(reader->Read(&points));
  EXPECT_THAT(points.theta().shape(), ElementsAre(1000, 1));
  EXPECT_THAT(points.columns(), ElementsAre("x"));
  EXPECT_FALSE(points.has_weight());
  EXPECT_FALSE(reader->Read(&points));
  EXPECT_THAT(FromGrpc(reader->Finish()), IsOk());
  job.mutable_statistics()->mutable_evidence_ratio()->set_numerator(Name("chain"));
  job.mutable_statistics()->mutable_evidence_ratio()->set_denominator(Name("chain"));
  ASSERT_OK_AND_ASSIGN(const v1::Job ratio, CreateJob(job));
  EXPECT_EQ(Await(ratio.name()).statistics_result().evidence_ratio().estimates_size(), 1);
}

TEST_F(StatisticsJobsTest, WhatItsMethodRefusesIsRefusedWhenTheJobIsCreated) {
  StartWithProject();
  ImportPair();
  v1::Job job = AskKL();
  job.mutable_statistics()->mutable_marginal_kl()->set_num_samples(1);
  EXPECT_THAT(CreateJob(job), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("num_samples is 1")));
  job.mutable_statistics()->mutable_marginal_kl()->set_model(Name("nothing"));
  job.mutable_statistics()->mutable_marginal_kl()->clear_num_samples();
  EXPECT_THAT(CreateJob(job), HasCode(absl::StatusCode::kNotFound));
  job.mutable_statistics()->mutable_evidence()->set_model(Name("first"));
  EXPECT_THAT(CreateJob(job), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("method is not set")));
  job.mutable_statistics()->Clear();
  EXPECT_THAT(CreateJob(job), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("has no request")));
  EXPECT_THAT(CreateJob(v1::Job()), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no work")));
  ImportGaussian("stranger", {{"z", 0, 1, 2}});
  v1::JointPosteriorRequest strangers;
  strangers.add_models(Name("first"));
  strangers.add_models(Name("stranger"));
  EXPECT_THAT(CreateJob(AskJoint(strangers)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("shares no parameter")));
}

TEST_F(StatisticsJobsTest, WhatOnlyComputingFindsFailsTheJobWithTheReason) {
  StartWithProject();
  ImportCrowd();
  MakeChain("chain", 500);
  ASSERT_OK_AND_ASSIGN(const v1::Job first, CreateJob(AskForever()));  // holds the only thread
  AwaitRunning(first.name());
  v1::Job evidence;
  evidence.mutable_statistics()->mutable_evidence()->set_model(Name("chain"));
  evidence.mutable_statistics()->mutable_evidence()->mutable_harmonic_mean();
  ASSERT_OK_AND_ASSIGN(const v1::Job created, CreateJob(evidence));
  ASSERT_THAT(server_->registry().DeleteDataset({"ada", "", "", absl::Now()}, {"planck", "chain"}), IsOk());
  Cancel(first.name());
  const v1::Job job = Await(created.name());
  EXPECT_EQ(job.state(), v1::FAILED);
  EXPECT_EQ(job.error().code(), static_cast<int>(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(job.error().message(), HasSubstr("upload it again"));
}

TEST_F(StatisticsJobsTest, CancellingReachesARunningJobWithinASecond) {
  StartWithProject();
  ImportCrowd();
  ASSERT_OK_AND_ASSIGN(const v1::Job created, CreateJob(AskForever()));
  AwaitRunning(created.name());
  absl::SleepFor(absl::Milliseconds(300));
  const absl::Time start = absl::Now();
  EXPECT_TRUE(Cancel(created.name()).cancel_requested());
  EXPECT_EQ(Await(created.name()).state(), v1::CANCELLED);
  EXPECT_LT(absl::Now() - start, absl::Seconds(1));
}

TEST_F(StatisticsJobsTest, AVersionIsNotDeletedUnderAJobThatNeedsIt) {
  StartWithProject();
  ImportCrowd();
  ASSERT_OK_AND_ASSIGN(const v1::Job created, CreateJob(AskForever()));
  EXPECT_THAT(DeleteVersion(Name("second") + "/versions/1"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(created.name())));
  Cancel(created.name());
  Await(created.name());
  EXPECT_THAT(DeleteVersion(Name("second") + "/versions/1"), IsOk());
}

TEST_F(StatisticsJobsTest, AServerThatDrainsGivesItsJobBackAndTheNextOneRunsItAgain) {
  StartWithProject();
  ImportPair();
  v1::JointPosteriorRequest request = AskPair(200000);
  ASSERT_OK_AND_ASSIGN(const v1::Job created, CreateJob(AskJoint(request)));
  AwaitRunning(created.name());
  RestartServer();
  const v1::Job done = Await(created.name());
  ASSERT_EQ(done.state(), v1::SUCCEEDED) << done.DebugString();
  EXPECT_EQ(done.attempt(), 2);
  EXPECT_EQ(done.counted_attempts(), 0);
  ASSERT_OK_AND_ASSIGN(const Joint direct, JointPosterior(request));
  ASSERT_OK_AND_ASSIGN(const Joint read, ReadSamples(created.name()));
  EXPECT_EQ(read.theta, direct.theta);
}

TEST_F(StatisticsJobsTest, AWatcherSeesProgressAndTheEnd) {
  StartWithProject();
  ImportPair();
  ASSERT_OK_AND_ASSIGN(const v1::Job created, CreateJob(AskJoint(AskPair(300000))));
  grpc::ClientContext context;
  v1::WatchJobRequest request;
  request.set_name(created.name());
  const auto reader = jobs_->WatchJob(&context, request);
  v1::Job job;
  bool staged = false;
  while (reader->Read(&job)) staged = staged || !job.progress().stage().empty();
  EXPECT_THAT(FromGrpc(reader->Finish()), IsOk());
  EXPECT_TRUE(staged);
  EXPECT_EQ(job.state(), v1::SUCCEEDED);
  EXPECT_EQ(job.progress().fraction(), 1);
}

TEST_F(StatisticsJobsTest, OneThreadRunsOneJobAfterTheOther) {
  StartWithProject();
  ImportCrowd();
  ASSERT_OK_AND_ASSIGN(const v1::Job first, CreateJob(AskForever()));
  ASSERT_OK_AND_ASSIGN(const v1::Job waiting, CreateJob(AskKL()));
  AwaitRunning(first.name());
  EXPECT_EQ(GetJob(waiting.name())->state(), v1::QUEUED);
  Cancel(first.name());
  EXPECT_EQ(Await(waiting.name()).state(), v1::SUCCEEDED);
}

TEST_F(StatisticsJobsTest, AThousandJobsAreOneFastCall) {
  StartWithProject();
  MakeChain("chain", 100);
  ImportPair();
  std::vector<v1::Job> jobs;
  jobs.reserve(1000);
  for (int i = 0; i < 1000; ++i) jobs.push_back(Training("object" + std::to_string(i)));
  const absl::Time start = absl::Now();
  ASSERT_OK_AND_ASSIGN(const v1::JobArray array, CreateArray(jobs, "population"));
  const absl::Duration took = absl::Now() - start;
  std::cout << "1000 jobs created in " << took << std::endl;
  EXPECT_LT(took, absl::Seconds(5));
  ASSERT_THAT(array.jobs(), SizeIs(1000));
  EXPECT_EQ(GetJob(array.jobs(999).name())->training().model(), Name("object999"));
  ASSERT_OK_AND_ASSIGN(const v1::JobArray again, CreateArray(jobs, "population"));
  EXPECT_EQ(again.SerializeAsString(), array.SerializeAsString());
  EXPECT_THAT(CreateArray({jobs[0]}, "population"), HasCode(absl::StatusCode::kAlreadyExists));

  grpc::ClientContext list_context;
  v1::ListJobsRequest list;
  list.set_parent("projects/planck");
  list.set_array(array.array());
  list.set_page_size(1000);
  v1::ListJobsResponse page;
  ASSERT_THAT(FromGrpc(jobs_->ListJobs(&list_context, list, &page)), IsOk());
  ASSERT_THAT(page.jobs(), SizeIs(1000));
  EXPECT_EQ(page.jobs(0).name(), array.jobs(0).name());

  const absl::Time cancel_start = absl::Now();
  grpc::ClientContext cancel_context;
  v1::CancelJobArrayRequest cancel;
  cancel.set_parent("projects/planck");
  cancel.set_array(array.array());
  v1::JobArray cancelled;
  ASSERT_THAT(FromGrpc(jobs_->CancelJobArray(&cancel_context, cancel, &cancelled)), IsOk());
  std::cout << "and cancelled in " << absl::Now() - cancel_start << std::endl;
  ASSERT_THAT(cancelled.jobs(), SizeIs(1000));
  EXPECT_TRUE(std::all_of(cancelled.jobs().begin(), cancelled.jobs().end(),
                          [](const v1::Job& job) { return job.state() == v1::CANCELLED; }));
}

TEST_F(StatisticsJobsTest, AnArrayIsAllOrNothing) {
  StartWithProject();
  MakeChain("chain", 100);
  v1::Job bad = Training("b");
  bad.mutable_training()->mutable_spec()->mutable_maf()->set_transforms(1000);
  EXPECT_THAT(CreateArray({Training("a"), bad}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("jobs[1]: maf.transforms is 1000")));
  EXPECT_THAT(CreateArray({}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected 1 to 10000")));
  grpc::ClientContext context;
  v1::ListJobsRequest list;
  list.set_parent("projects/planck");
  v1::ListJobsResponse page;
  ASSERT_THAT(FromGrpc(jobs_->ListJobs(&context, list, &page)), IsOk());
  EXPECT_THAT(page.jobs(), SizeIs(0));
  list.set_array("nothing");
  grpc::ClientContext again;
  EXPECT_THAT(FromGrpc(jobs_->ListJobs(&again, list, &page)), HasCode(absl::StatusCode::kNotFound));
}

TEST_F(StatisticsJobsTest, APriorModelIsPinnedWithItsTrainingAndMustBeOfTheSameParameters) {
  StartWithProject();
  MakeChain("chain", 100);
  ImportGaussian("prior", {{"x", 0, 3, 0}});
  ImportGaussian("other", {{"y", 0, 3, 0}});
  v1::Job job = Training("posterior");
  job.mutable_training()->set_prior_model(Name("nothing"));
  EXPECT_THAT(CreateJob(job), StatusIs(absl::StatusCode::kNotFound, HasSubstr("prior_model")));
  job.mutable_training()->set_prior_model(Name("other"));
  EXPECT_THAT(CreateJob(job), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("is a density of y")));
  job.mutable_training()->set_prior_model(Name("prior"));
  ASSERT_OK_AND_ASSIGN(const v1::Job created, CreateJob(job));
  EXPECT_EQ(created.training().prior_model(), Name("prior") + "/versions/1");
  EXPECT_THAT(DeleteVersion(Name("prior") + "/versions/1"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(created.name())));
  Cancel(created.name());
  EXPECT_THAT(DeleteVersion(Name("prior") + "/versions/1"), IsOk());
}

}  // namespace
}  // namespace creamery
