#include "server/jobs/job_board.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/digest.h"
#include "tests/server/jobs/small_artifact.h"
#include "tests/status_matchers.h"
#include "tests/storage/registry_fixture.h"

namespace creamery {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A board on a real registry in a temporary directory, with a clock that stands still until it is moved.
class JobBoardTest : public RegistryFixture {
 protected:
  void SetUp() override {
    RegistryFixture::SetUp();
    MakeDataset();
    StartBoard();
  }
  void StartBoard() {
    JobBoard::Options options;
    options.lease_duration = absl::Seconds(15);
    options.clock = [this] { return now_; };
    options.run_thread = false;
    options.on_published = [this](const v1::ModelVersion& version) { published_.push_back(version.name()); };
    ASSERT_OK_AND_ASSIGN(board_, JobBoard::Create(*registry_, options));
  }
  // As a server that is killed and started again.
  void Restart() {
    board_.reset();
    Reopen();
    StartBoard();
  }
  void Advance(absl::Duration by) {
    now_ += by;
    board_->Tick();
  }

  static v1::Job NewJob() {
    v1::Job job;
    job.mutable_training()->set_model("projects/planck/models/cosmo");
    job.mutable_training()->set_dataset("projects/planck/datasets/chain");
    job.mutable_training()->mutable_spec()->mutable_maf();
    return job;
  }
  v1::Job Create() {
    Caller caller{"ada", "", "", now_};
    now_ += absl::Microseconds(1);
    return board_->CreateJob(caller, {"planck"}, NewJob()).value();
  }
  static v1::WorkerDescription Describe(const std::string& name, const std::string& family = "maf") {
    v1::WorkerDescription worker;
    worker.set_name(name);
    worker.add_families(family);
    return worker;
  }
  // A lease for a job that waits, or nothing.
  std::optional<LeaseGrant> TryLease(const std::string& worker = "kestrel:1", const std::string& family = "maf") {
    std::optional<LeaseGrant> grant;
    auto ticket = board_->Lease(Describe(worker, family), absl::ZeroDuration(),
                                [&grant](const absl::StatusOr<std::optional<LeaseGrant>>& answer) {
                                  ASSERT_THAT(answer, IsOk());
                                  grant = *answer;
                                });
    EXPECT_THAT(ticket, IsOk());
    board_->Tick();
    return grant;
  }
  LeaseGrant MustLease() {
    std::optional<LeaseGrant> grant = TryLease();
    EXPECT_TRUE(grant.has_value());
    return grant.value_or(LeaseGrant());
  }
  v1::Job Get(const std::string& name) { return board_->GetJob(JobName::Parse(name).value()).value(); }
  v1::Job Cancel(const std::string& name) {
    return board_->CancelJob({"ada", "", "", now_}, JobName::Parse(name).value()).value();
  }
  BlobWriter::Committed PutArtifact(const LeaseGrant& grant, const v1::ModelVersion& description) {
    BlobWriter::Committed blob = PutBlob(SmallArtifact(description));
    EXPECT_THAT(board_->BlobStored(grant.key, v1::ARTIFACT, blob), IsOk());
    return blob;
  }
  BlobWriter::Committed PutArtifact(const LeaseGrant& grant) {
    return PutArtifact(grant, SmallDescription(grant.job, grant.dataset));
  }
  absl::Status PutCheckpoint(const LeaseKey& key, const std::string& bytes) {
    return board_->BlobStored(key, v1::CHECKPOINT, PutBlob(bytes));
  }
  // A worker that takes the job and is never heard of again.
  void LoseWorker() {
    MustLease();
    Advance(absl::Seconds(15));
  }

