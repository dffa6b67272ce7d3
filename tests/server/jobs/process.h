// Programs of ours as child processes, for tests from outside: started, signalled, watched by what they write.
#ifndef CREAMERY_TESTS_SERVER_JOBS_PROCESS_H_
#define CREAMERY_TESTS_SERVER_JOBS_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace creamery {

// A child whose standard error goes to a file. Killed when this goes.
class Process {
 public:
  Process(const std::vector<std::string>& argv, const std::string& log_path);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  void Signal(int signal) const;
  // SIGKILL, and waits for the end.
  void Kill();
  // The exit status; -1 if it has not ended in time, 128 + n if signal n ended it.
  int Wait(absl::Duration timeout);

  std::string log() const;
  // True once the log holds `text` at or after `from`.
  bool WaitForLog(const std::string& text, absl::Duration timeout, size_t from = 0) const;

 private:
  pid_t pid_ = 0;
  const std::string log_path_;
};

// A path below a directory that is removed at the end.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// creamery-server on a port of its own, with a token for a person and one for workers; it keeps its port when it is
// started again.
class ServerProcess {
 public:
  // `more`: further flags, "--lease_seconds=2".
  explicit ServerProcess(std::vector<std::string> more);

  void Start();  // aborts the test program if it does not serve within 20 s
  void Kill() { process_->Kill(); }
  Process& process() { return *process_; }
  std::unique_ptr<Process> StartWorker(const std::vector<std::string>& more);
  const std::string& address() const { return address_; }
  static std::string PersonToken() { return "person-token-of-tests"; }
  // The bytes of a blob, from the server's directory.
  std::string Blob(const std::string& digest) const;

 private:
  const std::vector<std::string> more_;
  const ScratchDirectory directory_;
  std::string address_ = "127.0.0.1:0";
  int started_ = 0;
  std::unique_ptr<Process> process_;
};

}  // namespace creamery

#endif  // CREAMERY_TESTS_SERVER_JOBS_PROCESS_H_
