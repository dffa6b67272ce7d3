// What a file of samples holds, whatever its format: named columns, and the fields the format itself singles out.
#ifndef CREAMERY_CLIENT_CPP_READERS_TABLE_H_
#define CREAMERY_CLIENT_CPP_READERS_TABLE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cpp/samples.h"
#include "creamery/v1/dataset.pb.h"

namespace creamery {

struct TableColumn {
  std::string name;
  std::string label;     // LaTeX, or empty
  bool derived = false;  // marked with a star in .paramnames
  std::vector<double> values;
  std::optional<double> lower = std::nullopt;  // hard bounds that a file beside the rows states
  std::optional<double> upper = std::nullopt;
};

struct Table {
  std::vector<TableColumn> columns;  // theta and, until they are chosen, weights and the like
  bool named = true;                 // false: the file has no names, `columns` are called theta0, theta1, …
  // The format says which columns are parameters (.paramnames, a file that Creamery wrote): those that are not chosen
  // were marginalised, unless they are derived.
  bool lists_parameters = false;
  int64_t num_rows = 0;
  // Fields the format itself singles out; empty if it does not.
  std::vector<double> weight;
  std::vector<int64_t> chain;
  std::vector<double> log_likelihood;  // natural log of L, higher is better
  std::vector<double> log_likelihood_birth;
  // GetDist's second column: -log L or -log posterior, the format does not say which.
  std::vector<double> minus_log_like;
  std::optional<v1::LogEvidence> log_evidence;      // that the sampler's files state, or its dead points give
  v1::RowKind row_kind = v1::ROW_KIND_UNSPECIFIED;  // unspecified: the format does not say
  std::optional<v1::Dataset> schema;                // from a file that Creamery wrote
  std::vector<std::string> notes;                   // what else was read, for people
};

// Reads a file by the layout its name announces: .npy, .csv, .dat, .safetensors; or the chains of GetDist, CosmoMC,
// Cobaya, MontePython, PolyChord or MultiNest by one of their files, their root, or a folder with one run.
// deploy/docs/chain-files.md says for every format what is read.
// NOT_FOUND for a missing file; INVALID_ARGUMENT naming file and line for a malformed one.
absl::StatusOr<Table> ReadTable(const std::string& path);

// Which columns of a table are what; everything is optional.
struct Selection {
  // Parameters, in order. For a file without names: the names of all its columns.
  std::vector<std::string> columns;
  std::string weight;  // names of columns that are not parameters
  std::string chain;
  std::string log_likelihood;
  std::string log_likelihood_birth;
  bool keep_likelihood = false;                     // Table.minus_log_like is -log L
  v1::RowKind row_kind = v1::ROW_KIND_UNSPECIFIED;  // unspecified: by what the rows carry
  std::map<std::string, v1::Prior> priors;          // by parameter
  std::optional<v1::LogEvidence> log_evidence;
};

// The samples a table holds under a selection. INVALID_ARGUMENT for a column or a prior that fits nothing: lists the
// right names.
absl::StatusOr<Samples> SelectSamples(Table table, const Selection& selection);

// theta alone, row-major (n, d), with the names of its columns (empty if the file has none).
// `wanted` (may be empty) chooses columns by name, and names them where the file has none.
struct Points {
  std::vector<std::string> columns;
  std::vector<double> theta;
  int64_t num_columns = 0;
};
absl::StatusOr<Points> SelectPoints(const Table& table, const std::vector<std::string>& wanted);

}  // namespace creamery

#endif  // CREAMERY_CLIENT_CPP_READERS_TABLE_H_