  absl::Time now_ = absl::FromUnixSeconds(1700000000);
  std::unique_ptr<JobBoard> board_;
  std::vector<std::string> published_;
};

TEST_F(JobBoardTest, AJobIsQueuedLeasedAndPublished) {
  const v1::Job job = Create();
  EXPECT_EQ(job.state(), v1::QUEUED);
  const LeaseGrant grant = MustLease();
  EXPECT_EQ(grant.job.name(), job.name());
  EXPECT_EQ(grant.job.state(), v1::RUNNING);
  EXPECT_EQ(grant.key.attempt, 1);
  EXPECT_EQ(grant.dataset.num_rows(), 3);
  EXPECT_THAT(grant.checkpoints, IsEmpty());

  const auto version = board_->Complete(grant.key, PutArtifact(grant).digest);
  ASSERT_THAT(version, IsOk());
  EXPECT_EQ(version->name(), "projects/planck/models/cosmo/versions/1");
  EXPECT_EQ(Get(job.name()).state(), v1::SUCCEEDED);
  EXPECT_EQ(Get(job.name()).model_version(), version->name());
  EXPECT_THAT(published_, ElementsAre(version->name()));
}

TEST_F(JobBoardTest, TheSpecOfANewJobHasItsDefaultsWrittenOut) {
  const v1::EstimatorSpec spec = Create().training().spec();
  EXPECT_EQ(spec.maf().transforms(), 6);
  EXPECT_EQ(spec.training().members(), 4);
}

TEST_F(JobBoardTest, ANewJobWithAMistakeIsRefusedWithWhatWasExpected) {
  const Caller caller{"ada", "", "", now_};
  v1::Job job = NewJob();
  job.mutable_training()->add_parameters("omega_m");
  EXPECT_THAT(board_->CreateJob(caller, {"planck"}, job),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("'omega_m'"), HasSubstr("omegam"))));
  job = NewJob();
  job.mutable_training()->add_parameters("omegam");
  job.mutable_training()->add_parameters("omegam");
  EXPECT_THAT(board_->CreateJob(caller, {"planck"}, job),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("twice")));
  job = NewJob();
  job.mutable_training()->mutable_spec()->clear_family();
  EXPECT_THAT(board_->CreateJob(caller, {"planck"}, job),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("maf")));
  job = NewJob();
  job.mutable_training()->set_model("projects/desi/models/cosmo");
  EXPECT_THAT(board_->CreateJob(caller, {"planck"}, job),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("projects/desi/models/cosmo")));
  job = NewJob();
  job.mutable_training()->set_dataset("projects/planck/datasets/none");
  EXPECT_THAT(board_->CreateJob(caller, {"planck"}, job), HasCode(absl::StatusCode::kNotFound));
  EXPECT_THAT(board_->CreateJob(caller, {"planck"}, v1::Job()), HasCode(absl::StatusCode::kInvalidArgument));
}

TEST_F(JobBoardTest, TheOldestJobThatFitsIsGivenFirst) {
  const v1::Job first = Create();
  const v1::Job second = Create();
  EXPECT_FALSE(TryLease("kestrel:1", "nsf").has_value());
  EXPECT_EQ(MustLease().job.name(), first.name());
  EXPECT_EQ(MustLease().job.name(), second.name());
  EXPECT_FALSE(TryLease().has_value());
}

TEST_F(JobBoardTest, AWorkerThatWaitsIsGivenTheJobWhenItComesAndNothingWhenItsTimeIsOver) {
  std::vector<std::string> answers;
  const auto listener = [&](const absl::StatusOr<std::optional<LeaseGrant>>& answer) {
    answers.push_back(answer->has_value() ? (*answer)->job.name() : "nothing");
  };
  const auto early = board_->Lease(Describe("a"), absl::Seconds(20), listener);
  Advance(absl::Seconds(19));
  EXPECT_THAT(answers, IsEmpty());
  const v1::Job job = Create();
  board_->Tick();
  EXPECT_THAT(answers, ElementsAre(job.name()));
  const auto late = board_->Lease(Describe("b"), absl::Seconds(10), listener);
  Advance(absl::Seconds(10));
  EXPECT_THAT(answers, ElementsAre(job.name(), "nothing"));
}

TEST_F(JobBoardTest, AWorkerThatLeftWhileWaitingGetsNoJob) {
  bool asked = false;
  auto ticket = board_->Lease(Describe("a"), absl::Seconds(20),
                              [&](const absl::StatusOr<std::optional<LeaseGrant>>&) { asked = true; });
  ASSERT_THAT(ticket, IsOk());
  ticket->reset();
  const v1::Job job = Create();
  board_->Tick();
  EXPECT_FALSE(asked);
  EXPECT_EQ(Get(job.name()).state(), v1::QUEUED);
}

