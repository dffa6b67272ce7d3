// creamery-worker: trains what a server asks for. LibTorch lives in this program, so that its crash is never the
// server's.
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "models/training/trainer.h"
#include "proto/support/status_macros.h"
#include "server/worker/worker.h"

namespace creamery {
namespace {

struct Flags {
  std::string server = "127.0.0.1:50051";
  int token_fd = -1;
  std::string token_file;
  std::string tls_ca;
  double checkpoint_seconds = 30;
  int threads = 1;
  std::string device = "auto";
  int parent = 0;
};

absl::StatusOr<std::string> ReadToken(const Flags& flags) {
  std::string token;
  if (flags.token_fd >= 0) {
    char buffer[256];
    ssize_t n = 0;
    while ((n = read(flags.token_fd, buffer, sizeof buffer)) > 0) token.append(buffer, n);
    close(flags.token_fd);
  } else {
    std::ifstream file(flags.token_file);
    if (!file) return absl::NotFoundError(absl::StrCat("--token-file: cannot read ", flags.token_file));
    token.assign(std::istreambuf_iterator<char>(file), {});
  }
  absl::StripAsciiWhitespace(&token);
  if (token.empty()) return absl::InvalidArgumentError("no token: give --token-file or --token-fd");
  return token;
}

absl::StatusOr<std::unique_ptr<ServerLink>> Connect(const Flags& flags) {
  ABSL_ASSIGN_OR_RETURN(const std::string token, ReadToken(flags));
  return ServerLink::Connect(flags.server, token, flags.tls_ca);
}

// Threads train whole networks (TrainingHooks::threads): within one, LibTorch and the libraries below it start none.
// OpenMP reads its settings when it is loaded, before main: to change them we start anew, as the same process.
void LimitLibraryThreads(char** argv) {
  const char* now = getenv("OMP_NUM_THREADS");
  if (now != nullptr && std::string(now) == "1") return;
  for (const char* name : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"}) setenv(name, "1", 1);
  execv("/proc/self/exe", argv);
}

// A worker started by a server dies with it.
bool FollowParent(int parent) {
  if (parent == 0) return true;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  return getppid() == parent;  // it may have died before we asked
}

std::string HostAndPid() {
  char host[256] = "unknown";
  gethostname(host, sizeof host - 1);
  return absl::StrCat(host, ":", getpid());
}

int Main(const Flags& flags) {
  // Signals are taken by one thread; the others are started with them blocked.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);

  const absl::StatusOr<TrainingDevice> device = FindTrainingDevice(flags.device);
  if (!device.ok()) {
    std::cerr << "creamery-worker: " << device.status().message() << std::endl;
    return 1;
  }
  const absl::StatusOr<std::unique_ptr<ServerLink>> link = Connect(flags);
  if (!link.ok()) {
    std::cerr << "creamery-worker: " << link.status().message() << std::endl;
    return 1;
  }
  Worker::Options options;
  options.description.set_name(HostAndPid());
  options.description.set_build(TrainingBuild());
  for (const std::string& family : TrainableFamilies()) options.description.add_families(family);
  options.description.set_device(device->name);
  options.description.set_memory_bytes(int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGE_SIZE));
  options.attempt.checkpoint_interval = absl::Seconds(flags.checkpoint_seconds);
  options.attempt.threads = flags.threads;
  options.attempt.device = *device;
  options.attempt.train = Train;
  Worker worker(**link, options);

  std::thread([&worker, signals] {
    int signal = 0;
    while (sigwait(&signals, &signal) != 0) {
    }
    std::cerr << "creamery-worker: ends on " << (signal == SIGTERM ? "SIGTERM" : "SIGINT") << std::endl;
    worker.Shutdown();
  }).detach();

  std::cerr << "creamery-worker: " << options.description.name() << ", " << options.description.build() << ", "
            << options.description.device() << ", server " << flags.server << std::endl;
  const absl::Status status = worker.Run();
  if (!status.ok()) std::cerr << "creamery-worker: " << status.message() << std::endl;
  // The thread of signals may still hold the worker: end without destroying it.
  std::cerr.flush();
  _exit(status.ok() ? 0 : 1);
}

}  // namespace
}  // namespace creamery

int main(int argc, char** argv) {
  creamery::Flags flags;
  CLI::App app("Trains models for a Creamery server.");
  app.set_version_flag("--version", "creamery 0.1.0");
  app.add_option("--server", flags.server, "address of the server, host:port or unix:PATH")->capture_default_str();
  app.add_option("--token-fd", flags.token_fd, "file descriptor from which to read the token");
  app.add_option("--token-file", flags.token_file, "file with the worker's token");
  app.add_option("--tls-ca", flags.tls_ca, "PEM file of trusted authorities; without it no TLS");
  app.add_option("--checkpoint-seconds", flags.checkpoint_seconds, "time between checkpoints, 0: after every epoch")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--threads", flags.threads, "networks trained side by side, a thread each")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--device", flags.device, "auto, cpu, cuda or cuda:NUMBER; auto: a GPU for networks that gain by it")
      ->capture_default_str();
  app.add_option("--parent", flags.parent, "process to die with; set by the server")->group("");
  CLI11_PARSE(app, argc, argv);
  if (!creamery::FollowParent(flags.parent)) return 1;
  creamery::LimitLibraryThreads(argv);
  return creamery::Main(flags);
}
