// Blobs that nothing names. What this process saw a row let go is unlinked; what it only finds so may belong to a
// registry that was not restored yet: it is set aside first, and unlinked days later.
#include <algorithm>

#include "storage/registry_impl.h"

namespace creamery {
namespace {

constexpr char kUnreferenced[] =
    "SELECT digest, digest IN (SELECT digest FROM released) FROM blobs AS b WHERE NOT EXISTS (SELECT 1 FROM parts "
    "WHERE "
    "digest = b.digest) AND NOT EXISTS (SELECT 1 FROM checkpoints WHERE digest = b.digest) AND NOT EXISTS (SELECT 1 "
    "FROM versions WHERE digest = b.digest) AND NOT EXISTS (SELECT 1 FROM jobs WHERE samples = b.digest)";

absl::StatusOr<bool> IsNamed(Database& db, const std::string& digest) {
  return Statement(db, "SELECT 1 FROM blobs WHERE digest = ?", digest).Step();
}

}  // namespace

absl::StatusOr<int> RegistryImpl::CollectGarbage() {
  MutexLock lock(&writer_mu_);
  // Nothing that was never named grows too old more often than this.
  const absl::Time now = absl::Now();
  const bool sweep = now - last_sweep_ >= options_.keep_unnamed_blobs;
  const bool first = last_sweep_ == absl::InfinitePast();
  // Rows first, files second: a crash between the two leaves orphans, which a later sweep finds and sets aside.
  ABSL_ASSIGN_OR_RETURN(const std::vector<Garbage> garbage, DropUnreferenced(*writer_, sweep));
  int collected = 0;
  for (const Garbage& blob : garbage) {
    ABSL_ASSIGN_OR_RETURN(const bool gone,
                          blob.released ? blobs_->Remove(blob.digest) : blobs_->SetAside(blob.digest, now));
    collected += gone ? 1 : 0;
  }
  if (!sweep) return collected;
  ABSL_ASSIGN_OR_RETURN(const std::vector<std::string> orphans, OldOrphans(*writer_, now));
  for (const std::string& digest : orphans) {
    ABSL_ASSIGN_OR_RETURN(const bool gone, blobs_->SetAside(digest, now));
    collected += gone ? 1 : 0;
  }
  ABSL_RETURN_IF_ERROR(blobs_->quarantine().Sync());
  // Nothing is unlinked at start: whoever just restored a registry, or set the clock, has time to see what it says.
  if (!first) ABSL_RETURN_IF_ERROR(EndQuarantine(*writer_, now));
  last_sweep_ = now;
  return collected;
}

absl::StatusOr<std::vector<RegistryImpl::Garbage>> RegistryImpl::DropUnreferenced(Database& db, bool all) {
  const std::string sql = absl::StrCat(kUnreferenced, all ? "" : " AND digest IN (SELECT digest FROM released)");
  return Transact(db, TransactionKind::kWrite, [&]() -> absl::StatusOr<std::vector<Garbage>> {
    std::vector<Garbage> unreferenced;
    {
      Statement query(db, sql.c_str());
      while (true) {
        ABSL_ASSIGN_OR_RETURN(const bool more, query.Step());
        if (!more) break;
        unreferenced.push_back({query.Text(0), query.Int(1) != 0});
      }
    }
    std::vector<Garbage> dropped;
    for (Garbage& blob : unreferenced) {
      if (blobs_->IsGuarded(blob.digest)) continue;
      ABSL_RETURN_IF_ERROR(db.Run("DELETE FROM blobs WHERE digest = ?", blob.digest));
      ABSL_RETURN_IF_ERROR(db.Run("DELETE FROM released WHERE digest = ?", blob.digest));
      dropped.push_back(std::move(blob));
    }
    return dropped;
  });
}

absl::StatusOr<std::vector<std::string>> RegistryImpl::OldOrphans(Database& db, absl::Time now) {
  std::vector<std::string> named;
  Statement query(db, "SELECT digest FROM blobs ORDER BY digest");
  while (true) {
    ABSL_ASSIGN_OR_RETURN(const bool more, query.Step());
    if (!more) break;
    named.push_back(query.Text(0));
  }
  ABSL_ASSIGN_OR_RETURN(const std::vector<FileBlobStore::Entry> files, blobs_->List());
  std::vector<std::string> orphans;
  for (const FileBlobStore::Entry& entry : files) {
    if (entry.modified > now - options_.keep_unnamed_blobs) continue;
    if (!std::binary_search(named.begin(), named.end(), entry.digest)) orphans.push_back(entry.digest);
  }
  return orphans;
}

absl::Status RegistryImpl::EndQuarantine(Database& db, absl::Time now) {
  ABSL_ASSIGN_OR_RETURN(const std::vector<Quarantine::Entry> entries, blobs_->quarantine().List());
  for (const Quarantine::Entry& entry : entries) {
    if (entry.since > now - options_.keep_set_aside) break;  // oldest first
    ABSL_ASSIGN_OR_RETURN(const bool named, IsNamed(db, entry.digest));
    if (named) {
      ABSL_ASSIGN_OR_RETURN(const bool back, blobs_->TakeBack(entry.digest));
      if (back) continue;
    }
    ABSL_RETURN_IF_ERROR(blobs_->quarantine().Remove(entry));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> RegistryImpl::SetAside() {
  ABSL_ASSIGN_OR_RETURN(const std::vector<Quarantine::Entry> entries, blobs_->quarantine().List());
  std::vector<std::string> lines;
  for (const Quarantine::Entry& entry : entries) {
    const auto utc = [](absl::Time time) { return absl::FormatTime("%Y-%m-%d %H:%M:%S", time, absl::UTCTimeZone()); };
    lines.push_back(absl::StrCat("set aside: blob ", entry.digest, " of ", entry.size, " bytes, named by nothing; in ",
                                 blobs_->quarantine().directory(), " since ", utc(entry.since), " UTC, unlinked after ",
                                 utc(entry.since + options_.keep_set_aside), " UTC"));
  }
  return lines;
}

}  // namespace creamery
