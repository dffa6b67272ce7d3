// The program as a person starts it: exit codes, messages, signals.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
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

TEST_F(ProgramTest, ALostRegistryIsRefusedUntilSomebodySaysToBeginAnew) {
  std::filesystem::create_directories(directory_ / "data/blobs");
  const std::string digest(64, 'a');
  std::ofstream(directory_ / "data/blobs/" + digest) << "bytes";
  EXPECT_EQ(ExitCode(Start(Arguments())), 1);
  EXPECT_THAT(Output(), HasSubstr("registry.sqlite is missing, but beside it are 1 blobs of 5 bytes"));
  EXPECT_EQ(ExitCode(Start({"verify", "--data=" + (directory_ / "data")})), 1);
  EXPECT_TRUE(std::filesystem::exists(directory_ / "data/blobs/" + digest));
  std::vector<std::string> arguments = Arguments();
  arguments.push_back("--begin_anew");
  ChildProcess& server = Start(arguments);
  ASSERT_NE(Address(), "");
  server.Signal(SIGTERM);
  EXPECT_EQ(ExitCode(server), 0);
  EXPECT_EQ(ExitCode(Start({"verify", "--data=" + (directory_ / "data")})), 0);
  EXPECT_THAT(Output(), HasSubstr("set aside: blob " + digest));
}

// The kernel's word for it is SIGXFSZ, which ends a program that does not ask for the error instead.
TEST_F(ProgramTest, ALimitOnTheSizeOfFilesRefusesAnUploadAndTheServerGoesOn) {
  std::string command = "ulimit -f 1024; exec " CREAMERY_BINARY_DIR "/bin/creamery-server";
  for (const std::string& argument : Arguments()) command += " '" + argument + "'";
  ChildProcess& server = *started_.emplace_back(
      std::make_unique<ChildProcess>(std::vector<std::string>{"/bin/bash", "-c", command}, Log()));
  const std::string address = Address();
  ASSERT_NE(address, "");
  const auto upload = [&](const std::string& name, int rows) {
    std::string text = "a,b\n";
    for (int i = 0; i < rows; ++i) text += std::to_string(i) + "," + std::to_string(i % 97) + "\n";
    const std::string file = directory_.Write(name + ".csv", text);
    ChildProcess& client = *started_.emplace_back(std::make_unique<ChildProcess>(
        std::vector<std::string>{CREAMERY_BINARY_DIR "/bin/creamery", "--server=" + address, "datasets", "upload",
                                 "p/" + name, file},
        directory_ / name));
    return ExitCode(client);
  };
  EXPECT_NE(upload("large", 100000), 0);  // 1.6 MB as numbers
  EXPECT_THAT(Output(), HasSubstr("`ulimit -f`, is 1048576 bytes"));
  EXPECT_EQ(upload("small", 1000), 0) << Output();
  EXPECT_EQ(upload("large", 1000), 0) << Output();  // the name is free for whoever comes again
  server.Signal(SIGTERM);
  EXPECT_EQ(ExitCode(server), 0);
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
