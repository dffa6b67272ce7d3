#include "client/cpp/connection.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "client/cpp/client.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

// Methods that change nothing, or that a request id makes safe to repeat. gRPC repeats them by itself, and only when
// the answer is UNAVAILABLE. Streams of rows are repeated by UploadRows and LogProbStream, which know what was sent,
// and questions by Ask.
constexpr char kServiceConfig[] = R"({"methodConfig": [{
  "name": [
    {"service": "creamery.v1.ProjectService"},
    {"service": "creamery.v1.InferenceService"},
    {"service": "creamery.v1.StatisticsService"},
    {"service": "creamery.v1.DatasetService", "method": "CreateDataset"},
    {"service": "creamery.v1.DatasetService", "method": "GetDataset"},
    {"service": "creamery.v1.DatasetService", "method": "ListDatasets"},
    {"service": "creamery.v1.DatasetService", "method": "DownloadRows"},
    {"service": "creamery.v1.JobService", "method": "CreateJob"},
    {"service": "creamery.v1.JobService", "method": "GetJob"},
    {"service": "creamery.v1.JobService", "method": "ListJobs"},
    {"service": "creamery.v1.JobService", "method": "CancelJob"},
    {"service": "creamery.v1.ModelService", "method": "GetModel"},
    {"service": "creamery.v1.ModelService", "method": "GetModelVersion"},
    {"service": "creamery.v1.ModelService", "method": "ListModels"},
    {"service": "creamery.v1.ModelService", "method": "ListVersions"},
    {"service": "creamery.v1.ModelService", "method": "ExportVersion"}],
  "retryPolicy": {"maxAttempts": 5, "initialBackoff": "0.1s", "maxBackoff": "2s", "backoffMultiplier": 2,
                  "retryableStatusCodes": ["UNAVAILABLE"]}}]})";

// What a server adds to the end of a call that it refused before it began.
constexpr char kNotBegun[] = "creamery-not-begun";
// For a server that has never answered: perhaps there is none.
constexpr absl::Duration kFirstPatience = absl::Seconds(5);

// It changes nothing, or the same once or twice.
bool IsSafeToRepeat(const google::protobuf::Message& request) {
  const google::protobuf::Descriptor& type = *request.GetDescriptor();
  if (const google::protobuf::FieldDescriptor* id = type.FindFieldByName("request_id")) {
    return !request.GetReflection()->GetString(request, id).empty();
  }
  for (const absl::string_view verb : {"Delete", "Set", "Update"}) {
    if (absl::StartsWith(type.name(), verb)) return false;
  }
  return true;
}

absl::StatusOr<std::string> ReadSecret(absl::string_view what, const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat(what, " '", path, "' cannot be opened"));
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

absl::StatusOr<std::string> ReadToken(const std::string& path) {
  ABSL_ASSIGN_OR_RETURN(const std::string text, ReadSecret("token file", path));
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    return std::string(line.substr(0, line.find_first_of(" \t")));
  }
  return absl::InvalidArgumentError(absl::StrCat("token file '", path, "' has no token"));
}

bool IsThisMachine(absl::string_view address) {
  return absl::StartsWith(address, "unix:") || absl::StartsWith(address, "localhost:") || address == "localhost" ||
         absl::StartsWith(address, "127.") || absl::StartsWith(address, "[::1]");
}

}  // namespace

absl::Status ToStatus(const v1::Error& error) {
  return absl::Status(static_cast<absl::StatusCode>(error.code()), error.message());
}

void BackOff(int attempt) {
  absl::SleepFor(std::min(absl::Milliseconds(100) * (1 << std::min(attempt, 5)), absl::Seconds(.5)));
}

