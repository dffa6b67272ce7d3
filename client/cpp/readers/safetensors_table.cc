#include <google/protobuf/util/json_util.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cpp/readers/readers.h"
#include "client/cpp/readers/text_numbers.h"
#include "proto/support/safetensors.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

// A malformed file that somebody uploads is a wrong request; DATA_LOSS would say that stored bytes are bad.
absl::Status AsInvalid(const std::string& path, const absl::Status& status) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", status.message()));
}

absl::Status ReadField(const std::string& path, const Safetensors& file, const std::string& name, int64_t num_rows,
                       std::vector<double>& values) {
  if (!file.Has(name)) return absl::OkStatus();
  absl::StatusOr<std::vector<double>> read = file.Doubles(name, {num_rows});
  if (!read.ok()) return AsInvalid(path, read.status());
  values = *std::move(read);
  return absl::OkStatus();
}

absl::Status ReadTheta(const std::string& path, const Safetensors& file, Table& table) {
  absl::StatusOr<std::vector<int64_t>> shape = file.Shape("theta");
  if (!shape.ok()) return AsInvalid(path, shape.status());
  if (shape->empty() || shape->size() > 2) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": theta has ", shape->size(), " axes, expected (n, d)"));
  }
  absl::StatusOr<std::vector<double>> theta = file.Doubles("theta", *shape);
  if (!theta.ok()) return AsInvalid(path, theta.status());
  table.num_rows = (*shape)[0];
  const int64_t d = shape->size() == 2 ? (*shape)[1] : 1;
  table.named = false;
  if (const auto it = file.metadata().find("dataset"); it != file.metadata().end()) {
    v1::Dataset schema;
    const auto parsed = google::protobuf::util::JsonStringToMessage(it->second, &schema);
    if (parsed.ok() && schema.parameters_size() == d) {
      table.named = true;
      table.row_kind = schema.row_kind();
      table.schema = std::move(schema);
    }
  }
  table.columns.resize(d);
  for (int64_t column = 0; column < d; ++column) {
    TableColumn& added = table.columns[column];
    added.name = table.named ? table.schema->parameters(column).name() : absl::StrCat("theta", column);
    added.values.resize(table.num_rows);
    for (int64_t row = 0; row < table.num_rows; ++row) added.values[row] = (*theta)[row * d + column];
  }
  return absl::OkStatus();
}

// Every tensor of shape (n,) is a column of its own name.
absl::Status ReadColumns(const std::string& path, const Safetensors& file, Table& table) {
  for (const std::string& name : file.names()) {
    absl::StatusOr<std::vector<int64_t>> shape = file.Shape(name);
    if (!shape.ok()) return AsInvalid(path, shape.status());
    if (shape->size() != 1 || (!table.columns.empty() && (*shape)[0] != table.num_rows)) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": there is no tensor 'theta', and tensor '", name,
                                                     "' is not a column as long as the others"));
    }
    table.num_rows = (*shape)[0];
    absl::StatusOr<std::vector<double>> values = file.Doubles(name, *shape);
    if (!values.ok()) {
      absl::StatusOr<std::vector<int64_t>> integers = file.Int64s(name, *shape);
      if (!integers.ok()) return AsInvalid(path, values.status());
      values = std::vector<double>(integers->begin(), integers->end());
    }
    table.columns.push_back({name, "", false, *std::move(values)});
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Table> ReadSafetensors(const std::string& path) {
  ABSL_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  absl::StatusOr<Safetensors> file = Safetensors::Parse(bytes);
  if (!file.ok()) return AsInvalid(path, file.status());
  Table table;
  if (file->Has("theta")) {
    ABSL_RETURN_IF_ERROR(ReadTheta(path, *file, table));
    ABSL_RETURN_IF_ERROR(ReadField(path, *file, "weight", table.num_rows, table.weight));
    ABSL_RETURN_IF_ERROR(ReadField(path, *file, "log_likelihood", table.num_rows, table.log_likelihood));
    ABSL_RETURN_IF_ERROR(ReadField(path, *file, "log_likelihood_birth", table.num_rows, table.log_likelihood_birth));
    if (file->Has("chain")) {
      absl::StatusOr<std::vector<int64_t>> chain = file->Int64s("chain", {table.num_rows});
      if (!chain.ok()) return AsInvalid(path, chain.status());
      table.chain = *std::move(chain);
    }
  } else {
    ABSL_RETURN_IF_ERROR(ReadColumns(path, *file, table));
  }
  if (table.columns.empty() || table.num_rows == 0) {
    return absl::InvalidArgumentError(absl::StrCat(path, " has no rows"));
  }
  return table;
}

}  // namespace creamery
