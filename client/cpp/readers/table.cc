#include "client/cpp/readers/table.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cpp/readers/chain_root.h"
#include "client/cpp/readers/readers.h"
#include "client/cpp/readers/row_reader.h"
#include "client/cpp/readers/text_numbers.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr absl::string_view kUnreadable[] = {".bz2",     ".gz",  ".xz",     ".zip",  ".npz",
                                             ".parquet", ".pkl", ".pickle", ".fits", ".feather"};
// Of MultiNest: tables of other layouts than rows of parameters.
constexpr absl::string_view kTables[] = {"ev.dat", "stats.dat", "post_equal_weights.dat", "post_separate.dat"};

std::string NamesOf(const Table& table) {
  return absl::StrJoin(table.columns, ", ",
                       [](std::string* out, const TableColumn& column) { absl::StrAppend(out, column.name); });
}

// Renames the columns of a file without names.
absl::Status NameColumns(const std::vector<std::string>& names, Table& table) {
  if (names.size() != table.columns.size()) {
    return absl::InvalidArgumentError(absl::StrCat("the file has ", table.columns.size(), " columns without names, ",
                                                   names.size(), " names are given: ", absl::StrJoin(names, ", ")));
  }
  for (size_t i = 0; i < names.size(); ++i) table.columns[i].name = names[i];
  table.named = true;
  return absl::OkStatus();
}

absl::StatusOr<const TableColumn*> Find(const Table& table, const std::string& name) {
  for (const TableColumn& column : table.columns) {
    if (column.name == name) return &column;
  }
  return absl::InvalidArgumentError(absl::StrCat("there is no column '", name, "'; the columns are ", NamesOf(table)));
}

// Moves column `name` out of the table into `field`; nothing for an empty name.
absl::Status TakeColumn(const std::string& name, Table& table, std::vector<double>& field) {
  if (name.empty()) return absl::OkStatus();
  ABSL_ASSIGN_OR_RETURN(const TableColumn* found, Find(table, name));
  field = found->values;
  table.columns.erase(table.columns.begin() + (found - table.columns.data()));
  return absl::OkStatus();
}

absl::Status TakeChain(const std::string& name, Table& table) {
  std::vector<double> ids;
  ABSL_RETURN_IF_ERROR(TakeColumn(name, table, ids));
  if (!ids.empty()) table.chain.clear();
  for (size_t row = 0; row < ids.size(); ++row) {
    if (!(std::abs(ids[row]) < 9e15) || ids[row] != std::floor(ids[row])) {
      return absl::InvalidArgumentError(absl::StrCat("column '", name, "' holds ", ids[row], " in row ", row,
                                                     ", expected the integer id of a chain"));
    }
    table.chain.push_back(static_cast<int64_t>(ids[row]));
  }
  return absl::OkStatus();
}

v1::Parameter ParameterOf(const Table& table, const TableColumn& column) {
  v1::Parameter parameter;
  if (table.schema.has_value()) {
    for (const v1::Parameter& known : table.schema->parameters()) {
      if (known.name() == column.name) return known;
    }
  }
  parameter.set_name(column.name);
  parameter.set_label(column.label);
  parameter.set_derived(column.derived);
  if (column.lower.has_value()) parameter.set_lower(*column.lower);
  if (column.upper.has_value()) parameter.set_upper(*column.upper);
  return parameter;
}

absl::StatusOr<Table> ReadRows(const std::string& path) {
  for (const absl::string_view other : kTables) {
    if (!absl::EndsWith(path, other)) continue;
    const absl::string_view root = absl::string_view(path).substr(0, path.size() - other.size());
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is a table of MultiNest's own, expected its root: '", root, "'"));
  }
  ABSL_ASSIGN_OR_RETURN(const std::unique_ptr<RowReader> rows, OpenRows(path));
  return ReadAll(*rows);
}

// Names the sampled parameters that are left away: those of the table, and those that its own schema had left away.
void AddMarginalised(const Table& table, const std::vector<const TableColumn*>& chosen, v1::Dataset& schema) {
  if (table.schema.has_value()) *schema.mutable_marginalised() = table.schema->marginalised();
  if (!table.lists_parameters && !table.schema.has_value()) return;
  for (const TableColumn& column : table.columns) {
    const bool kept = std::find(chosen.begin(), chosen.end(), &column) != chosen.end();
    if (!kept && !ParameterOf(table, column).derived()) schema.add_marginalised(column.name);
  }
}

}  // namespace

absl::StatusOr<Table> ReadTable(const std::string& path) {
  if (HasRowReader(path)) return ReadRows(path);
  if (absl::EndsWithIgnoreCase(path, ".safetensors")) return ReadSafetensors(path);
  for (const absl::string_view other : {".h5", ".hdf5"}) {
    if (!absl::EndsWithIgnoreCase(path, other)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": files ending in ", other,
                     " are not read by the command line; Python reads those of emcee: ", PythonCall(path)));
  }
  for (const absl::string_view other : kUnreadable) {
    if (!absl::EndsWithIgnoreCase(path, other)) continue;
    return absl::InvalidArgumentError(absl::StrCat(path, ": files ending in ", other,
                                                   " are not read; expected .npy, .csv, .dat, .safetensors, or the "
                                                   "chains of a sampler"));
  }
  ABSL_ASSIGN_OR_RETURN(const ChainRoot run, FindChains(path));
  return run.dead_birth.empty() ? ReadChains(run) : ReadNestedSampling(run);
}

