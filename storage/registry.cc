#include "storage/registry.h"

#include <algorithm>

#include "storage/registry_impl.h"

namespace creamery {
namespace {

constexpr absl::Duration kAnswersKept = absl::Hours(7 * 24);

constexpr char kUnreferenced[] =
    "SELECT digest FROM blobs AS b WHERE NOT EXISTS (SELECT 1 FROM parts WHERE digest = b.digest) AND NOT EXISTS "
    "(SELECT 1 FROM checkpoints WHERE digest = b.digest) AND NOT EXISTS (SELECT 1 FROM versions WHERE digest = "
    "b.digest) AND NOT EXISTS (SELECT 1 FROM jobs WHERE samples = b.digest)";

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

absl::StatusOr<std::vector<std::string>> Texts(Database& db, const char* sql) {
  Statement query(db, sql);
  std::vector<std::string> texts;
  while (true) {
    ABSL_ASSIGN_OR_RETURN(const bool more, query.Step());
    if (!more) return texts;
    texts.push_back(query.Text(0));
  }
}

}  // namespace

// Keys of older tokens of one project are ids alone.
ListPosition::ListPosition(const ProjectName& parent, const std::string& last_key)
    : all(parent.project == kAllProjects),
      project(all ? last_key.substr(0, last_key.find('/')) : parent.project),
      id(last_key.substr(last_key.find('/') + 1)) {}

int PageSize(const PageRequest& page) { return page.size < 1 ? 50 : std::min(page.size, 1000); }

absl::StatusOr<std::unique_ptr<Registry>> Registry::Open(const std::string& directory, const Options& options) {
  const std::string file = directory + "/registry.sqlite";
  ABSL_RETURN_IF_ERROR(MakeDirectories(directory));
  ABSL_ASSIGN_OR_RETURN(File lock, LockFile(directory + "/lock"));
  ABSL_ASSIGN_OR_RETURN(auto writer, Database::Open(file, Database::Access::kReadWrite));
  for (const char* sql : kRememberReleased) ABSL_RETURN_IF_ERROR(writer->Run(sql));
  ABSL_ASSIGN_OR_RETURN(auto blobs, FileBlobStore::Open(directory + "/blobs", options.min_free_bytes));
  const int64_t oldest = absl::ToUnixSeconds(absl::Now() - kAnswersKept);
  const absl::Status pruned = writer->Run("DELETE FROM requests WHERE unix_seconds < ?", oldest);
  // A full disk must not keep the server from starting: what is there can be read, and deleted.
  if (!pruned.ok() && !absl::IsResourceExhausted(pruned)) return pruned;
  ABSL_ASSIGN_OR_RETURN(auto reader, Database::Open(file, Database::Access::kReadOnly));
  ABSL_RETURN_IF_ERROR(SyncDirectory(directory));
  return std::make_unique<RegistryImpl>(directory, options, std::move(lock), std::move(blobs), std::move(writer),
                                        std::move(reader));
}

absl::StatusOr<bool> RegistryImpl::FindAnswer(Database& db, const Caller& caller, std::string* first_answer) {
  if (caller.request_digest.empty()) return absl::InternalError("a request_id came without a request_digest");
  Statement query(db, "SELECT digest, response FROM requests WHERE principal = ? AND request_id = ?", caller.principal,
                  caller.request_id);
  ABSL_ASSIGN_OR_RETURN(const bool found, query.Step());
  if (!found) return false;
  if (query.Text(0) != caller.request_digest) {
    return absl::AlreadyExistsError(
        absl::StrCat("request_id '", caller.request_id, "' was used for a request with other content: use a new one"));
  }
  *first_answer = query.Text(1);
  return true;
}

absl::Status RegistryImpl::SaveAnswer(Database& db, const Caller& caller, const std::string& answer) {
  return db.Run("INSERT INTO requests (principal, request_id, digest, response, unix_seconds) VALUES (?, ?, ?, ?, ?)",
                caller.principal, caller.request_id, caller.request_digest, Bytes{answer},
                absl::ToUnixSeconds(caller.time));
}

absl::StatusOr<int> RegistryImpl::CollectGarbage() {
  MutexLock lock(&writer_mu_);
  // Nothing that was never named grows too old more often than this.
  const absl::Time now = absl::Now();
  const bool sweep = now - last_sweep_ >= options_.keep_unnamed_blobs;
  // Rows first, files second: a crash between the two leaves orphans, which a later sweep finds.
  ABSL_ASSIGN_OR_RETURN(std::vector<std::string> garbage, DropUnreferenced(*writer_, sweep));
  if (sweep) {
    ABSL_ASSIGN_OR_RETURN(const std::vector<std::string> orphans, OldOrphans(*writer_, now));
    garbage.insert(garbage.end(), orphans.begin(), orphans.end());
    last_sweep_ = now;
  }
  int removed = 0;
  for (const std::string& digest : garbage) {
    ABSL_ASSIGN_OR_RETURN(const bool gone, blobs_->Remove(digest));
    removed += gone ? 1 : 0;
  }
  return removed;
}

absl::StatusOr<std::vector<std::string>> RegistryImpl::DropUnreferenced(Database& db, bool all) {
  const std::string query = absl::StrCat(kUnreferenced, all ? "" : " AND digest IN (SELECT digest FROM released)");
  return Transact(db, TransactionKind::kWrite, [&]() -> absl::StatusOr<std::vector<std::string>> {
    ABSL_ASSIGN_OR_RETURN(const std::vector<std::string> unreferenced, Texts(db, query.c_str()));
    std::vector<std::string> dropped;
    for (const std::string& digest : unreferenced) {
      if (blobs_->IsGuarded(digest)) continue;
      ABSL_RETURN_IF_ERROR(db.Run("DELETE FROM blobs WHERE digest = ?", digest));
      ABSL_RETURN_IF_ERROR(db.Run("DELETE FROM released WHERE digest = ?", digest));
      dropped.push_back(digest);
    }
    return dropped;
  });
}

absl::StatusOr<std::vector<std::string>> RegistryImpl::OldOrphans(Database& db, absl::Time now) {
  ABSL_ASSIGN_OR_RETURN(const std::vector<std::string> named, Texts(db, "SELECT digest FROM blobs ORDER BY digest"));
  ABSL_ASSIGN_OR_RETURN(const std::vector<FileBlobStore::Entry> files, blobs_->List());
  std::vector<std::string> orphans;
  for (const FileBlobStore::Entry& entry : files) {
    if (entry.modified > now - options_.keep_unnamed_blobs) continue;
    if (!std::binary_search(named.begin(), named.end(), entry.digest)) orphans.push_back(entry.digest);
  }
  return orphans;
}

}  // namespace creamery
