// The program as a person starts it: exit codes, messages, signals.
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "tests/status_matchers.h"
#include "tests/support/child_process.h"
#include "tests/support/scratch_directory.h"

namespace creamery {
namespace {

using ::testing::HasSubstr;

class ProgramTest : public ::testing::Test {
 protected:
  ChildProcess& Start(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), CREAMERY_BINARY_DIR "/bin/creamery-server");
    return *started_.emplace_back(std::make_unique<ChildProcess>(arguments, Log()));
  }
  static int ExitCode(ChildProcess& process) { return process.Wait(absl::Seconds(60)); }
  // The address that the server wrote, or empty after ten seconds.
  std::string Address() { return WaitForWord(directory_ / "port", *started_.back(), absl::Seconds(10)); }
  std::string Log() const { return directory_ / "log"; }
  std::string Output() const { return started_.back()->log(); }
  std::vector<std::string> Arguments(const std::string& listen = "127.0.0.1:0") const {
    return {"--data=" + (directory_ / "data"), "--listen=" + listen, "--local_workers=0",
            "--port_file=" + (directory_ / "port")};
  }

  const ScratchDirectory directory_;
  std::vector<std::unique_ptr<ChildProcess>> started_;
};

TEST_F(ProgramTest, SigtermDrainsAndExitsZeroAndWhatIsStoredIsClean) {
  ChildProcess& server = Start(Arguments());
  ASSERT_NE(Address(), "");
  server.Signal(SIGTERM);
  EXPECT_EQ(ExitCode(server), 0);
  EXPECT_EQ(ExitCode(Start({"verify", "--data=" + (directory_ / "data")})), 0);
  EXPECT_THAT(Output(), HasSubstr("is clean"));
}

TEST_F(ProgramTest, VerifyNamesADamagedFileAndExitsOne) {
  ChildProcess& server = Start(Arguments());
  ASSERT_NE(Address(), "");
  server.Signal(SIGTERM);
  ASSERT_EQ(ExitCode(server), 0);
  std::fstream file(directory_ / "data/registry.sqlite", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(4096 * 2);
  file << std::string(4096, '\x5a');
  file.close();
  EXPECT_EQ(ExitCode(Start({"verify", "--data=" + (directory_ / "data")})), 1);
  EXPECT_EQ(ExitCode(Start({"verify", "--data=" + (directory_ / "nothing-here")})), 1);
}

TEST_F(ProgramTest, APortInUseEndsWithAClearMessage) {
  Start(Arguments());
  const std::string address = Address();
  ASSERT_NE(address, "");
  std::vector<std::string> arguments = Arguments(address);
  arguments[0] = "--data=" + (directory_ / "other");
  EXPECT_EQ(ExitCode(Start(arguments)), 1);
  EXPECT_THAT(Output(), HasSubstr("cannot listen on " + address + ": the port is in use"));
}

TEST_F(ProgramTest, BeyondLoopbackItRefusesWithAnInstruction) {
  EXPECT_EQ(ExitCode(Start(Arguments("0.0.0.0:0"))), 1);
  EXPECT_THAT(Output(), HasSubstr("give --tls_cert, --tls_key and --token_file, or say --insecure"));
}

TEST_F(ProgramTest, FlagsWinOverTheFile) {
  std::ofstream(directory_ / "config") << "listen: \"0.0.0.0:0\" local_workers: 0\ndata: \"" << directory_.path()
                                       << "/data\" port_file: \"" << directory_.path() << "/port\"\n";
  EXPECT_EQ(ExitCode(Start({"--config=" + (directory_ / "config")})), 1);
  ChildProcess& server = Start({"--config=" + (directory_ / "config"), "--listen=127.0.0.1:0"});
  EXPECT_THAT(Address(), HasSubstr("127.0.0.1:"));
  server.Signal(SIGINT);
  EXPECT_EQ(ExitCode(server), 0);
  EXPECT_EQ(ExitCode(Start({"--config=" + (directory_ / "none")})), 1);
  EXPECT_EQ(ExitCode(Start({"--no_such_flag"})), 1);
}

}  // namespace
}  // namespace creamery
