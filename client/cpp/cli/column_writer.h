// Columns of numbers to a file or to standard output, rows as they come.
#ifndef CREAMERY_CLIENT_CPP_CLI_COLUMN_WRITER_H_
#define CREAMERY_CLIENT_CPP_CLI_COLUMN_WRITER_H_

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace creamery::cli {

class ColumnWriter {
 public:
  // By the ending of `path`: .npy (float64, C order) or .csv (with names); CSV on standard output if it is empty.
  // A mistake in the command line for another ending.
  static absl::StatusOr<std::unique_ptr<ColumnWriter>> Open(const std::string& path,
                                                            const std::vector<std::string>& names);
  // One number a line on standard output, and nothing else.
  static std::unique_ptr<ColumnWriter> Plain();
  // A file that was not closed is not kept.
  ~ColumnWriter();
  ColumnWriter(const ColumnWriter&) = delete;
  ColumnWriter& operator=(const ColumnWriter&) = delete;

  // Whole rows, row-major.
  absl::Status Add(absl::Span<const double> rows);
  // Puts the file in its place: it is there whole or not at all.
  absl::Status Close();

 private:
  ColumnWriter(std::string path, bool npy, int64_t columns);
  absl::Status Write(const std::string& bytes);
  absl::Status Failed() const;

  const std::string path_;  // empty: standard output
  const std::string temporary_;
  const bool npy_;
  const int64_t columns_;
  int64_t rows_ = 0;
  std::FILE* file_;
  std::string bytes_;
};

}  // namespace creamery::cli

#endif  // CREAMERY_CLIENT_CPP_CLI_COLUMN_WRITER_H_