absl::StatusOr<Samples> SelectSamples(Table table, const Selection& selection) {
  if (!table.named && !selection.columns.empty()) ABSL_RETURN_IF_ERROR(NameColumns(selection.columns, table));
  ABSL_RETURN_IF_ERROR(TakeColumn(selection.weight, table, table.weight));
  ABSL_RETURN_IF_ERROR(TakeColumn(selection.log_likelihood, table, table.log_likelihood));
  ABSL_RETURN_IF_ERROR(TakeColumn(selection.log_likelihood_birth, table, table.log_likelihood_birth));
  ABSL_RETURN_IF_ERROR(TakeChain(selection.chain, table));

  std::vector<const TableColumn*> chosen;
  for (const std::string& name : selection.columns) {
    if (name == selection.weight || name == selection.chain || name == selection.log_likelihood ||
        name == selection.log_likelihood_birth) {
      continue;
    }
    ABSL_ASSIGN_OR_RETURN(const TableColumn* column, Find(table, name));
    chosen.push_back(column);
  }
  if (selection.columns.empty()) {
    for (const TableColumn& column : table.columns) chosen.push_back(&column);
  }
  if (chosen.empty()) return absl::InvalidArgumentError("no column is left to be a parameter");

  Samples samples;
  const int64_t d = static_cast<int64_t>(chosen.size());
  samples.rows.num_rows = table.num_rows;
  samples.rows.theta.resize(table.num_rows * d);
  for (int64_t column = 0; column < d; ++column) {
    ABSL_RETURN_IF_ERROR(CheckName(absl::StrCat("parameter ", column + 1), chosen[column]->name));
    *samples.schema.add_parameters() = ParameterOf(table, *chosen[column]);
    for (int64_t row = 0; row < table.num_rows; ++row) {
      samples.rows.theta[row * d + column] = chosen[column]->values[row];
    }
  }
  if (selection.keep_likelihood && table.log_likelihood.empty()) {
    for (const double each : table.minus_log_like) table.log_likelihood.push_back(-each);
  }
  AddMarginalised(table, chosen, samples.schema);
  samples.rows.weight = std::move(table.weight);
  samples.rows.chain = std::move(table.chain);
  samples.rows.log_likelihood = std::move(table.log_likelihood);
  samples.rows.log_likelihood_birth = std::move(table.log_likelihood_birth);
  samples.schema.set_row_kind(selection.row_kind != v1::ROW_KIND_UNSPECIFIED ? selection.row_kind : table.row_kind);
  if (table.schema.has_value()) {
    samples.schema.set_description(table.schema->description());
    if (table.schema->has_log_evidence()) *samples.schema.mutable_log_evidence() = table.schema->log_evidence();
  }
  if (table.log_evidence.has_value()) *samples.schema.mutable_log_evidence() = *table.log_evidence;
  if (selection.log_evidence.has_value()) *samples.schema.mutable_log_evidence() = *selection.log_evidence;
  ABSL_RETURN_IF_ERROR(SetPriors(selection.priors, samples.schema));
  for (v1::Parameter& parameter : *samples.schema.mutable_parameters()) {
    // A prior that is given goes before bounds that a file states.
    if (selection.priors.count(parameter.name()) == 0) continue;
    parameter.clear_lower();
    parameter.clear_upper();
  }
  CompleteSchema(samples);
  return samples;
}

absl::StatusOr<Points> SelectPoints(const Table& table, const std::vector<std::string>& wanted) {
  Points points;
  std::vector<const TableColumn*> chosen;
  if (table.named && !wanted.empty()) {
    for (const std::string& name : wanted) {
      ABSL_ASSIGN_OR_RETURN(const TableColumn* column, Find(table, name));
      chosen.push_back(column);
    }
  } else {
    for (const TableColumn& column : table.columns) chosen.push_back(&column);
  }
  points.num_columns = static_cast<int64_t>(chosen.size());
  if (!wanted.empty()) {
    points.columns = wanted;
  } else if (table.named) {
    for (const TableColumn* column : chosen) points.columns.push_back(column->name);
  }
  if (!points.columns.empty() && points.columns.size() != chosen.size()) {
    return absl::InvalidArgumentError(absl::StrCat("the file has ", chosen.size(), " columns without names, expected ",
                                                   wanted.size(), ": ", absl::StrJoin(wanted, ", ")));
  }
  points.theta.resize(table.num_rows * points.num_columns);
  for (int64_t column = 0; column < points.num_columns; ++column) {
    for (int64_t row = 0; row < table.num_rows; ++row) {
      points.theta[row * points.num_columns + column] = chosen[column]->values[row];
    }
  }
  return points;
}

}  // namespace creamery
