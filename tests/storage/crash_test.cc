// kill -9 in the middle of writing: what was acknowledged is there, and Verify finds nothing.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <random>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/storage/registry_fixture.h"

namespace creamery {
namespace {

constexpr int kRounds = 20;

// Appends parts, imports versions and moves an alias for as long as it lives; one line to `pipe` per acknowledgement.
[[noreturn]] void WriteUntilKilled(const std::string& directory, int round, int pipe) {
  const Caller ada{"ada", "", "", absl::Now()};
  auto registry = Registry::Open(directory, {0, absl::ZeroDuration()});
  if (!registry.ok()) _exit(2);
  const auto put = [&](const std::string& bytes) {
    auto writer = (*registry)->blobs().NewBlob().value();
    if (!writer->Append(bytes).ok()) _exit(3);
    return writer->Commit().value();
  };
  const auto acknowledge = [&](const std::string& line) {
    if (write(pipe, line.data(), line.size()) != static_cast<ssize_t>(line.size())) _exit(4);
  };
  for (int i = 0;; ++i) {
    const auto part = put(absl::StrCat("part ", round, " ", i, std::string(20000, 'p')));
    const auto dataset = (*registry)->AppendPart(ada, {"p", "d"}, {part.digest, 1}, -1);
    if (!dataset.ok()) _exit(5);
    acknowledge(absl::StrCat("rows ", dataset->num_rows(), "\n"));
    const auto artifact = put(absl::StrCat("artifact ", round, " ", i));
    const auto version = (*registry)->ImportVersion(ada, {"p", "m"}, {}, artifact.digest);
    if (!version.ok()) _exit(6);
    const int64_t number = VersionName::Parse(version->name())->number;
    acknowledge(absl::StrCat("version ", number, "\n"));
    if (!(*registry)->SetAlias(ada, {"p", "m"}, "newest", number, -1).ok()) _exit(7);
    acknowledge(absl::StrCat("alias ", number, "\n"));
    if (i % 5 == 4 && !(*registry)->CollectGarbage().ok()) _exit(8);
  }
}

// The last whole line of each kind.
struct Acknowledged {
  int64_t rows = 0, version = 0, alias = 0;
};

void ReadInto(int pipe, std::string& text) {
  char buffer[4096];
  for (ssize_t got; (got = read(pipe, buffer, sizeof(buffer))) > 0;) text.append(buffer, got);
}

TEST(StorageCrashTest, EverythingAcknowledgedSurvivesKill9) {
  ScratchDirectory directory;
  {
    const Caller ada{"ada", "", "", absl::Now()};
    ASSERT_OK_AND_ASSIGN(auto registry, Registry::Open(directory.path(), {0, absl::Hours(1)}));
    v1::Dataset schema;
    schema.add_parameters()->set_name("x");
    schema.set_row_kind(v1::INDEPENDENT);
    ASSERT_THAT(registry->CreateProject(ada, {"p"}, ""), IsOk());
    ASSERT_THAT(registry->CreateDataset(ada, {"p", "d"}, schema), IsOk());
  }
  std::mt19937 random(1);
  Acknowledged last;
  int rounds_with_work = 0;
  for (int round = 0; round < kRounds; ++round) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(ends[0]);
      WriteUntilKilled(directory.path(), round, ends[1]);
    }
    close(ends[1]);
    usleep(20000 + random() % 100000);
    ASSERT_EQ(kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself with " << WEXITSTATUS(status);
    std::string text;
    ReadInto(ends[0], text);
    close(ends[0]);
    if (!text.empty()) ++rounds_with_work;
    for (absl::string_view line : absl::StrSplit(text.substr(0, text.rfind('\n') + 1), '\n', absl::SkipEmpty())) {
      const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
      int64_t& number = words[0] == "rows" ? last.rows : words[0] == "version" ? last.version : last.alias;
      ASSERT_TRUE(absl::SimpleAtoi(words[1], &number));
    }

    ASSERT_OK_AND_ASSIGN(auto registry, Registry::Open(directory.path(), {0, absl::Hours(1)}));
    EXPECT_GE(registry->GetDataset({"p", "d"})->num_rows(), last.rows);
    if (last.version > 0) {
      EXPECT_THAT(registry->GetVersion({"p", "m"}, last.version), IsOk());
      ASSERT_OK_AND_ASSIGN(const v1::Model model, registry->GetModel({"p", "m"}));
      EXPECT_GE(model.latest_version(), last.version);
      if (last.alias > 0) {
        EXPECT_GE(model.aliases().at("newest"), last.alias);
      }
    }
    ASSERT_OK_AND_ASSIGN(const std::vector<std::string> problems, registry->Verify());
    EXPECT_THAT(problems, ::testing::IsEmpty());
  }
  EXPECT_GE(rounds_with_work, kRounds / 2) << "the machine is too slow for the kill to hit anything";
  RecordProperty("rows", static_cast<int>(last.rows));
}

}  // namespace
}  // namespace creamery
