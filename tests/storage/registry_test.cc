// Opening, projects, datasets, repeats, pages, garbage and damage; jobs and models have files of their own.
#include "storage/registry.h"

#include <sqlite3.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "proto/support/digest.h"
#include "storage/database.h"
#include "tests/storage/registry_fixture.h"

namespace creamery {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

class RegistryTest : public RegistryFixture {
 protected:
  // Runs SQL on the file of a closed registry, as a wrong program or a bad disk would.
  void Tamper(const std::string& sql) {
    registry_.reset();
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open((directory_.path() + "/data/registry.sqlite").c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
  }
};

TEST_F(RegistryTest, EverythingIsThereAfterReopening) {
  MakeDataset();
  Import("artifact 1");
  Reopen();
  ASSERT_OK_AND_ASSIGN(const v1::Project project, registry_->GetProject({"planck"}));
  EXPECT_EQ(project.creator(), "ada");
  EXPECT_EQ(project.create_time().seconds(), 1800000000);
  std::vector<DatasetPart> parts;
  ASSERT_OK_AND_ASSIGN(const v1::Dataset dataset, registry_->GetDatasetRevision({"planck", "chain"}, 0, &parts));
  EXPECT_EQ(dataset.name(), "projects/planck/datasets/chain");
  EXPECT_EQ(dataset.num_rows(), 3);
  ASSERT_THAT(parts, SizeIs(1));
  EXPECT_EQ(parts[0].digest, Sha256Hex("part 1"));
  EXPECT_EQ(dataset.digest(), Sha256Hex(Sha256Hex("part 1")));
  ASSERT_OK_AND_ASSIGN(const v1::ModelVersion version, registry_->GetVersion({"planck", "cosmo"}, 1));
  ASSERT_OK_AND_ASSIGN(const std::string artifact, registry_->blobs().ReadBlob(version.artifact_digest()));
  EXPECT_EQ(artifact, "artifact 1");
  ExpectClean();
}

TEST_F(RegistryTest, TakenAndMissingNamesAreSaid) {
  EXPECT_THAT(registry_->CreateProject(ada_, {"planck"}, ""),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("planck")));
  EXPECT_THAT(registry_->CreateProject(ada_, {"no/slash"}, ""), HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(registry_->GetProject({"desi"}), StatusIs(absl::StatusCode::kNotFound, HasSubstr("projects/desi")));
  EXPECT_THAT(registry_->CreateDataset(ada_, {"desi", "chain"}, Schema()), HasCode(absl::StatusCode::kNotFound));
  EXPECT_THAT(registry_->GetDataset({"planck", "chain"}), HasCode(absl::StatusCode::kNotFound));
  EXPECT_THAT(registry_->ListDatasets({"desi"}, {}), HasCode(absl::StatusCode::kNotFound));
  MakeDataset();
  EXPECT_THAT(registry_->CreateDataset(ada_, {"planck", "chain"}, Schema()), HasCode(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(registry_->CreateDataset(ada_, {"planck", "other"}, v1::Dataset()),
              HasCode(absl::StatusCode::kInvalidArgument));
}

// An upload is two calls; killed between them it leaves a name without rows.
TEST_F(RegistryTest, ADatasetWithoutRowsIsTakenOverByWhoeverCreatesTheSame) {
  ASSERT_THAT(registry_->CreateDataset(ada_, {"planck", "chain"}, Schema()), IsOk());
  const Caller bob{"bob", "r", "content", ada_.time};
  ASSERT_OK_AND_ASSIGN(const v1::Dataset again, registry_->CreateDataset(bob, {"planck", "chain"}, Schema()));
  EXPECT_EQ(again.creator(), "ada");
  v1::Dataset other = Schema();
  other.mutable_parameters(0)->set_unit("1");
  const Caller carol{"carol", "", "", ada_.time};
  EXPECT_THAT(registry_->CreateDataset(carol, {"planck", "chain"}, other),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("another schema")));
  // Two who upload at once: one is first.
  ASSERT_THAT(registry_->AppendPart(ada_, {"planck", "chain"}, {PutBlob("part").digest, 3}, 0), IsOk());
  EXPECT_THAT(registry_->AppendPart(carol, {"planck", "chain"}, {PutBlob("part").digest, 3}, 0),
              HasCode(absl::StatusCode::kAborted));
  EXPECT_THAT(registry_->CreateDataset(carol, {"planck", "chain"}, Schema()),
              HasCode(absl::StatusCode::kAlreadyExists));
}

TEST_F(RegistryTest, PartsMakeRevisionsAndOldOnesStay) {
  MakeDataset();
  const std::string part2 = PutBlob("part 2").digest;
  ASSERT_OK_AND_ASSIGN(const v1::Dataset after, registry_->AppendPart(ada_, {"planck", "chain"}, {part2, 4}, 3));
  EXPECT_EQ(after.revision(), 2);
  EXPECT_EQ(after.num_rows(), 7);
  EXPECT_EQ(after.digest(), Sha256Hex(Sha256Hex("part 1") + part2));
  std::vector<DatasetPart> parts;
  ASSERT_OK_AND_ASSIGN(const v1::Dataset first, registry_->GetDatasetRevision({"planck", "chain"}, 1, &parts));
  EXPECT_EQ(first.num_rows(), 3);
  EXPECT_THAT(parts, SizeIs(1));
  EXPECT_THAT(registry_->GetDatasetRevision({"planck", "chain"}, 3, nullptr), HasCode(absl::StatusCode::kNotFound));
}

TEST_F(RegistryTest, ADatasetCountsTheRowsOutsideItsBoundsOverItsParts) {
  MakeDataset();
  const std::string part2 = PutBlob("part 2").digest;
  ASSERT_OK_AND_ASSIGN(const v1::Dataset second, registry_->AppendPart(ada_, {"planck", "chain"}, {part2, 4, 3}, 3));
  EXPECT_EQ(second.num_rows_outside(), 3);
  ASSERT_OK_AND_ASSIGN(const v1::Dataset third,
                       registry_->AppendPart(ada_, {"planck", "chain"}, {PutBlob("part 3").digest, 4, 2}, 7));
  EXPECT_EQ(third.num_rows_outside(), 5);
  EXPECT_EQ(third.num_rows(), 11);
  EXPECT_EQ(third.creator(), second.creator());
  EXPECT_EQ(registry_->GetDataset({"planck", "chain"})->num_rows_outside(), 5);
  // What a client says of itself does not count.
  v1::Dataset schema = Schema();
  schema.set_num_rows_outside(99);
  EXPECT_EQ(registry_->CreateDataset(ada_, {"planck", "more"}, schema)->num_rows_outside(), 0);
}

TEST_F(RegistryTest, AppendRefusesAWrongExpectationAndAnUnknownBlob) {
  MakeDataset();
  const std::string part2 = PutBlob("part 2").digest;
  EXPECT_THAT(registry_->AppendPart(ada_, {"planck", "chain"}, {part2, 4}, 2),
              StatusIs(absl::StatusCode::kAborted, HasSubstr("has 3 rows, expected 2")));
  EXPECT_THAT(registry_->AppendPart(ada_, {"planck", "chain"}, {Sha256Hex("never stored"), 4}, -1),
              HasCode(absl::StatusCode::kNotFound));
  EXPECT_THAT(registry_->AppendPart(ada_, {"planck", "chain"}, {"../lock", 4}, -1),
              HasCode(absl::StatusCode::kNotFound));
  EXPECT_THAT(registry_->AppendPart(ada_, {"planck", "chain"}, {part2, 0}, -1),
              HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(registry_->GetDataset({"planck", "chain"})->num_rows(), 3);
}

TEST_F(RegistryTest, ARepeatedRequestGetsTheFirstAnswerAlsoAfterReopening) {
  MakeDataset();
  const std::string part2 = PutBlob("part 2").digest;
  const Caller request = Request("r1", "content");
  ASSERT_OK_AND_ASSIGN(const v1::Dataset first, registry_->AppendPart(request, {"planck", "chain"}, {part2, 4}, 3));
  ASSERT_THAT(registry_->AppendPart(ada_, {"planck", "chain"}, {part2, 4}, 7), IsOk());
  Reopen();
  ASSERT_OK_AND_ASSIGN(const v1::Dataset again, registry_->AppendPart(request, {"planck", "chain"}, {part2, 4}, 3));
  EXPECT_EQ(again.SerializeAsString(), first.SerializeAsString());
  EXPECT_EQ(registry_->GetDataset({"planck", "chain"})->num_rows(), 11);
}

TEST_F(RegistryTest, ARequestIdWithOtherContentIsRefusedButFreeForOthersAndAfterAFailure) {
  ASSERT_THAT(registry_->CreateProject(Request("r1", "a"), {"desi"}, ""), IsOk());
  EXPECT_THAT(registry_->CreateProject(Request("r1", "b"), {"sdss"}, ""),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("request_id 'r1'")));
  EXPECT_THAT(registry_->GetProject({"sdss"}), HasCode(absl::StatusCode::kNotFound));
  EXPECT_THAT(registry_->CreateProject({"grace", "r1", "b", ada_.time}, {"sdss"}, ""), IsOk());
  // An error is not an answer to keep.
  EXPECT_THAT(registry_->CreateProject(Request("r2", "c"), {"desi"}, ""), HasCode(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(registry_->CreateProject(Request("r2", "d"), {"boss"}, ""), IsOk());
  EXPECT_THAT(registry_->CreateProject(Request("r3", ""), {"eboss"}, ""), HasCode(absl::StatusCode::kInternal));
}

TEST_F(RegistryTest, AnswersOlderThanAWeekAreForgottenAtOpen) {
  const absl::Time now = absl::Now();
  ASSERT_THAT(registry_->CreateProject({"ada", "old", "a", now - absl::Hours(24 * 7 + 1)}, {"desi"}, ""), IsOk());
  ASSERT_THAT(registry_->CreateProject({"ada", "new", "a", now - absl::Hours(24 * 7 - 1)}, {"sdss"}, ""), IsOk());
  Reopen();
  EXPECT_THAT(registry_->CreateProject({"ada", "old", "a", now}, {"desi"}, ""),
              HasCode(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(registry_->CreateProject({"ada", "new", "a", now}, {"sdss"}, ""), IsOk());
}

TEST_F(RegistryTest, PagesGoThroughEverythingOnceAndTokensAreChecked) {
  for (const char* id : {"a", "b", "c", "d"})
    ASSERT_THAT(registry_->CreateDataset(ada_, {"planck", id}, Schema()), IsOk());
  PageRequest request{2, ""};
  ASSERT_OK_AND_ASSIGN(const Page<v1::Dataset> first, registry_->ListDatasets({"planck"}, request));
  ASSERT_THAT(first.items, SizeIs(2));
  EXPECT_EQ(first.items[1].name(), "projects/planck/datasets/b");
  request.token = first.next_token;
  ASSERT_OK_AND_ASSIGN(const Page<v1::Dataset> second, registry_->ListDatasets({"planck"}, request));
  ASSERT_THAT(second.items, SizeIs(2));
  EXPECT_EQ(second.items[0].name(), "projects/planck/datasets/c");
  EXPECT_EQ(second.next_token, "");
  EXPECT_THAT(registry_->ListModels({"planck"}, request), HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(registry_->ListDatasets({"planck"}, {2, first.next_token + "A"}),
              HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(registry_->ListProjects({2, "nonsense"}), HasCode(absl::StatusCode::kInvalidArgument));
}

TEST_F(RegistryTest, ProjectsArePagedByName) {
  ASSERT_THAT(registry_->CreateProject(ada_, {"desi"}, "BAO"), IsOk());
  ASSERT_OK_AND_ASSIGN(const Page<v1::Project> first, registry_->ListProjects({1, ""}));
  ASSERT_THAT(first.items, SizeIs(1));
  EXPECT_EQ(first.items[0].description(), "BAO");
  ASSERT_OK_AND_ASSIGN(const Page<v1::Project> second, registry_->ListProjects({1, first.next_token}));
  ASSERT_THAT(second.items, SizeIs(1));
  EXPECT_EQ(second.items[0].name(), "projects/planck");
  EXPECT_EQ(second.next_token, "");
}

TEST_F(RegistryTest, ADatasetIsDeletedOnlyWhenNoJobNeedsIt) {
  MakeDataset();
  const JobName job = MakeJob();
  EXPECT_THAT(registry_->DeleteDataset(ada_, {"planck", "chain"}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(job.ToString())));
  ASSERT_THAT(registry_->RequestCancel(ada_, job), IsOk());
  EXPECT_THAT(registry_->DeleteDataset(ada_, {"planck", "chain"}), IsOk());
  EXPECT_THAT(registry_->DeleteDataset(ada_, {"planck", "chain"}), HasCode(absl::StatusCode::kNotFound));
  EXPECT_EQ(registry_->GetJob(job)->training().dataset(), "projects/planck/datasets/chain");
  EXPECT_THAT(registry_->CreateDataset(ada_, {"planck", "chain"}, Schema()), IsOk());
  EXPECT_EQ(registry_->GetDataset({"planck", "chain"})->num_rows(), 0);
  ExpectClean();
}

TEST_F(RegistryTest, GarbageIsWhatNoRowNamesAndNoGuardProtects) {
  MakeDataset();
  const std::string part = Sha256Hex("part 1");
  EXPECT_EQ(registry_->CollectGarbage().value(), 0);
  BlobWriter::Committed guarded = PutBlob("being uploaded");
  ASSERT_THAT(registry_->DeleteDataset(ada_, {"planck", "chain"}), IsOk());
  EXPECT_EQ(registry_->CollectGarbage().value(), 1);
  EXPECT_THAT(registry_->blobs().ReadBlob(part), StatusIs(absl::StatusCode::kDataLoss, HasSubstr(part)));
  EXPECT_THAT(registry_->blobs().ReadBlob(guarded.digest), IsOk());
}

TEST_F(RegistryTest, ABlobThatWasNeverNamedGoesWhenItIsOld) {
  const std::string young = PutBlob("artifact of a worker").digest;  // its guard is gone at once
  EXPECT_EQ(registry_->CollectGarbage().value(), 0);
  options_.keep_unnamed_blobs = absl::ZeroDuration();
  Reopen();
  const BlobWriter::Committed guarded = PutBlob("guarded");
  EXPECT_EQ(registry_->CollectGarbage().value(), 1);
  EXPECT_THAT(registry_->blobs().OpenBlob(young), HasCode(absl::StatusCode::kDataLoss));
  EXPECT_THAT(registry_->blobs().OpenBlob(guarded.digest), IsOk());
}

TEST_F(RegistryTest, ADeletedBlobUnderAGuardStaysAndCanBeNamedAgain) {
  MakeDataset();
  const BlobWriter::Committed again = PutBlob("part 1");
  ASSERT_THAT(registry_->DeleteDataset(ada_, {"planck", "chain"}), IsOk());
  EXPECT_EQ(registry_->CollectGarbage().value(), 0);
  ASSERT_THAT(registry_->CreateDataset(ada_, {"planck", "chain"}, Schema()), IsOk());
  EXPECT_THAT(registry_->AppendPart(ada_, {"planck", "chain"}, {again.digest, 3}, 0), IsOk());
  ExpectClean();
}

TEST_F(RegistryTest, ABlobThatIsNamedAgainAfterItWasLetGoStays) {
  MakeDataset();
  EXPECT_EQ(registry_->CollectGarbage().value(), 0);
  BlobWriter::Committed again = PutBlob("part 1");
  ASSERT_THAT(registry_->DeleteDataset(ada_, {"planck", "chain"}), IsOk());
  ASSERT_THAT(registry_->CreateDataset(ada_, {"planck", "chain"}, Schema()), IsOk());
  ASSERT_THAT(registry_->AppendPart(ada_, {"planck", "chain"}, {again.digest, 3}, 0), IsOk());
  again.guard.reset();
  EXPECT_EQ(registry_->CollectGarbage().value(), 0);
  ExpectClean();
  ASSERT_THAT(registry_->DeleteDataset(ada_, {"planck", "chain"}), IsOk());
  EXPECT_EQ(registry_->CollectGarbage().value(), 1);
}

TEST_F(RegistryTest, VerifyNamesDamagedAndMissingBlobs) {
  MakeDataset();
  const v1::ModelVersion version = Import("artifact 1");
  std::ofstream(BlobPath(version.artifact_digest())) << "artifact 2";
  std::filesystem::remove(BlobPath(Sha256Hex("part 1")));
  ASSERT_OK_AND_ASSIGN(const std::vector<std::string> problems, registry_->Verify());
  ASSERT_THAT(problems, SizeIs(2));
  EXPECT_THAT(problems, ::testing::Contains(HasSubstr("artifact of version 1 of projects/planck/models/cosmo")));
  EXPECT_THAT(problems, ::testing::Contains(HasSubstr("part 1 of projects/planck/datasets/chain")));
  EXPECT_THAT(registry_->blobs().ReadBlob(version.artifact_digest()),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr(version.artifact_digest())));
}

TEST_F(RegistryTest, VerifyNamesRowsThatDoNotAddUp) {
  MakeDataset();
  Import("artifact 1");
  Tamper("UPDATE parts SET total_rows = 17; UPDATE models SET next_version = 1; UPDATE projects SET record = x'ff'");
  Reopen();
  ASSERT_OK_AND_ASSIGN(const std::vector<std::string> problems, registry_->Verify());
  EXPECT_THAT(problems, SizeIs(3));
  EXPECT_THAT(problems, ::testing::Contains(HasSubstr("does not add up")));
  EXPECT_THAT(problems, ::testing::Contains(HasSubstr("next number 1")));
  EXPECT_THAT(problems, ::testing::Contains(HasSubstr("project planck")));
  EXPECT_THAT(registry_->GetProject({"planck"}), HasCode(absl::StatusCode::kDataLoss));
}

TEST_F(RegistryTest, TwoCannotHaveTheSameDirectory) {
  EXPECT_THAT(Registry::Open(directory_.path() + "/data", options_),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("another creamery-server")));
  registry_.reset();
  EXPECT_THAT(Registry::Open(directory_.path() + "/data", options_), IsOk());
}

TEST_F(RegistryTest, AFileOfANewerProgramIsRefusedAndLeftAlone) {
  Tamper("PRAGMA user_version = 1000");
  EXPECT_THAT(Registry::Open(directory_.path() + "/data", options_),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("start the newer program")));
  Tamper("PRAGMA user_version = " + std::to_string(Migrations().size()));
  Reopen();
  EXPECT_THAT(registry_->GetProject({"planck"}), IsOk());
}

TEST_F(RegistryTest, AFileThatIsNoDatabaseIsDataLoss) {
  registry_.reset();
  std::ofstream(directory_.path() + "/data/registry.sqlite") << std::string(8192, 'x');
  EXPECT_THAT(Registry::Open(directory_.path() + "/data", options_),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("registry.sqlite")));
}

TEST_F(RegistryTest, BelowTheFreeSpaceLimitWritesAreRefusedAndDeletesWork) {
  MakeDataset();
  const v1::ModelVersion version = Import("artifact 1");
  options_.min_free_bytes = INT64_MAX / 2;
  Reopen();
  EXPECT_THAT(registry_->CreateProject(ada_, {"desi"}, ""),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("min_free_bytes")));
  EXPECT_THAT(registry_->blobs().NewBlob(),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("min_free_bytes")));
  EXPECT_THAT(registry_->GetProject({"desi"}), HasCode(absl::StatusCode::kNotFound));
  EXPECT_THAT(registry_->DeleteVersion(ada_, {"planck", "cosmo"}, 1), IsOk());
  EXPECT_EQ(registry_->CollectGarbage().value(), 1);
  ExpectClean();
}

// A limit on the size of files stands for a full disk: the kernel refuses a write in the middle of a transaction.
TEST_F(RegistryTest, AFullDiskChangesNothingAndIsSurvived) {
  MakeDataset();
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto previous = std::signal(SIGXFSZ, SIG_IGN);  // then write() fails with EFBIG
  rlimit limit = before;
  limit.rlim_cur = 256 << 10;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  int created = 0;
  absl::Status refused;
  // The write-ahead log grows until it hits the limit.
  while (created < 1000) {
    refused = registry_->CreateProject(ada_, {absl::StrCat("p", created)}, std::string(3000, 'x')).status();
    if (!refused.ok()) break;
    ++created;
  }
  auto writer = registry_->blobs().NewBlob().value();
  const absl::Status too_big = writer->Append(std::string(300 << 10, 'x'));
  writer.reset();
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, previous);

  EXPECT_THAT(refused, HasCode(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(too_big, HasCode(absl::StatusCode::kResourceExhausted));
  EXPECT_GT(created, 5);
  EXPECT_THAT(registry_->GetProject({absl::StrCat("p", created)}), HasCode(absl::StatusCode::kNotFound));
  EXPECT_THAT(registry_->CreateProject(ada_, {absl::StrCat("p", created)}, ""), IsOk());
  Reopen();
  EXPECT_EQ(registry_->ListProjects({1000, ""})->items.size(), created + 2u);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_.path() + "/data/blobs"), {}), 1);
  ExpectClean();
}

TEST_F(RegistryTest, TemporaryFilesOfACrashAreRemovedAtOpen) {
  std::ofstream(directory_.path() + "/data/blobs/.tmp-0123") << "half";
  Reopen();
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path() + "/data/blobs"));
}

