// A creamery-server of a test's own, on a loopback port, ended by its destructor.
#ifndef CREAMERY_TESTS_CLIENT_CPP_SERVER_PROCESS_H_
#define CREAMERY_TESTS_CLIENT_CPP_SERVER_PROCESS_H_

#include <cstdio>
#include <string>
#include <vector>

#include "tests/support/child_process.h"

namespace creamery {

class ServerProcess {
 public:
  // `folder` keeps its data and its log; `listen` and `arguments` go to the program.
  explicit ServerProcess(const std::string& folder, const std::string& listen = "127.0.0.1:0",
                         const std::vector<std::string>& arguments = {"--local_workers=0"})
      : process_(Command(folder, listen, arguments), folder + "/log"),
        address_(WaitForWord(folder + "/port", process_, absl::Seconds(10))) {}
  ~ServerProcess() { Stop(); }

  // Drains and ends; the exit code, or -1 if it had ended before.
  int Stop() { return process_.Stop(); }
  // host:port; empty if it did not start within ten seconds.
  const std::string& address() const { return address_; }

 private:
  static std::vector<std::string> Command(const std::string& folder, const std::string& listen,
                                          const std::vector<std::string>& arguments) {
    const std::string port_file = folder + "/port";
    std::remove(port_file.c_str());
    std::vector<std::string> command = {CREAMERY_BINARY_DIR "/bin/creamery-server", "--listen=" + listen,
                                        "--port_file=" + port_file, "--data=" + folder + "/data"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return command;
  }

  ChildProcess process_;
  const std::string address_;
};

}  // namespace creamery

#endif  // CREAMERY_TESTS_CLIENT_CPP_SERVER_PROCESS_H_
