// The command as a person runs it: its words, its streams and its exit codes. What needs no server.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cpp/spec_options.h"
#include "tests/client/cpp/cli_fixture.h"

namespace creamery {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class CliTest : public CliFixture {};

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
                           "projects",
                           "plot",
                           "config",
                           "completion",
                           "--project",
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

TEST_F(CliTest, AnUnknownCommandIsNamedAndNearOnesAreListed) {
  EXPECT_THAT(Run("frob").err,
              AllOf(HasSubstr("there is no command 'frob'; the commands are "), HasSubstr("datasets")));
  EXPECT_THAT(Run("model list").err, HasSubstr("there is no command 'model'; did you mean models"));
  EXPECT_THAT(Run("models lst").err, HasSubstr("there is no command 'models lst'; did you mean list?"));
  EXPECT_THAT(Run("models frob --json").err,
              AllOf(HasSubstr("'models frob'"), HasSubstr("the commands are list, show")));
  EXPECT_THAT(Run("--server=x jobs wacth p/1").err, HasSubstr("'jobs wacth'; did you mean watch?"));
  EXPECT_THAT(Run("completion tcsh").err, HasSubstr("bash"));
  EXPECT_THAT(Run("").err, HasSubstr("which command? "));
  EXPECT_THAT(Run("datasets").err, HasSubstr("which command of 'datasets'? upload"));
  for (const char* arguments : {"frob", "models frob", "models", "completion tcsh"}) EXPECT_EQ(Run(arguments).code, 2);
}

TEST_F(CliTest, AnUnknownOptionIsNamedAndNearOnesAreListed) {
  // A mistyped option is the reason why a required one is missing.
  EXPECT_THAT(Run("train p/m --datset=p/d").err,
              HasSubstr("'train' has no option '--datset'; did you mean --dataset?"));
  EXPECT_THAT(Run("kl p/m --sed 3").err, HasSubstr("'kl' has no option '--sed'; did you mean --seed?"));
  EXPECT_THAT(Run("kl p/m --sevrer=x").err, HasSubstr("did you mean --server?"));
  EXPECT_THAT(Run("--frobnicate").err, HasSubstr("there is no option '--frobnicate'"));
  EXPECT_THAT(Run("kl p/m p/n").err, HasSubstr("'kl' takes no further argument 'p/n'"));
  EXPECT_THAT(Run("train p/m --dataset=p/d --family=nfs").err, HasSubstr("'nfs'; did you mean nsf"));
  EXPECT_THAT(Run("kl '\x1b]0;owned\x07'\x1b[31m --\x1b[2J").err, Not(HasSubstr("\x1b")));
}

// Line ends and indents are the layout's.
std::string Flat(std::string text) {
  absl::RemoveExtraAsciiWhitespace(&text);
  return text;
}

TEST_F(CliTest, HelpOfTrainShowsWhatEveryOptionMeans) {
  const std::string help = Flat(Run("train --help").out);
  std::vector<SpecOption> options = CommonOptions();
  for (const std::string& family : FamilyNames()) {
    EXPECT_THAT(help, HasSubstr(Flat(absl::StrCat("--family=", family, ": ", FamilyMeaning(family)))));
    for (const SpecOption& option : FamilyOptions(family)) options.push_back(option);
  }
  for (const SpecOption& option : options) {
    ASSERT_THAT(option.meaning, Not(IsEmpty())) << option.name;
    EXPECT_THAT(help, HasSubstr(Flat(absl::StrCat(option.name, "=", option.type, " ", option.meaning))));
    for (const auto& [value, meaning] : option.values) {
      EXPECT_THAT(help, HasSubstr(Flat(absl::StrCat(value, ": ", meaning)))) << option.name;
    }
  }
  // The contract's own words, which carry range and default.
  EXPECT_THAT(help, HasSubstr("transforms=INTEGER Autoregressive layers, 1 to 64, default 6"));
  EXPECT_THAT(help, HasSubstr("learning_rate=NUMBER Adam's step size, (0, 1], default 1e-3"));
}

TEST_F(CliTest, EveryNumberOfASpecSaysItsDefault) {
  std::vector<SpecOption> options = CommonOptions();
  for (const std::string& family : FamilyNames()) {
    for (const SpecOption& option : FamilyOptions(family)) options.push_back(option);
  }
  for (const SpecOption& option : options) {
    if (option.type != "INTEGER" && option.type != "NUMBER") continue;
    const std::string meaning = absl::AsciiStrToLower(option.meaning);
    const bool says = absl::StrContains(meaning, "default") || absl::StrContains(meaning, "as of its family") ||
                      absl::StrContains(meaning, "bins of each spline of `nsf`");
    EXPECT_TRUE(says) << option.name << ": " << option.meaning;
  }
}

TEST_F(CliTest, HelpOfOneFamilyShowsNoOther) {
  const std::string help = Run("train --help --family=nsf").out;
  EXPECT_THAT(help, AllOf(HasSubstr("--set for --family=nsf"), HasSubstr("bins=INTEGER"), HasSubstr("max_epochs")));
  EXPECT_THAT(help, Not(HasSubstr("--set for --family=kde")));
  EXPECT_THAT(Run("train --family nsf --help").out, Not(HasSubstr("--set for --family=kde")));
}

TEST_F(CliTest, TheConfigFileSaysWhatOptionsAndEnvironmentDoNot) {
  EXPECT_THAT(Run("config show", "").out, AllOf(HasSubstr("localhost:50051  (default)"), HasSubstr("there is none")));
  Configure("# of this machine\nserver = \"127.0.0.1:7\"  # nobody\nproject='planck'\n");
  EXPECT_THAT(Run("config show", "").out,
              AllOf(HasSubstr("server      127.0.0.1:7  (config file)"), HasSubstr("project     planck  (config file)"),
                    HasSubstr("token_file  -  (not set)")));
  EXPECT_THAT(Run("models list", "").err, HasSubstr("127.0.0.1:7"));
  EXPECT_THAT(Run("models list", "CREAMERY_SERVER=127.0.0.1:8").err, HasSubstr("127.0.0.1:8"));
  EXPECT_THAT(Run("models list --server=127.0.0.1:9", "CREAMERY_SERVER=127.0.0.1:8").err, HasSubstr("127.0.0.1:9"));
  const std::string json = Run("config show --project=desi --json", "CREAMERY_SERVER=127.0.0.1:8").out;
  EXPECT_THAT(json, AllOf(HasSubstr(R"({"key":"project","origin":"--project","value":"desi"})"),
                          HasSubstr(R"({"key":"server","origin":"CREAMERY_SERVER","value":"127.0.0.1:8"})")));
}

TEST_F(CliTest, AMistakeInTheConfigFileIsShownWithItsLine) {
  Configure("server = \"a:1\"\nsever = \"b:1\"\n");
  EXPECT_THAT(Run("config show", "").err,
              HasSubstr("config.toml', line 2: there is no key 'sever', it is ignored; did you mean server?"));
  Configure("\nserver = localhost:1\n");
  const Outcome outcome = Run("kl p/m");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("line 2: "), HasSubstr("expected one string in quotes")));
  Configure("[server]\n");
  EXPECT_THAT(Run("kl p/m").err, AllOf(HasSubstr("line 1: '[server]'"), HasSubstr("key = \"value\"")));
  Configure("project = \"a\"\nproject = \"b\"\n");
  EXPECT_THAT(Run("kl p/m").err, HasSubstr("'project' is given twice"));
  Configure("server = \"a:1\n");
  EXPECT_THAT(Run("kl p/m").err, HasSubstr("expected one string in quotes"));
  EXPECT_EQ(Run("--help").code, 0);
}

