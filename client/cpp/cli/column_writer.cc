#include "client/cpp/cli/column_writer.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cpp/cli/cli.h"
#include "proto/support/status_macros.h"

namespace creamery::cli {
namespace {

// Version 1.0 of NumPy's format, always of this length: the number of rows is written when it is known.
constexpr size_t kNpyHeader = 128;

std::string NpyHeader(int64_t rows, int64_t columns) {
  std::string text = absl::StrCat("{'descr': '<f8', 'fortran_order': False, 'shape': (", rows, ", ", columns, "), }");
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(kNpyHeader - 10);
  bytes += '\0';
  bytes += text;
  bytes.resize(kNpyHeader - 1, ' ');
  bytes += '\n';
  return bytes;
}

}  // namespace

ColumnWriter::ColumnWriter(std::string path, bool npy, int64_t columns)
    : path_(std::move(path)),
      temporary_(absl::StrCat(path_, ".", getpid(), ".part")),
      npy_(npy),
      columns_(columns),
      file_(path_.empty() ? stdout : std::fopen(temporary_.c_str(), "wb")) {}

ColumnWriter::~ColumnWriter() {
  if (path_.empty() || file_ == nullptr) return;
  std::fclose(file_);
  std::remove(temporary_.c_str());
}

absl::StatusOr<std::unique_ptr<ColumnWriter>> ColumnWriter::Open(const std::string& path,
                                                                 const std::vector<std::string>& names) {
  const bool npy = absl::EndsWith(path, ".npy");
  if (!npy && !path.empty() && !absl::EndsWith(path, ".csv")) {
    return Usage(
        absl::InvalidArgumentError(absl::StrCat("cannot write '", path, "': expected a name ending in .npy or .csv")));
  }
  std::unique_ptr<ColumnWriter> writer(new ColumnWriter(path, npy, static_cast<int64_t>(names.size())));
  if (writer->file_ == nullptr) return writer->Failed();
  std::string header = npy ? NpyHeader(0, writer->columns_) : absl::StrCat(absl::StrJoin(names, ","), "\n");
  // A file and a pipe keep the names as they are; a terminal is shown what is safe for it.
  if (path.empty() && isatty(STDOUT_FILENO) == 1) header = absl::StrCat(Printable(absl::StrJoin(names, ",")), "\n");
  ABSL_RETURN_IF_ERROR(writer->Write(header));
  return writer;
}

std::unique_ptr<ColumnWriter> ColumnWriter::Plain() {
  return std::unique_ptr<ColumnWriter>(new ColumnWriter("", false, 1));
}

absl::Status ColumnWriter::Add(absl::Span<const double> rows) {
  rows_ += static_cast<int64_t>(rows.size()) / columns_;
  bytes_.clear();
  if (npy_) {
    bytes_.assign(reinterpret_cast<const char*>(rows.data()), rows.size() * sizeof(double));
  } else {
    for (size_t i = 0; i < rows.size(); ++i) {
      absl::StrAppend(&bytes_, NumberToText(rows[i]), (i + 1) % columns_ == 0 ? "\n" : ",");
    }
  }
  return Write(bytes_);
}

absl::Status ColumnWriter::Close() {
  if (path_.empty()) return std::fflush(file_) == 0 ? absl::OkStatus() : Failed();
  if (npy_) {
    std::rewind(file_);
    ABSL_RETURN_IF_ERROR(Write(NpyHeader(rows_, columns_)));
  }
  const bool closed = std::fclose(std::exchange(file_, nullptr)) == 0;
  if (closed && std::rename(temporary_.c_str(), path_.c_str()) == 0) return absl::OkStatus();
  absl::Status failed = Failed();
  std::remove(temporary_.c_str());
  return failed;
}

absl::Status ColumnWriter::Write(const std::string& bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) == bytes.size()) return absl::OkStatus();
  return Failed();
}

absl::Status ColumnWriter::Failed() const {
  return absl::FailedPreconditionError(absl::StrCat(path_.empty() ? "standard output" : absl::StrCat("'", path_, "'"),
                                                    " cannot be written: ", std::strerror(errno)));
}

}  // namespace creamery::cli
