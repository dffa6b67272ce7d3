#include "storage/file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/status_macros.h"

namespace creamery {

File& File::operator=(File&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) close(fd_);
    fd_ = other.Release();
  }
  return *this;
}
File::~File() {
  if (fd_ >= 0) close(fd_);
}
int File::Release() { return std::exchange(fd_, -1); }

bool IsDiskFull(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

namespace {

// What there is no room in, where the system's words do not say it.
std::string LimitOf(int error) {
  if (error == EDQUOT) return " (the quota of the user that the server runs as)";
  rlimit limit;
  if (error != EFBIG || getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return "";
  return absl::StrCat(" (the limit on the size of a file, `ulimit -f`, is ", limit.rlim_cur, " bytes)");
}

}  // namespace

absl::Status ErrnoError(absl::string_view action, const std::string& path, int error) {
  const std::string message = absl::StrCat("cannot ", action, " ", path, ": ", std::strerror(error), LimitOf(error));
  return IsDiskFull(error) ? absl::ResourceExhaustedError(message) : absl::InternalError(message);
}

absl::Status MakeDirectories(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat(path, " is not a directory"));
  }
  const size_t slash = path.find_last_of('/');
  const std::string parent = slash == std::string::npos ? "." : (slash == 0 ? "/" : path.substr(0, slash));
  if (slash + 1 == path.size()) return MakeDirectories(parent);
  ABSL_RETURN_IF_ERROR(MakeDirectories(parent));
  // Only the owner: models and chains are nobody else's business unless the operator says so.
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return ErrnoError("create directory", path, errno);
  return SyncDirectory(parent);
}

absl::Status SyncDirectory(const std::string& path) {
  const File directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.fd() < 0) return ErrnoError("open directory", path, errno);
  if (fsync(directory.fd()) != 0) return ErrnoError("sync directory", path, errno);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> NamesIn(const std::string& directory) {
  DIR* const stream = opendir(directory.c_str());
  if (stream == nullptr) return ErrnoError("list", directory, errno);
  std::vector<std::string> names;
  while (const dirent* entry = readdir(stream)) names.push_back(entry->d_name);
  closedir(stream);
  return names;
}

absl::Status CheckFreeSpace(const std::string& directory, int64_t more_bytes, int64_t min_free_bytes) {
  struct statvfs info;
  if (statvfs(directory.c_str(), &info) != 0) return ErrnoError("ask for the free space of", directory, errno);
  const int64_t free = static_cast<int64_t>(info.f_bavail) * static_cast<int64_t>(info.f_frsize);
  if (free - more_bytes >= min_free_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("the disk of ", directory, " has ", free, " bytes free and ",
                                                   more_bytes, " more are to be written; the limit min_free_bytes is ",
                                                   min_free_bytes));
}

absl::StatusOr<File> LockFile(const std::string& path) {
  File file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (file.fd() < 0) return ErrnoError("open", path, errno);
  if (flock(file.fd(), LOCK_EX | LOCK_NB) == 0) return file;
  if (errno != EWOULDBLOCK) return ErrnoError("lock", path, errno);
  return absl::FailedPreconditionError(
      absl::StrCat(path, " is locked: another creamery-server has this directory open; stop it first"));
}

absl::Status WriteAll(int fd, const std::string& path, uint64_t offset, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoError("write", path, errno);
    bytes.remove_prefix(written);
    offset += written;
  }
  return absl::OkStatus();
}

}  // namespace creamery
