#include "storage/quarantine.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "proto/support/digest.h"
#include "proto/support/status_macros.h"
#include "storage/file_system.h"

namespace creamery {
namespace {

constexpr char kTimeFormat[] = "%Y-%m-%dT%H%M%SZ";
constexpr size_t kTimeLength = sizeof("2026-01-02T030405Z") - 1;

bool Exists(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0;
}

}  // namespace

std::string Quarantine::PathOf(const std::string& digest, absl::Time since) const {
  return absl::StrCat(directory_, "/", absl::FormatTime(kTimeFormat, since, absl::UTCTimeZone()), "-", digest);
}

absl::StatusOr<bool> Quarantine::SetAside(const std::string& digest, absl::Time now) {
  const std::string from = absl::StrCat(blobs_, "/", digest);
  if (!Exists(from)) return false;
  ABSL_RETURN_IF_ERROR(MakeDirectories(directory_));
  const std::string to = PathOf(digest, now);
  if (rename(from.c_str(), to.c_str()) == 0) return true;
  return ErrnoError(absl::StrCat("move ", from, " to"), to, errno);
}

absl::StatusOr<bool> Quarantine::TakeBack(const std::string& digest) {
  const std::string to = absl::StrCat(blobs_, "/", digest);
  if (Exists(to)) return false;
  ABSL_ASSIGN_OR_RETURN(const std::vector<Entry> entries, List());
  const auto newest =
      std::find_if(entries.rbegin(), entries.rend(), [&](const Entry& entry) { return entry.digest == digest; });
  if (newest == entries.rend()) return false;
  const std::string from = PathOf(digest, newest->since);
  if (rename(from.c_str(), to.c_str()) == 0) return true;
  return ErrnoError(absl::StrCat("move ", from, " to"), to, errno);
}

absl::StatusOr<std::vector<Quarantine::Entry>> Quarantine::List() const {
  if (!Exists(directory_)) return std::vector<Entry>();
  ABSL_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(directory_));
  std::vector<Entry> entries;
  for (const std::string& name : names) {
    // Anything else was put there by somebody else, and stays.
    if (name.size() < kTimeLength + 1 || name[kTimeLength] != '-') continue;
    Entry entry;
    entry.digest = name.substr(kTimeLength + 1);
    struct stat info;
    if (!IsSha256Hex(entry.digest) ||
        !absl::ParseTime(kTimeFormat, name.substr(0, kTimeLength), &entry.since, nullptr) ||
        stat(absl::StrCat(directory_, "/", name).c_str(), &info) != 0) {
      continue;
    }
    entry.size = info.st_size;
    entries.push_back(std::move(entry));
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::make_pair(a.since, a.digest) < std::make_pair(b.since, b.digest);
  });
  return entries;
}

absl::Status Quarantine::Remove(const Entry& entry) {
  const std::string path = PathOf(entry.digest, entry.since);
  if (unlink(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return ErrnoError("remove", path, errno);
}

absl::Status Quarantine::Sync() {
  if (Exists(directory_)) ABSL_RETURN_IF_ERROR(SyncDirectory(directory_));
  return SyncDirectory(blobs_);
}

}  // namespace creamery
