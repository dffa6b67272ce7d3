#include "client/cpp/readers/text_numbers.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "proto/support/status_macros.h"

namespace creamery {

absl::StatusOr<Input> OpenInput(const std::string& path) {
  if (path == "-") return Input(&std::cin, [](std::istream*) {});
  auto file = std::make_unique<std::ifstream>(path, std::ios::binary);
  if (*file) return Input(file.release(), [](std::istream* stream) { delete stream; });
  const int error = errno;
  if (error == ENOENT) return absl::NotFoundError(absl::StrCat("file '", path, "' does not exist"));
  return absl::InvalidArgumentError(absl::StrCat("file '", path, "' cannot be opened: ", std::strerror(error)));
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  ABSL_ASSIGN_OR_RETURN(const Input file, OpenInput(path));
  std::ostringstream bytes;
  bytes << file->rdbuf();
  // An empty file sets failbit on `bytes` and leaves `file` good; a folder sets badbit on `file`.
  if (file->bad() || (bytes.fail() && file->peek() != std::char_traits<char>::eof())) {
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

absl::Status LineParser::Parse(absl::string_view line, int64_t line_number, std::vector<double>* values) {
  line = absl::StripAsciiWhitespace(line);
  if (line.empty() || line.front() == '#') return absl::OkStatus();
  int64_t columns = 0;
  const auto add = [&](absl::string_view cell) -> absl::Status {
    cell = CleanCell(cell);
    ++columns;
    double value;
    if (absl::SimpleAtod(cell, &value)) {
      values->push_back(value);
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(
        absl::StrCat(file_, ", line ", line_number, ", column ", columns, ": '", cell, "' is not a number"));
  };
  if (separator_ == ' ') {
    for (const absl::string_view cell : absl::StrSplit(line, absl::ByAnyChar(" \t\r"), absl::SkipEmpty())) {
      ABSL_RETURN_IF_ERROR(add(cell));
    }
  } else {
    for (const absl::string_view cell : absl::StrSplit(line, separator_)) ABSL_RETURN_IF_ERROR(add(cell));
  }
  if (num_rows_ == 0) {
    num_columns_ = columns;
    first_row_line_ = line_number;
  } else if (columns != num_columns_) {
    return absl::InvalidArgumentError(absl::StrCat(file_, ", line ", line_number, ": ", columns, " columns, expected ",
                                                   num_columns_, " as in line ", first_row_line_));
  }
  ++num_rows_;
  return absl::OkStatus();
}

absl::StatusOr<TextNumbers> ParseNumbers(absl::string_view file, absl::string_view text, char separator) {
  TextNumbers numbers;
  LineParser lines(file, separator);
  int64_t line_number = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    ABSL_RETURN_IF_ERROR(lines.Parse(line, ++line_number, &numbers.values));
  }
  numbers.num_rows = lines.num_rows();
  numbers.num_columns = lines.num_columns();
  if (numbers.num_rows == 0) return absl::InvalidArgumentError(absl::StrCat(file, " has no rows of numbers"));
  return numbers;
}

}  // namespace creamery