TEST_F(RegistryTest, DatasetsAreSearchedByParameterOverOneProjectOrAll) {
  ASSERT_THAT(registry_->CreateProject(ada_, {"desi"}, ""), IsOk());
  v1::Dataset two = Schema();
  two.add_parameters()->set_name("h");
  ASSERT_THAT(registry_->CreateDataset(ada_, {"planck", "a"}, two), IsOk());
  ASSERT_THAT(registry_->CreateDataset(ada_, {"planck", "b"}, Schema()), IsOk());
  ASSERT_THAT(registry_->CreateDataset(ada_, {"desi", "c"}, two), IsOk());
  ASSERT_OK_AND_ASSIGN(const Page<v1::Dataset> first, registry_->ListDatasets({"-"}, "h", {1, ""}));
  ASSERT_EQ(first.items.size(), 1u);
  EXPECT_EQ(first.items[0].name(), "projects/desi/datasets/c");
  ASSERT_OK_AND_ASSIGN(const Page<v1::Dataset> rest, registry_->ListDatasets({"-"}, "h", {5, first.next_token}));
  ASSERT_EQ(rest.items.size(), 1u);
  EXPECT_EQ(rest.items[0].name(), "projects/planck/datasets/a");
  EXPECT_THAT(registry_->ListDatasets({"-"}, "omegam", {1, first.next_token}),
              HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(registry_->ListDatasets({"planck"}, "h", {})->items.size(), 1u);
  EXPECT_EQ(registry_->ListDatasets({"-"}, "", {})->items.size(), 3u);
}

}  // namespace
}  // namespace creamery
