// Lines of numbers in a text file, with errors that name file, line, column, what stands there and what was expected.
#ifndef CREAMERY_CLIENT_CPP_READERS_TEXT_NUMBERS_H_
#define CREAMERY_CLIENT_CPP_READERS_TEXT_NUMBERS_H_

#include <cstdint>
#include <istream>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace creamery {

// The bytes of a file, or of standard input for `-`.
using Input = std::unique_ptr<std::istream, void (*)(std::istream*)>;
// NOT_FOUND if the file does not exist, INVALID_ARGUMENT if it cannot be opened.
absl::StatusOr<Input> OpenInput(const std::string& path);
// The whole file. NOT_FOUND if it does not exist, INVALID_ARGUMENT if it cannot be read.
absl::StatusOr<std::string> ReadFile(const std::string& path);
// The lines of a small text file, such as .paramnames, without byte-order mark and white space at their ends; those
// that begin with # are empty. INVALID_ARGUMENT for UTF-16.
absl::StatusOr<std::vector<std::string>> ReadLines(const std::string& path);

// Takes a UTF-8 byte-order mark from the first line of a file. INVALID_ARGUMENT if it begins as UTF-16 or UTF-32 does.
absl::Status StripByteOrderMark(absl::string_view file, absl::string_view* first_line);

// A number as C, Python or Fortran write it: 0.31, 1.0D-05, 0.148-104 (an exponent of three digits has no letter).
bool ParseNumber(absl::string_view cell, double* value);
// "'0,3' is not a number", with what it may be instead.
std::string NotANumber(absl::string_view cell);
// What a file holds, fit to be printed: short, quoted, without control characters and bytes that are no UTF-8.
std::string Shown(absl::string_view text);
// INVALID_ARGUMENT at `where` ("a.csv, line 1, column 2") for an empty name and for one that is not UTF-8.
absl::Status CheckName(absl::string_view where, absl::string_view name);

// The cells of a line, without white space and quotes around them. Cells are split at `separator`, or at white space
// where it is ' '; a separator between quotes is text.
std::vector<std::string> SplitCells(absl::string_view line, char separator);

// Lines of numbers.
class LineParser {
 public:
  // `file` names it in messages.
  LineParser(absl::string_view file, char separator) : file_(file), separator_(separator) {}
  // Adds the numbers of a line to `values`; nothing for a blank line and for a comment, which begins with #.
  // INVALID_ARGUMENT such as "chain_1.txt, line 17, column 2: 'abc' is not a number" or
  // "… 3 columns, expected 4 as in line 1".
  absl::Status Parse(absl::string_view line, int64_t line_number, std::vector<double>* values);
  // Rows as wide as a header: a separator too many at their end is then none.
  void ExpectColumns(int64_t num_columns) { expected_columns_ = num_columns; }

  int64_t num_rows() const { return num_rows_; }
  int64_t num_columns() const { return num_columns_; }  // of the first row

 private:
  absl::Status Add(absl::string_view cell, int64_t line_number, int64_t column, std::vector<double>* values) const;

  const std::string file_;
  const char separator_;
  int64_t expected_columns_ = 0;
  int64_t num_rows_ = 0;
  int64_t num_columns_ = 0;
  int64_t first_row_line_ = 0;
};

}  // namespace creamery

#endif  // CREAMERY_CLIENT_CPP_READERS_TEXT_NUMBERS_H_
