// A registry that was lost, emptied, damaged or restored from an older copy: no blob is lost with it.
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <random>

#include "absl/strings/str_cat.h"
#include "proto/support/digest.h"
#include "tests/storage/registry_fixture.h"

namespace creamery {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class LostRegistryTest : public RegistryFixture {
 protected:
  std::string Data() const { return directory_.path() + "/data"; }
  std::string File() const { return Data() + "/registry.sqlite"; }

  // The dataset planck/chain with one part and two versions of planck/cosmo, and a copy of the registry from before the
  // second.
  void Fill() {
    MakeDataset();
    Import("artifact 1");
    registry_.reset();
    std::filesystem::copy_file(File(), directory_.path() + "/backup");
    Reopen();
    Import("artifact 2");
    registry_.reset();
    std::filesystem::copy_file(File(), directory_.path() + "/newest");
  }
  void Restore(const std::string& copy) {
    registry_.reset();
    RemoveRegistry();
    std::filesystem::copy_file(directory_.path() + "/" + copy, File());
  }
  void RemoveRegistry() {
    for (const char* suffix : {"", "-wal", "-shm", "-journal"}) std::filesystem::remove(File() + suffix);
  }
  int NumBlobs() const {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(Data() + "/blobs")) count += entry.is_regular_file();
    return count;
  }
  absl::StatusOr<std::unique_ptr<Registry>> Open() { return Registry::Open(Data(), options_); }
  void ExpectRefused(const std::string& problem) {
    EXPECT_THAT(Open(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                 AllOf(HasSubstr(problem), HasSubstr("3 blobs of 26 bytes in " + Data() + "/blobs"),
                                       HasSubstr("--begin_anew"))));
    EXPECT_EQ(NumBlobs(), 3);
  }
  // Everything collected that can be, as a server does at start and an hour later.
  void Sweep() {
    EXPECT_THAT(registry_->CollectGarbage(), IsOk());
    EXPECT_THAT(registry_->CollectGarbage(), IsOk());
  }
};

TEST_F(LostRegistryTest, AMissingRegistryBesideBlobsIsRefusedAndNothingChanges) {
  Fill();
  RemoveRegistry();
  ExpectRefused("is missing");
  EXPECT_FALSE(std::filesystem::exists(File()));
  Restore("newest");
  Reopen();
  ExpectClean();
}

TEST_F(LostRegistryTest, AnEmptyFileIsRefusedAndSoIsARegistryWithoutProjects) {
  Fill();
  RemoveRegistry();
  std::ofstream(File()).close();
  ExpectRefused("has no bytes");
  EXPECT_EQ(std::filesystem::file_size(File()), 0u);
  RemoveRegistry();
  const std::string elsewhere = directory_.path() + "/elsewhere";
  ASSERT_THAT(Registry::Open(elsewhere, options_), IsOk());
  std::filesystem::copy_file(elsewhere + "/registry.sqlite", File());
  ExpectRefused("names no project");
}

TEST_F(LostRegistryTest, ALogWithoutItsDatabaseIsKept) {
  Fill();
  RemoveRegistry();
  for (const auto& entry : std::filesystem::directory_iterator(Data() + "/blobs")) std::filesystem::remove(entry);
  std::ofstream(File() + "-wal") << "changes";
  EXPECT_THAT(Open(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("the log " + File() + "-wal")));
  EXPECT_EQ(std::filesystem::file_size(File() + "-wal"), 7u);
}

TEST_F(LostRegistryTest, AJournalOfAnotherDatabaseIsNotRolledBackIntoARestoredOne) {
  Fill();
  std::ofstream(File() + "-journal") << std::string(512, 'j');
  EXPECT_THAT(Open(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("registry.sqlite-journal")));
  std::filesystem::remove(File() + "-journal");
  Reopen();
  ExpectClean();
}

