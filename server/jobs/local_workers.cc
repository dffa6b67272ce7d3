#include "server/jobs/local_workers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "proto/support/mutex.h"

extern char** environ;

namespace creamery {
namespace {

// A worker that lived this long did not fail at its start: the next back-off begins anew.
constexpr absl::Duration kSettled = absl::Seconds(10);
constexpr absl::Duration kRound = absl::Milliseconds(100);

// The file number at which a child finds its token.
constexpr int kTokenFd = 3;

// A file descriptor that is closed at the end of its scope.
struct Fd {
  int fd = -1;
  ~Fd() { Close(); }
  void Close() {
    if (fd >= 0) close(fd);
    fd = -1;
  }
};

// Our environment, but that libraries start no threads: those that a worker is given train whole networks.
std::vector<std::string> ChildEnvironment() {
  static constexpr absl::string_view kThreads[] = {"OMP_NUM_THREADS=", "OPENBLAS_NUM_THREADS=", "MKL_NUM_THREADS="};
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const bool ours = std::any_of(std::begin(kThreads), std::end(kThreads),
                                  [&](absl::string_view name) { return absl::StartsWith(*entry, name); });
    if (!ours) environment.emplace_back(*entry);
  }
  for (const absl::string_view name : kThreads) environment.push_back(absl::StrCat(name, 1));
  return environment;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (std::string& s : strings) pointers.push_back(s.data());
  pointers.push_back(nullptr);
  return pointers;
}

class LocalWorkersImpl final : public LocalWorkers {
 public:
  explicit LocalWorkersImpl(Options options) : options_(std::move(options)), slots_(options_.count) {
    thread_ = std::thread([this] { Run(); });
  }
  ~LocalWorkersImpl() override { Stop(absl::ZeroDuration()); }

  void Stop(absl::Duration patience) override {
    MutexLock lock(&mu_);
    if (!stopping_) Signal(SIGTERM);
    stopping_ = true;
    changed_.SignalAll();
    const absl::Time end = absl::Now() + patience;
    while (AnyRuns() && absl::Now() < end) changed_.WaitFor(&mu_, end - absl::Now());
    if (AnyRuns()) Signal(SIGKILL);
    while (AnyRuns()) changed_.WaitFor(&mu_, kRound);
    if (!thread_.joinable()) return;
    std::thread thread = std::move(thread_);
    mu_.Unlock();
    thread.join();
    mu_.Lock();
  }

  std::vector<pid_t> pids() override {
    MutexLock lock(&mu_);
    std::vector<pid_t> running;
    for (const Slot& slot : slots_) {
      if (slot.pid > 0) running.push_back(slot.pid);
    }
    return running;
  }

 private:
  struct Slot {
    pid_t pid = 0;
    absl::Time started;
    absl::Time next_start = absl::InfinitePast();
    absl::Duration back_off;
  };

  // The thread that starts children stays for as long as they may live: PR_SET_PDEATHSIG goes by the thread.
  void Run() {
    MutexLock lock(&mu_);
    while (!stopping_ || AnyRuns()) {
      for (Slot& slot : slots_) {
        Reap(slot);
        if (slot.pid == 0 && !stopping_ && absl::Now() >= slot.next_start) Spawn(slot);
      }
      if (!stopping_ || AnyRuns()) changed_.WaitFor(&mu_, stopping_ ? absl::Milliseconds(5) : kRound);
    }
  }

  bool AnyRuns() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.pid > 0; });
  }
  void Signal(int signal) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    for (const Slot& slot : slots_) {
      if (slot.pid > 0) kill(slot.pid, signal);
    }
  }

  void Reap(Slot& slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (slot.pid <= 0 || waitpid(slot.pid, nullptr, WNOHANG) != slot.pid) return;
    slot.pid = 0;
    BackOff(slot);
    changed_.SignalAll();
  }
  void BackOff(Slot& slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const bool settled = absl::Now() - slot.started > kSettled;
    slot.back_off = settled || slot.back_off == absl::ZeroDuration()
                        ? options_.first_back_off
                        : std::min(2 * slot.back_off, options_.longest_back_off);
    slot.next_start = absl::Now() + slot.back_off;
  }

  void Spawn(Slot& slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    slot.started = absl::Now();
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return BackOff(slot);
    Fd read_end{ends[0]}, write_end{ends[1]};
    // The token is shorter than a pipe's buffer: this does not wait for the child.
    if (write(write_end.fd, options_.token.data(), options_.token.size()) != ssize_t(options_.token.size())) {
      return BackOff(slot);
    }
    write_end.Close();
    // dup2 onto the same number would leave close-on-exec set.
    if (read_end.fd == kTokenFd) {
      const int other = fcntl(read_end.fd, F_DUPFD_CLOEXEC, kTokenFd + 1);
      if (other < 0) return BackOff(slot);
      read_end.Close();
      read_end.fd = other;
    }

    std::vector<std::string> arguments = {
        options_.binary, absl::StrCat("--server=", options_.server), absl::StrCat("--token-fd=", kTokenFd),
        absl::StrCat("--threads=", options_.threads_per_worker), absl::StrCat("--parent=", getpid())};
    arguments.insert(arguments.end(), options_.more_arguments.begin(), options_.more_arguments.end());
    std::vector<std::string> environment = ChildEnvironment();

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, read_end.fd, kTokenFd);
    // The server blocks signals to take them in one thread; a child must not inherit that.
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

    pid_t pid = 0;
    const int error = posix_spawn(&pid, options_.binary.c_str(), &actions, &attributes, Pointers(arguments).data(),
                                  Pointers(environment).data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) return BackOff(slot);
    slot.pid = pid;
    setpriority(PRIO_PROCESS, pid, options_.nice);
  }

  const Options options_;
  std::thread thread_;
  Mutex mu_;
  CondVar changed_;
  std::vector<Slot> slots_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<LocalWorkers>> LocalWorkers::Start(Options options) {
  if (options.count > 0 && access(options.binary.c_str(), X_OK) != 0) {
    return absl::NotFoundError(absl::StrCat("the worker program ", options.binary, " cannot be started (",
                                            strerror(errno), "); give --worker_binary=PATH or --local_workers=0"));
  }
  return std::unique_ptr<LocalWorkers>(std::make_unique<LocalWorkersImpl>(std::move(options)));
}

}  // namespace creamery
