#include "server/server.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/resource_quota.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "proto/support/digest.h"
#include "proto/support/mutex.h"
#include "proto/support/status_macros.h"
#include "server/auth.h"
#include "server/compute_pool.h"
#include "server/jobs/job_board.h"
#include "server/jobs/job_service.h"
#include "server/jobs/local_workers.h"
#include "server/jobs/statistics_runner.h"
#include "server/jobs/worker_service.h"
#include "server/model_directory.h"
#include "server/rpc/call.h"
#include "server/rpc/health.h"
#include "server/rpc/idle_watch.h"
#include "server/rpc/intake.h"
#include "server/rpc/method_limits.h"
#include "server/rpc/open_streams.h"
#include "server/served_models.h"
#include "server/services/services.h"
#include "server/statistics/statistics_jobs.h"
#include "storage/registry.h"

namespace creamery {
namespace {

// HTTP/2's limit, beyond which calls wait in silence: well above max_lasting_calls, so that what waits is short.
constexpr int kStreamsBesideLasting = 1024;
constexpr int kKeepaliveMs = 60 * 1000;  // a client that vanished is noticed after this and the timeout
constexpr int kKeepaliveTimeoutMs = 20 * 1000;
constexpr int kShortestPingMs = 30 * 1000;  // clients behind address translation may ping this often
constexpr int kRandomTokenBytes = 32;
// Workers checkpoint and release within this, or lose their lease as in a crash.
constexpr absl::Duration kWorkerPatience = absl::Seconds(10);
// Calls that were ended are over within this.
constexpr absl::Duration kLastPatience = absl::Seconds(2);

absl::StatusOr<std::string> ReadFile(const char* what, const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat(what, " ", path, " cannot be read"));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeCredentials(const ServerConfig& config) {
  if (config.tls_cert().empty()) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options;
  grpc::SslServerCredentialsOptions::PemKeyCertPair pair;
  ABSL_ASSIGN_OR_RETURN(pair.cert_chain, ReadFile("tls_cert", config.tls_cert()));
  ABSL_ASSIGN_OR_RETURN(pair.private_key, ReadFile("tls_key", config.tls_key()));
  options.pem_key_cert_pairs.push_back(std::move(pair));
  return grpc::SslServerCredentials(options);
}

// Written whole or not at all: whoever waits for the file may read it as soon as it is there.
absl::Status WritePortFile(const std::string& path, const std::string& address) {
  const std::string temporary = absl::StrCat(path, ".new");
  std::ofstream file(temporary);
  file << address << "\n";
  file.close();
  if (!file || std::rename(temporary.c_str(), path.c_str()) != 0) {
    return absl::FailedPreconditionError(absl::StrCat("port_file ", path, " cannot be written"));
  }
  return absl::OkStatus();
}

Intake::Options IntakeOptions(const ServerConfig& config) {
  Intake::Options options;
  options.max_message_bytes = int64_t{config.max_message_mib()} << 20;
  // The largest message fits with what it becomes, whatever is configured.
  options.max_request_bytes =
      std::max(int64_t{config.max_request_mib()} << 20, 2 * options.max_message_bytes + kMostStructureBytes);
  options.max_lasting_streams = config.max_lasting_calls();
  options.request_patience = absl::Seconds(config.request_seconds());
  return options;
}

class ServerImpl final : public Server {
 public:
  explicit ServerImpl(const ServerConfig& config)
      : config_(config),
        compute_("compute", config.threads(), config.max_queued()),
        disk_("disk", config.threads(), config.max_queued()),
        statistics_("statistics", config.statistics_threads(), config.max_queued(), ComputePool::Priority::kLow),
        idle_(absl::Seconds(config.upload_idle_seconds())),
        intake_(IntakeOptions(config)),
        rpc_{&auth_, &compute_, &disk_, &statistics_, &idle_, &streams_, &intake_} {}

  ~ServerImpl() override {
    Drain();
    if (grpc_server_ != nullptr) grpc_server_->Shutdown(absl::ToChronoTime(absl::Now()));
  }

  absl::Status Open();
  absl::Status Listen();
  absl::Status StartWorkers();
  void Drain() override;
  bool Close() override;

  const std::string& address() const override { return address_; }
  std::shared_ptr<grpc::Channel> InProcessChannel(const grpc::ChannelArguments& arguments) override {
    return grpc_server_->InProcessChannel(arguments);
  }
  Registry& registry() override { return *registry_; }
  ServedModels& models() override { return *models_; }

 private:
  std::string HostAndPort(int port) const {
    return absl::StrCat(config_.listen().substr(0, config_.listen().rfind(':')), ":", port);
  }
  // The version a name means now.
  absl::StatusOr<v1::ModelVersion> FindVersion(const std::string& name);
  void Published(const v1::ModelVersion& version);

