#include "client/cpp/readers/text_numbers.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace creamery {

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    const int error = errno;
    if (error == ENOENT) return absl::NotFoundError(absl::StrCat("file '", path, "' does not exist"));
    return absl::InvalidArgumentError(absl::StrCat("file '", path, "' cannot be opened: ", std::strerror(error)));
  }
  std::ostringstream bytes;
  bytes << file.rdbuf();
  // An empty file sets failbit on `bytes` and leaves `file` good; a folder sets badbit on `file`.
  if (file.bad() || (bytes.fail() && file.peek() != std::char_traits<char>::eof())) {
    return absl::InvalidArgumentError(absl::StrCat("file '", path, "' cannot be read"));
  }
  return bytes.str();
}

absl::string_view CleanCell(absl::string_view cell) {
  cell = absl::StripAsciiWhitespace(cell);
  if (cell.size() >= 2 && (cell.front() == '"' || cell.front() == '\'') && cell.back() == cell.front()) {
    cell = absl::StripAsciiWhitespace(cell.substr(1, cell.size() - 2));
  }
  return cell;
}

absl::StatusOr<TextNumbers> ParseNumbers(absl::string_view file, absl::string_view text, char separator,
                                         int64_t first_line) {
  TextNumbers numbers;
  int64_t line_number = first_line - 1;
  int64_t first_row_line = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++line_number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    int64_t columns = 0;
    auto add = [&](absl::string_view cell) {
      double value;
      ++columns;
      if (!absl::SimpleAtod(CleanCell(cell), &value)) return false;
      numbers.values.push_back(value);
      return true;
    };
    auto bad_cell = [&](absl::string_view cell) {
      return absl::InvalidArgumentError(absl::StrCat(file, ", line ", line_number, ", column ", columns, ": '",
                                                     CleanCell(cell), "' is not a number"));
    };
    if (separator == ' ') {
      for (absl::string_view cell : absl::StrSplit(line, absl::ByAnyChar(" \t\r"), absl::SkipEmpty())) {
        if (!add(cell)) return bad_cell(cell);
      }
    } else {
      for (absl::string_view cell : absl::StrSplit(line, separator)) {
        if (!add(cell)) return bad_cell(cell);
      }
    }
    if (numbers.num_rows == 0) {
      numbers.num_columns = columns;
      first_row_line = line_number;
    } else if (columns != numbers.num_columns) {
      return absl::InvalidArgumentError(absl::StrCat(file, ", line ", line_number, ": ", columns, " columns, expected ",
                                                     numbers.num_columns, " as in line ", first_row_line));
    }
    ++numbers.num_rows;
  }
  if (numbers.num_rows == 0) return absl::InvalidArgumentError(absl::StrCat(file, " has no rows of numbers"));
  return numbers;
}

}  // namespace creamery
