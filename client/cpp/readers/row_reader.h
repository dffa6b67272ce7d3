// The rows of a .csv, .dat or .npy file, or of standard input, block after block, in memory that does not grow with
// them.
#ifndef CREAMERY_CLIENT_CPP_READERS_ROW_READER_H_
#define CREAMERY_CLIENT_CPP_READERS_ROW_READER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cpp/readers/table.h"

namespace creamery {

class RowReader {
 public:
  virtual ~RowReader() = default;
  // The names of the columns; empty if there are none.
  const std::vector<std::string>& names() const { return names_; }
  int64_t num_columns() const { return num_columns_; }
  // Replaces `rows` by at most `max_rows` further ones, row-major; returns how many, 0 at the end.
  // INVALID_ARGUMENT naming the file, and where it can the line, that is malformed.
  virtual absl::StatusOr<int64_t> Read(int64_t max_rows, std::vector<double>* rows) = 0;

 protected:
  std::vector<std::string> names_;
  int64_t num_columns_ = 0;
};

// Whether OpenRows reads a file of this name: `-`, *.csv, *.dat and *.npy, in capitals too.
bool HasRowReader(const std::string& path);
// `-` is standard input, .npy by its first byte, else CSV. NOT_FOUND for a missing file, INVALID_ARGUMENT for a
// malformed one and for one without rows.
absl::StatusOr<std::unique_ptr<RowReader>> OpenRows(const std::string& path);
// Numbers separated by commas, or by white space where `separator` is ' '. A first line without any number names the
// columns, and so does the last comment before the rows that has a word for each of them. INVALID_ARGUMENT, naming line
// and column, for a first line of names and numbers, for names that are empty, given twice or not UTF-8, and for a
// first line 0, 1, 2, … above others, which pandas writes as a header.
absl::StatusOr<std::unique_ptr<RowReader>> OpenText(const std::string& path, char separator);
// NumPy's format, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html: one array of shape (n, d) or
// (n,), float32, float64, int32, int64 or uint8, little-endian, in C or Fortran order. No names.
absl::StatusOr<std::unique_ptr<RowReader>> OpenNpy(const std::string& path);

// All rows, by columns; called theta0, theta1, … where they have no names.
absl::StatusOr<Table> ReadAll(RowReader& reader);

// For each of the columns that are wanted, its place among those of the reader; `wanted` may be empty for all in their
// order, and names the columns of a reader that has no names. INVALID_ARGUMENT lists the right names.
absl::StatusOr<std::vector<int64_t>> FindColumns(const RowReader& reader, const std::vector<std::string>& wanted);

}  // namespace creamery

#endif  // CREAMERY_CLIENT_CPP_READERS_ROW_READER_H_