TEST_F(JobBoardTest, HeartbeatsKeepALeaseAndShowProgressAtOnce) {
  const v1::Job job = Create();
  const LeaseGrant grant = MustLease();
  v1::Progress progress;
  for (int epoch = 1; epoch <= 5; ++epoch) {
    Advance(absl::Seconds(14));
    progress.set_epoch(epoch);
    ASSERT_THAT(board_->Heartbeat(grant.key, &progress), IsOk());
    EXPECT_EQ(Get(job.name()).progress().epoch(), epoch);
  }
  EXPECT_EQ(Get(job.name()).attempt(), 1);
}

TEST_F(JobBoardTest, ProgressReachesTheDiskAtMostEveryTwoSeconds) {
  const JobName name = JobName::Parse(Create().name()).value();
  const LeaseGrant grant = MustLease();
  std::vector<int> stored;
  v1::Progress progress;
  for (int epoch = 1; epoch <= 8; ++epoch) {
    progress.set_epoch(epoch);
    ASSERT_THAT(board_->Heartbeat(grant.key, &progress), IsOk());
    Advance(absl::Milliseconds(500));
    stored.push_back(registry_->GetJob(name)->progress().epoch());
  }
  EXPECT_THAT(stored, ElementsAre(1, 1, 1, 1, 5, 5, 5, 5));
}

TEST_F(JobBoardTest, ASilentWorkerLosesItsLeaseAndIsRefusedEverything) {
  const v1::Job job = Create();
  const LeaseGrant stale = MustLease();
  now_ += absl::Seconds(15);  // nobody has looked yet: late is late
  EXPECT_THAT(board_->Heartbeat(stale.key, nullptr), HasCode(absl::StatusCode::kAborted));
  board_->Tick();
  EXPECT_EQ(Get(job.name()).state(), v1::QUEUED);
  EXPECT_EQ(Get(job.name()).counted_attempts(), 1);

  const LeaseGrant current = MustLease();
  EXPECT_EQ(current.key.attempt, 2);
  const BlobWriter::Committed artifact = PutBlob(SmallArtifact(SmallDescription(stale.job, stale.dataset)));
  EXPECT_THAT(board_->Heartbeat(stale.key, nullptr), HasCode(absl::StatusCode::kAborted));
  EXPECT_THAT(board_->CheckLease(stale.key), HasCode(absl::StatusCode::kAborted));
  EXPECT_THAT(board_->BlobStored(stale.key, v1::ARTIFACT, artifact), HasCode(absl::StatusCode::kAborted));
  EXPECT_THAT(PutCheckpoint(stale.key, "old"), HasCode(absl::StatusCode::kAborted));
  EXPECT_THAT(board_->Complete(stale.key, artifact.digest), HasCode(absl::StatusCode::kAborted));
  EXPECT_THAT(board_->Fail(stale.key, v1::JobError()), HasCode(absl::StatusCode::kAborted));
  EXPECT_THAT(board_->Release(stale.key), HasCode(absl::StatusCode::kAborted));
  EXPECT_THAT(board_->ListenForOrders(stale.key, [](const auto&) {}), HasCode(absl::StatusCode::kAborted));
  LeaseKey guessed = current.key;
  guessed.token = "guessed";
  EXPECT_THAT(board_->Heartbeat(guessed, nullptr), HasCode(absl::StatusCode::kAborted));
  guessed.token = "";
  EXPECT_THAT(board_->Release(guessed), HasCode(absl::StatusCode::kAborted));
  EXPECT_THAT(board_->Heartbeat(current.key, nullptr), IsOk());
  EXPECT_THAT(published_, IsEmpty());
}