  const ServerConfig config_;
  Authenticator auth_;
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<ModelDirectory> directory_;
  std::unique_ptr<ServedModels> models_;
  std::unique_ptr<JobBoard> board_;
  std::unique_ptr<StatisticsRunner> runner_;
  // Declared after what their work uses, before the services that give them work: ended in between.
  ComputePool compute_;
  ComputePool disk_;
  ComputePool statistics_;
  IdleWatch idle_;
  OpenStreams streams_;
  Intake intake_;
  const RpcRuntime rpc_;
  std::vector<std::unique_ptr<grpc::Service>> services_;
  HealthService health_;
  std::unique_ptr<grpc::Server> grpc_server_;
  std::unique_ptr<LocalWorkers> workers_;
  std::string worker_token_;
  std::string address_;
  Mutex drain_mu_;
  bool drained_ ABSL_GUARDED_BY(drain_mu_) = false;
};

absl::Status ServerImpl::Open() {
  if (!config_.token_file().empty()) {
    ABSL_ASSIGN_OR_RETURN(auth_, Authenticator::FromFile(config_.token_file()));
  }
  worker_token_ = RandomHex(kRandomTokenBytes);
  auth_.AddToken(worker_token_, "local-worker", Role::kWorker);

  Registry::Options registry_options;
  registry_options.min_free_bytes = int64_t{config_.min_free_mib()} << 20;
  registry_options.begin_anew = config_.begin_anew();
  registry_options.keep_set_aside = absl::Hours(24) * config_.keep_set_aside_days();
  ABSL_ASSIGN_OR_RETURN(registry_, Registry::Open(config_.data(), registry_options));
  ABSL_ASSIGN_OR_RETURN(directory_, ModelDirectory::Load(*registry_));
  models_ = std::make_unique<ServedModels>(*registry_, *directory_, int64_t{config_.cache_mib()} << 20);

  JobBoard::Options board_options;
  board_options.lease_duration = absl::Seconds(config_.lease_seconds());
  board_options.on_published = [this](const v1::ModelVersion& version) { Published(version); };
  board_options.intake.find_version = [this](const std::string& name) { return FindVersion(name); };
  board_options.intake.max_training_bytes = int64_t{config_.max_training_mib()} << 20;
  board_options.intake.training_threads = config_.worker_threads();
  board_options.intake.pin_statistics = [this](v1::StatisticsJob* job, std::vector<VersionName>* versions) {
    return PinStatistics({*models_, *registry_}, job, versions);
  };
  ABSL_ASSIGN_OR_RETURN(board_, JobBoard::Create(*registry_, std::move(board_options)));
  runner_ = std::make_unique<StatisticsRunner>(
      *board_, *registry_,
      [this](const v1::StatisticsJob& job, const StatisticsProgress& progress, const StopToken& stop) {
        return AnswerStatistics({*models_, *registry_}, job, progress, stop);
      },
      config_.statistics_threads());

  Limits limits;
  limits.max_rows = config_.max_rows();
  limits.max_reply_bytes = config_.max_reply_bytes();
  limits.max_artifact_bytes = int64_t{config_.max_artifact_mib()} << 20;
  services_.push_back(MakeProjectService(rpc_, *registry_));
  services_.push_back(MakeDatasetService(rpc_, *registry_));
  services_.push_back(MakeModelService(rpc_, *registry_, *models_, limits));
  services_.push_back(MakeInferenceService(rpc_, *models_, limits));
  services_.push_back(MakeStatisticsService(rpc_, *models_, *registry_, limits));
  services_.push_back(MakeJobService(rpc_, *board_, *registry_));
  services_.push_back(MakeWorkerService(rpc_, *board_, *registry_));
  disk_.Resume([this] {
    registry_->CollectGarbage().IgnoreError();  // what a crash or a failed upload left
    const absl::StatusOr<std::vector<std::string>> aside = registry_->SetAside();
    if (!aside.ok() || aside->empty()) return;
    std::cerr << "creamery-server: " << aside->size() << " blobs that nothing names are in quarantine, kept "
              << config_.keep_set_aside_days() << " days; `creamery-server verify` lists them" << std::endl;
  });
  return absl::OkStatus();
}

absl::StatusOr<v1::ModelVersion> ServerImpl::FindVersion(const std::string& name) {
  ABSL_ASSIGN_OR_RETURN(const ServedModel model, models_->Find(name));
  ABSL_ASSIGN_OR_RETURN(const VersionName version, VersionName::Parse(model.version));
  return registry_->GetVersion(version.model_name(), version.number);
}

void ServerImpl::Published(const v1::ModelVersion& version) {
  const absl::StatusOr<VersionName> name = VersionName::Parse(version.name());
  absl::Status status = name.status();
  if (status.ok()) status = models_->Changed(name->model_name());
  if (!status.ok()) std::cerr << "creamery-server: " << version.name() << " is not visible yet: " << status << "\n";
  disk_.Resume([this] { registry_->CollectGarbage().IgnoreError(); });  // the checkpoints of the finished training
}

absl::Status ServerImpl::Listen() {
  ABSL_ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ServerCredentials> credentials, MakeCredentials(config_));
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(config_.listen(), credentials, &port);
  const bool has_socket = config_.local_workers() > 0;
  if (has_socket) {
    unlink(config_.socket().c_str());  // left by a crash: the data directory is ours alone
    builder.AddListeningPort(absl::StrCat("unix:", config_.socket()), grpc::InsecureServerCredentials());
  }
  for (const std::unique_ptr<grpc::Service>& service : services_) builder.RegisterService(service.get());
  builder.RegisterService(&health_);
  // Of what gRPC itself holds: it reads a message of any size to its end before anybody may refuse it.
  grpc::ResourceQuota quota("server");
  quota.Resize(static_cast<size_t>(intake_.options().max_request_bytes));
  // Reflection is gRPC's own and takes a thread for each call.
  quota.SetMaxThreads(16);
  builder.SetResourceQuota(quota);
  // gRPC inflates a compressed message whole before anybody may look at its size.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.SetMaxReceiveMessageSize(config_.max_message_mib() << 20);
  builder.SetMaxSendMessageSize(-1);
  // Only health and reflection use these.
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, config_.max_lasting_calls() + kStreamsBesideLasting);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kShortestPingMs);
  grpc_server_ = builder.BuildAndStart();
  if (grpc_server_ == nullptr || port == 0) {
    return absl::UnavailableError(absl::StrCat(
        "cannot listen on ", config_.listen(),
        ": the port is in use, or the address is not this machine's, or the certificate does not fit its key; ",
        "choose another address with --listen"));
  }
  if (has_socket && chmod(config_.socket().c_str(), S_IRUSR | S_IWUSR) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("the socket ", config_.socket(), " cannot be made private: ", std::strerror(errno)));
  }
  address_ = HostAndPort(port);
  health_.SetServing(true);
  return config_.port_file().empty() ? absl::OkStatus() : WritePortFile(config_.port_file(), address_);
}

