// Points as a person gives them: typed, in a file, or on standard input.
#ifndef CREAMERY_CLIENT_CPP_CLI_POINTS_H_
#define CREAMERY_CLIENT_CPP_CLI_POINTS_H_

#include <CLI/App.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cpp/model.h"
#include "client/cpp/readers/table.h"

namespace creamery::cli {

struct PointArguments {
  std::string file;                // `-`: standard input
  std::vector<std::string> typed;  // each "0.3,0.8"
  std::vector<std::string> columns;
};

// FILE, `option` for typed points, and --columns.
void AddPointOptions(CLI::App* command, const char* option, const char* description, PointArguments* arguments);

// Rows of points, block after block; `columns` names theirs, empty for the order of the parameters.
struct PointRows {
  std::vector<std::string> columns;
  int64_t num_columns = 0;
  RowSource source;
};
// A file with names may hold more columns than the model has parameters. Files of rows (readers/row_reader.h) are read
// as `source` is called, others at once. INVALID_ARGUMENT unless the columns are those of `parameters`.
absl::StatusOr<PointRows> OpenPoints(const PointArguments& arguments, const std::vector<std::string>& parameters);
// All of them.
absl::StatusOr<Points> ReadPoints(const PointArguments& arguments, const std::vector<std::string>& parameters);

}  // namespace creamery::cli

#endif  // CREAMERY_CLIENT_CPP_CLI_POINTS_H_