TEST_F(CliTest, TheTokenOfTheConfigFileIsForItsServerAlone) {
  const std::string token = folder_.Write("token", "\n");  // no token: an error as soon as it is used
  Configure("server = \"127.0.0.1:7\"\ntoken_file = \"" + token + "\"\n");
  EXPECT_THAT(Run("models list", "").err, HasSubstr("has no token"));
  EXPECT_THAT(Run("models list --server=127.0.0.1:7", "").err, HasSubstr("has no token"));
  EXPECT_THAT(Run("models list --server=127.0.0.1:9", "").err,
              AllOf(HasSubstr("127.0.0.1:9"), Not(HasSubstr("token"))));
  EXPECT_THAT(Run("models list --server=127.0.0.1:9 --token-file=" + token, "").err, HasSubstr("has no token"));
}

TEST_F(CliTest, ATokenFileThatOthersCanReadIsWarnedOf) {
  const std::string token = folder_.Write("token", "secret\n");
  std::filesystem::permissions(token, std::filesystem::perms(0640));
  EXPECT_THAT(Run("models list --token-file=" + token).err, HasSubstr("warning: others can read the token file"));
  std::filesystem::permissions(token, std::filesystem::perms(0600));
  EXPECT_THAT(Run("models list --token-file=" + token).err, Not(HasSubstr("warning")));
}

