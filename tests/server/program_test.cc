// The program as a person starts it: exit codes, messages, signals.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "tests/status_matchers.h"

extern char** environ;

namespace creamery {
namespace {

using ::testing::HasSubstr;

class ProgramTest : public ::testing::Test {
 protected:
  ProgramTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "creamery-program-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
  }
  ~ProgramTest() override {
    for (const pid_t pid : started_) {
      if (waitpid(pid, nullptr, WNOHANG) == 0) {
        kill(pid, SIGKILL);
        waitpid(pid, nullptr, 0);
      }
    }
    std::filesystem::remove_all(directory_);
  }
  pid_t Start(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), CREAMERY_BINARY_DIR "/bin/creamery-server");
    std::vector<char*> argv;
    argv.reserve(arguments.size() + 1);
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, Log().c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    pid_t pid = -1;
    EXPECT_EQ(posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    started_.push_back(pid);
    return pid;
  }
  static int ExitCode(pid_t pid) {
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  // The address that the server wrote, or empty after ten seconds.
  std::string Address() const {
    std::string address;
    for (int i = 0; i < 1000 && address.empty(); ++i) {
      std::ifstream(directory_ + "/port") >> address;
      absl::SleepFor(absl::Milliseconds(10));
    }
    return address;
  }
  std::string Log() const { return directory_ + "/log"; }
  std::string Output() const {
    std::ifstream file(Log());
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  std::vector<std::string> Arguments(const std::string& listen = "127.0.0.1:0") const {
    return {"--data=" + directory_ + "/data", "--listen=" + listen, "--local_workers=0",
            "--port_file=" + directory_ + "/port"};
  }

  std::string directory_;
  std::vector<pid_t> started_;
};

TEST_F(ProgramTest, SigtermDrainsAndExitsZeroAndWhatIsStoredIsClean) {
  const pid_t server = Start(Arguments());
  ASSERT_NE(Address(), "");
  kill(server, SIGTERM);
  EXPECT_EQ(ExitCode(server), 0);
  EXPECT_EQ(ExitCode(Start({"verify", "--data=" + directory_ + "/data"})), 0);
  EXPECT_THAT(Output(), HasSubstr("is clean"));
}

TEST_F(ProgramTest, VerifyNamesADamagedFileAndExitsOne) {
  const pid_t server = Start(Arguments());
  ASSERT_NE(Address(), "");
  kill(server, SIGTERM);
  ASSERT_EQ(ExitCode(server), 0);
  std::fstream file(directory_ + "/data/registry.sqlite", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(4096 * 2);
  file << std::string(4096, '\x5a');
  file.close();
  EXPECT_EQ(ExitCode(Start({"verify", "--data=" + directory_ + "/data"})), 1);
  EXPECT_EQ(ExitCode(Start({"verify", "--data=" + directory_ + "/nothing-here"})), 1);
}

TEST_F(ProgramTest, APortInUseEndsWithAClearMessage) {
  Start(Arguments());
  const std::string address = Address();
  ASSERT_NE(address, "");
  std::vector<std::string> arguments = Arguments(address);
  arguments[0] = "--data=" + directory_ + "/other";
  EXPECT_EQ(ExitCode(Start(arguments)), 1);
  EXPECT_THAT(Output(), HasSubstr("cannot listen on " + address + ": the port is in use"));
}

TEST_F(ProgramTest, BeyondLoopbackItRefusesWithAnInstruction) {
  EXPECT_EQ(ExitCode(Start(Arguments("0.0.0.0:0"))), 1);
  EXPECT_THAT(Output(), HasSubstr("give --tls_cert, --tls_key and --token_file, or say --insecure"));
}

TEST_F(ProgramTest, FlagsWinOverTheFile) {
  std::ofstream(directory_ + "/config") << "listen: \"0.0.0.0:0\" local_workers: 0\ndata: \"" << directory_
                                        << "/data\" port_file: \"" << directory_ << "/port\"\n";
  EXPECT_EQ(ExitCode(Start({"--config=" + directory_ + "/config"})), 1);
  const pid_t server = Start({"--config=" + directory_ + "/config", "--listen=127.0.0.1:0"});
  EXPECT_THAT(Address(), HasSubstr("127.0.0.1:"));
  kill(server, SIGINT);
  EXPECT_EQ(ExitCode(server), 0);
  EXPECT_EQ(ExitCode(Start({"--config=" + directory_ + "/none"})), 1);
  EXPECT_EQ(ExitCode(Start({"--no_such_flag"})), 1);
}

}  // namespace
}  // namespace creamery
