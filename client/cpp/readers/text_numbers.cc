#include "client/cpp/readers/text_numbers.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr absl::string_view kDigits = "0123456789";

// Bytes of the UTF-8 character that begins at `at`; 0 if none does.
size_t Utf8Length(absl::string_view text, size_t at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  const size_t length = byte < 0x80 ? 1 : byte >= 0xc2 && byte < 0xe0 ? 2 : byte >= 0xe0 && byte < 0xf0 ? 3 : 4;
  if ((byte >= 0x80 && byte < 0xc2) || byte > 0xf4 || at + length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(text[at + i]) & 0xc0) != 0x80) return 0;
  }
  return length;
}

bool IsUtf8(absl::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t length = Utf8Length(text, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

// C1 controls, and the marks that turn the direction of text.
bool IsControl(absl::string_view character) {
  return (character[0] == '\xc2' && static_cast<unsigned char>(character[1]) < 0xa0) ||
         absl::StartsWith(character, "\xe2\x80") || absl::StartsWith(character, "\xe2\x81");
}

absl::string_view CleanCell(absl::string_view cell) {
  cell = absl::StripAsciiWhitespace(cell);
  if (cell.size() >= 2 && (cell.front() == '"' || cell.front() == '\'') && cell.back() == cell.front()) {
    cell = absl::StripAsciiWhitespace(cell.substr(1, cell.size() - 2));
  }
  return cell;
}

// The end of a cell that begins with a double quote: a doubled one within is text.
size_t EndOfQuotes(absl::string_view line, size_t begin, std::string* cell) {
  size_t at = begin + 1;
  for (; at < line.size(); ++at) {
    if (line[at] == '"') {
      if (at + 1 == line.size() || line[at + 1] != '"') return at + 1;
      ++at;
    }
    cell->push_back(line[at]);
  }
  return at;
}

// Cells of a line with double quotes in it.
std::vector<std::string> SplitQuoted(absl::string_view line, char separator) {
  std::vector<std::string> cells;
  const auto separates = [&](char c) { return separator == ' ' ? absl::ascii_isspace(c) : c == separator; };
  for (size_t at = 0;;) {
    while (at < line.size() && absl::ascii_isspace(line[at]) && !(separator != ' ' && separates(line[at]))) ++at;
    if (separator == ' ' && at == line.size()) return cells;
    std::string cell;
    if (at < line.size() && line[at] == '"') at = EndOfQuotes(line, at, &cell);
    const size_t begin = at;
    while (at < line.size() && !separates(line[at])) ++at;
    const absl::string_view rest = absl::StripTrailingAsciiWhitespace(line.substr(begin, at - begin));
    cells.push_back(std::string(absl::StripAsciiWhitespace(cell)) + std::string(CleanCell(rest)));
    if (at == line.size()) return cells;
    ++at;
  }
}

}  // namespace

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

absl::StatusOr<std::vector<std::string>> ReadLines(const std::string& path) {
  ABSL_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  absl::string_view text = bytes;
  ABSL_RETURN_IF_ERROR(StripByteOrderMark(path, &text));
  std::vector<std::string> lines;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    lines.emplace_back(absl::StripAsciiWhitespace(line));
    if (absl::StartsWith(lines.back(), "#")) lines.back().clear();
  }
  return lines;
}

absl::Status StripByteOrderMark(absl::string_view file, absl::string_view* first_line) {
  if (absl::ConsumePrefix(first_line, "\xef\xbb\xbf")) return absl::OkStatus();
  const bool marked = absl::StartsWith(*first_line, "\xff\xfe") || absl::StartsWith(*first_line, "\xfe\xff");
  if (!marked && first_line->substr(0, 4).find('\0') == absl::string_view::npos) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      file, ", line 1: ",
      marked ? "the text is UTF-16 (its byte-order mark says so)" : "there are NUL bytes: UTF-16 or no text at all",
      ", expected UTF-8 or ASCII"));
}

