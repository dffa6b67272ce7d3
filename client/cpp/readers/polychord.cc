#include <cmath>
#include <filesystem>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/cpp/readers/readers.h"
#include "client/cpp/readers/text_numbers.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

// PolyChord writes its own log 0, -1e30 unless configured, for points without likelihood or born from the whole prior.
double LogOrMinusInfinity(double value) { return value <= -.99e30 ? -std::numeric_limits<double>::infinity() : value; }

absl::StatusOr<int64_t> AddPoints(const std::string& path, Table& table) {
  ABSL_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  ABSL_ASSIGN_OR_RETURN(const TextNumbers numbers, ParseNumbers(path, text, ' '));
  const int64_t d = numbers.num_columns - 2;
  if (d < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " has ", numbers.num_columns, " columns, expected parameters, log L and log L at birth"));
  }
  if (table.columns.empty()) table.columns.resize(d);
  if (d != static_cast<int64_t>(table.columns.size())) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " has ", d, " parameters, the dead points have ", table.columns.size()));
  }
  for (int64_t row = 0; row < numbers.num_rows; ++row) {
    const double* cells = numbers.values.data() + row * numbers.num_columns;
    for (int64_t column = 0; column < d; ++column) table.columns[column].values.push_back(cells[column]);
    table.log_likelihood.push_back(LogOrMinusInfinity(cells[d]));
    table.log_likelihood_birth.push_back(LogOrMinusInfinity(cells[d + 1]));
  }
  table.num_rows += numbers.num_rows;
  return numbers.num_rows;
}

}  // namespace

absl::StatusOr<Table> ReadPolyChord(const std::string& path) {
  const std::string root(absl::StripSuffix(path, "_dead-birth.txt"));
  Table table;
  table.row_kind = v1::NESTED_SAMPLING;
  table.named = false;
  ABSL_ASSIGN_OR_RETURN(const int64_t dead, AddPoints(path, table));
  std::error_code error;
  const std::string live_path = root + "_phys_live-birth.txt";
  if (std::filesystem::exists(live_path, error)) {
    ABSL_ASSIGN_OR_RETURN(const int64_t live, AddPoints(live_path, table));
    table.notes.push_back(absl::StrCat(dead, " dead points, and ", live, " live points of ", live_path));
  } else {
    table.notes.push_back(absl::StrCat(dead, " dead points; there is no ", live_path,
                                       " with the live points at the end: log Z comes out low without them"));
  }
  for (size_t i = 0; i < table.columns.size(); ++i) table.columns[i].name = absl::StrCat("theta", i);
  const std::string names = root + ".paramnames";
  if (std::filesystem::exists(names, error)) {
    ABSL_RETURN_IF_ERROR(ReadParamNames(names, table));
    table.notes.push_back(absl::StrCat("parameter names of ", names));
  }
  return table;
}

}  // namespace creamery
