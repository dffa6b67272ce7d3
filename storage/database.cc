#include "storage/database.h"

#include <sqlite3.h>

#include "absl/strings/str_cat.h"
#include "proto/support/status_macros.h"
#include "storage/file_system.h"

namespace creamery {
namespace {

// "Crmy": how `file` and we tell this database from others.
constexpr int64_t kApplicationId = 0x43726d79;
constexpr int kBusyMilliseconds = 5000;

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path, Access access,
                                                         absl::Span<const Migration> migrations) {
  sqlite3* connection = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | (access == Access::kReadOnly ? 0 : SQLITE_OPEN_CREATE);
  const int code = sqlite3_open_v2(path.c_str(), &connection, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<Database> database(new Database(connection, path));
  if (code != SQLITE_OK) return database->Error("open");
  sqlite3_extended_result_codes(connection, 1);
  sqlite3_busy_timeout(connection, kBusyMilliseconds);
  // Before anything that writes: a newer program's file must stay as it is.
  ABSL_RETURN_IF_ERROR(database->CheckHeader(static_cast<int64_t>(migrations.size())));
  if (access == Access::kReadWriteChecked) ABSL_RETURN_IF_ERROR(database->QuickCheck());
  ABSL_RETURN_IF_ERROR(
      database->Script("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                       "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"));
  if (access == Access::kReadOnly) {
    ABSL_RETURN_IF_ERROR(database->Script("PRAGMA query_only = ON"));
  } else {
    ABSL_RETURN_IF_ERROR(database->Migrate(migrations));
  }
  return database;
}

Database::~Database() { sqlite3_close(connection_); }

int64_t Database::changes() const { return sqlite3_changes(connection_); }

absl::Status Database::Error(const char* sql) const {
  const int code = sqlite3_extended_errcode(connection_);
  const std::string message = absl::StrCat(path_, ": ", sqlite3_errmsg(connection_));
  switch (code & 0xff) {
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(absl::StrCat(message, " (the disk or the file-size limit is full)"));
    case SQLITE_IOERR:
      // A failed commit loses errno. Writing to the page cache fails for want of room (EFBIG, EDQUOT); a bad disk shows
      // in fsync and read.
      if (code == SQLITE_IOERR_WRITE || IsDiskFull(sqlite3_system_errno(connection_))) {
        return absl::ResourceExhaustedError(absl::StrCat(message, " (the disk or the file-size limit is full)"));
      }
      return absl::InternalError(message);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(message);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::UnavailableError(message);
    default:
      return absl::InternalError(absl::StrCat(message, " in: ", sql));
  }
}

absl::StatusOr<int64_t> Database::Pragma(const char* sql) {
  Statement statement(*this, sql);
  ABSL_ASSIGN_OR_RETURN(const bool row, statement.Step());
  return row ? statement.Int(0) : 0;
}

absl::Status Database::Script(const char* sql) {
  return sqlite3_exec(connection_, sql, nullptr, nullptr, nullptr) == SQLITE_OK ? absl::OkStatus() : Error(sql);
}

absl::Status Database::CheckHeader(int64_t known_version) {
  ABSL_ASSIGN_OR_RETURN(const int64_t version, Pragma("PRAGMA user_version"));
  ABSL_ASSIGN_OR_RETURN(const int64_t application, Pragma("PRAGMA application_id"));
  ABSL_ASSIGN_OR_RETURN(const int64_t tables, Pragma("SELECT count(*) FROM sqlite_schema"));
  if (application != kApplicationId && (application != 0 || tables != 0)) {
    return absl::FailedPreconditionError(absl::StrCat(path_, " belongs to another program"));
  }
  if (version > known_version) {
    return absl::FailedPreconditionError(
        absl::StrCat(path_, " has version ", version, " of the schema and this program knows ", known_version,
                     ": start the newer program that wrote it, or restore a copy from before it"));
  }
  return absl::OkStatus();
}

absl::Status Database::QuickCheck() {
  Statement check(*this, "PRAGMA quick_check(1)");
  ABSL_ASSIGN_OR_RETURN(const bool answered, check.Step());
  const std::string found = answered ? check.Text(0) : "quick_check gave no answer";
  return found == "ok" ? absl::OkStatus() : absl::DataLossError(absl::StrCat(path_, ": ", found));
}

absl::Status Database::Migrate(absl::Span<const Migration> migrations) {
  return Transact(*this, TransactionKind::kWrite, [&]() -> absl::Status {
    ABSL_ASSIGN_OR_RETURN(const int64_t version, Pragma("PRAGMA user_version"));
    if (version == static_cast<int64_t>(migrations.size())) return absl::OkStatus();
    for (size_t i = version; i < migrations.size(); ++i) {
      if (absl::Status status = Script(migrations[i].sql); !status.ok()) {
        return absl::Status(status.code(), absl::StrCat("migration ", migrations[i].name, ": ", status.message()));
      }
    }
    // PRAGMA takes no bound values; these are numbers of ours.
    ABSL_RETURN_IF_ERROR(Script(absl::StrCat("PRAGMA application_id = ", kApplicationId).c_str()));
    return Script(absl::StrCat("PRAGMA user_version = ", migrations.size()).c_str());
  });
}

Statement::Statement(Database* database, const char* sql) : database_(*database), sql_(sql) {
  failed_ = sqlite3_prepare_v2(database_.connection_, sql, -1, &statement_, nullptr) != SQLITE_OK;
}

Statement::~Statement() { sqlite3_finalize(statement_); }

// SQLite's binds keep the caller's memory (SQLITE_TRANSIENT copies it), so that temporaries can be given.
void Statement::Bind(int64_t value) {
  if (!failed_) failed_ = sqlite3_bind_int64(statement_, ++bound_, value) != SQLITE_OK;
}
void Statement::Bind(absl::string_view value) {
  if (!failed_) {
    failed_ = sqlite3_bind_text64(statement_, ++bound_, value.data() == nullptr ? "" : value.data(), value.size(),
                                  SQLITE_TRANSIENT, SQLITE_UTF8) != SQLITE_OK;
  }
}
void Statement::Bind(Bytes bytes) {
  const absl::string_view value = bytes.value;
  if (!failed_) {
    failed_ = sqlite3_bind_blob64(statement_, ++bound_, value.data() == nullptr ? "" : value.data(), value.size(),
                                  SQLITE_TRANSIENT) != SQLITE_OK;
  }
}

absl::StatusOr<bool> Statement::Step() {
  if (failed_) return database_.Error(sql_);
  switch (sqlite3_step(statement_)) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    default:
      return database_.Error(sql_);
  }
}

int64_t Statement::Int(int column) const { return sqlite3_column_int64(statement_, column); }

std::string Statement::Text(int column) const {
  const void* const bytes = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return bytes == nullptr ? "" : std::string(static_cast<const char*>(bytes), size);
}

bool Statement::IsNull(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

absl::Status BeginTransaction(Database& database, TransactionKind kind) {
  // IMMEDIATE takes the write lock at once: a read that turns into a write could find it taken, and fail.
  return database.Run(kind == TransactionKind::kWrite ? "BEGIN IMMEDIATE" : "BEGIN");
}

absl::Status EndTransaction(Database& database, absl::Status outcome) {
  if (outcome.ok()) outcome = database.Run("COMMIT");
  // SQLite may have rolled back already, on a full disk for one: then this one fails and nothing is open.
  if (!outcome.ok()) database.Run("ROLLBACK").IgnoreError();
  return outcome;
}

}  // namespace creamery
