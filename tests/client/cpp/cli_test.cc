// The command as a person runs it: its words, its streams and its exit codes. What needs no server.
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/status_matchers.h"
#include "tests/support/scratch_directory.h"

namespace creamery {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Outcome {
  int code = 0;
  std::string out, err;
};

class CliTest : public ::testing::Test {
 protected:
  // Runs `creamery ARGUMENTS` through a shell. Port 1 of this machine: nobody listens there.
  Outcome Run(const std::string& arguments, const std::string& environment = "CREAMERY_SERVER=127.0.0.1:1") {
    const std::string out = (folder_ / "out"), err = (folder_ / "err");
    const std::string command = "env -u CREAMERY_TOKEN_FILE -u CREAMERY_TLS_CA " + environment +
                                " " CREAMERY_BINARY_DIR "/bin/creamery " + arguments + " >" + out + " 2>" + err +
                                " </dev/null";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, Read(out), Read(err)};
  }
  static std::string Read(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
  ScratchDirectory folder_;
};

TEST_F(CliTest, HelpNamesEveryNounAndVerb) {
  const Outcome help = Run("--help");
  EXPECT_EQ(help.code, 0);
  for (const char* word : {"datasets",
                           "train",
                           "jobs",
                           "models",
                           "log-prob",
                           "sample",
                           "kl",
                           "dimensionality",
                           "prior-transform",
                           "log-likelihood",
                           "inverse-prior-transform",
                           "joint",
                           "tension",
                           "evidence",
                           "evidence-ratio",
                           "reweight",
                           "train-array",
                           "--server",
                           "--token-file",
                           "--tls-ca"}) {
    EXPECT_THAT(help.out, HasSubstr(word));
  }
  for (const char* verb : {"upload", "list", "show", "append", "download", "delete"}) {
    EXPECT_THAT(Run("datasets --help").out, HasSubstr(verb));
  }
  for (const char* verb : {"list", "show", "versions", "alias", "export", "import", "delete"}) {
    EXPECT_THAT(Run("models --help").out, HasSubstr(verb));
  }
  for (const char* verb : {"list", "show", "watch", "cancel"}) EXPECT_THAT(Run("jobs --help").out, HasSubstr(verb));
  EXPECT_THAT(Run("train --help").out, AllOf(HasSubstr("transforms=INTEGER"), HasSubstr("bins=INTEGER")));
  EXPECT_EQ(Run("--version").out, "creamery 0.1.0\n");
}

TEST_F(CliTest, MistakesInTheCommandLineExitWithTwo) {
  const std::string csv = folder_.Write("a.csv", "a,b\n1,2\n");
  for (const std::string& arguments : std::vector<std::string>{
           "", "frobnicate", "datasets", "datasets upload p/d", "datasets upload p/d " + csv + " --kind=magic",
           "train p/m", "train p/m --dataset=p/d --family=gan", "sample p/m", "sample p/m -n 0",
           "sample p/m -n 3 --seed=x", "log-prob p/m --nonsense", "jobs cancel", "predict p/m", "joint p/a",
           "tension p/a", "evidence p/m --temperature=2"}) {
    const Outcome outcome = Run(arguments);
    EXPECT_EQ(outcome.code, 2) << arguments;
    EXPECT_THAT(outcome.err, HasSubstr("creamery: ")) << arguments;
    EXPECT_THAT(outcome.out, IsEmpty()) << arguments;
  }
}

TEST_F(CliTest, UnknownSettingsListTheRightOnes) {
  const Outcome outcome = Run("train p/m --dataset=p/d --family=maf --set transfroms=8 members=2");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("creamery: INVALID_ARGUMENT: "), HasSubstr("'transfroms'"),
                                 HasSubstr("transforms=INTEGER")));
}

TEST_F(CliTest, AMalformedPriorIsAMistakeInTheCommandLine) {
  const std::string csv = folder_.Write("a.csv", "a,b\n1,2\n");
  const Outcome outcome = Run("datasets upload p/d " + csv + " --prior 'a~uniform(0,1)' 'b~cauchy(0,1)'");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("'cauchy(0,1)'"));
}

TEST_F(CliTest, RoundsNeedBothOfTheirFiles) {
  const Outcome outcome = Run("reweight p/m --values=a.csv");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("--values"), HasSubstr("--next")));
}

TEST_F(CliTest, AGivenEvidenceNamesItsMethod) {
  const Outcome outcome = Run("evidence-ratio p/a p/b --evidence1=-12.3,0.1");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("method=Z,ERR"));
}

TEST_F(CliTest, FilesAreJudgedBeforeTheServerIsAsked) {
  EXPECT_THAT(Run("datasets upload p/d " + (folder_ / "none.csv")).err,
              AllOf(HasSubstr("creamery: NOT_FOUND: "), HasSubstr("none.csv")));
  const std::string bad = folder_.Write("bad.csv", "a,b\n1,2\n3,oops\n");
  const Outcome outcome = Run("datasets upload p/d " + bad);
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("line 3, column 2: 'oops' is not a number"));
  const std::string nan = folder_.Write("nan.csv", "a,b\n1,2\n3,nan\n");
  EXPECT_THAT(Run("datasets upload p/d " + nan).err, AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("row 1")));
  const std::string good = folder_.Write("good.csv", "a,b\n1,2\n");
  EXPECT_THAT(Run("datasets upload p/d " + good + " --columns=a,c").err, HasSubstr("the columns are a, b"));
  EXPECT_THAT(Run("datasets upload 'p d' " + good).err, HasSubstr("INVALID_ARGUMENT"));
}

TEST_F(CliTest, NobodyThereIsUnavailableAndNamesTheAddress) {
  const Outcome outcome = Run("models list p");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("creamery: UNAVAILABLE: "), HasSubstr("127.0.0.1:1")));
  // --server overrules the environment, before the command and after it.
  EXPECT_THAT(Run("--server=127.0.0.1:2 models list p").err, HasSubstr("127.0.0.1:2"));
  EXPECT_THAT(Run("models list p --server=127.0.0.1:2").err, HasSubstr("127.0.0.1:2"));
}

TEST_F(CliTest, ATokenIsNotSentInTheClearToAnotherMachine) {
  const std::string token = folder_.Write("token", "# mine\nsecret alice\n");
  const Outcome outcome = Run("--server=192.0.2.1:1 --token-file=" + token + " models list p");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("in the clear"));
  EXPECT_THAT(Run("--token-file=" + (folder_ / "none") + " models list p").err, HasSubstr("NOT_FOUND"));
  EXPECT_THAT(Run("--token-file=" + folder_.Write("empty", "# x\n") + " models list p").err, HasSubstr("no token"));
  EXPECT_THAT(Run("--tls-ca=" + (folder_ / "none") + " models list p").err, HasSubstr("CA file"));
}

}  // namespace
}  // namespace creamery
