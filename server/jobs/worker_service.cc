#include "server/jobs/worker_service.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "creamery/v1/worker_service.grpc.pb.h"
#include "proto/support/digest.h"
#include "proto/support/resource_names.h"
#include "proto/support/rows.h"
#include "proto/support/status_macros.h"
#include "server/rpc/client_stream.h"
#include "server/rpc/gated_service.h"
#include "server/rpc/server_stream.h"
#include "server/rpc/state_stream.h"
#include "server/rpc/unary.h"
#include "storage/parts.h"

namespace creamery {
namespace {

constexpr int64_t kChunkBytes = 1 << 20;

LeaseKey KeyOf(const v1::LeaseId& lease) { return {lease.job(), lease.attempt(), lease.token()}; }

absl::StatusOr<absl::Duration> WaitOf(const v1::LeaseRequest& request) {
  if (request.wait_seconds() == 0) return absl::Seconds(20);
  if (!(request.wait_seconds() > 0 && request.wait_seconds() <= 60)) {
    return absl::InvalidArgumentError(absl::StrCat("wait_seconds is ", request.wait_seconds(), ", expected 0 to 60"));
  }
  return absl::Seconds(request.wait_seconds());
}

// One Lease call that waits: answered once, by the board or because the worker left.
class LeaseCall {
 public:
  explicit LeaseCall(v1::LeaseResponse* response, absl::Duration lease) : response_(response), lease_(lease) {}

  void Start(JobBoard& board, const v1::LeaseRequest& request, const Call& call, UnaryDone done,
             const std::shared_ptr<LeaseCall>& self) {
    done_ = std::move(done);
    const absl::StatusOr<absl::Duration> wait = WaitOf(request);
    if (!wait.ok()) return Done(wait.status());
    // The listener keeps the call alive; the call keeps the ticket. Done breaks the circle.
    absl::StatusOr<std::unique_ptr<Subscription>> ticket =
        board.Lease(request.worker(), *wait,
                    [self](const absl::StatusOr<std::optional<LeaseGrant>>& answer) { self->Answer(answer); });
    if (!ticket.ok()) return Done(ticket.status());
    {
      MutexLock lock(&mu_);
      if (!answered_) ticket_ = *std::move(ticket);
    }
    if (call.stop.stop_requested()) Cancel();
  }

  // The worker has left: nobody may be given a job here.
  void Cancel() {
    std::unique_ptr<Subscription> ticket;
    {
      MutexLock lock(&mu_);
      if (ticket_ == nullptr) return;  // not started, or answered
      ticket = std::move(ticket_);
    }
    ticket.reset();  // after this the board does not answer any more
    Done(absl::CancelledError("the worker left while it waited for a job"));
  }

 private:
  void Answer(const absl::StatusOr<std::optional<LeaseGrant>>& answer) {
    if (answer.ok() && answer->has_value()) Fill(**answer);
    Done(answer.status());
  }
  void Fill(const LeaseGrant& grant) {
    response_->mutable_lease()->set_job(grant.key.job);
    response_->mutable_lease()->set_attempt(grant.key.attempt);
    response_->mutable_lease()->set_token(grant.key.token);
    *response_->mutable_job() = grant.job;
    *response_->mutable_dataset() = grant.dataset;
    for (const std::string& digest : grant.checkpoints) response_->add_checkpoints(digest);
    response_->set_lease_seconds(absl::ToDoubleSeconds(lease_));
  }
  void Done(const absl::Status& status) {
    UnaryDone done;
    {
      MutexLock lock(&mu_);
      if (answered_) return;
      answered_ = true;
      done = done_;
    }
    done(status);
  }

  v1::LeaseResponse* const response_;
  const absl::Duration lease_;
  UnaryDone done_;
  Mutex mu_;
  bool answered_ ABSL_GUARDED_BY(mu_) = false;
  std::unique_ptr<Subscription> ticket_ ABSL_GUARDED_BY(mu_);
};

// A blob on its way in.
class BlobUpload final : public StreamConsumer<v1::PutBlobRequest, v1::PutBlobResponse> {
 public:
  BlobUpload(JobBoard& board, BlobStore& blobs) : board_(board), blobs_(blobs) {}

  absl::Status Consume(const v1::PutBlobRequest& request) override {
    if (writer_ == nullptr) ABSL_RETURN_IF_ERROR(Begin(request));
    return writer_->Append(request.chunk());
  }
  absl::Status Finish(v1::PutBlobResponse* response) override {
    if (writer_ == nullptr) return absl::InvalidArgumentError("PutBlob had no message, expected at least one");
    ABSL_ASSIGN_OR_RETURN(const BlobWriter::Committed blob, writer_->Commit(digest_));
    ABSL_RETURN_IF_ERROR(board_.BlobStored(lease_, purpose_, blob));
    response->set_digest(blob.digest);
    return absl::OkStatus();
  }

