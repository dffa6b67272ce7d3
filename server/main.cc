// creamery-server: reads its configuration, serves until SIGTERM or SIGINT, drains, exits 0.
// `creamery-server verify --data=DIR` checks everything that is stored: 0 clean, 1 with one line for each problem.
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

#include <cstdlib>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/config.h"
#include "server/server.h"
#include "storage/registry.h"

namespace creamery {
namespace {

constexpr char kVersion[] = "creamery 0.1.0";

int Fail(const absl::Status& status) {
  std::cerr << "creamery-server: " << status.message() << "\n";
  return 1;
}

// Flags that were given, to be set over what the file says.
class Flags {
 public:
  template <typename T>
  void Add(CLI::App& app, const std::string& name, const std::string& help, void (ServerConfig::*set)(T)) {
    auto value = std::make_shared<T>();
    CLI::Option* option = app.add_option("--" + name, *value, help);
    overrides_.push_back([option, value, set](ServerConfig* config) {
      if (option->count() > 0) (config->*set)(*value);
    });
  }
  void AddText(CLI::App& app, const std::string& name, const std::string& help,
               void (*set)(ServerConfig*, const std::string&)) {
    auto value = std::make_shared<std::string>();
    CLI::Option* option = app.add_option("--" + name, *value, help);
    overrides_.push_back([option, value, set](ServerConfig* config) {
      if (option->count() > 0) set(config, *value);
    });
  }
  void Override(ServerConfig* config) const {
    for (const auto& override_one : overrides_) override_one(config);
  }

