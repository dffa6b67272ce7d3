// Files named by the SHA-256 of their bytes. Bytes first, row second: a blob is on disk (temporary name, fsync, rename,
// fsync of the directory) before any row names it, so a crash leaves an orphan file, never a row without bytes.
// Thread-safe; a BlobWriter belongs to one thread.
#ifndef CREAMERY_STORAGE_BLOB_STORE_H_
#define CREAMERY_STORAGE_BLOB_STORE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace creamery {

// A blob being written. Dropped without Commit, it leaves nothing behind.
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;
  // RESOURCE_EXHAUSTED when the disk is full or the free-space limit is reached.
  virtual absl::Status Append(absl::string_view bytes) = 0;
  // Writes at a position, for formats whose layout is known before their content. Do not mix with Append.
  virtual absl::Status WriteAt(uint64_t offset, absl::string_view bytes) = 0;
  // Makes the blob durable and returns its digest. With `expected_digest`, DATA_LOSS if it is another.
  // The blob is protected from garbage collection until the guard that comes with it is gone.
  struct Committed {
    std::string digest;
    int64_t size = 0;
    std::shared_ptr<void> guard;
  };
  virtual absl::StatusOr<Committed> Commit(const std::string& expected_digest = "") = 0;
};

// A blob open for reading; keeps its file even if it is unlinked meanwhile.
class BlobReader {
 public:
  virtual ~BlobReader() = default;
  virtual int64_t size() const = 0;
  // Exactly `length` bytes from `offset`; DATA_LOSS naming the blob if the file is shorter.
  virtual absl::StatusOr<std::string> Read(uint64_t offset, uint64_t length) const = 0;
};

class BlobStore {
 public:
  virtual ~BlobStore() = default;
  virtual absl::StatusOr<std::unique_ptr<BlobWriter>> NewBlob() = 0;
  // DATA_LOSS naming the blob if it is missing.
  virtual absl::StatusOr<std::unique_ptr<BlobReader>> OpenBlob(const std::string& digest) = 0;
  // The whole blob, its digest checked: DATA_LOSS naming it if it is missing or damaged.
  virtual absl::StatusOr<std::string> ReadBlob(const std::string& digest) = 0;
};

}  // namespace creamery

#endif  // CREAMERY_STORAGE_BLOB_STORE_H_