 private:
  absl::Status Begin(const v1::PutBlobRequest& request) {
    lease_ = KeyOf(request.lease());
    ABSL_RETURN_IF_ERROR(board_.CheckLease(lease_).status());
    purpose_ = request.purpose();
    if (purpose_ != v1::CHECKPOINT && purpose_ != v1::ARTIFACT) {
      return absl::InvalidArgumentError("purpose is not given, expected CHECKPOINT or ARTIFACT");
    }
    digest_ = request.digest();
    if (!IsSha256Hex(digest_)) {
      return absl::InvalidArgumentError(
          absl::StrCat("digest is '", digest_, "', expected 64 lower-case hexadecimal characters"));
    }
    ABSL_ASSIGN_OR_RETURN(writer_, blobs_.NewBlob());
    return absl::OkStatus();
  }

  JobBoard& board_;
  BlobStore& blobs_;
  LeaseKey lease_;
  v1::BlobPurpose purpose_ = v1::BLOB_PURPOSE_UNSPECIFIED;
  std::string digest_;
  std::unique_ptr<BlobWriter> writer_;
};

class WorkerService final : public GatedService<v1::WorkerService> {
 public:
  WorkerService(const RpcRuntime& rpc, JobBoard& board, Registry& registry)
      : GatedService(rpc, Role::kWorker), rpc_(rpc), board_(board), registry_(registry) {
    GateMethods(&WorkerService::Lease, &WorkerService::Heartbeat, &WorkerService::ReadDataset, &WorkerService::PutBlob,
                &WorkerService::GetBlob, &WorkerService::Complete, &WorkerService::Fail, &WorkerService::Release);
  }

  grpc::ServerUnaryReactor* Lease(grpc::CallbackServerContext* context, const v1::LeaseRequest* request,
                                  v1::LeaseResponse* response) override {
    const auto waiting = std::make_shared<LeaseCall>(response, board_.lease_duration());
    return HandleUnaryLater(
        rpc_, context, *request, Role::kWorker,
        [this, request, waiting](const Call& call, UnaryDone done) {
          waiting->Start(board_, *request, call, std::move(done), waiting);
        },
        [waiting] { waiting->Cancel(); });
  }

  grpc::ServerBidiReactor<v1::HeartbeatRequest, v1::HeartbeatResponse>* Heartbeat(
      grpc::CallbackServerContext* context) override {
    using Stream = std::shared_ptr<StateStream<v1::HeartbeatResponse>>;
    return HandleConversation<v1::HeartbeatRequest, v1::HeartbeatResponse>(
        rpc_, context, Role::kWorker,
        [this, listening = std::make_shared<bool>(false)](const Call&, const v1::HeartbeatRequest& request,
                                                          const Stream& stream) -> absl::Status {
          const LeaseKey lease = KeyOf(request.lease());
          if (!*listening) {
            const auto tell = [weak = std::weak_ptr(stream)](const absl::StatusOr<v1::HeartbeatResponse>& orders) {
              const Stream stream = weak.lock();
              if (stream == nullptr) return;
              orders.ok() ? static_cast<void>(stream->Send(*orders)) : stream->End(orders.status());
            };
            ABSL_ASSIGN_OR_RETURN(std::unique_ptr<Subscription> orders, board_.ListenForOrders(lease, tell));
            stream->KeepUntilDone(std::shared_ptr<Subscription>(std::move(orders)));
            *listening = true;
          }
          ABSL_ASSIGN_OR_RETURN(const v1::HeartbeatResponse orders,
                                board_.Heartbeat(lease, request.has_progress() ? &request.progress() : nullptr));
          stream->Send(orders);
          return absl::OkStatus();
        });
  }

  grpc::ServerWriteReactor<v1::ReadDatasetResponse>* ReadDataset(grpc::CallbackServerContext* context,
                                                                 const v1::ReadDatasetRequest* request) override {
    using Reply = v1::ReadDatasetResponse;
    return HandleServerStream<Reply>(
        rpc_, context, *request, Role::kWorker, Work::Disk(),
        [this, request](const Call&) -> absl::StatusOr<Producer<Reply>> {
          ABSL_ASSIGN_OR_RETURN(const v1::Job job, board_.CheckLease(KeyOf(request->lease())));
          ABSL_ASSIGN_OR_RETURN(const DatasetName name, DatasetName::Parse(job.training().dataset()));
          std::vector<DatasetPart> parts;
          ABSL_ASSIGN_OR_RETURN(const v1::Dataset schema,
                                registry_.GetDatasetRevision(name, job.training().dataset_revision(), &parts));
          ABSL_ASSIGN_OR_RETURN(std::shared_ptr<PartsReader> reader,
                                PartsReader::Open(registry_.blobs(), schema, parts));
          const int64_t first = request->first_row();
          if (first < 0 || first > reader->num_rows()) {
            return absl::InvalidArgumentError(
                absl::StrCat("first_row is ", first, ", expected 0 to ", reader->num_rows()));
          }
          const int64_t rows = std::max<int64_t>(1, kChunkBytes / (8 * (schema.parameters_size() + 4)));
          return Producer<Reply>([reader, schema, rows, next = first](Reply* reply) mutable -> absl::StatusOr<bool> {
            if (next >= reader->num_rows()) return false;
            const int64_t end = std::min(next + rows, reader->num_rows());
            ABSL_ASSIGN_OR_RETURN(const RowBlock block, reader->Read(next, end));
            *reply->mutable_rows() = MakeRows(schema, block, 0, block.num_rows);
            next = end;
            return true;
          });
        });
  }

