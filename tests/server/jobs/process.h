// creamery-server and its workers as child processes, for tests from outside.
#ifndef CREAMERY_TESTS_SERVER_JOBS_PROCESS_H_
#define CREAMERY_TESTS_SERVER_JOBS_PROCESS_H_

#include <memory>
#include <string>
#include <vector>

#include "tests/support/child_process.h"
#include "tests/support/scratch_directory.h"

namespace creamery {

// creamery-server on a port of its own, with a token for a person and one for workers; it keeps its port when it is
// started again.
class ServerProcess {
 public:
  // `more`: further flags, "--lease_seconds=2".
  explicit ServerProcess(std::vector<std::string> more);

  void Start();  // aborts the test program if it does not serve within 20 s
  void Kill() { process_->Kill(); }
  ChildProcess& process() { return *process_; }
  std::unique_ptr<ChildProcess> StartWorker(const std::vector<std::string>& more);
  const std::string& address() const { return address_; }
  static std::string PersonToken() { return "person-token-of-tests"; }
  // The bytes of a blob, from the server's directory.
  std::string Blob(const std::string& digest) const;

 private:
  const std::vector<std::string> more_;
  const ScratchDirectory directory_;
  std::string address_ = "127.0.0.1:0";
  int started_ = 0;
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace creamery

#endif  // CREAMERY_TESTS_SERVER_JOBS_PROCESS_H_
