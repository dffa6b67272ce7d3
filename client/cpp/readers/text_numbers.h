// Lines of numbers in a text file, with errors that name file and line.
#ifndef CREAMERY_CLIENT_CPP_READERS_TEXT_NUMBERS_H_
#define CREAMERY_CLIENT_CPP_READERS_TEXT_NUMBERS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace creamery {

// The whole file. NOT_FOUND if it does not exist, INVALID_ARGUMENT if it cannot be read.
absl::StatusOr<std::string> ReadFile(const std::string& path);

struct TextNumbers {
  std::vector<double> values;  // (n, num_columns), row-major
  int64_t num_rows = 0;
  int64_t num_columns = 0;
};

// Numbers of the lines of `text`, cells split at `separator`, or at white space where it is ' '. Blank lines and lines
// that start with # are skipped. `first_line` is the number of the first line of `text`, for messages.
// INVALID_ARGUMENT such as "chain_1.txt, line 17: 'abc' is not a number" or "… has 3 columns, expected 4 as line 1".
absl::StatusOr<TextNumbers> ParseNumbers(absl::string_view file, absl::string_view text, char separator,
                                         int64_t first_line = 1);

// A cell without white space and quotes around it.
absl::string_view CleanCell(absl::string_view cell);

}  // namespace creamery

#endif  // CREAMERY_CLIENT_CPP_READERS_TEXT_NUMBERS_H_
