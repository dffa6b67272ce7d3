// A creamery-server of a test's own, on a loopback port, ended by its destructor.
#ifndef CREAMERY_TESTS_CLIENT_CPP_SERVER_PROCESS_H_
#define CREAMERY_TESTS_CLIENT_CPP_SERVER_PROCESS_H_

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace creamery {

class ServerProcess {
 public:
  // `folder` keeps its data and its log; `listen` and `arguments` go to the program.
  explicit ServerProcess(const std::string& folder, const std::string& listen = "127.0.0.1:0",
                         std::vector<std::string> arguments = {"--local_workers=0"}) {
    const std::string port_file = folder + "/port";
    std::remove(port_file.c_str());
    arguments.insert(arguments.begin(), {CREAMERY_BINARY_DIR "/bin/creamery-server", "--listen=" + listen,
                                         "--port_file=" + port_file, "--data=" + folder + "/data"});
    std::vector<char*> argv;
    argv.reserve(arguments.size() + 1);
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    const std::string log = folder + "/log";
    process_ = fork();
    if (process_ == 0) {
      const int file = open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
      dup2(file, STDOUT_FILENO);
      dup2(file, STDERR_FILENO);
      execv(argv[0], argv.data());
      _exit(127);
    }
    for (int i = 0; i < 200 && address_.empty(); ++i) {
      std::ifstream(port_file) >> address_;
      if (address_.empty()) absl::SleepFor(absl::Milliseconds(50));
    }
  }
  ~ServerProcess() { Stop(); }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // Drains and ends; the exit code, or -1 if it died otherwise.
  int Stop() {
    if (process_ <= 0) return -1;
    kill(process_, SIGTERM);
    int status = 0;
    waitpid(process_, &status, 0);
    process_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  // host:port; empty if it did not start within ten seconds.
  const std::string& address() const { return address_; }

 private:
  pid_t process_ = 0;
  std::string address_;
};

}  // namespace creamery

#endif  // CREAMERY_TESTS_CLIENT_CPP_SERVER_PROCESS_H_
