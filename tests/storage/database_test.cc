#include "storage/database.h"

#include "tests/storage/registry_fixture.h"

namespace creamery {
namespace {

using ::testing::HasSubstr;

constexpr Migration kOne[] = {{"001", "CREATE TABLE a (x INTEGER NOT NULL) STRICT; INSERT INTO a VALUES (1);"}};
constexpr Migration kTwo[] = {kOne[0], {"002", "CREATE TABLE b (y TEXT) STRICT; UPDATE a SET x = x + 10;"}};
constexpr Migration kBroken[] = {kOne[0], {"002", "UPDATE a SET x = 99; SELECT * FROM nothing;"}};

class DatabaseTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<Database>> Open(absl::Span<const Migration> migrations) {
    return Database::Open(directory_.path() + "/file", Database::Access::kReadWrite, migrations);
  }
  static int64_t Value(Database& db, const char* sql) {
    Statement query(db, sql);
    EXPECT_THAT(query.Step(), IsOk());
    return query.Int(0);
  }
  ScratchDirectory directory_;
};

TEST_F(DatabaseTest, AnOlderFileIsMigratedOnceAndANewerOneIsRefused) {
  ASSERT_THAT(Open(kOne), IsOk());
  for (int i = 0; i < 2; ++i) {
    ASSERT_OK_AND_ASSIGN(const auto db, Open(kTwo));
    EXPECT_EQ(Value(*db, "SELECT x FROM a"), 11);
    EXPECT_EQ(Value(*db, "PRAGMA user_version"), 2);
  }
  EXPECT_THAT(Open(kOne), StatusIs(absl::StatusCode::kFailedPrecondition,
                                   HasSubstr("has version 2 of the schema and this program knows 1")));
}

TEST_F(DatabaseTest, AMigrationThatFailsChangesNothing) {
  ASSERT_THAT(Open(kOne), IsOk());
  EXPECT_THAT(Open(kBroken), StatusIs(absl::StatusCode::kInternal, HasSubstr("migration 002")));
  ASSERT_OK_AND_ASSIGN(const auto db, Open(kOne));
  EXPECT_EQ(Value(*db, "SELECT x FROM a"), 1);
}

TEST_F(DatabaseTest, DurabilityIsSwitchedOn) {
  ASSERT_OK_AND_ASSIGN(const auto db, Open(kOne));
  Statement journal(*db, "PRAGMA journal_mode");
  ASSERT_THAT(journal.Step(), IsOk());
  EXPECT_EQ(journal.Text(0), "wal");
  EXPECT_EQ(Value(*db, "PRAGMA synchronous"), 2);
  EXPECT_EQ(Value(*db, "PRAGMA foreign_keys"), 1);
}

TEST_F(DatabaseTest, ATransactionThatIsNotOkRollsBack) {
  ASSERT_OK_AND_ASSIGN(const auto db, Open(kOne));
  const absl::Status status = Transact(*db, TransactionKind::kWrite, [&]() -> absl::Status {
    EXPECT_THAT(db->Run("UPDATE a SET x = ?", 5), IsOk());
    return absl::AbortedError("no");
  });
  EXPECT_THAT(status, HasCode(absl::StatusCode::kAborted));
  EXPECT_EQ(Value(*db, "SELECT x FROM a"), 1);
}

TEST_F(DatabaseTest, ValuesAreBoundNotRead) {
  ASSERT_OK_AND_ASSIGN(const auto db, Open(kTwo));
  const std::string text = "'); DROP TABLE b; --";
  ASSERT_THAT(db->Run("INSERT INTO b VALUES (?)", text), IsOk());
  Statement query(*db, "SELECT y FROM b");
  ASSERT_THAT(query.Step(), IsOk());
  EXPECT_EQ(query.Text(0), text);
  EXPECT_THAT(db->Run("INSERT INTO a VALUES (?)", "text"), HasCode(absl::StatusCode::kInternal));  // STRICT
}

TEST_F(DatabaseTest, AReaderCannotWriteAndSeesOneSnapshot) {
  ASSERT_OK_AND_ASSIGN(const auto db, Open(kOne));
  ASSERT_OK_AND_ASSIGN(const auto reader,
                       Database::Open(directory_.path() + "/file", Database::Access::kReadOnly, kOne));
  EXPECT_THAT(reader->Run("UPDATE a SET x = 2"), HasCode(absl::StatusCode::kInternal));
  const absl::Status status = Transact(*reader, TransactionKind::kRead, [&] {
    EXPECT_EQ(Value(*reader, "SELECT x FROM a"), 1);
    EXPECT_THAT(db->Run("UPDATE a SET x = 2"), IsOk());  // neither waits for the other
    EXPECT_EQ(Value(*reader, "SELECT x FROM a"), 1);
    return absl::OkStatus();
  });
  EXPECT_THAT(status, IsOk());
  EXPECT_EQ(Value(*reader, "SELECT x FROM a"), 2);
}

}  // namespace
}  // namespace creamery
