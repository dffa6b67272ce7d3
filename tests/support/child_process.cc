#include "tests/support/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "absl/time/clock.h"

namespace creamery {

ChildProcess::ChildProcess(const std::vector<std::string>& argv, const std::string& log_path) : log_path_(log_path) {
  std::vector<char*> pointers;
  pointers.reserve(argv.size() + 1);
  for (const std::string& argument : argv) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    // It must not outlive a parent that is killed or aborts, nor one that has ended before this call.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    if (!log_path_.empty()) {
      const int file = open(log_path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
      dup2(file, STDOUT_FILENO);
      dup2(file, STDERR_FILENO);
    }
    execv(pointers[0], pointers.data());
    _exit(127);
  }
  if (pid_ < 0) {
    std::cerr << "cannot start " << argv[0] << std::endl;
    abort();
  }
}

ChildProcess::~ChildProcess() { Kill(); }

void ChildProcess::Signal(int signal) const {
  if (pid_ > 0) kill(pid_, signal);
}

void ChildProcess::Kill() {
  Signal(SIGKILL);
  Wait(absl::Seconds(10));
}

int ChildProcess::Stop(absl::Duration timeout) {
  Signal(SIGTERM);
  return Wait(timeout);
}

int ChildProcess::Wait(absl::Duration timeout) {
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

std::string ChildProcess::log() const {
  std::ifstream file(log_path_, std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

bool ChildProcess::WaitForLog(const std::string& text, absl::Duration timeout, size_t from) const {
  const absl::Time end = absl::Now() + timeout;
  while (log().find(text, from) == std::string::npos) {
    if (absl::Now() > end) return false;
    absl::SleepFor(absl::Milliseconds(2));
  }
  return true;
}

std::string WaitForWord(const std::string& path, ChildProcess& writer, absl::Duration timeout) {
  const absl::Time end = absl::Now() + timeout;
  std::string word;
  while (!(std::ifstream(path) >> word)) {
    if (writer.Wait(absl::ZeroDuration()) != -1 || absl::Now() > end) break;
    absl::SleepFor(absl::Milliseconds(2));
  }
  return word;
}

}  // namespace creamery
