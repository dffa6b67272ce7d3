// Statistics jobs, arrays of jobs, and the file of the version before they existed.
#include "proto/support/digest.h"
#include "storage/database.h"
#include "tests/storage/registry_fixture.h"

namespace creamery {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class RegistryStatisticsTest : public RegistryFixture {
 protected:
  // A statistics job on version 1 of planck/cosmo.
  static NewJob Question() {
    NewJob job;
    job.job.mutable_statistics()->mutable_marginal_kl()->set_model("projects/planck/models/cosmo/versions/1");
    job.versions = {{"planck", "cosmo", 1, ""}};
    return job;
  }
  static v1::StatisticsResult Answer() {
    v1::StatisticsResult result;
    result.mutable_marginal_kl()->mutable_kl()->set_value(0.25);
    return result;
  }
  JobName Ask() { return JobName::Parse(registry_->CreateJob(ada_, {"planck"}, Question()).value().name()).value(); }
};

TEST_F(RegistryStatisticsTest, AnAnswerAndItsSamplesAreKeptAndSurviveAReopening) {
  Import("artifact 1");
  const JobName name = Ask();
  EXPECT_EQ(registry_->GetJob(name)->state(), v1::QUEUED);
  const LeaseKey lease = Start(name, "token");
  const std::string samples = PutBlob("samples").digest;
  ASSERT_OK_AND_ASSIGN(const v1::Job done, registry_->CompleteStatistics(lease, Answer(), samples, ada_.time));
  EXPECT_EQ(done.state(), v1::SUCCEEDED);
  EXPECT_EQ(done.progress().fraction(), 1);
  Reopen();
  ASSERT_OK_AND_ASSIGN(const v1::Job job, registry_->GetJob(name));
  EXPECT_EQ(job.statistics_result().marginal_kl().kl().value(), 0.25);
  EXPECT_EQ(job.statistics().marginal_kl().model(), "projects/planck/models/cosmo/versions/1");
  EXPECT_EQ(registry_->SamplesOf(name).value(), samples);
  EXPECT_EQ(registry_->CollectGarbage().value(), 0);
  EXPECT_THAT(registry_->blobs().ReadBlob(samples), IsOk());
  ExpectClean();
}

TEST_F(RegistryStatisticsTest, TheSameAnswerAgainIsTheSameJobAndAnotherLeaseIsAborted) {
  Import("artifact 1");
  const LeaseKey lease = Start(Ask(), "token");
  ASSERT_THAT(registry_->CompleteStatistics(lease, Answer(), "", ada_.time), IsOk());
  EXPECT_EQ(registry_->CompleteStatistics(lease, Answer(), "", ada_.time)->state(), v1::SUCCEEDED);
  EXPECT_THAT(registry_->CompleteStatistics({lease.job, 1, "other"}, Answer(), "", ada_.time),
              HasCode(absl::StatusCode::kAborted));
}

TEST_F(RegistryStatisticsTest, OnlyAJobThatSucceededWithSamplesHasSome) {
  Import("artifact 1");
  const JobName name = Ask();
  EXPECT_THAT(registry_->SamplesOf(name), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("QUEUED")));
  const LeaseKey lease = Start(name, "token");
  ASSERT_THAT(registry_->CompleteStatistics(lease, Answer(), "", ada_.time), IsOk());
  EXPECT_THAT(registry_->SamplesOf(name), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("not asked for")));
  EXPECT_THAT(registry_->SamplesOf({"planck", "nothing"}), HasCode(absl::StatusCode::kNotFound));
}

TEST_F(RegistryStatisticsTest, APinnedVersionStaysUntilItsJobHasEnded) {
  Import("artifact 1");
  const JobName name = Ask();
  EXPECT_THAT(registry_->DeleteVersion(ada_, {"planck", "cosmo"}, 1),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(name.ToString())));
  Start(name, "token");
  EXPECT_THAT(registry_->DeleteVersion(ada_, {"planck", "cosmo"}, 1), HasCode(absl::StatusCode::kFailedPrecondition));
  ASSERT_THAT(registry_->Fail({name.ToString(), 1, "token"}, v1::JobError(), ada_.time), IsOk());
  EXPECT_THAT(registry_->DeleteVersion(ada_, {"planck", "cosmo"}, 1), IsOk());
  ExpectClean();
}

TEST_F(RegistryStatisticsTest, AVersionThatIsGoneCannotBePinned) {
  Import("artifact 1");
  ASSERT_THAT(registry_->DeleteVersion(ada_, {"planck", "cosmo"}, 1), IsOk());
  EXPECT_THAT(registry_->CreateJob(ada_, {"planck"}, Question()),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("versions/1")));
  EXPECT_THAT(registry_->ListJobs({"planck"}, {})->items, SizeIs(0));
}

