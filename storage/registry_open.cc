// From a directory to a registry. A registry that knows nothing beside blobs is a lost one, not a new one: nothing is
// changed until somebody says which.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "storage/registry_impl.h"

namespace creamery {
namespace {

constexpr char kRestored[] =
    "registry.sqlite from a backup, with its own registry.sqlite-wal if there is one and without a -wal, -shm or "
    "-journal of the one before";
constexpr absl::Duration kAnswersKept = absl::Hours(7 * 24);

// The blobs that rows stopped naming since the start, so that collecting them need not look at all there are.
constexpr const char* kRememberReleased[] = {
    "CREATE TEMP TABLE released (digest TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID",
    "CREATE TEMP TRIGGER part_released AFTER DELETE ON parts BEGIN INSERT OR IGNORE INTO released VALUES (OLD.digest); "
    "END",
    "CREATE TEMP TRIGGER checkpoint_released AFTER DELETE ON checkpoints BEGIN INSERT OR IGNORE INTO released VALUES "
    "(OLD.digest); END",
    "CREATE TEMP TRIGGER version_released AFTER DELETE ON versions BEGIN INSERT OR IGNORE INTO released VALUES "
    "(OLD.digest); END",
};

int64_t BytesOf(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 ? info.st_size : 0;
}

// For a registry that is about to begin with nothing in it. OK if nothing is stored beside it; otherwise
// FAILED_PRECONDITION, or with begin_anew what is stored is set aside. `problem`: "is missing" and the like.
absl::Status BeginFrom(const std::string& file, absl::string_view problem, FileBlobStore& blobs,
                       const Registry::Options& options) {
  ABSL_ASSIGN_OR_RETURN(const std::vector<FileBlobStore::Entry> entries, blobs.List());
  // SQLite would delete a log whose database is gone, with the last changes in it.
  const std::string log = file + "-wal";
  const bool has_log = BytesOf(file) == 0 && BytesOf(log) > 0;
  if (entries.empty() && !has_log) return absl::OkStatus();
  if (!options.begin_anew) {
    int64_t bytes = 0;
    for (const FileBlobStore::Entry& entry : entries) bytes += entry.size;
    return absl::FailedPreconditionError(
        absl::StrCat(file, " ", problem, ", but beside it are ", entries.size(), " blobs of ", bytes, " bytes in ",
                     blobs.directory(), has_log ? absl::StrCat(" and the log ", log) : "",
                     ": the registry that names them was lost. Nothing has been changed. Restore ", kRestored,
                     " and start again; or begin anew with --begin_anew, which "
                     "moves the blobs to ",
                     blobs.quarantine().directory(), ", where they are kept for ",
                     absl::ToDoubleHours(options.keep_set_aside) / 24, " days"));
  }
  const absl::Time now = absl::Now();
  for (const FileBlobStore::Entry& entry : entries) ABSL_RETURN_IF_ERROR(blobs.SetAside(entry.digest, now).status());
  ABSL_RETURN_IF_ERROR(blobs.quarantine().Sync());
  if (!has_log) return absl::OkStatus();
  const std::string kept = absl::StrCat(log, ".", absl::ToUnixSeconds(now));
  return rename(log.c_str(), kept.c_str()) == 0 ? absl::OkStatus() : ErrnoError("rename to", kept, errno);
}

// SQLite rolls a journal back into whatever database lies beside it. Ours keeps one only while it has its first page:
// beside a larger one it was left by another, before that was restored, and would empty it.
absl::Status CheckNoForeignJournal(const std::string& file) {
  constexpr int64_t kPage = 4096;
  const std::string journal = file + "-journal";
  if (BytesOf(file) <= kPage || BytesOf(journal) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(journal, " does not belong to ", file, " and would damage it: move it away and start again"));
}

absl::Status WhatToDo(const absl::Status& status) {
  if (!absl::IsDataLoss(status)) return status;
  return absl::DataLossError(absl::StrCat(
      status.message(), ". The registry is damaged and the server does not start on it: restore ", kRestored,
      " (blobs that it names and that were set aside come back by themselves); "
      "`creamery-server verify` lists what is wrong"));
}

absl::StatusOr<bool> HasProjects(Database& db) { return Statement(db, "SELECT 1 FROM projects LIMIT 1").Step(); }

// A registry that was restored names blobs that an older one, or none, did not.
absl::Status TakeBackNamed(Database& db, FileBlobStore& blobs) {
  ABSL_ASSIGN_OR_RETURN(const std::vector<Quarantine::Entry> entries, blobs.quarantine().List());
  for (const Quarantine::Entry& entry : entries) {
    ABSL_ASSIGN_OR_RETURN(const bool named, Statement(db, "SELECT 1 FROM blobs WHERE digest = ?", entry.digest).Step());
    if (named) ABSL_RETURN_IF_ERROR(blobs.TakeBack(entry.digest).status());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Registry>> Registry::Open(const std::string& directory, const Options& options) {
  const std::string file = directory + "/registry.sqlite";
  ABSL_RETURN_IF_ERROR(MakeDirectories(directory));
  ABSL_ASSIGN_OR_RETURN(File lock, LockFile(directory + "/lock"));
  ABSL_ASSIGN_OR_RETURN(auto blobs, FileBlobStore::Open(directory + "/blobs", options.min_free_bytes));
  if (BytesOf(file) == 0) {
    const bool missing = access(file.c_str(), F_OK) != 0;
    ABSL_RETURN_IF_ERROR(BeginFrom(file, missing ? "is missing" : "has no bytes", *blobs, options));
    if (!options.create) return absl::NotFoundError(absl::StrCat(file, " is missing or has no bytes"));
  }
  ABSL_RETURN_IF_ERROR(CheckNoForeignJournal(file));
  using Access = Database::Access;
  auto opened = Database::Open(file, options.quick_check ? Access::kReadWriteChecked : Access::kReadWrite);
  if (!opened.ok()) return WhatToDo(opened.status());
  std::unique_ptr<Database> writer = *std::move(opened);
  const absl::StatusOr<bool> has_projects = HasProjects(*writer);
  if (has_projects.ok() && !*has_projects) {
    ABSL_RETURN_IF_ERROR(BeginFrom(file, "names no project", *blobs, options));
  }
  for (const char* sql : kRememberReleased) ABSL_RETURN_IF_ERROR(writer->Run(sql));
  if (const absl::Status back = TakeBackNamed(*writer, *blobs); !back.ok() && options.quick_check) {
    return WhatToDo(back);
  }
  const int64_t oldest = absl::ToUnixSeconds(absl::Now() - kAnswersKept);
  const absl::Status pruned = writer->Run("DELETE FROM requests WHERE unix_seconds < ?", oldest);
  // A full disk must not keep the server from starting: what is there can be read, and deleted.
  if (!pruned.ok() && !absl::IsResourceExhausted(pruned)) return WhatToDo(pruned);
  ABSL_ASSIGN_OR_RETURN(auto reader, Database::Open(file, Access::kReadOnly));
  ABSL_RETURN_IF_ERROR(SyncDirectory(directory));
  return std::make_unique<RegistryImpl>(directory, options, std::move(lock), std::move(blobs), std::move(writer),
                                        std::move(reader));
}

}  // namespace creamery
