// Blobs set aside: nothing names them here, but a registry that was lost, or is older than they are, may. Each is a
// file of `quarantine/` below the blobs (a folder of the same file system), named by when it came and its digest,
// `2026-01-02T030405Z-DIGEST`. Nothing is kept in memory. Callers keep two calls that move the same blob apart.
#ifndef CREAMERY_STORAGE_QUARANTINE_H_
#define CREAMERY_STORAGE_QUARANTINE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace creamery {

class Quarantine {
 public:
  struct Entry {
    std::string digest;
    absl::Time since;
    int64_t size = 0;
  };

  // `blobs`: the directory of the blobs. Nothing is made until something comes.
  explicit Quarantine(std::string blobs) : blobs_(std::move(blobs)), directory_(blobs_ + "/quarantine") {}

  const std::string& directory() const { return directory_; }

  // Moves a blob here; false if there is none. Durable after Sync.
  absl::StatusOr<bool> SetAside(const std::string& digest, absl::Time now);
  // Moves the newest of that digest back; false if there is none, or if the blob is in its place. Durable after Sync.
  absl::StatusOr<bool> TakeBack(const std::string& digest);
  // All of them, oldest first.
  absl::StatusOr<std::vector<Entry>> List() const;
  absl::Status Remove(const Entry& entry);
  absl::Status Sync();

 private:
  std::string PathOf(const std::string& digest, absl::Time since) const;

  const std::string blobs_;
  const std::string directory_;
};

}  // namespace creamery

#endif  // CREAMERY_STORAGE_QUARANTINE_H_