TEST_F(RegistryStatisticsTest, VerifyNamesTheJobWhoseSamplesAreDamaged) {
  Import("artifact 1");
  const JobName name = Ask();
  const std::string samples = PutBlob("samples").digest;
  ASSERT_THAT(registry_->CompleteStatistics(Start(name, "token"), Answer(), samples, ada_.time), IsOk());
  std::filesystem::remove(BlobPath(samples));
  ASSERT_OK_AND_ASSIGN(const std::vector<std::string> problems, registry_->Verify());
  EXPECT_THAT(problems, ElementsAre(HasSubstr("samples of " + name.ToString())));
}

TEST_F(RegistryStatisticsTest, AnArrayIsCreatedListedAndCancelledTogether) {
  MakeDataset();
  Import("artifact 1");
  NewJob training;
  training.job.mutable_training()->set_model("projects/planck/models/other");
  training.job.mutable_training()->set_dataset("projects/planck/datasets/chain");
  std::vector<v1::Job> created;
  ASSERT_OK_AND_ASSIGN(const v1::JobArray array, registry_->CreateJobArray(Request("r", "x"), {"planck"},
                                                                           {training, Question(), training}, &created));
  ASSERT_THAT(array.jobs(), SizeIs(3));
  ASSERT_THAT(created, SizeIs(3));
  EXPECT_EQ(created[0].training().dataset_revision(), 1);
  EXPECT_EQ(created[1].array(), array.array());
  EXPECT_EQ(array.jobs(2).state(), v1::QUEUED);
  MakeJob();  // not of the array

  ASSERT_OK_AND_ASSIGN(const auto again, registry_->CreateJobArray(Request("r", "x"), {"planck"},
                                                                   {training, Question(), training}, &created));
  EXPECT_EQ(again.array(), array.array());
  EXPECT_THAT(created, SizeIs(0));

  ASSERT_OK_AND_ASSIGN(const Page<v1::Job> page, registry_->ListJobArray({"planck"}, array.array(), {2, ""}));
  ASSERT_THAT(page.items, SizeIs(2));
  EXPECT_EQ(page.items[0].name(), array.jobs(0).name());
  ASSERT_OK_AND_ASSIGN(const Page<v1::Job> rest,
                       registry_->ListJobArray({"planck"}, array.array(), {2, page.next_token}));
  ASSERT_THAT(rest.items, SizeIs(1));
  EXPECT_EQ(rest.items[0].name(), array.jobs(2).name());
  EXPECT_THAT(registry_->ListJobs({"planck"}, {10, page.next_token}), HasCode(absl::StatusCode::kInvalidArgument));

  Start(JobName::Parse(array.jobs(1).name()).value(), "token");
  ASSERT_OK_AND_ASSIGN(const auto cancelled, registry_->RequestCancelArray(ada_, {"planck"}, array.array()));
  ASSERT_THAT(cancelled, SizeIs(3));
  EXPECT_EQ(cancelled[0].state(), v1::CANCELLED);
  EXPECT_EQ(cancelled[1].state(), v1::RUNNING);
  EXPECT_TRUE(cancelled[1].cancel_requested());
  EXPECT_EQ(cancelled[2].state(), v1::CANCELLED);
  EXPECT_THAT(registry_->JobsInState(v1::QUEUED).value(), SizeIs(1));
  EXPECT_THAT(registry_->RequestCancelArray(ada_, {"planck"}, "nothing"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("no array")));
  EXPECT_THAT(registry_->ListJobArray({"planck"}, "nothing", {}), HasCode(absl::StatusCode::kNotFound));
}

TEST_F(RegistryStatisticsTest, AnArrayWithOneBadJobMakesNone) {
  MakeDataset();
  NewJob good;
  good.job.mutable_training()->set_model("projects/planck/models/other");
  good.job.mutable_training()->set_dataset("projects/planck/datasets/chain");
  NewJob bad = good;
  bad.job.mutable_training()->set_dataset("projects/planck/datasets/nothing");
  std::vector<v1::Job> created;
  EXPECT_THAT(registry_->CreateJobArray(ada_, {"planck"}, {good, bad}, &created),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("jobs[1]")));
  EXPECT_THAT(registry_->ListJobs({"planck"}, {})->items, SizeIs(0));
}