absl::Status ServerImpl::StartWorkers() {
  if (config_.local_workers() == 0) return absl::OkStatus();
  LocalWorkers::Options options;
  options.count = config_.local_workers();
  options.binary = config_.worker_binary();
  options.server = absl::StrCat("unix:", config_.socket());
  options.token = worker_token_;
  options.threads_per_worker = config_.worker_threads();
  options.more_arguments = {absl::StrCat("--device=", config_.worker_device())};
  ABSL_ASSIGN_OR_RETURN(workers_, LocalWorkers::Start(std::move(options)));
  return absl::OkStatus();
}

void ServerImpl::Drain() {
  MutexLock lock(&drain_mu_);
  if (drained_) return;
  drained_ = true;
  if (grpc_server_ != nullptr) {
    health_.SetServing(false);
    absl::SleepFor(absl::Seconds(config_.drain_notice_seconds()));
  }
  const absl::Time deadline = absl::Now() + absl::Seconds(config_.drain_seconds());
  if (board_ != nullptr) {
    board_->Drain();
    board_->AwaitDrained(std::min(kWorkerPatience, absl::Seconds(config_.drain_seconds())));
    runner_.reset();
    if (workers_ != nullptr) workers_->Stop(std::min(kWorkerPatience, deadline - absl::Now()));
  }
  intake_.Close();
  health_.Close();
  if (board_ != nullptr) board_->CloseSubscriptions();
  streams_.Drain();
  if (intake_.AwaitEmpty(deadline)) return;
  intake_.EndAll();
  intake_.AwaitEmpty(absl::Now() + kLastPatience);
}

bool ServerImpl::Close() {
  if (!intake_.AwaitEmpty(absl::Now())) return false;
  for (ComputePool* pool : {&compute_, &disk_, &statistics_}) pool->Stop();
  workers_.reset();
  board_.reset();
  models_.reset();
  directory_.reset();
  registry_.reset();
  return true;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerConfig& config) {
  auto server = std::make_unique<ServerImpl>(config);
  ABSL_RETURN_IF_ERROR(server->Open());
  ABSL_RETURN_IF_ERROR(server->Listen());
  ABSL_RETURN_IF_ERROR(server->StartWorkers());
  return server;
}

}  // namespace creamery