TEST_F(LostRegistryTest, WithoutRegistryAndBlobsThereIsNothingToLose) {
  EXPECT_THAT(Registry::Open(directory_.path() + "/other", options_), IsOk());
  options_.create = false;
  EXPECT_THAT(Registry::Open(directory_.path() + "/third", options_), HasCode(absl::StatusCode::kNotFound));
}

TEST_F(LostRegistryTest, BeginningAnewSetsBlobsAsideAndARestoredRegistryTakesThemBack) {
  Fill();
  RemoveRegistry();
  options_.begin_anew = true;
  options_.keep_unnamed_blobs = absl::ZeroDuration();
  Reopen();
  EXPECT_EQ(NumBlobs(), 0);
  ASSERT_OK_AND_ASSIGN(const std::vector<std::string> aside, registry_->SetAside());
  EXPECT_THAT(aside, SizeIs(3));
  EXPECT_THAT(aside, ::testing::Contains(HasSubstr(Sha256Hex("artifact 2"))));
  ExpectClean();
  Sweep();
  EXPECT_THAT(registry_->SetAside().value(), SizeIs(3));
  Restore("newest");
  Reopen();
  ExpectClean();
  EXPECT_THAT(registry_->SetAside().value(), IsEmpty());
  // With the flag still given, a registry that knows something is not touched.
  Reopen();
  EXPECT_EQ(NumBlobs(), 3);
}

TEST_F(LostRegistryTest, AnOlderRegistryLosesNoNewerBlob) {
  Fill();
  Restore("backup");
  options_.keep_unnamed_blobs = absl::ZeroDuration();
  Reopen();
  Sweep();
  EXPECT_EQ(NumBlobs(), 2);
  EXPECT_THAT(registry_->SetAside().value(), ElementsAre(HasSubstr(Sha256Hex("artifact 2"))));
  ExpectClean();
  Restore("newest");
  Reopen();
  Sweep();
  ExpectClean();
  EXPECT_EQ(registry_->GetVersion({"planck", "cosmo"}, 2)->artifact_digest(), Sha256Hex("artifact 2"));
}

TEST_F(LostRegistryTest, WhatIsSetAsideIsUnlinkedAfterItsTimeButNotAtTheStart) {
  Fill();
  Restore("backup");
  options_.keep_unnamed_blobs = absl::ZeroDuration();
  options_.keep_set_aside = absl::Hours(1);
  Reopen();
  Sweep();
  EXPECT_THAT(registry_->SetAside().value(), SizeIs(1));
  options_.keep_set_aside = -absl::Seconds(2);  // times in names are whole seconds
  Reopen();
  ASSERT_THAT(registry_->CollectGarbage(), IsOk());
  EXPECT_THAT(registry_->SetAside().value(), SizeIs(1));
  ASSERT_THAT(registry_->CollectGarbage(), IsOk());
  EXPECT_THAT(registry_->SetAside().value(), IsEmpty());
  ExpectClean();
}

TEST_F(LostRegistryTest, WhatIsNamedAgainComesBack) {
  const std::string digest = PutBlob("artifact of a worker").digest;
  options_.keep_unnamed_blobs = absl::ZeroDuration();
  Reopen();
  EXPECT_EQ(registry_->CollectGarbage().value(), 1);
  EXPECT_EQ(NumBlobs(), 0);
  EXPECT_THAT(registry_->ImportVersion(ada_, {"planck", "cosmo"}, v1::ModelVersion(), digest), IsOk());
  EXPECT_EQ(registry_->blobs().ReadBlob(digest).value(), "artifact of a worker");
  EXPECT_THAT(registry_->SetAside().value(), IsEmpty());
  ExpectClean();
}

// Deleted by its owner: the bytes go at once, as disk space and privacy want it.
TEST_F(LostRegistryTest, WhatIsDeletedIsNotSetAside) {
  MakeDataset();
  EXPECT_EQ(registry_->CollectGarbage().value(), 0);
  ASSERT_THAT(registry_->DeleteDataset(ada_, {"planck", "chain"}), IsOk());
  EXPECT_EQ(registry_->CollectGarbage().value(), 1);
  EXPECT_THAT(registry_->SetAside().value(), IsEmpty());
}

