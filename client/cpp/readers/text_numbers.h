// Lines of numbers in a text file, with errors that name file and line.
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

// Lines of numbers, cells split at `separator`, or at white space where it is ' '.
class LineParser {
 public:
  // `file` names it in messages.
  LineParser(absl::string_view file, char separator) : file_(file), separator_(separator) {}
  // Adds the numbers of a line to `values`; nothing for a blank line and one that starts with #.
  // INVALID_ARGUMENT such as "chain_1.txt, line 17: 'abc' is not a number" or "… has 3 columns, expected 4 as line 1".
  absl::Status Parse(absl::string_view line, int64_t line_number, std::vector<double>* values);

  int64_t num_rows() const { return num_rows_; }
  int64_t num_columns() const { return num_columns_; }  // of the first row

 private:
  const std::string file_;
  const char separator_;
  int64_t num_rows_ = 0;
  int64_t num_columns_ = 0;
  int64_t first_row_line_ = 0;
};

struct TextNumbers {
  std::vector<double> values;  // (n, num_columns), row-major
  int64_t num_rows = 0;
  int64_t num_columns = 0;
};

// Numbers of all lines of `text`; INVALID_ARGUMENT if there are none.
absl::StatusOr<TextNumbers> ParseNumbers(absl::string_view file, absl::string_view text, char separator);

// A cell without white space and quotes around it.
absl::string_view CleanCell(absl::string_view cell);

}  // namespace creamery

#endif  // CREAMERY_CLIENT_CPP_READERS_TEXT_NUMBERS_H_
