// The rows of a .csv or .npy file, or of standard input, block after block, in memory that does not grow with them.
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

// Whether OpenRows reads a file of this name: `-`, *.csv and *.npy.
bool HasRowReader(const std::string& path);
// `-` is standard input, .npy by its first byte, else CSV. NOT_FOUND for a missing file, INVALID_ARGUMENT for a
// malformed one and for one without rows.
absl::StatusOr<std::unique_ptr<RowReader>> OpenRows(const std::string& path);
// Comma-separated numbers; a first line that is not numbers names the columns.
absl::StatusOr<std::unique_ptr<RowReader>> OpenCsv(const std::string& path);
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
