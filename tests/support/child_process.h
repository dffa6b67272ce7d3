// Programs of ours as child processes, for tests and benchmarks from outside: started, signalled, watched by what they
// write.
#ifndef CREAMERY_TESTS_SUPPORT_CHILD_PROCESS_H_
#define CREAMERY_TESTS_SUPPORT_CHILD_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/time/time.h"

namespace creamery {

// A child whose output goes to a file. Killed when this goes, and when the thread that made it ends.
class ChildProcess {
 public:
  // argv[0] is the program's path. Appends what it writes to `log_path`; empty: leaves it where this process's goes.
  // Its exit status is 127 if there is no such program.
  ChildProcess(const std::vector<std::string>& argv, const std::string& log_path);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  void Signal(int signal) const;
  // SIGKILL, and waits for the end.
  void Kill();
  // SIGTERM, and waits for the end; the exit status as Wait says it.
  int Stop(absl::Duration timeout = absl::Seconds(60));
  // The exit status; -1 if it has not ended in time, 128 + n if signal n ended it.
  int Wait(absl::Duration timeout);

  std::string log() const;
  // True once the log holds `text` at or after `from`.
  bool WaitForLog(const std::string& text, absl::Duration timeout, size_t from = 0) const;

 private:
  pid_t pid_ = 0;
  const std::string log_path_;
};

// The first word of a file, once there is one; empty if there is none in time, or if `writer` has ended before.
std::string WaitForWord(const std::string& path, ChildProcess& writer, absl::Duration timeout);

}  // namespace creamery

#endif  // CREAMERY_TESTS_SUPPORT_CHILD_PROCESS_H_
