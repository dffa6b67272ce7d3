// The life of a job: leases, fencing, attempts, checkpoints, ends.
#include "proto/support/digest.h"
#include "tests/storage/registry_fixture.h"

namespace creamery {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class RegistryJobsTest : public RegistryFixture {
 protected:
  void SetUp() override {
    RegistryFixture::SetUp();
    MakeDataset();
  }
  absl::StatusOr<v1::Job> Lose(const LeaseKey& lease) {
    return registry_->Requeue(lease, /*counts=*/true, /*max_counted=*/3, "lost three workers", ada_.time);
  }
  const absl::Time later_ = absl::FromUnixSeconds(1800000060);
};

TEST_F(RegistryJobsTest, AJobPinsTheRevisionAndItsIdSortsByTime) {
  const JobName first = MakeJob();
  ASSERT_THAT(registry_->AppendPart(ada_, {"planck", "chain"}, {PutBlob("part 2").digest, 1}, -1), IsOk());
  v1::Job request;
  request.mutable_training()->set_model("projects/planck/models/cosmo");
  request.mutable_training()->set_dataset("projects/planck/datasets/chain");
  request.mutable_training()->set_dataset_revision(77);  // output only
  ASSERT_OK_AND_ASSIGN(const v1::Job second, registry_->CreateJob({"ada", "", "", later_}, {"planck"}, {request, {}}));
  EXPECT_EQ(second.state(), v1::QUEUED);
  EXPECT_EQ(second.creator(), "ada");
  EXPECT_EQ(second.training().dataset_revision(), 2);
  EXPECT_EQ(registry_->GetJob(first)->training().dataset_revision(), 1);
  EXPECT_LT(first.ToString(), second.name());
  EXPECT_THAT(first.job, HasSubstr("20270115-080000"));
  ASSERT_OK_AND_ASSIGN(const Page<v1::Job> page, registry_->ListJobs({"planck"}, {1, ""}));
  ASSERT_THAT(page.items, SizeIs(1));
  EXPECT_EQ(page.items[0].name(), second.name());
  ASSERT_OK_AND_ASSIGN(const Page<v1::Job> rest, registry_->ListJobs({"planck"}, {1, page.next_token}));
  ASSERT_THAT(rest.items, SizeIs(1));
  EXPECT_EQ(rest.items[0].name(), first.ToString());
  EXPECT_EQ(rest.next_token, "");
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::Job> queue, registry_->JobsInState(v1::QUEUED));
  ASSERT_THAT(queue, SizeIs(2));
  EXPECT_EQ(queue[0].name(), first.ToString());
}