TEST_F(RegistryStatisticsTest, APageOfLargeJobsEndsEarly) {
  Import("artifact 1");
  for (int i = 0; i < 4; ++i) {
    NewJob job = Question();
    job.job.mutable_statistics()->mutable_marginal_kl()->mutable_prior()->set_model(std::string(1500000, 'x'));
    ASSERT_THAT(registry_->CreateJob(ada_, {"planck"}, job), IsOk());
  }
  ASSERT_OK_AND_ASSIGN(const Page<v1::Job> page, registry_->ListJobs({"planck"}, {10, ""}));
  EXPECT_THAT(page.items, SizeIs(2));
  ASSERT_OK_AND_ASSIGN(const Page<v1::Job> rest, registry_->ListJobs({"planck"}, {10, page.next_token}));
  EXPECT_THAT(rest.items, SizeIs(2));
}

// A file as the first released schema left it: jobs in every state, one with checkpoints.
TEST_F(RegistryStatisticsTest, AFileOfTheFirstSchemaIsMigratedWithItsJobsAndCheckpoints) {
  registry_.reset();
  const std::string file = directory_.path() + "/data/registry.sqlite";
  std::filesystem::remove_all(directory_.path() + "/data");
  std::filesystem::create_directories(directory_.path() + "/data");
  const std::string digest = Sha256Hex("a checkpoint");
  v1::Job record;
  record.mutable_training()->set_model("projects/planck/models/cosmo");
  record.mutable_training()->set_dataset("projects/planck/datasets/chain");
  record.set_creator("ada");
  {
    ASSERT_OK_AND_ASSIGN(const auto old,
                         Database::Open(file, Database::Access::kReadWrite, Migrations().subspan(0, 1)));
    const std::string dataset = Schema().SerializeAsString();
    ASSERT_THAT(old->Run("INSERT INTO projects VALUES ('planck', x'')"), IsOk());
    ASSERT_THAT(old->Run("INSERT INTO blobs VALUES (?, 12)", digest), IsOk());
    ASSERT_THAT(
        old->Run("INSERT INTO datasets (project, dataset, record) VALUES ('planck', 'chain', ?)", Bytes{dataset}),
        IsOk());
    ASSERT_THAT(old->Run("INSERT INTO parts VALUES (1, 1, ?1, 3, 3, ?2)", digest, Sha256Hex(digest)), IsOk());
    const char* const insert =
        "INSERT INTO jobs (project, job, state, dataset_id, attempt, token, counted_attempts, checkpoint_sequence, "
        "record) VALUES ('planck', ?, ?, 1, 2, 'secret', 1, 1, ?)";
    for (int state = 1; state <= 5; ++state) {
      ASSERT_THAT(old->Run(insert, "job" + std::to_string(state), state, Bytes{record.SerializeAsString()}), IsOk());
    }
    ASSERT_THAT(old->Run("INSERT INTO checkpoints VALUES (2, 1, ?)", digest), IsOk());
  }
  Reopen();
  EXPECT_EQ(PutBlob("a checkpoint").digest, digest);
  ASSERT_OK_AND_ASSIGN(const v1::Job running, registry_->GetJob({"planck", "job2"}));
  EXPECT_EQ(running.state(), v1::RUNNING);
  EXPECT_EQ(running.attempt(), 2);
  EXPECT_EQ(running.counted_attempts(), 1);
  EXPECT_EQ(running.training().model(), "projects/planck/models/cosmo");
  EXPECT_THAT(registry_->Checkpoints({"planck", "job2"}).value(), ElementsAre(digest));
  EXPECT_THAT(registry_->CheckLease({running.name(), 2, "secret"}), IsOk());
  EXPECT_THAT(registry_->ListJobs({"planck"}, {})->items, SizeIs(5));
  EXPECT_THAT(registry_->DeleteDataset(ada_, {"planck", "chain"}), HasCode(absl::StatusCode::kFailedPrecondition));
  // New rows go on where the old ones ended.
  Import("artifact 1");
  EXPECT_EQ(registry_->GetJob(Ask())->state(), v1::QUEUED);
  EXPECT_THAT(registry_->RequestCancel(ada_, {"planck", "job1"}), IsOk());
  ASSERT_THAT(registry_->Fail({running.name(), 2, "secret"}, v1::JobError(), ada_.time), IsOk());
  EXPECT_THAT(registry_->Checkpoints({"planck", "job2"}).value(), SizeIs(0));
  EXPECT_THAT(registry_->DeleteDataset(ada_, {"planck", "chain"}), IsOk());
  ExpectClean();
}

}  // namespace
}  // namespace creamery