TEST_F(JobBoardTest, ThreeLostAttemptsWithoutACheckpointEndTheJobWithTheReason) {
  const v1::Job job = Create();
  LoseWorker();
  LoseWorker();
  EXPECT_EQ(Get(job.name()).state(), v1::QUEUED);
  LoseWorker();
  const v1::Job ended = Get(job.name());
  EXPECT_EQ(ended.state(), v1::FAILED);
  EXPECT_EQ(ended.counted_attempts(), 3);
  EXPECT_THAT(ended.error().message(), AllOf(HasSubstr("kestrel:1"), HasSubstr("lost"), HasSubstr("3 times")));
  EXPECT_FALSE(TryLease().has_value());
}

TEST_F(JobBoardTest, AnAttemptThatBroughtACheckpointDoesNotCount) {
  const v1::Job job = Create();
  for (int attempt = 1; attempt <= 5; ++attempt) {
    const LeaseGrant grant = MustLease();
    ASSERT_THAT(PutCheckpoint(grant.key, absl::StrCat("after attempt ", attempt)), IsOk());
    Advance(absl::Seconds(15));
  }
  EXPECT_EQ(Get(job.name()).state(), v1::QUEUED);
  EXPECT_EQ(Get(job.name()).counted_attempts(), 0);
  EXPECT_THAT(MustLease().checkpoints,
              ElementsAre(Sha256Hex("after attempt 5"), Sha256Hex("after attempt 4")));  // two, newest first
}

TEST_F(JobBoardTest, ReleasedLeasesNeverCount) {
  const v1::Job job = Create();
  for (int i = 0; i < 5; ++i) ASSERT_THAT(board_->Release(MustLease().key), IsOk());
  EXPECT_EQ(Get(job.name()).state(), v1::QUEUED);
  EXPECT_EQ(Get(job.name()).counted_attempts(), 0);
  EXPECT_EQ(MustLease().key.attempt, 6);
}

TEST_F(JobBoardTest, AWorkerGoesOnUnderItsLeaseWhenTheServerRestarts) {
  const v1::Job job = Create();
  const LeaseGrant grant = MustLease();
  Restart();
  now_ += absl::Seconds(14);
  LeaseKey wrong = grant.key;
  wrong.token = "wrong";
  EXPECT_THAT(board_->Heartbeat(wrong, nullptr), HasCode(absl::StatusCode::kAborted));
  ASSERT_THAT(board_->Heartbeat(grant.key, nullptr), IsOk());
  Advance(absl::Seconds(14));
  EXPECT_EQ(Get(job.name()).state(), v1::RUNNING);
  ASSERT_THAT(board_->Complete(grant.key, PutArtifact(grant).digest), IsOk());
  EXPECT_EQ(Get(job.name()).state(), v1::SUCCEEDED);
}

TEST_F(JobBoardTest, RestartsOfTheServerNeverCount) {
  const v1::Job job = Create();
  for (int i = 0; i < 5; ++i) {
    MustLease();
    Restart();
    Advance(absl::Seconds(14));
    EXPECT_EQ(Get(job.name()).state(), v1::RUNNING);  // one lease period of grace
    Advance(absl::Seconds(1));
    EXPECT_EQ(Get(job.name()).state(), v1::QUEUED);
  }
  EXPECT_EQ(Get(job.name()).counted_attempts(), 0);
}

TEST_F(JobBoardTest, TheQueueSurvivesARestartInItsOrder) {
  const v1::Job first = Create();
  const v1::Job second = Create();
  Restart();
  EXPECT_EQ(MustLease().job.name(), first.name());
  EXPECT_EQ(MustLease().job.name(), second.name());
}

TEST_F(JobBoardTest, AQueuedJobIsCancelledAtOnce) {
  const v1::Job job = Create();
  EXPECT_EQ(Cancel(job.name()).state(), v1::CANCELLED);
  EXPECT_FALSE(TryLease().has_value());
  EXPECT_EQ(Cancel(job.name()).state(), v1::CANCELLED);  // again: as it is
}