  grpc::ServerReadReactor<v1::PutBlobRequest>* PutBlob(grpc::CallbackServerContext* context,
                                                       v1::PutBlobResponse* response) override {
    return HandleClientStream<v1::PutBlobRequest, v1::PutBlobResponse>(
        rpc_, context, response, Role::kWorker,
        [this](const Call&) { return std::make_unique<BlobUpload>(board_, registry_.blobs()); });
  }

  grpc::ServerWriteReactor<v1::GetBlobResponse>* GetBlob(grpc::CallbackServerContext* context,
                                                         const v1::GetBlobRequest* request) override {
    using Reply = v1::GetBlobResponse;
    return HandleServerStream<Reply>(
        rpc_, context, *request, Role::kWorker, Work::Disk(),
        [this, request](const Call&) -> absl::StatusOr<Producer<Reply>> {
          ABSL_ASSIGN_OR_RETURN(const v1::Job job, board_.CheckLease(KeyOf(request->lease())));
          ABSL_ASSIGN_OR_RETURN(const JobName name, JobName::Parse(job.name()));
          ABSL_ASSIGN_OR_RETURN(const std::vector<std::string> own, registry_.Checkpoints(name));
          if (std::find(own.begin(), own.end(), request->digest()) == own.end()) {
            return absl::NotFoundError(
                absl::StrCat("blob '", request->digest(), "' is not one of the checkpoints of ", job.name()));
          }
          ABSL_ASSIGN_OR_RETURN(std::shared_ptr<BlobReader> reader, registry_.blobs().OpenBlob(request->digest()));
          return Producer<Reply>([reader, next = int64_t{0}](Reply* reply) mutable -> absl::StatusOr<bool> {
            if (next >= reader->size()) return false;
            const int64_t length = std::min(kChunkBytes, reader->size() - next);
            ABSL_ASSIGN_OR_RETURN(*reply->mutable_chunk(), reader->Read(next, length));
            next += length;
            return true;
          });
        });
  }

  grpc::ServerUnaryReactor* Complete(grpc::CallbackServerContext* context, const v1::CompleteRequest* request,
                                     v1::CompleteResponse* response) override {
    return HandleUnary(rpc_, context, *request, Role::kWorker, Work::Disk(),
                       [this, request, response](const Call&) -> absl::Status {
                         ABSL_ASSIGN_OR_RETURN(*response->mutable_version(),
                                               board_.Complete(KeyOf(request->lease()), request->artifact_digest()));
                         return absl::OkStatus();
                       });
  }

  grpc::ServerUnaryReactor* Fail(grpc::CallbackServerContext* context, const v1::FailRequest* request,
                                 v1::FailResponse* response) override {
    return HandleUnary(
        rpc_, context, *request, Role::kWorker, Work::Disk(), [this, request, response](const Call&) -> absl::Status {
          ABSL_ASSIGN_OR_RETURN(*response->mutable_job(), board_.Fail(KeyOf(request->lease()), request->error()));
          return absl::OkStatus();
        });
  }

  grpc::ServerUnaryReactor* Release(grpc::CallbackServerContext* context, const v1::ReleaseRequest* request,
                                    v1::ReleaseResponse* response) override {
    return HandleUnary(rpc_, context, *request, Role::kWorker, Work::Disk(),
                       [this, request, response](const Call&) -> absl::Status {
                         ABSL_ASSIGN_OR_RETURN(*response->mutable_job(), board_.Release(KeyOf(request->lease())));
                         return absl::OkStatus();
                       });
  }

 private:
  const RpcRuntime rpc_;
  JobBoard& board_;
  Registry& registry_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeWorkerService(const RpcRuntime& rpc, JobBoard& board, Registry& registry) {
  return std::make_unique<WorkerService>(rpc, board, registry);
}

}  // namespace creamery
