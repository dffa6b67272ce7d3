#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cpp/readers/readers.h"
#include "client/cpp/readers/text_numbers.h"
#include "proto/support/status_macros.h"

namespace creamery {

absl::StatusOr<Table> ReadCsv(const std::string& path) {
  ABSL_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  // The first line that says something: names, or numbers already. NumPy's savetxt writes names behind a '#'.
  size_t begin = 0;
  int64_t line_number = 0;
  absl::string_view line;
  size_t end = 0;
  while (begin < text.size()) {
    ++line_number;
    end = std::min(text.find('\n', begin), text.size());
    line = absl::StripAsciiWhitespace(absl::string_view(text).substr(begin, end - begin));
    if (!line.empty()) break;
    begin = end + 1;
  }
  const bool commented = !line.empty() && line.front() == '#';
  if (commented) line = absl::StripAsciiWhitespace(line.substr(1));
  std::vector<std::string> names;
  bool numeric = true;
  for (absl::string_view cell : absl::StrSplit(line, ',')) {
    double ignored;
    numeric = numeric && absl::SimpleAtod(CleanCell(cell), &ignored);
    names.emplace_back(CleanCell(cell));
  }
  Table table;
  table.named = !numeric && (!commented || names.size() > 1);
  const size_t start = table.named || commented ? std::min(end + 1, text.size()) : begin;
  const int64_t first_line = table.named || commented ? line_number + 1 : line_number;
  ABSL_ASSIGN_OR_RETURN(const TextNumbers numbers,
                        ParseNumbers(path, absl::string_view(text).substr(start), ',', first_line));
  table.num_rows = numbers.num_rows;
  if (table.named && static_cast<int64_t>(names.size()) != numbers.num_columns) {
    return absl::InvalidArgumentError(absl::StrCat(path, ", line ", line_number, ": ", names.size(),
                                                   " names for rows of ", numbers.num_columns, " columns"));
  }
  for (int64_t column = 0; column < numbers.num_columns; ++column) {
    TableColumn& added = table.columns.emplace_back();
    added.name = table.named ? names[column] : absl::StrCat("theta", column);
    added.values.resize(numbers.num_rows);
    for (int64_t row = 0; row < numbers.num_rows; ++row) {
      added.values[row] = numbers.values[row * numbers.num_columns + column];
    }
  }
  return table;
}

}  // namespace creamery
