#include "tests/server/jobs/process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

extern char** environ;

namespace creamery {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

void WritePrivateFile(const std::string& path, const std::string& content) {
  std::ofstream(path) << content;
  chmod(path.c_str(), S_IRUSR | S_IWUSR);
}

std::string Program(const std::string& name) { return absl::StrCat(CREAMERY_BINARY_DIR, "/bin/", name); }

}  // namespace

Process::Process(const std::vector<std::string>& argv, const std::string& log_path) : log_path_(log_path) {
  std::vector<char*> pointers;
  pointers.reserve(argv.size() + 1);
  for (const std::string& argument : argv) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  const int error = posix_spawn(&pid_, pointers[0], &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    std::cerr << "cannot start " << argv[0] << std::endl;
    abort();
  }
}

Process::~Process() { Kill(); }

void Process::Signal(int signal) const {
  if (pid_ > 0) kill(pid_, signal);
}

void Process::Kill() {
  Signal(SIGKILL);
  Wait(absl::Seconds(10));
}

int Process::Wait(absl::Duration timeout) {
  const absl::Time end = absl::Now() + timeout;
  while (pid_ > 0) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = 0;
      return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
    if (absl::Now() > end) break;
    absl::SleepFor(absl::Milliseconds(2));
  }
  return -1;
}

std::string Process::log() const { return ReadFile(log_path_); }

bool Process::WaitForLog(const std::string& text, absl::Duration timeout, size_t from) const {
  const absl::Time end = absl::Now() + timeout;
  while (log().find(text, from) == std::string::npos) {
    if (absl::Now() > end) return false;
    absl::SleepFor(absl::Milliseconds(2));
  }
  return true;
}

ScratchDirectory::ScratchDirectory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "creamery-XXXXXX").string();
  path_ = mkdtemp(pattern.data());
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

ServerProcess::ServerProcess(std::vector<std::string> more) : more_(std::move(more)) {
  WritePrivateFile(directory_ / "tokens", "person-token-of-tests person\nworker-token-of-tests worker worker\n");
  WritePrivateFile(directory_ / "worker-token", "worker-token-of-tests\n");
  Start();
}

void ServerProcess::Start() {
  const std::string port_file = directory_ / "port";
  std::filesystem::remove(port_file);
  std::vector<std::string> argv = {Program("creamery-server"), "--listen=" + address_,
                                   "--data=" + (directory_ / "data"), "--port_file=" + port_file,
                                   "--token_file=" + (directory_ / "tokens")};
  argv.insert(argv.end(), more_.begin(), more_.end());
  process_ = std::make_unique<Process>(argv, directory_ / "server.log");
  const absl::Time end = absl::Now() + absl::Seconds(20);
  while (!(std::ifstream(port_file) >> address_)) {
    if (absl::Now() > end) {
      std::cerr << "the server did not start: " << process_->log() << std::endl;
      abort();
    }
    absl::SleepFor(absl::Milliseconds(2));
  }
}

std::unique_ptr<Process> ServerProcess::StartWorker(const std::vector<std::string>& more) {
  std::vector<std::string> argv = {Program("creamery-worker"), "--server=" + address_,
                                   "--token-file=" + (directory_ / "worker-token")};
  argv.insert(argv.end(), more.begin(), more.end());
  return std::make_unique<Process>(argv, directory_ / absl::StrCat("worker-", ++started_, ".log"));
}

std::string ServerProcess::Blob(const std::string& digest) const {
  return ReadFile(directory_ / ("data/blobs/" + digest));
}

}  // namespace creamery
