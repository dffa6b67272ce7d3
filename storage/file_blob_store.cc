#include "storage/file_blob_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/digest.h"
#include "proto/support/status_macros.h"
#include "storage/file_system.h"

namespace creamery {
namespace {

constexpr char kTemporary[] = ".tmp-";
constexpr uint64_t kPiece = 1 << 20;

absl::Status Damaged(const std::string& digest, absl::string_view problem) {
  return absl::DataLossError(absl::StrCat("blob ", digest, " ", problem));
}

class FileBlobReader final : public BlobReader {
 public:
  FileBlobReader(std::string digest, File file, int64_t size)
      : digest_(std::move(digest)), file_(std::move(file)), size_(size) {}

  int64_t size() const override { return size_; }

  absl::StatusOr<std::string> Read(uint64_t offset, uint64_t length) const override {
    const uint64_t size = static_cast<uint64_t>(size_);
    // Checked before the memory is taken, so that a wrong length cannot ask for all of it.
    if (offset > size || length > size - offset) {
      return Damaged(digest_, absl::StrCat("has ", size_, " bytes, expected ", length, " from byte ", offset));
    }
    std::string bytes(length, '\0');
    uint64_t done = 0;
    while (done < length) {
      const ssize_t got = pread(file_.fd(), bytes.data() + done, length - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return Damaged(digest_, absl::StrCat("cannot be read: ", ErrnoError("read", "", errno).message()));
      if (got == 0) return Damaged(digest_, absl::StrCat("was cut to ", offset + done, " of ", size_, " bytes"));
      done += got;
    }
    return bytes;
  }

 private:
  const std::string digest_;
  const File file_;
  const int64_t size_;
};

absl::StatusOr<std::string> DigestOf(const BlobReader& reader) {
  Sha256 sha;
  const uint64_t size = reader.size();
  for (uint64_t offset = 0; offset < size; offset += kPiece) {
    ABSL_ASSIGN_OR_RETURN(const std::string piece, reader.Read(offset, std::min(kPiece, size - offset)));
    sha.Update(piece);
  }
  return sha.Finish();
}

class FileBlobWriter final : public BlobWriter {
 public:
  FileBlobWriter(std::string directory, std::string path, File file, int64_t min_free_bytes,
                 std::shared_ptr<BlobGuards> guards)
      : directory_(std::move(directory)),
        path_(std::move(path)),
        file_(std::move(file)),
        min_free_bytes_(min_free_bytes),
        guards_(std::move(guards)) {}
  ~FileBlobWriter() override {
    if (!renamed_) unlink(path_.c_str());
  }

  absl::Status Append(absl::string_view bytes) override {
    const uint64_t offset = size_;
    ABSL_RETURN_IF_ERROR(Write(offset, bytes));
    sha_.Update(bytes);
    return absl::OkStatus();
  }

  absl::Status WriteAt(uint64_t offset, absl::string_view bytes) override {
    in_order_ = false;
    return Write(offset, bytes);
  }

  absl::StatusOr<Committed> Commit(const std::string& expected_digest) override {
    if (renamed_) return absl::InternalError("a blob was committed twice");
    if (fsync(file_.fd()) != 0) return ErrnoError("sync", path_, errno);
    Committed committed;
    committed.size = static_cast<int64_t>(size_);
    ABSL_ASSIGN_OR_RETURN(committed.digest, Digest());
    if (!expected_digest.empty() && committed.digest != expected_digest) {
      return absl::DataLossError(absl::StrCat("the bytes received have digest ", committed.digest, ", expected ",
                                              expected_digest, ": they were damaged on the way"));
    }
    committed.guard = Guard(committed.digest);
    {
      // Under the guards' lock, so that Remove sees either the guard or the file that was there before it.
      MutexLock lock(&guards_->mu);
      const std::string final_path = directory_ + "/" + committed.digest;
      if (rename(path_.c_str(), final_path.c_str()) != 0) return ErrnoError("rename to", final_path, errno);
      renamed_ = true;
    }
    ABSL_RETURN_IF_ERROR(SyncDirectory(directory_));
    return committed;
  }

