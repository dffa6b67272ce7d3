#include "server/config.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/text_format.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

// Longest path of a Unix socket that the system takes.
constexpr size_t kMaxSocketPath = 107;

class FirstError final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override {
    if (text_.empty()) text_ = absl::StrCat("line ", line + 1, ", column ", column + 1, ": ", message);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

absl::Status CheckAtLeast(const char* name, double value, double least) {
  if (value >= least) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name, " is ", value, ", expected at least ", least));
}

absl::Status CheckNumbers(const ServerConfig& config) {
  ABSL_RETURN_IF_ERROR(CheckAtLeast("local_workers", config.local_workers(), 0));
  ABSL_RETURN_IF_ERROR(CheckAtLeast("worker_threads", config.worker_threads(), 1));
  ABSL_RETURN_IF_ERROR(CheckAtLeast("lease_seconds", config.lease_seconds(), 0.1));
  ABSL_RETURN_IF_ERROR(CheckAtLeast("max_message_mib", config.max_message_mib(), 1));
  ABSL_RETURN_IF_ERROR(CheckAtLeast("max_reply_bytes", config.max_reply_bytes(), 1024));
  ABSL_RETURN_IF_ERROR(CheckAtLeast("cache_mib", config.cache_mib(), 1));
  ABSL_RETURN_IF_ERROR(CheckAtLeast("max_rows", config.max_rows(), 1));
  ABSL_RETURN_IF_ERROR(CheckAtLeast("max_artifact_mib", config.max_artifact_mib(), 1));
  ABSL_RETURN_IF_ERROR(CheckAtLeast("threads", config.threads(), 1));
  ABSL_RETURN_IF_ERROR(CheckAtLeast("statistics_threads", config.statistics_threads(), 1));
  ABSL_RETURN_IF_ERROR(CheckAtLeast("max_queued", config.max_queued(), 1));
  ABSL_RETURN_IF_ERROR(CheckAtLeast("upload_idle_seconds", config.upload_idle_seconds(), 0.1));
  ABSL_RETURN_IF_ERROR(CheckAtLeast("drain_seconds", config.drain_seconds(), 0));
  ABSL_RETURN_IF_ERROR(CheckAtLeast("drain_notice_seconds", config.drain_notice_seconds(), 0));
  ABSL_RETURN_IF_ERROR(CheckAtLeast("max_request_mib", config.max_request_mib(), 1));
  ABSL_RETURN_IF_ERROR(CheckAtLeast("request_seconds", config.request_seconds(), 0.1));
  ABSL_RETURN_IF_ERROR(CheckAtLeast("max_lasting_calls", config.max_lasting_calls(), 1));
  ABSL_RETURN_IF_ERROR(CheckAtLeast("max_training_mib", config.max_training_mib(), 0));
  ABSL_RETURN_IF_ERROR(CheckAtLeast("keep_set_aside_days", config.keep_set_aside_days(), 0));
  if (config.max_message_mib() > 2047) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_message_mib is ", config.max_message_mib(), ", expected at most 2047"));
  }
  return CheckAtLeast("min_free_mib", config.min_free_mib(), 0);
}

absl::Status CheckListen(const ServerConfig& config) {
  const std::string& listen = config.listen();
  const size_t colon = listen.rfind(':');
  int port = -1;
  if (colon == std::string::npos || colon == 0 || !absl::SimpleAtoi(listen.substr(colon + 1), &port) || port < 0 ||
      port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("listen is '", listen, "', expected host:port, for example 127.0.0.1:50051"));
  }
  if (config.tls_cert().empty() != config.tls_key().empty()) {
    return absl::InvalidArgumentError("tls_cert and tls_key belong together: give both or neither");
  }
  const bool protected_fully = !config.tls_cert().empty() && !config.token_file().empty();
  if (!IsLoopback(listen) && !protected_fully && !config.insecure()) {
    return absl::FailedPreconditionError(absl::StrCat("refusing to listen on ", listen,
                                                      ", which other machines can reach, without TLS and tokens: give ",
                                                      "--tls_cert, --tls_key and --token_file, or say --insecure"));
  }
  return absl::OkStatus();
}

std::string WorkerBesideThisProgram() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path() / "creamery-worker").string();
}

}  // namespace

absl::StatusOr<ServerConfig> ReadConfig(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat("the configuration file ", path, " cannot be read"));
  std::stringstream text;
  text << file.rdbuf();
  ServerConfig config;
  google::protobuf::TextFormat::Parser parser;
  FirstError error;
  parser.RecordErrorsTo(&error);
  if (!parser.ParseFromString(text.str(), &config)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ", ", error.text()));
  }
  return config;
}

absl::Status CompleteConfig(ServerConfig* config) {
  if (config->data().empty()) return absl::InvalidArgumentError("data is not given: say --data=DIRECTORY");
  ABSL_RETURN_IF_ERROR(CheckNumbers(*config));
  ABSL_RETURN_IF_ERROR(CheckListen(*config));
  if (config->worker_binary().empty()) config->set_worker_binary(WorkerBesideThisProgram());
  if (config->socket().empty()) {
    config->set_socket(std::filesystem::absolute(std::filesystem::path(config->data()) / "server.sock").string());
  }
  if (config->local_workers() > 0 && config->socket().size() > kMaxSocketPath) {
    return absl::InvalidArgumentError(absl::StrCat("the path of the socket for local workers, ", config->socket(),
                                                   ", has ", config->socket().size(), " characters, expected at most ",
                                                   kMaxSocketPath, ": give another one with --socket"));
  }
  return absl::OkStatus();
}

bool IsLoopback(const std::string& listen) {
  std::string host = listen.substr(0, listen.rfind(':'));
  if (!host.empty() && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (host == "localhost" || host == "::1") return true;
  return absl::StartsWith(host, "127.") && host.find_first_not_of("0123456789.") == std::string::npos;
}

}  // namespace creamery
