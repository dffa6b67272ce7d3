// Statistics jobs on the board: who may have them, and what a restart of the server means for them.
#include <optional>
#include <string>

#include "server/jobs/job_board.h"
#include "server/jobs/match_queue.h"
#include "tests/status_matchers.h"
#include "tests/storage/registry_fixture.h"

namespace creamery {
namespace {

using ::testing::HasSubstr;

class StatisticsBoardTest : public RegistryFixture {
 protected:
  void SetUp() override {
    RegistryFixture::SetUp();
    StartBoard();
  }
  void StartBoard() {
    JobBoard::Options options;
    options.clock = [this] { return now_; };
    options.run_thread = false;
    options.intake.pin_statistics = [](v1::StatisticsJob*, std::vector<VersionName>*) { return absl::OkStatus(); };
    ASSERT_OK_AND_ASSIGN(board_, JobBoard::Create(*registry_, options));
  }
  // As a server that is killed and started again.
  void Restart() {
    board_.reset();
    Reopen();
    StartBoard();
  }
  std::string Ask() {
    v1::Job job;
    job.mutable_statistics()->mutable_marginal_kl()->set_model("projects/planck/models/cosmo/versions/1");
    return board_->CreateJob({"ada", "", "", now_}, {"planck"}, job).value().name();
  }
  std::optional<LeaseGrant> LeaseStatistics() {
    std::optional<LeaseGrant> grant;
    const auto ticket = board_->LeaseStatistics(
        "thread", absl::ZeroDuration(),
        [&grant](const absl::StatusOr<std::optional<LeaseGrant>>& answer) { grant = answer.value(); });
    EXPECT_THAT(ticket, IsOk());
    board_->Tick();
    return grant;
  }
  v1::Job Get(const std::string& name) { return board_->GetJob(JobName::Parse(name).value()).value(); }

  absl::Time now_ = absl::FromUnixSeconds(1700000000);
  std::unique_ptr<JobBoard> board_;
};

TEST_F(StatisticsBoardTest, AWorkerIsNeverOfferedAStatisticsJobWhateverItSaysOfItself) {
  const std::string name = Ask();
  v1::WorkerDescription worker;
  worker.set_name("kestrel:1");
  for (const char* family : {"", "statistics", "maf"}) worker.add_families(family);
  std::optional<LeaseGrant> grant;
  const auto ticket =
      board_->Lease(worker, absl::ZeroDuration(),
                    [&grant](const absl::StatusOr<std::optional<LeaseGrant>>& answer) { grant = answer.value(); });
  board_->Tick();
  EXPECT_FALSE(grant.has_value());
  grant = LeaseStatistics();
  ASSERT_TRUE(grant.has_value());
  EXPECT_EQ(grant->job.name(), name);
  EXPECT_EQ(grant->job.worker(), "thread");
}

TEST_F(StatisticsBoardTest, AJobThatTakesTheServerDownWithItDoesSoThreeTimesAndNotForEver) {
  const std::string name = Ask();
  for (int attempt = 1; attempt <= 3; ++attempt) {
    ASSERT_TRUE(LeaseStatistics().has_value());
    Restart();
    EXPECT_EQ(Get(name).counted_attempts(), attempt);
    // It waits again at once: nobody could come back for it.
    EXPECT_EQ(Get(name).state(), attempt < 3 ? v1::QUEUED : v1::FAILED);
  }
  EXPECT_THAT(Get(name).error().message(), HasSubstr("3 times"));
}

TEST_F(StatisticsBoardTest, ACancelledJobThatWasRunningIsCancelledByTheRestart) {
  const std::string name = Ask();
  ASSERT_TRUE(LeaseStatistics().has_value());
  ASSERT_THAT(board_->CancelJob({"ada", "", "", now_}, JobName::Parse(name).value()), IsOk());
  Restart();
  EXPECT_EQ(Get(name).state(), v1::CANCELLED);
}

TEST_F(StatisticsBoardTest, AnAnswerUnderALostLeaseIsAborted) {
  const std::string name = Ask();
  const LeaseGrant grant = LeaseStatistics().value();
  now_ += absl::Seconds(16);
  board_->Tick();
  EXPECT_EQ(Get(name).state(), v1::QUEUED);
  EXPECT_THAT(board_->CompleteStatistics(grant.key, v1::StatisticsResult(), ""), HasCode(absl::StatusCode::kAborted));
}

TEST_F(StatisticsBoardTest, AnArrayIsCancelledWithWhatRuns) {
  google::protobuf::RepeatedPtrField<v1::Job> jobs;
  for (int i = 0; i < 3; ++i) {
    jobs.Add()->mutable_statistics()->mutable_marginal_kl()->set_model("projects/planck/models/cosmo/versions/1");
  }
  ASSERT_OK_AND_ASSIGN(const v1::JobArray array, board_->CreateJobArray({"ada", "", "", now_}, {"planck"}, jobs));
  const LeaseGrant grant = LeaseStatistics().value();
  EXPECT_EQ(grant.job.name(), array.jobs(0).name());
  bool told = false;
  const auto listening = board_->ListenForOrders(
      grant.key, [&told](const absl::StatusOr<v1::HeartbeatResponse>& orders) { told = orders->cancel(); });
  ASSERT_OK_AND_ASSIGN(const auto cancelled, board_->CancelJobArray({"ada", "", "", now_}, {"planck"}, array.array()));
  EXPECT_TRUE(told);
  EXPECT_EQ(cancelled[0].state(), v1::RUNNING);
  EXPECT_EQ(cancelled[1].state(), v1::CANCELLED);
  EXPECT_FALSE(LeaseStatistics().has_value());
}

}  // namespace
}  // namespace creamery