 private:
  absl::Status Write(uint64_t offset, absl::string_view bytes) {
    ABSL_RETURN_IF_ERROR(CheckFreeSpace(directory_, static_cast<int64_t>(bytes.size()), min_free_bytes_));
    ABSL_RETURN_IF_ERROR(WriteAll(file_.fd(), path_, offset, bytes));
    size_ = std::max<uint64_t>(size_, offset + bytes.size());
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> Digest() {
    if (in_order_) return sha_.Finish();
    File again(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    if (again.fd() < 0) return ErrnoError("open", path_, errno);
    return DigestOf(FileBlobReader(path_, std::move(again), static_cast<int64_t>(size_)));
  }

  std::shared_ptr<void> Guard(const std::string& digest) {
    {
      MutexLock lock(&guards_->mu);
      ++guards_->counts[digest];
    }
    // The pointer's value means nothing; its deleter does the work.
    return std::shared_ptr<void>(guards_.get(), [guards = guards_, digest](void*) {
      MutexLock lock(&guards->mu);
      if (--guards->counts[digest] == 0) guards->counts.erase(digest);
    });
  }

  const std::string directory_;
  const std::string path_;
  const File file_;
  const int64_t min_free_bytes_;
  const std::shared_ptr<BlobGuards> guards_;
  Sha256 sha_;
  uint64_t size_ = 0;
  bool in_order_ = true;
  bool renamed_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<FileBlobStore>> FileBlobStore::Open(const std::string& directory,
                                                                   int64_t min_free_bytes) {
  ABSL_RETURN_IF_ERROR(MakeDirectories(directory));
  ABSL_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(directory));
  for (const std::string& name : names) {
    if (absl::StartsWith(name, kTemporary)) unlink(absl::StrCat(directory, "/", name).c_str());
  }
  return std::unique_ptr<FileBlobStore>(new FileBlobStore(directory, min_free_bytes));
}

absl::StatusOr<std::unique_ptr<BlobWriter>> FileBlobStore::NewBlob() {
  ABSL_RETURN_IF_ERROR(CheckFreeSpace(directory_, 0, min_free_bytes_));
  const std::string path = absl::StrCat(directory_, "/", kTemporary, RandomHex(12));
  File file(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.fd() < 0) return ErrnoError("create", path, errno);
  return std::make_unique<FileBlobWriter>(directory_, path, std::move(file), min_free_bytes_, guards_);
}

absl::StatusOr<std::unique_ptr<BlobReader>> FileBlobStore::OpenBlob(const std::string& digest) {
  // Also what keeps a digest from being a path to elsewhere.
  if (!IsSha256Hex(digest)) {
    return absl::InvalidArgumentError(absl::StrCat("digest '", digest, "', expected 64 of 0-9 a-f"));
  }
  File file(open(PathOf(digest).c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd() < 0) return Damaged(digest, errno == ENOENT ? "is missing" : "cannot be opened");
  struct stat info;
  if (fstat(file.fd(), &info) != 0) return ErrnoError("look at", PathOf(digest), errno);
  return std::make_unique<FileBlobReader>(digest, std::move(file), info.st_size);
}

absl::StatusOr<std::string> FileBlobStore::ReadBlob(const std::string& digest) {
  ABSL_ASSIGN_OR_RETURN(const std::unique_ptr<BlobReader> reader, OpenBlob(digest));
  ABSL_ASSIGN_OR_RETURN(std::string bytes, reader->Read(0, reader->size()));
  if (Sha256Hex(bytes) != digest) return Damaged(digest, "is damaged: its bytes have another digest");
  return bytes;
}

absl::Status FileBlobStore::CheckBlob(const std::string& digest) {
  ABSL_ASSIGN_OR_RETURN(const std::unique_ptr<BlobReader> reader, OpenBlob(digest));
  ABSL_ASSIGN_OR_RETURN(const std::string found, DigestOf(*reader));
  if (found != digest) return Damaged(digest, "is damaged: its bytes have another digest");
  return absl::OkStatus();
}

absl::StatusOr<int64_t> FileBlobStore::SizeOf(const std::string& digest) const {
  struct stat info;
  if (!IsSha256Hex(digest) || stat(PathOf(digest).c_str(), &info) != 0) {
    return absl::NotFoundError(absl::StrCat("blob '", digest, "' is not stored; store it before naming it"));
  }
  return info.st_size;
}

absl::StatusOr<bool> FileBlobStore::TakeBack(const std::string& digest) {
  if (!IsSha256Hex(digest)) return false;
  MutexLock lock(&guards_->mu);
  ABSL_ASSIGN_OR_RETURN(const bool back, quarantine_.TakeBack(digest));
  if (back) ABSL_RETURN_IF_ERROR(quarantine_.Sync());
  return back;
}

absl::StatusOr<std::vector<FileBlobStore::Entry>> FileBlobStore::List() const {
  ABSL_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(directory_));
  std::vector<Entry> entries;
  for (const std::string& name : names) {
    struct stat info;
    if (!IsSha256Hex(name) || stat(PathOf(name).c_str(), &info) != 0) continue;
    entries.push_back({name, absl::TimeFromTimespec(info.st_mtim), info.st_size});
  }
  return entries;
}

bool FileBlobStore::IsGuarded(const std::string& digest) const {
  MutexLock lock(&guards_->mu);
  return guards_->counts.count(digest) != 0;
}

absl::StatusOr<bool> FileBlobStore::SetAside(const std::string& digest, absl::Time now) {
  MutexLock lock(&guards_->mu);
  if (guards_->counts.count(digest) != 0) return false;
  return quarantine_.SetAside(digest, now);
}

absl::StatusOr<bool> FileBlobStore::Remove(const std::string& digest) {
  MutexLock lock(&guards_->mu);
  if (guards_->counts.count(digest) != 0) return false;
  if (unlink(PathOf(digest).c_str()) == 0) return true;
  if (errno == ENOENT) return false;
  return ErrnoError("remove", PathOf(digest), errno);
}

}  // namespace creamery