TEST_F(RegistryJobsTest, AJobNeedsADatasetWithRowsAndAModelOfItsProject) {
  v1::Job job;
  EXPECT_THAT(registry_->CreateJob(ada_, {"planck"}, {job, {}}), HasCode(absl::StatusCode::kInvalidArgument));
  job.mutable_training()->set_model("projects/planck/models/cosmo");
  job.mutable_training()->set_dataset("projects/planck/datasets/nothing");
  EXPECT_THAT(registry_->CreateJob(ada_, {"planck"}, {job, {}}), HasCode(absl::StatusCode::kNotFound));
  ASSERT_THAT(registry_->CreateDataset(ada_, {"planck", "empty"}, Schema()), IsOk());
  job.mutable_training()->set_dataset("projects/planck/datasets/empty");
  EXPECT_THAT(registry_->CreateJob(ada_, {"planck"}, {job, {}}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no rows")));
  job.mutable_training()->set_dataset("projects/planck/datasets/chain");
  job.mutable_training()->set_model("projects/desi/models/cosmo");
  EXPECT_THAT(registry_->CreateJob(ada_, {"planck"}, {job, {}}), HasCode(absl::StatusCode::kInvalidArgument));
}

TEST_F(RegistryJobsTest, ARepeatedCreateMakesOneJob) {
  v1::Job job;
  job.mutable_training()->set_model("projects/planck/models/cosmo");
  job.mutable_training()->set_dataset("projects/planck/datasets/chain");
  ASSERT_OK_AND_ASSIGN(const v1::Job first, registry_->CreateJob(Request("r", "x"), {"planck"}, {job, {}}));
  ASSERT_OK_AND_ASSIGN(const v1::Job again, registry_->CreateJob(Request("r", "x"), {"planck"}, {job, {}}));
  EXPECT_EQ(first.name(), again.name());
  EXPECT_THAT(registry_->JobsInState(v1::QUEUED).value(), SizeIs(1));
}

TEST_F(RegistryJobsTest, OnlyTheHolderOfTheLeaseMayAct) {
  const JobName name = MakeJob();
  const LeaseKey stale = Start(name, "token 1");
  EXPECT_THAT(registry_->CheckLease(stale), IsOk());
  EXPECT_THAT(registry_->StartAttempt(name, "token 2", "worker 2", later_),
              HasCode(absl::StatusCode::kFailedPrecondition));
  ASSERT_THAT(registry_->Requeue(stale, false, 3, "", later_), IsOk());
  EXPECT_THAT(registry_->CheckLease(stale), StatusIs(absl::StatusCode::kAborted, HasSubstr("QUEUED")));
  const LeaseKey held = Start(name, "token 2");
  EXPECT_EQ(held.attempt, 2);
  const LeaseKey forged{held.job, 2, "token 1"};
  const std::string blob = PutBlob("artifact").digest;
  for (const LeaseKey& lease : {stale, forged}) {
    EXPECT_THAT(registry_->CheckLease(lease), HasCode(absl::StatusCode::kAborted));
    EXPECT_THAT(registry_->SaveProgress(lease, {}), HasCode(absl::StatusCode::kAborted));
    EXPECT_THAT(registry_->AddCheckpoint(lease, blob), HasCode(absl::StatusCode::kAborted));
    EXPECT_THAT(Lose(lease), HasCode(absl::StatusCode::kAborted));
    EXPECT_THAT(registry_->Complete(lease, {}, blob, later_), HasCode(absl::StatusCode::kAborted));
    EXPECT_THAT(registry_->Fail(lease, {}, later_), HasCode(absl::StatusCode::kAborted));
  }
  EXPECT_THAT(registry_->CheckLease({"projects/planck/jobs/none", 1, "t"}), HasCode(absl::StatusCode::kAborted));
  EXPECT_THAT(registry_->CheckLease(held), IsOk());
  EXPECT_THAT(registry_->GetModel({"planck", "cosmo"}), HasCode(absl::StatusCode::kNotFound));
}

TEST_F(RegistryJobsTest, ALeaseOutlivesARestart) {
  const LeaseKey lease = Start(MakeJob(), "token");
  Reopen();
  EXPECT_THAT(registry_->CheckLease(lease), IsOk());
  ASSERT_THAT(registry_->JobsInState(v1::RUNNING).value(), SizeIs(1));
}

TEST_F(RegistryJobsTest, ProgressIsKept) {
  const JobName name = MakeJob();
  const LeaseKey lease = Start(name, "token");
  v1::Progress progress;
  progress.set_epoch(12);
  ASSERT_THAT(registry_->SaveProgress(lease, progress), IsOk());
  Reopen();
  EXPECT_EQ(registry_->GetJob(name)->progress().epoch(), 12);
  EXPECT_EQ(registry_->GetJob(name)->worker(), "worker 1");
}

TEST_F(RegistryJobsTest, TheTwoNewestCheckpointsAreKept) {
  const JobName name = MakeJob();
  const LeaseKey lease = Start(name, "token");
  std::vector<std::string> digests;
  for (const char* bytes : {"one", "two", "three"}) {
    digests.push_back(PutBlob(bytes).digest);
    ASSERT_THAT(registry_->AddCheckpoint(lease, digests.back()), IsOk());
  }
  ASSERT_THAT(registry_->AddCheckpoint(lease, digests[2]), IsOk());  // a repeat
  Reopen();
  EXPECT_THAT(registry_->Checkpoints(name).value(), ElementsAre(digests[2], digests[1]));
  EXPECT_EQ(registry_->CollectGarbage().value(), 1);
  EXPECT_THAT(registry_->AddCheckpoint(lease, Sha256Hex("never stored")), HasCode(absl::StatusCode::kNotFound));
  ExpectClean();
}

TEST_F(RegistryJobsTest, ThreeLostAttemptsWithoutACheckpointEndTheJob) {
  const JobName name = MakeJob();
  EXPECT_EQ(Lose(Start(name, "1"))->counted_attempts(), 1);
  EXPECT_EQ(Lose(Start(name, "2"))->counted_attempts(), 2);
  ASSERT_OK_AND_ASSIGN(const v1::Job job, Lose(Start(name, "3")));
  EXPECT_EQ(job.state(), v1::FAILED);
  EXPECT_EQ(job.error().message(), "lost three workers");
  EXPECT_EQ(job.end_time().seconds(), 1800000000);
}

TEST_F(RegistryJobsTest, AnAttemptThatBroughtACheckpointDoesNotCountTheNextOneDoes) {
  const JobName name = MakeJob();
  EXPECT_EQ(Lose(Start(name, "1"))->counted_attempts(), 1);
  const LeaseKey second = Start(name, "2");
  const std::string checkpoint = PutBlob("checkpoint").digest;
  ASSERT_THAT(registry_->AddCheckpoint(second, checkpoint), IsOk());
  EXPECT_EQ(Lose(second)->counted_attempts(), 1);
  // The same checkpoint again is not a newer one: a job that dies on it must end.
  const LeaseKey third = Start(name, "3");
  ASSERT_THAT(registry_->AddCheckpoint(third, checkpoint), IsOk());
  EXPECT_EQ(Lose(third)->counted_attempts(), 2);
  EXPECT_EQ(Lose(Start(name, "4"))->state(), v1::FAILED);
}

TEST_F(RegistryJobsTest, ReleasesNeverCount) {
  const JobName name = MakeJob();
  for (int i = 1; i <= 5; ++i) {
    ASSERT_OK_AND_ASSIGN(const v1::Job job, registry_->Requeue(Start(name, "t"), false, 3, "", later_));
    EXPECT_EQ(job.state(), v1::QUEUED);
    EXPECT_EQ(job.counted_attempts(), 0);
    EXPECT_EQ(job.attempt(), i);
    EXPECT_EQ(job.worker(), "");
  }
}

TEST_F(RegistryJobsTest, CompletePublishesOnceAndLetsCheckpointsGo) {
  const JobName name = MakeJob();
  const LeaseKey lease = Start(name, "token");
  ASSERT_THAT(registry_->AddCheckpoint(lease, PutBlob("checkpoint").digest), IsOk());
  const std::string artifact = PutBlob("artifact").digest;
  v1::ModelVersion trained;
  trained.mutable_training()->set_num_rows(3);
  ASSERT_OK_AND_ASSIGN(const v1::ModelVersion version, registry_->Complete(lease, trained, artifact, later_));
  EXPECT_EQ(version.name(), "projects/planck/models/cosmo/versions/1");
  EXPECT_EQ(version.artifact_digest(), artifact);
  EXPECT_EQ(version.artifact_bytes(), 8);
  EXPECT_EQ(version.creator(), "ada");
  EXPECT_EQ(version.training().num_rows(), 3);
  Reopen();
  ASSERT_OK_AND_ASSIGN(const v1::ModelVersion again, registry_->Complete(lease, trained, artifact, later_));
  EXPECT_EQ(again.SerializeAsString(), version.SerializeAsString());
  EXPECT_THAT(registry_->ListVersions({"planck", "cosmo"}, {})->items, SizeIs(1));
  EXPECT_EQ(registry_->GetJob(name)->state(), v1::SUCCEEDED);
  EXPECT_EQ(registry_->GetJob(name)->model_version(), version.name());
  EXPECT_THAT(registry_->Checkpoints(name).value(), IsEmpty());
  EXPECT_THAT(registry_->Fail(lease, {}, later_), HasCode(absl::StatusCode::kAborted));
  ExpectClean();
}

TEST_F(RegistryJobsTest, CompleteWithoutTheBlobChangesNothing) {
  const JobName name = MakeJob();
  const LeaseKey lease = Start(name, "token");
  EXPECT_THAT(registry_->Complete(lease, {}, Sha256Hex("never stored"), later_), HasCode(absl::StatusCode::kNotFound));
  EXPECT_EQ(registry_->GetJob(name)->state(), v1::RUNNING);
  EXPECT_THAT(registry_->GetModel({"planck", "cosmo"}), HasCode(absl::StatusCode::kNotFound));
}

TEST_F(RegistryJobsTest, FailSaysWhyAndIsSafeToRepeat) {
  const JobName name = MakeJob();
  const LeaseKey lease = Start(name, "token");
  v1::JobError error;
  error.set_code(9);
  error.set_message("all weights are zero");
  ASSERT_OK_AND_ASSIGN(const v1::Job failed, registry_->Fail(lease, error, later_));
  EXPECT_EQ(failed.state(), v1::FAILED);
  EXPECT_EQ(failed.error().message(), "all weights are zero");
  ASSERT_OK_AND_ASSIGN(const v1::Job again, registry_->Fail(lease, {}, later_));
  EXPECT_EQ(again.SerializeAsString(), failed.SerializeAsString());
}

TEST_F(RegistryJobsTest, CancelEndsAQueuedJobAtOnceAndARunningOneThroughItsWorker) {
  const JobName queued = MakeJob();
  EXPECT_EQ(registry_->RequestCancel(ada_, queued)->state(), v1::CANCELLED);
  EXPECT_THAT(registry_->StartAttempt(queued, "t", "w", later_), HasCode(absl::StatusCode::kFailedPrecondition));

  const JobName running = MakeJob();
  const LeaseKey lease = Start(running, "token");
  ASSERT_OK_AND_ASSIGN(const v1::Job asked, registry_->RequestCancel(ada_, running));
  EXPECT_EQ(asked.state(), v1::RUNNING);
  EXPECT_TRUE(asked.cancel_requested());
  EXPECT_EQ(registry_->Fail(lease, {}, later_)->state(), v1::CANCELLED);
  EXPECT_EQ(registry_->RequestCancel(ada_, running)->state(), v1::CANCELLED);

  const JobName lost = MakeJob();
  const LeaseKey gone = Start(lost, "token");
  ASSERT_THAT(registry_->RequestCancel(ada_, lost), IsOk());
  EXPECT_EQ(Lose(gone)->state(), v1::CANCELLED);
  EXPECT_THAT(registry_->RequestCancel(ada_, {"planck", "none"}), HasCode(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace creamery
