#include "client/cpp/cli/points.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cpp/cli/cli.h"
#include "client/cpp/readers/row_reader.h"
#include "proto/support/status_macros.h"

namespace creamery::cli {
namespace {

constexpr int64_t kBlockRows = 4096;

// Points of the command line, each of the same length.
absl::StatusOr<Points> TypedPoints(const PointArguments& arguments) {
  Points points;
  points.columns = arguments.columns;
  for (const std::string& text : arguments.typed) {
    const std::vector<std::string> cells = absl::StrSplit(text, ',');
    if (points.num_columns == 0) points.num_columns = static_cast<int64_t>(cells.size());
    if (static_cast<int64_t>(cells.size()) != points.num_columns) {
      return Usage(absl::InvalidArgumentError(
          absl::StrCat("point '", text, "' has ", cells.size(), " numbers, the first one has ", points.num_columns)));
    }
    for (const std::string& cell : cells) {
      double value;
      if (!absl::SimpleAtod(cell, &value)) {
        return Usage(absl::InvalidArgumentError(absl::StrCat("'", cell, "' in point '", text, "' is not a number")));
      }
      points.theta.push_back(value);
    }
  }
  return points;
}

PointRows RowsInMemory(Points points) {
  const auto held = std::make_shared<const Points>(std::move(points));
  return {held->columns, held->num_columns, [held, next = size_t{0}](absl::Span<double> theta) mutable {
            const size_t count = std::min(theta.size(), held->theta.size() - next);
            std::copy_n(held->theta.begin() + static_cast<int64_t>(next), count, theta.begin());
            next += count;
            return absl::StatusOr<int64_t>(static_cast<int64_t>(count));
          }};
}

absl::StatusOr<PointRows> RowsOfFile(const std::string& file, std::vector<std::string> wanted,
                                     const std::vector<std::string>& parameters) {
  ABSL_ASSIGN_OR_RETURN(std::shared_ptr<RowReader> reader, OpenRows(file));
  if (wanted.empty() && !reader->names().empty()) wanted = parameters;
  ABSL_ASSIGN_OR_RETURN(std::vector<int64_t> places, FindColumns(*reader, wanted));
  const int64_t d = static_cast<int64_t>(places.size());
  const auto source = [reader, places = std::move(places),
                       rows = std::vector<double>()](absl::Span<double> theta) mutable -> absl::StatusOr<int64_t> {
    ABSL_ASSIGN_OR_RETURN(const int64_t count, reader->Read(static_cast<int64_t>(theta.size() / places.size()), &rows));
    const double* row = rows.data();
    double* out = theta.data();
    for (int64_t i = 0; i < count; ++i, row += reader->num_columns()) {
      for (const int64_t place : places) *out++ = row[place];
    }
    return out - theta.data();
  };
  return PointRows{std::move(wanted), d, source};
}

}  // namespace

void AddPointOptions(CLI::App* command, const char* option, const char* description, PointArguments* arguments) {
  command->add_option("FILE", arguments->file,
                      "Points, in any format that 'datasets upload' reads; - is standard input, CSV or .npy");
  command->add_option(option, arguments->typed, description)->take_all();
  command->add_option("--columns", arguments->columns, "Names of the columns, in any order")->delimiter(',');
}

absl::StatusOr<PointRows> OpenPoints(const PointArguments& arguments, const std::vector<std::string>& parameters) {
  if (arguments.file.empty() == arguments.typed.empty()) {
    return Usage(absl::InvalidArgumentError("give points in a file, or with --theta=… (--u=…), and not both"));
  }
  PointRows rows;
  if (!arguments.typed.empty()) {
    ABSL_ASSIGN_OR_RETURN(Points points, TypedPoints(arguments));
    rows = RowsInMemory(std::move(points));
  } else if (HasRowReader(arguments.file)) {
    ABSL_ASSIGN_OR_RETURN(rows, RowsOfFile(arguments.file, arguments.columns, parameters));
  } else {
    ABSL_ASSIGN_OR_RETURN(const Table table, ReadTable(arguments.file));
    PrintNotes(table.notes);
    ABSL_ASSIGN_OR_RETURN(
        Points points, SelectPoints(table, arguments.columns.empty() && table.named ? parameters : arguments.columns));
    rows = RowsInMemory(std::move(points));
  }
  const std::vector<std::string>& expected = rows.columns.empty() ? parameters : rows.columns;
  if (rows.num_columns != static_cast<int64_t>(expected.size())) {
    return absl::InvalidArgumentError(absl::StrCat("the points have ", rows.num_columns, " columns, expected ",
                                                   expected.size(), ": ", absl::StrJoin(expected, ", ")));
  }
  return rows;
}

absl::StatusOr<Points> ReadPoints(const PointArguments& arguments, const std::vector<std::string>& parameters) {
  ABSL_ASSIGN_OR_RETURN(const PointRows rows, OpenPoints(arguments, parameters));
  Points points;
  points.columns = rows.columns;
  points.num_columns = rows.num_columns;
  std::vector<double> block(kBlockRows * rows.num_columns);
  for (;;) {
    ABSL_ASSIGN_OR_RETURN(const int64_t count, rows.source(absl::MakeSpan(block)));
    if (count == 0) return points;
    points.theta.insert(points.theta.end(), block.begin(), block.begin() + count);
  }
}

}  // namespace creamery::cli