bool Repetition::Again(const absl::Status& status, const grpc::ClientContext* context,
                       const google::protobuf::Message* request) {
  if (!absl::IsUnavailable(status)) {
    connection_.Answered();
    return false;
  }
  const bool not_begun = context != nullptr && context->GetServerTrailingMetadata().count(kNotBegun) != 0;
  if (not_begun) connection_.Answered();
  if (request != nullptr && !not_begun && !IsSafeToRepeat(*request)) return false;
  const absl::Time now = absl::Now();
  if (attempt_ == 0) end_ = now + connection_.patience();
  if (now >= end_) return false;
  BackOff(attempt_++);
  return true;
}

absl::Duration Connection::patience() const {
  return answered_.load(std::memory_order_relaxed) ? patience_ : std::min(patience_, kFirstPatience);
}

absl::StatusOr<std::shared_ptr<Connection>> Connection::Open(const std::string& address, const ClientOptions& options) {
  if (address.empty()) return absl::InvalidArgumentError("the server's address is empty, expected host:port");
  auto connection = std::make_shared<Connection>();
  connection->address_ = address;
  connection->timeout_ = options.timeout;
  connection->patience_ = options.patience;
  std::string token = options.token;
  if (token.empty() && !options.token_file.empty()) {
    ABSL_ASSIGN_OR_RETURN(token, ReadToken(options.token_file));
  }
  if (!std::all_of(token.begin(), token.end(), [](char c) { return absl::ascii_isgraph(c); })) {
    return absl::InvalidArgumentError("the token holds characters that are not printable ASCII");
  }
  const bool tls = options.tls || !options.tls_ca.empty();
  if (!token.empty() && !tls && !options.insecure && !IsThisMachine(address)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the token would travel to ", address, " in the clear: give a CA file for TLS, or say insecure"));
  }
  if (!token.empty()) connection->authorization_ = absl::StrCat("Bearer ", token);
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (tls) {
    grpc::SslCredentialsOptions ssl;
    if (!options.tls_ca.empty()) {
      ABSL_ASSIGN_OR_RETURN(ssl.pem_root_certs, ReadSecret("CA file", options.tls_ca));
    }
    credentials = grpc::SslCredentials(ssl);
  }
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // A restarted server is found again within seconds, not minutes.
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
  grpc::ChannelArguments for_questions = arguments;
  for_questions.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  connection->questions = v1::InferenceService::NewStub(grpc::CreateCustomChannel(address, credentials, for_questions));
  arguments.SetServiceConfigJSON(kServiceConfig);
  const std::shared_ptr<grpc::Channel> channel = grpc::CreateCustomChannel(address, credentials, arguments);
  connection->projects = v1::ProjectService::NewStub(channel);
  connection->datasets = v1::DatasetService::NewStub(channel);
  connection->jobs = v1::JobService::NewStub(channel);
  connection->models = v1::ModelService::NewStub(channel);
  connection->inference = v1::InferenceService::NewStub(channel);
  connection->statistics = v1::StatisticsService::NewStub(channel);
  connection->lines = std::make_unique<Lines>(*connection);
  return connection;
}

std::unique_ptr<grpc::ClientContext> Connection::NewContext(absl::Duration timeout) const {
  auto context = std::make_unique<grpc::ClientContext>();
  // Metadata, not call credentials: gRPC refuses the latter on a plain-text channel, loopback included.
  if (!authorization_.empty()) context->AddMetadata("authorization", authorization_);
  if (timeout < absl::InfiniteDuration()) context->set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  return context;
}

absl::Status Connection::ToStatus(const grpc::Status& status) const {
  if (status.ok()) return absl::OkStatus();
  const absl::StatusCode code = static_cast<absl::StatusCode>(status.error_code());
  if (code == absl::StatusCode::kUnavailable && absl::StrContains(status.error_message(), "connect")) {
    return absl::UnavailableError(absl::StrCat("no server answers at ", address_, " (", status.error_message(),
                                               "); is creamery-server running there?"));
  }
  return absl::Status(code, status.error_message());
}

absl::Status Connection::EndOfStream(const grpc::Status& status) const {
  return status.ok() ? absl::InternalError("the server ended the stream before its last answer") : ToStatus(status);
}

}  // namespace creamery
