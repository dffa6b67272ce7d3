// The C API of SQLite, hidden: a connection, statements with bound values, transactions that roll back by themselves.
// A Database and its statements belong to one thread at a time.
#ifndef CREAMERY_STORAGE_DATABASE_H_
#define CREAMERY_STORAGE_DATABASE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

struct sqlite3;
struct sqlite3_stmt;

namespace creamery {

// One step of the schema: migration i brings user_version from i to i + 1.
struct Migration {
  const char* name;
  const char* sql;
};
// storage/migrations/*.sql, in order.
absl::Span<const Migration> Migrations();

// Bytes to be bound as a BLOB; strings are bound as TEXT.
struct Bytes {
  absl::string_view value;
};

class Database {
 public:
  // kReadWriteChecked looks at the structure of every page before anything is written.
  enum class Access { kReadWrite, kReadWriteChecked, kReadOnly };
  // The writer creates the file if needed. FAILED_PRECONDITION for a file of another program or of a newer schema than
  // `migrations` reaches (nothing is changed then); DATA_LOSS for a damaged file.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path, Access access,
                                                        absl::Span<const Migration> migrations = Migrations());
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Runs a statement that returns no rows.
  template <typename... Args>
  absl::Status Run(const char* sql, const Args&... args);
  // Rows changed by the last statement.
  int64_t changes() const;

 private:
  friend class Statement;
  Database(sqlite3* connection, std::string path) : connection_(connection), path_(std::move(path)) {}
  // RESOURCE_EXHAUSTED, DATA_LOSS, UNAVAILABLE or INTERNAL from SQLite's last error, naming the file.
  absl::Status Error(const char* sql) const;
  absl::Status CheckHeader(int64_t known_version);
  absl::Status QuickCheck();
  absl::Status Migrate(absl::Span<const Migration> migrations);
  absl::StatusOr<int64_t> Pragma(const char* sql);
  absl::Status Script(const char* sql);

  sqlite3* const connection_;
  const std::string path_;
};

// A query with its values bound, in order. An error in preparing it is returned by Step.
class Statement {
 public:
  template <typename... Args>
  Statement(Database& database, const char* sql, const Args&... args) : Statement(&database, sql) {
    (Bind(args), ...);
  }
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // True with a row to read, false at the end.
  absl::StatusOr<bool> Step();
  int64_t Int(int column) const;
  std::string Text(int column) const;  // of TEXT or BLOB
  bool IsNull(int column) const;

 private:
  Statement(Database* database, const char* sql);
  void Bind(int64_t value);
  void Bind(int value) { Bind(static_cast<int64_t>(value)); }
  void Bind(absl::string_view value);
  void Bind(Bytes value);

  Database& database_;
  const char* const sql_;
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
  bool failed_ = false;
};

template <typename... Args>
absl::Status Database::Run(const char* sql, const Args&... args) {
  return Statement(*this, sql, args...).Step().status();
}

enum class TransactionKind { kRead, kWrite };
absl::Status BeginTransaction(Database& database, TransactionKind kind);
// Commits if `outcome` is OK, else rolls back; a failed commit rolls back too. What the caller should return.
absl::Status EndTransaction(Database& database, absl::Status outcome);

inline absl::Status OutcomeOf(const absl::Status& result) { return result; }
template <typename T>
absl::Status OutcomeOf(const absl::StatusOr<T>& result) {
  return result.status();
}

// Runs `body`, which returns a Status or StatusOr, in one transaction: OK commits, anything else rolls back.
template <typename Body>
auto Transact(Database& database, TransactionKind kind, const Body& body) -> decltype(body()) {
  if (absl::Status begun = BeginTransaction(database, kind); !begun.ok()) return begun;
  auto result = body();
  if (absl::Status ended = EndTransaction(database, OutcomeOf(result)); !ended.ok()) return ended;
  return result;
}

}  // namespace creamery

#endif  // CREAMERY_STORAGE_DATABASE_H_