TEST_F(LostRegistryTest, AGarbagePageIsFoundAtTheStart) {
  for (int i = 0; i < 100; ++i) {
    ASSERT_THAT(registry_->CreateProject(ada_, {absl::StrCat("p", i)}, std::string(500, 'x')), IsOk());
  }
  MakeDataset();
  registry_.reset();
  const auto size = std::filesystem::file_size(File());
  std::filesystem::copy_file(File(), directory_.path() + "/whole");
  int found = 0, pages = 0;
  for (uint64_t page = 0; page < size / 4096; ++page) {
    std::fstream file(File(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(page * 4096);
    file << std::string(4096, '\x5a');
    file.close();
    const absl::Status status = Open().status();
    ++pages;
    if (absl::IsDataLoss(status)) ++found;
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kDataLoss, AllOf(HasSubstr(File()), HasSubstr("restore"))))
        << "page " << page;
    Restore("whole");
  }
  EXPECT_GT(pages, 20);
  EXPECT_EQ(found, pages);
  EXPECT_EQ(NumBlobs(), 1);
  Reopen();
  ExpectClean();
}

// kill -9 at any moment while blobs go into quarantine and come back: each is in one of the two places.
TEST_F(LostRegistryTest, Kill9BetweenStepsOfTheQuarantineLosesNothing) {
  constexpr int kBlobs = 40;
  for (int i = 0; i < kBlobs; ++i) Import(absl::StrCat("artifact ", i));
  registry_.reset();
  std::filesystem::copy_file(File(), directory_.path() + "/newest");
  std::mt19937 random(1);
  int in_between = 0;
  for (int round = 0; round < 20; ++round) {
    RemoveRegistry();
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      while (true) {
        Registry::Options options{0, absl::ZeroDuration()};
        options.begin_anew = true;
        if (!Registry::Open(Data(), options).ok()) _exit(1);
        RemoveRegistry();
        std::filesystem::copy_file(directory_.path() + "/newest", File());
        if (!Registry::Open(Data(), options).ok()) _exit(2);
        RemoveRegistry();
      }
    }
    usleep(5000 + random() % 30000);
    ASSERT_EQ(kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "ended by itself with " << WEXITSTATUS(status);
    if (NumBlobs() > 0 && NumBlobs() < kBlobs) ++in_between;
    Restore("newest");
    Reopen();
    ExpectClean();
    EXPECT_EQ(NumBlobs(), kBlobs);
    registry_.reset();
  }
  RecordProperty("killed_in_between", in_between);
}

// The states that a kill can leave, made by hand: the row is gone and the file is not; the file is in quarantine twice.
TEST_F(LostRegistryTest, AFileWhoseRowWentFirstIsSetAsideAtTheNextSweep) {
  MakeDataset();
  const std::string part = Sha256Hex("part 1");
  registry_.reset();
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(File().c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "DELETE FROM parts; DELETE FROM blobs", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
  std::filesystem::create_directory(Data() + "/blobs/quarantine");
  std::ofstream(Data() + "/blobs/quarantine/2020-01-02T030405Z-" + part) << "part 1";
  options_.keep_unnamed_blobs = absl::ZeroDuration();
  Reopen();
  ASSERT_THAT(registry_->CollectGarbage(), IsOk());
  EXPECT_EQ(NumBlobs(), 0);
  EXPECT_THAT(registry_->SetAside().value(), ElementsAre(HasSubstr("2020-01-02 03:04:05"), HasSubstr(part)));
  ASSERT_THAT(registry_->CollectGarbage(), IsOk());
  EXPECT_THAT(registry_->SetAside().value(), ElementsAre(HasSubstr(part)));
}

}  // namespace
}  // namespace creamery
