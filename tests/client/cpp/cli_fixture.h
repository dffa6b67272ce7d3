// The command as a person runs it: its words, its streams and its exit codes.
#ifndef CREAMERY_TESTS_CLIENT_CPP_CLI_FIXTURE_H_
#define CREAMERY_TESTS_CLIENT_CPP_CLI_FIXTURE_H_

#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/status_matchers.h"
#include "tests/support/scratch_directory.h"

namespace creamery {

struct Outcome {
  int code = 0;
  std::string out, err;
};

class CliFixture : public ::testing::Test {
 protected:
  // Runs `creamery ARGUMENTS` through a shell, without the settings of whoever runs the test. Port 1 of this machine:
  // nobody listens there.
  Outcome Run(const std::string& arguments, const std::string& environment = "CREAMERY_SERVER=127.0.0.1:1") {
    return Shell(environment + " " CREAMERY_BINARY_DIR "/bin/creamery " + arguments);
  }
  Outcome Shell(const std::string& words) {
    const std::string out = (folder_ / "out"), err = (folder_ / "err");
    const std::string command =
        "env -u CREAMERY_SERVER -u CREAMERY_TOKEN_FILE -u CREAMERY_TLS_CA -u CREAMERY_PROJECT " +
        ("XDG_CONFIG_HOME=" + (folder_ / "config") + " ") + words + " >" + out + " 2>" + err + " </dev/null";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, Read(out), Read(err)};
  }
  static std::string Read(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
  // Writes the config file that Run sees.
  void Configure(const std::string& text) {
    std::filesystem::create_directories(folder_ / "config/creamery");
    std::ofstream(folder_ / "config/creamery/config.toml") << text;
  }

  ScratchDirectory folder_;
};

}  // namespace creamery

#endif  // CREAMERY_TESTS_CLIENT_CPP_CLI_FIXTURE_H_
