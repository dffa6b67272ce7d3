#include "server/worker/server_link.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/digest.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr size_t kChunkBytes = 1 << 20;
// How long a call that does not move bulk may take before the server counts as gone.
constexpr absl::Duration kPatience = absl::Seconds(60);

template <typename T>
void Append(std::vector<T>& to, const std::vector<T>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

void Append(RowBlock& rows, const RowBlock& more) {
  rows.num_rows += more.num_rows;
  Append(rows.theta, more.theta);
  Append(rows.weight, more.weight);
  Append(rows.chain, more.chain);
  Append(rows.log_likelihood, more.log_likelihood);
  Append(rows.log_likelihood_birth, more.log_likelihood_birth);
}

}  // namespace

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

void CallGroup::Cancel() {
  MutexLock lock(&mu_);
  cancelled_ = true;
  for (grpc::ClientContext* context : running_) context->TryCancel();
}

bool CallGroup::cancelled() {
  MutexLock lock(&mu_);
  return cancelled_;
}

void CallGroup::Enter(grpc::ClientContext* context) {
  MutexLock lock(&mu_);
  running_.insert(context);
  if (cancelled_) context->TryCancel();
}

void CallGroup::Leave(grpc::ClientContext* context) {
  MutexLock lock(&mu_);
  running_.erase(context);
}

absl::StatusOr<std::unique_ptr<ServerLink>> ServerLink::Connect(const std::string& address, const std::string& token,
                                                                const std::string& tls_ca) {
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (!tls_ca.empty()) {
    std::ifstream file(tls_ca);
    std::stringstream pem;
    if (!(pem << file.rdbuf())) return absl::NotFoundError(absl::StrCat("--tls-ca: cannot read ", tls_ca));
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = pem.str();
    credentials = grpc::SslCredentials(options);
  }
  grpc::ChannelArguments arguments;
  // A server that restarts gives us one lease to come back: look for it often.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  // Notices a dead network long before TCP does.
  if (!absl::StartsWith(address, "unix:")) arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 20000);
  arguments.SetMaxReceiveMessageSize(64 << 20);
  return std::make_unique<ServerLink>(grpc::CreateCustomChannel(address, credentials, arguments), token);
}

ServerLink::ServerLink(const std::shared_ptr<grpc::Channel>& channel, const std::string& token)
    : authorization_("Bearer " + token), stub_(v1::WorkerService::NewStub(channel)) {}

void ServerLink::Authorize(grpc::ClientContext* context) const {
  context->AddMetadata("authorization", authorization_);
}

absl::Status ServerLink::Run(CallGroup& group, absl::Duration patience,
                             const std::function<grpc::Status(grpc::ClientContext*)>& call) {
  grpc::ClientContext context;
  Authorize(&context);
  if (patience != absl::InfiniteDuration()) context.set_deadline(absl::ToChronoTime(absl::Now() + patience));
  group.Enter(&context);
  const grpc::Status status = call(&context);
  group.Leave(&context);
  return FromGrpcStatus(status);
}

absl::StatusOr<v1::LeaseResponse> ServerLink::Lease(const v1::WorkerDescription& worker, absl::Duration wait,
                                                    CallGroup& group) {
  v1::LeaseRequest request;
  *request.mutable_worker() = worker;
  request.set_wait_seconds(absl::ToDoubleSeconds(wait));
  v1::LeaseResponse response;
  ABSL_RETURN_IF_ERROR(Run(group, wait + absl::Seconds(20),
                           [&](grpc::ClientContext* context) { return stub_->Lease(context, request, &response); }));
  return response;
}

absl::Status ServerLink::ReadDataset(const v1::LeaseId& lease, const v1::Dataset& schema, RowBlock* rows,
                                     CallGroup& group) {
  v1::ReadDatasetRequest request;
  *request.mutable_lease() = lease;
  request.set_first_row(rows->num_rows);
  absl::Status parsed;
  const absl::Status status = Run(group, absl::InfiniteDuration(), [&](grpc::ClientContext* context) {
    const auto reader = stub_->ReadDataset(context, request);
    v1::ReadDatasetResponse response;
    while (parsed.ok() && reader->Read(&response)) {
      absl::StatusOr<RowBlock> block = ParseRows(schema, response.rows(), rows->num_rows);
      parsed = block.status();
      if (block.ok()) Append(*rows, *block);
    }
    if (!parsed.ok()) context->TryCancel();
    return reader->Finish();
  });
  return parsed.ok() ? status : parsed;
}

absl::StatusOr<std::string> ServerLink::GetBlob(const v1::LeaseId& lease, const std::string& digest, CallGroup& group) {
  v1::GetBlobRequest request;
  *request.mutable_lease() = lease;
  request.set_digest(digest);
  std::string bytes;
  ABSL_RETURN_IF_ERROR(Run(group, absl::InfiniteDuration(), [&](grpc::ClientContext* context) {
    const auto reader = stub_->GetBlob(context, request);
    v1::GetBlobResponse response;
    while (reader->Read(&response)) bytes += response.chunk();
    return reader->Finish();
  }));
  if (Sha256Hex(bytes) != digest) return absl::DataLossError(absl::StrCat("blob ", digest, " arrived damaged"));
  return bytes;
}

absl::Status ServerLink::PutBlob(const v1::LeaseId& lease, v1::BlobPurpose purpose, const std::string& digest,
                                 const std::string& bytes, CallGroup& group) {
  return Run(group, absl::InfiniteDuration(), [&](grpc::ClientContext* context) {
    v1::PutBlobResponse response;
    const auto writer = stub_->PutBlob(context, &response);
    v1::PutBlobRequest request;
    *request.mutable_lease() = lease;
    request.set_purpose(purpose);
    request.set_digest(digest);
    bool going = true;
    for (size_t begin = 0; going && begin < bytes.size(); begin += kChunkBytes) {
      request.set_chunk(bytes.substr(begin, kChunkBytes));
      going = writer->Write(request);
      request.Clear();
    }
    writer->WritesDone();
    return writer->Finish();
  });
}

absl::StatusOr<v1::ModelVersion> ServerLink::Complete(const v1::LeaseId& lease, const std::string& digest) {
  v1::CompleteRequest request;
  *request.mutable_lease() = lease;
  request.set_artifact_digest(digest);
  v1::CompleteResponse response;
  CallGroup alone;
  ABSL_RETURN_IF_ERROR(Run(alone, kPatience,
                           [&](grpc::ClientContext* context) { return stub_->Complete(context, request, &response); }));
  return response.version();
}

absl::Status ServerLink::Fail(const v1::LeaseId& lease, const absl::Status& error) {
  v1::FailRequest request;
  *request.mutable_lease() = lease;
  request.mutable_error()->set_code(static_cast<int>(error.code()));
  request.mutable_error()->set_message(std::string(error.message()));
  v1::FailResponse response;
  CallGroup alone;
  return Run(alone, kPatience, [&](grpc::ClientContext* context) { return stub_->Fail(context, request, &response); });
}

absl::Status ServerLink::Release(const v1::LeaseId& lease) {
  v1::ReleaseRequest request;
  *request.mutable_lease() = lease;
  v1::ReleaseResponse response;
  CallGroup alone;
  return Run(alone, kPatience,
             [&](grpc::ClientContext* context) { return stub_->Release(context, request, &response); });
}

}  // namespace creamery
