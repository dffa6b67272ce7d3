#include "server/jobs/worker_service.h"

#include <grpcpp/grpcpp.h>

#include <string>

#include "creamery/v1/job_service.grpc.pb.h"
#include "creamery/v1/worker_service.grpc.pb.h"
#include "proto/support/digest.h"
#include "server/jobs/job_service.h"
#include "server/rpc/intake.h"
#include "storage/parts.h"
#include "tests/server/jobs/small_artifact.h"
#include "tests/storage/registry_fixture.h"

namespace creamery {
namespace {

// JobService and WorkerService on an in-process channel, over a real registry with a dataset of 3 rows.
class WorkerServiceTest : public RegistryFixture {
 protected:
  WorkerServiceTest() : disk_("disk", 2, 100) {}

  void SetUp() override {
    RegistryFixture::SetUp();
    ASSERT_THAT(registry_->CreateDataset(ada_, {"planck", "chain"}, Schema()), IsOk());
    ASSERT_OK_AND_ASSIGN(const auto writer, PartWriter::Create(registry_->blobs(), Schema(), 3));
    RowBlock rows;
    rows.num_rows = 3;
    rows.theta = {.1, .2, .3};
    ASSERT_THAT(writer->Append(MakeRows(Schema(), rows, 0, 3)), IsOk());
    ASSERT_OK_AND_ASSIGN(const auto part, writer->Commit());
    ASSERT_THAT(registry_->AppendPart(ada_, {"planck", "chain"}, {part.digest, 3}, -1), IsOk());

    auth_.AddToken("a-token-of-a-person", "ada", Role::kClient);
    auth_.AddToken("a-token-of-a-worker", "kestrel", Role::kWorker);
    ASSERT_OK_AND_ASSIGN(board_, JobBoard::Create(*registry_, JobBoard::Options()));
    RpcRuntime rpc{&auth_, &disk_, &disk_};
    rpc.intake = &intake_;
    jobs_service_ = MakeJobService(rpc, *board_, *registry_);
    worker_service_ = MakeWorkerService(rpc, *board_, *registry_);
    grpc::ServerBuilder builder;
    builder.RegisterService(jobs_service_.get());
    builder.RegisterService(worker_service_.get());
    server_ = builder.BuildAndStart();
    jobs_ = v1::JobService::NewStub(server_->InProcessChannel({}));
    workers_ = v1::WorkerService::NewStub(server_->InProcessChannel({}));
  }
  void TearDown() override {
    board_->CloseSubscriptions();
    server_->Shutdown();
  }

  static std::unique_ptr<grpc::ClientContext> As(const std::string& who) {
    auto context = std::make_unique<grpc::ClientContext>();
    context->AddMetadata("authorization", "Bearer a-token-of-a-" + who);
    context->set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(30)));
    return context;
  }
  std::string CreateJob() {
    v1::CreateJobRequest request;
    request.set_parent("projects/planck");
    request.mutable_job()->mutable_training()->set_model("projects/planck/models/cosmo");
    request.mutable_job()->mutable_training()->set_dataset("projects/planck/datasets/chain");
    request.mutable_job()->mutable_training()->mutable_spec()->mutable_maf();
    v1::Job job;
    EXPECT_TRUE(jobs_->CreateJob(&*As("person"), request, &job).ok());
    return job.name();
  }
  static v1::LeaseRequest LeaseRequest() {
    v1::LeaseRequest request;
    request.mutable_worker()->set_name("kestrel:1");
    request.mutable_worker()->add_families("maf");
    request.set_wait_seconds(10);
    return request;
  }
  v1::LeaseResponse Lease() {
    CreateJob();
    v1::LeaseResponse response;
    EXPECT_TRUE(workers_->Lease(&*As("worker"), LeaseRequest(), &response).ok());
    EXPECT_TRUE(response.has_lease());
    return response;
  }
  grpc::Status Put(const v1::LeaseId& lease, v1::BlobPurpose purpose, const std::string& bytes,
                   const std::string& digest) {
    const auto context = As("worker");
    v1::PutBlobResponse response;
    const auto writer = workers_->PutBlob(&*context, &response);
    v1::PutBlobRequest request;
    *request.mutable_lease() = lease;
    request.set_purpose(purpose);
    request.set_digest(digest);
    request.set_chunk(bytes);
    writer->Write(request);
    writer->WritesDone();
    return writer->Finish();
  }
  grpc::Status GetBlob(const v1::LeaseId& lease, const std::string& digest, std::string* bytes) {
    const auto context = As("worker");
    v1::GetBlobRequest request;
    *request.mutable_lease() = lease;
    request.set_digest(digest);
    const auto reader = workers_->GetBlob(&*context, request);
    v1::GetBlobResponse response;
    while (reader->Read(&response)) *bytes += response.chunk();
    return reader->Finish();
  }

  Authenticator auth_;
  Intake intake_{Intake::Options{}};
  std::unique_ptr<JobBoard> board_;
  ComputePool disk_;
  std::unique_ptr<grpc::Service> jobs_service_, worker_service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::JobService::Stub> jobs_;
  std::unique_ptr<v1::WorkerService::Stub> workers_;
};