bool ParseNumber(absl::string_view cell, double* value) {
  if (cell.find_first_of("(xX") != absl::string_view::npos) return false;  // 0x1p3 and nan(1) are C's alone
  if (absl::SimpleAtod(cell, value)) return true;
  const size_t exponent = cell.find_first_of("dD");
  if (exponent != absl::string_view::npos) {
    const absl::string_view mantissa = cell.substr(0, exponent);
    if (mantissa.empty() || mantissa.find_first_not_of("+-.0123456789") != absl::string_view::npos) return false;
    return absl::SimpleAtod(absl::StrCat(mantissa, "E", cell.substr(exponent + 1)), value);
  }
  const size_t sign = cell.find_last_of("+-");
  if (sign == absl::string_view::npos || sign == 0 || cell.size() != sign + 4) return false;
  if (cell.find_first_not_of(kDigits, sign + 1) != absl::string_view::npos) return false;
  const absl::string_view mantissa = cell.substr(0, sign);
  // Fortran always writes the point: 1-100 is something else.
  if (mantissa.find('.') == absl::string_view::npos) return false;
  if (mantissa.find_first_not_of("+-.0123456789") != absl::string_view::npos) return false;
  return absl::SimpleAtod(absl::StrCat(mantissa, "E", cell.substr(sign)), value);
}

std::string Shown(absl::string_view text) {
  constexpr size_t kLongest = 40;
  std::string shown = "'";
  for (size_t at = 0; at < text.size();) {
    if (shown.size() > kLongest) return shown + "…'";
    const size_t length = Utf8Length(text, at);
    const absl::string_view character = text.substr(at, std::max<size_t>(length, 1));
    const bool plain = length == 1 ? absl::ascii_isprint(text[at]) : length > 1 && !IsControl(character);
    absl::StrAppend(&shown, plain ? std::string(character) : absl::CHexEscape(character));
    at += character.size();
  }
  return shown + "'";
}

std::string NotANumber(absl::string_view cell) {
  if (cell.empty()) return "the cell is empty, expected a number";
  std::string text = absl::StrCat(Shown(cell), " is not a number");
  if (cell.find_first_not_of('*') == absl::string_view::npos) {
    return absl::StrCat(text, ": Fortran writes stars where a number does not fit its field");
  }
  if (cell.find(',') != absl::string_view::npos) return absl::StrCat(text, ": expected a decimal point and no comma");
  if (cell.find(';') != absl::string_view::npos) return absl::StrCat(text, ": expected cells separated by commas");
  return text;
}

absl::Status CheckName(absl::string_view where, absl::string_view name) {
  if (name.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        where, ": the name is empty, expected one (pandas names the rows' index so: save with index=False)"));
  }
  if (IsUtf8(name)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(where, ": ", Shown(name), " is not UTF-8 (Latin-1, perhaps), expected UTF-8 or ASCII"));
}

std::vector<std::string> SplitCells(absl::string_view line, char separator) {
  line = absl::StripAsciiWhitespace(line);
  if (line.find('"') != absl::string_view::npos) return SplitQuoted(line, separator);
  std::vector<std::string> cells;
  if (separator == ' ') return absl::StrSplit(line, absl::ByAnyChar(" \t\r\f\v"), absl::SkipEmpty());
  for (const absl::string_view cell : absl::StrSplit(line, separator)) cells.emplace_back(CleanCell(cell));
  return cells;
}

absl::Status LineParser::Add(absl::string_view cell, int64_t line_number, int64_t column,
                             std::vector<double>* values) const {
  double value;
  if (!ParseNumber(cell, &value)) {
    return absl::InvalidArgumentError(
        absl::StrCat(file_, ", line ", line_number, ", column ", column, ": ", NotANumber(cell)));
  }
  values->push_back(value);
  return absl::OkStatus();
}

absl::Status LineParser::Parse(absl::string_view line, int64_t line_number, std::vector<double>* values) {
  line = absl::StripAsciiWhitespace(line.substr(0, line.find('#')));
  if (line.empty()) return absl::OkStatus();
  int64_t columns = 0;
  // A separator at the end of each line ends the last cell, where without it the line is as wide as expected.
  if (separator_ != ' ' && line.back() == separator_) {
    const int64_t ended = std::count(line.begin(), line.end(), separator_);
    const int64_t expected = num_rows_ > 0 ? num_columns_ : expected_columns_;
    if (expected == 0 || ended == expected) line.remove_suffix(1);
  }
  if (separator_ == ' ' || line.find('"') != absl::string_view::npos) {
    for (const std::string& cell : SplitCells(line, separator_)) {
      ABSL_RETURN_IF_ERROR(Add(cell, line_number, ++columns, values));
    }
  } else {
    for (const absl::string_view cell : absl::StrSplit(line, separator_)) {
      ABSL_RETURN_IF_ERROR(Add(CleanCell(cell), line_number, ++columns, values));
    }
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

}  // namespace creamery
