#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cpp/readers/readers.h"
#include "client/cpp/readers/text_numbers.h"
#include "proto/support/status_macros.h"

namespace creamery {

absl::Status ReadParamNames(const std::string& path, Table& table) {
  ABSL_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  size_t count = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    const size_t space = std::min(line.find_first_of(" \t"), line.size());
    absl::string_view name = line.substr(0, space);
    const bool derived = name.size() > 1 && name.back() == '*';
    if (derived) name.remove_suffix(1);
    if (count < table.columns.size()) {
      TableColumn& column = table.columns[count];
      column.name = std::string(name);
      column.derived = derived;
      column.label = std::string(absl::StripAsciiWhitespace(line.substr(space)));
    }
    ++count;
  }
  if (count != table.columns.size()) {
    return absl::InvalidArgumentError(absl::StrCat(path, " names ", count, " parameters, expected ",
                                                   table.columns.size(), ": the parameter columns beside it"));
  }
  table.named = true;
  table.lists_parameters = true;
  return absl::OkStatus();
}

}  // namespace creamery
