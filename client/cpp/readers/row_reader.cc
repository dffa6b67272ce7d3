#include "client/cpp/readers/row_reader.h"

#include <algorithm>
#include <iostream>
#include <numeric>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr int64_t kBlockRows = 4096;
constexpr int kFirstByteOfNpy = 0x93;

}  // namespace

bool HasRowReader(const std::string& path) {
  return path == "-" || absl::EndsWithIgnoreCase(path, ".csv") || absl::EndsWithIgnoreCase(path, ".dat") ||
         absl::EndsWithIgnoreCase(path, ".npy");
}

absl::StatusOr<std::unique_ptr<RowReader>> OpenRows(const std::string& path) {
  const bool npy = path == "-" ? std::cin.peek() == kFirstByteOfNpy : absl::EndsWithIgnoreCase(path, ".npy");
  if (npy) return OpenNpy(path);
  return OpenText(path, absl::EndsWithIgnoreCase(path, ".dat") ? ' ' : ',');
}

absl::StatusOr<Table> ReadAll(RowReader& reader) {
  Table table;
  table.named = !reader.names().empty();
  table.columns.resize(reader.num_columns());
  for (int64_t column = 0; column < reader.num_columns(); ++column) {
    table.columns[column].name = table.named ? reader.names()[column] : absl::StrCat("theta", column);
  }
  std::vector<double> rows;
  for (;;) {
    ABSL_ASSIGN_OR_RETURN(const int64_t count, reader.Read(kBlockRows, &rows));
    if (count == 0) return table;
    table.num_rows += count;
    for (int64_t column = 0; column < reader.num_columns(); ++column) {
      std::vector<double>& values = table.columns[column].values;
      for (size_t i = column; i < rows.size(); i += reader.num_columns()) values.push_back(rows[i]);
    }
  }
}

absl::StatusOr<std::vector<int64_t>> FindColumns(const RowReader& reader, const std::vector<std::string>& wanted) {
  std::vector<int64_t> places;
  if (wanted.empty() || reader.names().empty()) {
    if (!wanted.empty() && static_cast<int64_t>(wanted.size()) != reader.num_columns()) {
      return absl::InvalidArgumentError(absl::StrCat("there are ", reader.num_columns(), " columns without names, ",
                                                     wanted.size(), " names are given: ", absl::StrJoin(wanted, ", ")));
    }
    places.resize(reader.num_columns());
    std::iota(places.begin(), places.end(), 0);
    return places;
  }
  for (const std::string& name : wanted) {
    const auto found = std::find(reader.names().begin(), reader.names().end(), name);
    if (found == reader.names().end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("there is no column '", name, "'; the columns are ", absl::StrJoin(reader.names(), ", ")));
    }
    places.push_back(found - reader.names().begin());
  }
  return places;
}

}  // namespace creamery
