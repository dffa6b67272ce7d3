// The few calls to the operating system that storage needs, with statuses that name the file.
#ifndef CREAMERY_STORAGE_FILE_SYSTEM_H_
#define CREAMERY_STORAGE_FILE_SYSTEM_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace creamery {

// A file descriptor that closes itself.
class File {
 public:
  File() = default;
  explicit File(int fd) : fd_(fd) {}
  File(File&& other) noexcept : fd_(other.Release()) {}
  File& operator=(File&& other) noexcept;
  ~File();

  int fd() const { return fd_; }

 private:
  int Release();
  int fd_ = -1;
};

// True for the errors that say that there is no room: ENOSPC, EDQUOT, EFBIG.
bool IsDiskFull(int error);
// RESOURCE_EXHAUSTED when there is no room, else INTERNAL; "cannot write /data/x: No space left on device".
absl::Status ErrnoError(absl::string_view action, const std::string& path, int error);

// Makes the directory and those above it, durably.
absl::Status MakeDirectories(const std::string& path);
absl::Status SyncDirectory(const std::string& path);
// Names in the directory, in no order, `.` and `..` among them.
absl::StatusOr<std::vector<std::string>> NamesIn(const std::string& directory);
// RESOURCE_EXHAUSTED naming the limit if, after `more_bytes`, fewer than `min_free_bytes` would be free.
absl::Status CheckFreeSpace(const std::string& directory, int64_t more_bytes, int64_t min_free_bytes);
// Holds `path` for this process until the file is closed. FAILED_PRECONDITION if another holds it.
absl::StatusOr<File> LockFile(const std::string& path);
// All bytes, or an error.
absl::Status WriteAll(int fd, const std::string& path, uint64_t offset, absl::string_view bytes);

}  // namespace creamery

#endif  // CREAMERY_STORAGE_FILE_SYSTEM_H_
