// BlobStore in a directory: one file per blob, named by its digest; `.tmp-*` while it is being written; `quarantine/`
// for those set aside. Thread-safe.
#ifndef CREAMERY_STORAGE_FILE_BLOB_STORE_H_
#define CREAMERY_STORAGE_FILE_BLOB_STORE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/support/mutex.h"
#include "storage/blob_store.h"
#include "storage/quarantine.h"

namespace creamery {

// How many guards protect each digest; outlives the store if a guard does.
struct BlobGuards {
  Mutex mu;
  std::map<std::string, int> counts ABSL_GUARDED_BY(mu);
};

class FileBlobStore final : public BlobStore {
 public:
  // Makes the directory if needed and removes temporary files of a crash.
  static absl::StatusOr<std::unique_ptr<FileBlobStore>> Open(const std::string& directory, int64_t min_free_bytes);

  absl::StatusOr<std::unique_ptr<BlobWriter>> NewBlob() override;
  absl::StatusOr<std::unique_ptr<BlobReader>> OpenBlob(const std::string& digest) override;
  absl::StatusOr<std::string> ReadBlob(const std::string& digest) override;

  // OK if the bytes are what their name says; reads them in pieces. DATA_LOSS naming the blob otherwise.
  absl::Status CheckBlob(const std::string& digest);
  // NOT_FOUND if it is not stored: to be asked before a row names it.
  absl::StatusOr<int64_t> SizeOf(const std::string& digest) const;

  struct Entry {
    std::string digest;
    absl::Time modified;
    int64_t size = 0;
  };
  absl::StatusOr<std::vector<Entry>> List() const;
  bool IsGuarded(const std::string& digest) const;
  // Moves a blob into the quarantine unless a guard protects it; true if it did. Durable once the quarantine is synced.
  // The caller holds the writer's lock and knows that no row names the blob.
  absl::StatusOr<bool> SetAside(const std::string& digest, absl::Time now);
  // Moves a blob that is missing back from the quarantine, durably; true if it did.
  absl::StatusOr<bool> TakeBack(const std::string& digest);
  const std::string& directory() const { return directory_; }
  Quarantine& quarantine() { return quarantine_; }
  // Unlinks a blob unless a guard protects it; true if it did. The caller holds the writer's lock and knows that no
  // row names the blob.
  absl::StatusOr<bool> Remove(const std::string& digest);

 private:
  FileBlobStore(std::string directory, int64_t min_free_bytes)
      : directory_(std::move(directory)),
        min_free_bytes_(min_free_bytes),
        guards_(std::make_shared<BlobGuards>()),
        quarantine_(directory_) {}
  std::string PathOf(const std::string& digest) const { return directory_ + "/" + digest; }

  const std::string directory_;
  const int64_t min_free_bytes_;
  const std::shared_ptr<BlobGuards> guards_;
  Quarantine quarantine_;
};

}  // namespace creamery

#endif  // CREAMERY_STORAGE_FILE_BLOB_STORE_H_