TEST_F(JobBoardTest, ARunningJobsWorkerIsToldToCancelWithoutWaitingForAHeartbeat) {
  const v1::Job job = Create();
  const LeaseGrant grant = MustLease();
  std::vector<bool> cancels;
  const auto orders = board_->ListenForOrders(grant.key, [&](const absl::StatusOr<v1::HeartbeatResponse>& told) {
    if (told.ok()) cancels.push_back(told->cancel());
  });
  EXPECT_FALSE(board_->Heartbeat(grant.key, nullptr)->cancel());
  EXPECT_TRUE(Cancel(job.name()).cancel_requested());
  EXPECT_THAT(cancels, ElementsAre(true));
  EXPECT_TRUE(board_->Heartbeat(grant.key, nullptr)->cancel());

  v1::JobError error;
  error.set_message("cancelled");
  EXPECT_EQ(board_->Fail(grant.key, error)->state(), v1::CANCELLED);
  EXPECT_EQ(board_->Fail(grant.key, error)->state(), v1::CANCELLED);  // its answer was lost
}

TEST_F(JobBoardTest, ACancelledJobIsNotPublished) {
  const v1::Job job = Create();
  const LeaseGrant grant = MustLease();
  const BlobWriter::Committed artifact = PutArtifact(grant);
  Cancel(job.name());
  EXPECT_THAT(board_->Complete(grant.key, artifact.digest), HasCode(absl::StatusCode::kCancelled));
  EXPECT_EQ(Get(job.name()).state(), v1::CANCELLED);
  EXPECT_THAT(published_, IsEmpty());
}

TEST_F(JobBoardTest, ACancelledJobWhoseWorkerIsLostEndsAsCancelled) {
  const v1::Job job = Create();
  MustLease();
  Cancel(job.name());
  Advance(absl::Seconds(15));
  EXPECT_EQ(Get(job.name()).state(), v1::CANCELLED);
}

TEST_F(JobBoardTest, AFailedJobSaysWhy) {
  const v1::Job job = Create();
  const LeaseGrant grant = MustLease();
  v1::JobError error;
  error.set_code(static_cast<int>(absl::StatusCode::kFailedPrecondition));
  error.set_message("all weights are zero");
  EXPECT_EQ(board_->Fail(grant.key, error)->state(), v1::FAILED);
  EXPECT_EQ(Get(job.name()).error().message(), "all weights are zero");
  EXPECT_EQ(board_->Fail(grant.key, error)->state(), v1::FAILED);  // its answer was lost
}

TEST_F(JobBoardTest, CompleteAgainReturnsTheSameVersion) {
  Create();
  const LeaseGrant grant = MustLease();
  const BlobWriter::Committed artifact = PutArtifact(grant);
  const std::string name = board_->Complete(grant.key, artifact.digest)->name();
  EXPECT_EQ(board_->Complete(grant.key, artifact.digest)->name(), name);
  Restart();
  EXPECT_EQ(board_->Complete(grant.key, artifact.digest)->name(), name);
  EXPECT_EQ(registry_->GetModel({"planck", "cosmo"})->latest_version(), 1);
}

TEST_F(JobBoardTest, AnArtifactThatIsNotWhatTheJobAskedForIsNotPublished) {
  const v1::Job job = Create();
  const LeaseGrant grant = MustLease();
  const v1::ModelVersion right = SmallDescription(grant.job, grant.dataset);
  const auto expect_refused = [&](const v1::ModelVersion& wrong, const std::string& what) {
    EXPECT_THAT(board_->Complete(grant.key, PutArtifact(grant, wrong).digest),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(what)));
  };
  v1::ModelVersion wrong = right;
  wrong.mutable_training()->set_job("projects/planck/jobs/other");
  expect_refused(wrong, "job");
  wrong = right;
  wrong.mutable_training()->set_dataset_digest(std::string(64, '0'));
  expect_refused(wrong, "dataset digest");
  wrong = right;
  wrong.mutable_training()->set_dataset_revision(7);
  expect_refused(wrong, "dataset revision is 7");
  wrong = right;
  wrong.mutable_signature()->mutable_parameters(0)->set_name("sigma8");
  expect_refused(wrong, "sigma8");
  wrong = right;
  wrong.mutable_spec()->mutable_maf()->set_transforms(1);
  expect_refused(wrong, "spec");
  const BlobWriter::Committed noise = PutBlob("not an artifact");
  EXPECT_THAT(board_->Complete(grant.key, noise.digest), HasCode(absl::StatusCode::kDataLoss));
  EXPECT_THAT(board_->Complete(grant.key, std::string(64, 'a')), HasCode(absl::StatusCode::kDataLoss));
  EXPECT_EQ(Get(job.name()).state(), v1::RUNNING);
  EXPECT_THAT(board_->Complete(grant.key, PutArtifact(grant, right).digest), IsOk());
}