TEST_F(CliTest, CompletionOffersCommandsOptionsAndFamilies) {
  const auto complete = [this](const std::string& line) {
    std::vector<std::string> words = absl::StrSplit(Run("__complete '" + line + "'").out, '\n', absl::SkipEmpty());
    std::sort(words.begin(), words.end());
    return words;
  };
  EXPECT_THAT(complete("creamery mo"), ElementsAre("models"));
  EXPECT_THAT(complete("creamery models ex"), ElementsAre("export"));
  EXPECT_THAT(complete("creamery --server=x:1 --project p jobs ca"), ElementsAre("cancel", "cancel-array"));
  EXPECT_THAT(complete("creamery train p/m --fam"), ElementsAre("--family="));
  EXPECT_THAT(complete("creamery train p/m --family=n"), ElementsAre("--family=nsf"));
  EXPECT_THAT(complete("creamery train p/m --family n"), ElementsAre("nsf"));
  EXPECT_THAT(complete("creamery train p/m --set trans"), ElementsAre("transforms="));
  EXPECT_THAT(complete("creamery kl p/m --js"), ElementsAre("--json"));
  EXPECT_THAT(complete("creamery kl p/m --ser"), ElementsAre("--server="));
  EXPECT_THAT(complete("creamery completion "), ElementsAre("bash", "fish", "zsh"));
  EXPECT_THAT(complete("creamery datasets upload p/d fi"), IsEmpty());  // files are the shell's
  EXPECT_THAT(complete("creamery kl "), IsEmpty());                     // and nobody answers here
}

TEST_F(CliTest, BashCompletesThroughThePrintedScript) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    EXPECT_THAT(Run(std::string("completion ") + shell).out, HasSubstr("creamery __complete")) << shell;
  }
  EXPECT_THAT(Run("completion zsh").out, HasSubstr("\n    compadd -Q -- ${reply:#*[=/]}\n"));
  const std::string script = folder_.Write("complete.sh", Run("completion bash").out + R"(
COMP_LINE='creamery train p/m --family=n' COMP_POINT=${#COMP_LINE}
COMP_WORDS=(creamery train p/m --family = n) COMP_CWORD=5
_creamery 2>/dev/null
echo "${COMPREPLY[@]}"
)");
  EXPECT_EQ(Shell("PATH=" CREAMERY_BINARY_DIR "/bin:$PATH bash " + script).out, "nsf\n");
}

TEST_F(CliTest, TheManualPageHasEveryCommand) {
  const std::string page = Run("man").out;
  EXPECT_THAT(page, StartsWith(".TH CREAMERY 1"));
  for (const char* words : {".SS creamery train\n", ".SS creamery datasets upload\n", ".SS creamery config show\n",
                            "\\-\\-token\\-file", "max_epochs=INTEGER"}) {
    EXPECT_THAT(page, HasSubstr(words));
  }
}

TEST_F(CliTest, APlotWithoutThePythonClientSaysWhatToInstall) {
  const Outcome outcome = Run("plot p/m --out=" + (folder_ / "a.png"), "CREAMERY_PYTHON=false");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("FAILED_PRECONDITION"), HasSubstr("pip install")));
  EXPECT_THAT(Run("plot p/m", "CREAMERY_PYTHON=/none/python").err, HasSubstr("NOT_FOUND"));
  // What the Python client is asked.
  const std::string fake = folder_.Write("python", "#!/bin/sh\necho \"$@\"\n");
  std::filesystem::permissions(fake, std::filesystem::perms(0700));
  EXPECT_THAT(
      Run("plot m --chain=c.csv --server=x:1 --project=p", "CREAMERY_PYTHON=" + fake).out,
      AllOf(HasSubstr("'creamery.plot'"), HasSubstr(") --model=p/m --out=corner.png --chain=c.csv --server=x:1\n")));
}

}  // namespace
}  // namespace creamery