TEST_F(WorkerServiceTest, APersonsTokenDoesNotOpenIt) {
  v1::LeaseResponse response;
  EXPECT_EQ(workers_->Lease(&*As("person"), LeaseRequest(), &response).error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(WorkerServiceTest, AJobGoesFromLeaseToVersionAndItsWatcherSeesTheEnd) {
  const v1::LeaseResponse lease = Lease();
  v1::ReadDatasetRequest read;
  *read.mutable_lease() = lease.lease();
  read.set_first_row(1);
  const auto read_context = As("worker");
  const auto reader = workers_->ReadDataset(&*read_context, read);
  v1::ReadDatasetResponse rows;
  ASSERT_TRUE(reader->Read(&rows));
  ASSERT_OK_AND_ASSIGN(const RowBlock block, ParseRows(lease.dataset(), rows.rows(), 1));
  EXPECT_THAT(block.theta, ::testing::ElementsAre(.2, .3));
  EXPECT_FALSE(reader->Read(&rows));
  EXPECT_TRUE(reader->Finish().ok());

  const std::string artifact = SmallArtifact(SmallDescription(lease.job(), lease.dataset()));
  ASSERT_TRUE(Put(lease.lease(), v1::ARTIFACT, artifact, Sha256Hex(artifact)).ok());
  v1::CompleteRequest complete;
  *complete.mutable_lease() = lease.lease();
  complete.set_artifact_digest(Sha256Hex(artifact));
  v1::CompleteResponse completed;
  const grpc::Status status = workers_->Complete(&*As("worker"), complete, &completed);
  ASSERT_TRUE(status.ok()) << status.error_message();

  const auto watch_context = As("person");
  v1::WatchJobRequest watch;
  watch.set_name(lease.job().name());
  const auto watcher = jobs_->WatchJob(&*watch_context, watch);
  v1::Job job;
  ASSERT_TRUE(watcher->Read(&job));
  EXPECT_EQ(job.model_version(), completed.version().name());
  EXPECT_FALSE(watcher->Read(&job));
  EXPECT_TRUE(watcher->Finish().ok());
}

TEST_F(WorkerServiceTest, ABlobWithAnotherDigestIsRefused) {
  const v1::LeaseResponse lease = Lease();
  const grpc::Status status = Put(lease.lease(), v1::CHECKPOINT, "state", Sha256Hex("another state"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DATA_LOSS) << status.error_message();
  EXPECT_EQ(Put(lease.lease(), v1::CHECKPOINT, "state", "short").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Put(lease.lease(), v1::BLOB_PURPOSE_UNSPECIFIED, "state", Sha256Hex("state")).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(WorkerServiceTest, OnlyTheJobsOwnCheckpointsCanBeRead) {
  const v1::LeaseResponse lease = Lease();
  ASSERT_TRUE(Put(lease.lease(), v1::CHECKPOINT, "state", Sha256Hex("state")).ok());
  std::string bytes;
  EXPECT_TRUE(GetBlob(lease.lease(), Sha256Hex("state"), &bytes).ok());
  EXPECT_EQ(bytes, "state");
  const std::string secret = PutBlob("of somebody else").digest;
  EXPECT_EQ(GetBlob(lease.lease(), secret, &bytes).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(WorkerServiceTest, ACancelIsPushedOnTheHeartbeatsStream) {
  const v1::LeaseResponse lease = Lease();
  const auto context = As("worker");
  const auto stream = workers_->Heartbeat(&*context);
  v1::HeartbeatRequest beat;
  *beat.mutable_lease() = lease.lease();
  ASSERT_TRUE(stream->Write(beat));
  v1::HeartbeatResponse orders;
  ASSERT_TRUE(stream->Read(&orders));
  EXPECT_FALSE(orders.cancel());
  v1::CancelJobRequest cancel;
  cancel.set_name(lease.job().name());
  v1::Job job;
  ASSERT_TRUE(jobs_->CancelJob(&*As("person"), cancel, &job).ok());
  ASSERT_TRUE(stream->Read(&orders));  // without another heartbeat
  EXPECT_TRUE(orders.cancel());
}

TEST_F(WorkerServiceTest, AStaleLeaseIsAbortedInEveryCall) {
  v1::LeaseId stale = Lease().lease();
  stale.set_attempt(7);
  std::string bytes;
  EXPECT_EQ(GetBlob(stale, Sha256Hex("x"), &bytes).error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(Put(stale, v1::CHECKPOINT, "x", Sha256Hex("x")).error_code(), grpc::StatusCode::ABORTED);
  v1::ReleaseRequest release;
  *release.mutable_lease() = stale;
  v1::ReleaseResponse released;
  EXPECT_EQ(workers_->Release(&*As("worker"), release, &released).error_code(), grpc::StatusCode::ABORTED);
  const auto context = As("worker");
  const auto stream = workers_->Heartbeat(&*context);
  v1::HeartbeatRequest beat;
  *beat.mutable_lease() = stale;
  stream->Write(beat);
  v1::HeartbeatResponse orders;
  EXPECT_FALSE(stream->Read(&orders));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::ABORTED);
}

TEST_F(WorkerServiceTest, AWorkerThatLeavesWhileItWaitsGetsNoJob) {
  {
    auto context = As("worker");
    context->set_deadline(absl::ToChronoTime(absl::Now() + absl::Milliseconds(200)));
    v1::LeaseResponse response;
    EXPECT_EQ(workers_->Lease(&*context, LeaseRequest(), &response).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  }
  absl::SleepFor(absl::Milliseconds(300));
  const std::string name = CreateJob();
  absl::SleepFor(absl::Milliseconds(300));  // three rounds of the board
  v1::GetJobRequest request;
  request.set_name(name);
  v1::Job job;
  ASSERT_TRUE(jobs_->GetJob(&*As("person"), request, &job).ok());
  EXPECT_EQ(job.state(), v1::QUEUED);
}

}  // namespace
}  // namespace creamery