TEST_F(JobBoardTest, AWatcherSeesTheJobNowEveryChangeAndTheEnd) {
  const v1::Job job = Create();
  std::vector<std::string> seen;
  const auto watch = board_->WatchJob(JobName::Parse(job.name()).value(), [&](const absl::StatusOr<v1::Job>& now) {
    seen.push_back(now.ok() ? absl::StrCat(v1::JobState_Name(now->state()), " ", now->progress().epoch())
                            : now.status().ToString());
  });
  const LeaseGrant grant = MustLease();
  v1::Progress progress;
  progress.set_epoch(7);
  board_->Heartbeat(grant.key, &progress).IgnoreError();
  board_->Complete(grant.key, PutArtifact(grant).digest).IgnoreError();
  EXPECT_THAT(seen, ElementsAre("QUEUED 0", "RUNNING 0", "RUNNING 7", HasSubstr("SUCCEEDED 7")));

  seen.clear();  // one who comes late sees the end at once
  const auto late = board_->WatchJob(JobName::Parse(job.name()).value(),
                                     [&](const absl::StatusOr<v1::Job>& now) { seen.push_back(now->model_version()); });
  EXPECT_THAT(seen, ElementsAre("projects/planck/models/cosmo/versions/1"));
}

TEST_F(JobBoardTest, AWatcherThatLeftIsToldNothing) {
  const v1::Job job = Create();
  int told = 0;
  auto watch = board_->WatchJob(JobName::Parse(job.name()).value(), [&](const absl::StatusOr<v1::Job>&) { ++told; });
  ASSERT_THAT(watch, IsOk());
  watch->reset();
  Cancel(job.name());
  EXPECT_EQ(told, 1);
}

TEST_F(JobBoardTest, ADrainAsksWorkersToReleaseAndGivesOutNothing) {
  const v1::Job job = Create();
  const LeaseGrant grant = MustLease();
  Create();
  bool release = false;
  const auto orders = board_->ListenForOrders(
      grant.key, [&](const absl::StatusOr<v1::HeartbeatResponse>& told) { release = told.ok() && told->release(); });
  absl::Status waiting;
  const auto ticket =
      board_->Lease(Describe("a", "nsf"), absl::Seconds(20),
                    [&](const absl::StatusOr<std::optional<LeaseGrant>>& answer) { waiting = answer.status(); });
  board_->Drain();
  EXPECT_TRUE(release);
  EXPECT_THAT(waiting, HasCode(absl::StatusCode::kUnavailable));
  EXPECT_THAT(board_->Lease(Describe("b"), absl::Seconds(1), [](const auto&) {}),
              HasCode(absl::StatusCode::kUnavailable));
  EXPECT_FALSE(board_->AwaitDrained(absl::ZeroDuration()));
  ASSERT_THAT(board_->Release(grant.key), IsOk());
  EXPECT_TRUE(board_->AwaitDrained(absl::ZeroDuration()));
  EXPECT_EQ(Get(job.name()).counted_attempts(), 0);
}

TEST_F(JobBoardTest, ClosingEndsWatchersAndWorkersStreams) {
  const v1::Job job = Create();
  const LeaseGrant grant = MustLease();
  absl::Status watcher, worker;
  const auto watch = board_->WatchJob(JobName::Parse(job.name()).value(),
                                      [&](const absl::StatusOr<v1::Job>& now) { watcher = now.status(); });
  const auto orders = board_->ListenForOrders(
      grant.key, [&](const absl::StatusOr<v1::HeartbeatResponse>& told) { worker = told.status(); });
  board_->CloseSubscriptions();
  EXPECT_THAT(watcher, HasCode(absl::StatusCode::kUnavailable));
  EXPECT_THAT(worker, HasCode(absl::StatusCode::kUnavailable));
}

}  // namespace
}  // namespace creamery
