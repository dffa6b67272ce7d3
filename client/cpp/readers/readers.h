// One reader per format that is read at once (row_reader.h has the others); ReadTable (table.h) chooses among them.
// Each returns NOT_FOUND for a missing file and INVALID_ARGUMENT, naming the file and where it can the line, for a
// malformed one.
#ifndef CREAMERY_CLIENT_CPP_READERS_READERS_H_
#define CREAMERY_CLIENT_CPP_READERS_READERS_H_

#include <string>

#include "absl/status/statusor.h"
#include "client/cpp/readers/table.h"

namespace creamery {

// Tensors `theta` (n, d) and, if there, weight, chain, log_likelihood, log_likelihood_birth (n,), as the server keeps
// its parts, with the schema in metadata "dataset" (protobuf JSON of Dataset) where Creamery wrote the file; or,
// without `theta`, every tensor of shape (n,) is a column.
absl::StatusOr<Table> ReadSafetensors(const std::string& path);

// GetDist chains: `root.txt`, or `root_1.txt`, `root_2.txt`, … (MontePython's root ends in _). Columns are weight,
// -log L, parameters; names and labels from `root.paramnames` beside them. Given the root or the first of several
// files, all are read and each row keeps the number of its chain; given another one, that one alone. Rows are MCMC.
absl::StatusOr<Table> ReadGetDist(const std::string& path);

// PolyChord's `root_dead-birth.txt`: parameters, log L, log L at birth; live points of `root_phys_live-birth.txt` are
// added and names taken from `root.paramnames` where those files exist. Rows are NESTED_SAMPLING.
absl::StatusOr<Table> ReadPolyChord(const std::string& path);

// Names of `columns` from a .paramnames file (name, white space, LaTeX label; a star after the name marks a derived
// one). INVALID_ARGUMENT unless it names as many columns as there are.
absl::Status ReadParamNames(const std::string& path, Table& table);

}  // namespace creamery

#endif  // CREAMERY_CLIENT_CPP_READERS_READERS_H_