 private:
  std::vector<std::function<void(ServerConfig*)>> overrides_;
};

void AddFlags(CLI::App& app, Flags& flags) {
  using C = ServerConfig;
  using S = const std::string&;
  flags.AddText(app, "listen", "Address, host:port; port 0 picks one [127.0.0.1:50051]",
                [](C* c, S v) { c->set_listen(v); });
  flags.AddText(app, "data", "Directory of everything that is kept", [](C* c, S v) { c->set_data(v); });
  flags.Add(app, "local_workers", "Worker processes to start [1]", &C::set_local_workers);
  flags.Add(app, "worker_threads", "Networks that each of them trains side by side [1]", &C::set_worker_threads);
  flags.AddText(app, "worker_device", "What they train on: auto, cpu, cuda or cuda:NUMBER [auto]",
                [](C* c, S v) { c->set_worker_device(v); });
  flags.AddText(app, "worker_binary", "Worker program [creamery-worker beside the server]",
                [](C* c, S v) { c->set_worker_binary(v); });
  flags.AddText(app, "socket", "Unix socket for local workers [server.sock in the data directory]",
                [](C* c, S v) { c->set_socket(v); });
  flags.AddText(app, "port_file", "File that receives the bound address once the server answers",
                [](C* c, S v) { c->set_port_file(v); });
  flags.AddText(app, "tls_cert", "Certificate chain, PEM", [](C* c, S v) { c->set_tls_cert(v); });
  flags.AddText(app, "tls_key", "Private key, PEM", [](C* c, S v) { c->set_tls_key(v); });
  flags.AddText(app, "token_file", "Tokens, one a line: token principal [worker]",
                [](C* c, S v) { c->set_token_file(v); });
  flags.Add(app, "lease_seconds", "A worker's lease ends this long after its last sign of life [15]",
            &C::set_lease_seconds);
  flags.Add(app, "max_message_mib", "Largest message received, MiB [64]", &C::set_max_message_mib);
  flags.Add(app, "max_reply_bytes", "Largest reply of one call, bytes [3145728]", &C::set_max_reply_bytes);
  flags.Add(app, "max_rows", "Most rows of one request [1000000]", &C::set_max_rows);
  flags.Add(app, "max_artifact_mib", "Largest artifact to import, MiB [256]", &C::set_max_artifact_mib);
  flags.Add(app, "cache_mib", "Memory for loaded models, MiB [512]", &C::set_cache_mib);
  flags.Add(app, "threads", "Threads that compute, and as many that wait for the disk [2]", &C::set_threads);
  flags.Add(app, "statistics_threads", "Low-priority threads for long statistics [1]", &C::set_statistics_threads);
  flags.Add(app, "upload_idle_seconds", "An upload that sends nothing for so long is ended [120]",
            &C::set_upload_idle_seconds);
  flags.Add(app, "max_request_mib", "Memory of all requests under way, MiB [512]", &C::set_max_request_mib);
  flags.Add(app, "request_seconds", "A request must be there so long after its call began [60]",
            &C::set_request_seconds);
  flags.Add(app, "max_lasting_calls", "Watched jobs, streams and uploads of one connection [256]",
            &C::set_max_lasting_calls);
  flags.Add(app, "max_queued", "Requests that may wait for a thread [256]", &C::set_max_queued);
  flags.Add(app, "drain_seconds", "After SIGTERM: time for calls in flight, seconds [30]", &C::set_drain_seconds);
  flags.Add(app, "drain_notice_seconds", "After SIGTERM: time until no new call is taken, seconds [0]",
            &C::set_drain_notice_seconds);
  flags.Add(app, "min_free_mib", "Disk space that must stay free, MiB [64]", &C::set_min_free_mib);
  flags.Add(app, "max_training_mib", "Memory that one training may take by its estimate, MiB; 0 for no limit [4096]",
            &C::set_max_training_mib);
  flags.Add(app, "keep_set_aside_days", "Blobs that nothing names are kept in quarantine so long, days [7]",
            &C::set_keep_set_aside_days);
}

int Verify(const std::string& directory) {
  if (directory.empty()) return Fail(absl::InvalidArgumentError("data is not given: say --data=DIRECTORY"));
  struct stat info {};
  if (stat(directory.c_str(), &info) != 0) return Fail(absl::NotFoundError("there is no directory " + directory));
  Registry::Options options;
  options.create = false;
  options.quick_check = false;  // the check below says more
  absl::StatusOr<std::unique_ptr<Registry>> registry = Registry::Open(directory, options);
  if (!registry.ok()) return Fail(registry.status());
  const absl::StatusOr<std::vector<std::string>> problems = (*registry)->Verify();
  if (!problems.ok()) return Fail(problems.status());
  for (const std::string& problem : *problems) std::cout << problem << "\n";
  if (const absl::StatusOr<std::vector<std::string>> lines = (*registry)->SetAside(); lines.ok()) {
    for (const std::string& line : *lines) std::cout << line << "\n";  // worth knowing, and no problem
  }
  if (problems->empty()) std::cout << directory << " is clean\n";
  return problems->empty() ? 0 : 1;
}

int Serve(const ServerConfig& config) {
  // Before any thread exists, so that all of them leave these signals to sigwait below.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);

  absl::StatusOr<std::unique_ptr<Server>> server = Server::Start(config);
  if (!server.ok()) return Fail(server.status());
  std::cout << kVersion << " serves " << config.data() << " on " << (*server)->address() << std::endl;
  if (config.insecure() && !IsLoopback(config.listen())) {
    std::cerr << "creamery-server: --insecure: anybody who reaches " << (*server)->address()
              << " may read and change everything that TLS and tokens do not protect" << std::endl;
  }
  int received = 0;
  sigwait(&signals, &received);
  std::cout << "draining" << std::endl;
  (*server)->Drain();
  (*server)->Close();
  // Not by way of the destructors: see Server::Close.
  std::cout.flush();
  std::_Exit(0);
}

int Main(int argc, char** argv) {
  signal(SIGXFSZ, SIG_IGN);  // a limit on the size of files is then an error of the write, which says so
  umask(S_IRWXG | S_IRWXO);  // what is stored is its owner's alone, and so is the socket from its first moment
  CLI::App app("Registry, jobs and answers of amortized Bayesian inference", "creamery-server");
  app.set_version_flag("--version", kVersion);
  std::string config_path;
  app.add_option("--config", config_path, "Configuration file in text format, see server/config.proto; flags win");
  bool insecure = false;
  app.add_flag("--insecure", insecure, "Listen beyond loopback without TLS or tokens");
  bool begin_anew = false;
  app.add_flag("--begin_anew", begin_anew, "Begin with an empty registry where one was lost; its blobs are set aside");
  Flags flags;
  AddFlags(app, flags);
  CLI::App* verify = app.add_subcommand("verify", "Check every digest and row, then exit: 0 clean, 1 if not");
  verify->fallthrough();  // --data may stand behind it
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 1;
  }
  ServerConfig config;
  if (!config_path.empty()) {
    absl::StatusOr<ServerConfig> read = ReadConfig(config_path);
    if (!read.ok()) return Fail(read.status());
    config = *std::move(read);
  }
  flags.Override(&config);
  if (insecure) config.set_insecure(true);
  if (begin_anew) config.set_begin_anew(true);
  if (verify->parsed()) return Verify(config.data());
  if (const absl::Status status = CompleteConfig(&config); !status.ok()) return Fail(status);
  return Serve(config);
}

}  // namespace
}  // namespace creamery

int main(int argc, char** argv) { return creamery::Main(argc, argv); }
