// One reader per format that is read at once (row_reader.h has the others); ReadTable (table.h) chooses among them.
// Each returns NOT_FOUND for a missing file and INVALID_ARGUMENT, naming the file and where it can the line, for a
// malformed one. deploy/docs/chain-files.md says for every format what is read.
#ifndef CREAMERY_CLIENT_CPP_READERS_READERS_H_
#define CREAMERY_CLIENT_CPP_READERS_READERS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "client/cpp/readers/chain_root.h"
#include "client/cpp/readers/table.h"

namespace creamery {

// Tensors `theta` (n, d) and, if there, weight, chain, log_likelihood, log_likelihood_birth (n,), as the server keeps
// its parts, with the schema in metadata "dataset" (protobuf JSON of Dataset) where Creamery wrote the file; or,
// without `theta`, every tensor of shape (n,) is a column.
absl::StatusOr<Table> ReadSafetensors(const std::string& path);

// Weighted rows of text: weight, a logarithm whose meaning depends on the sampler, parameters; or, under a header
// without weights, parameters alone. Rows are MCMC and keep the numbers of their chains; those of a nested-sampling run
// are INDEPENDENT.
absl::StatusOr<Table> ReadChains(const ChainRoot& run);

// Dead points of PolyChord (parameters, log L, log L at birth) or MultiNest (two further columns), and the live points
// of the end that are not among them. Rows are NESTED_SAMPLING.
absl::StatusOr<Table> ReadNestedSampling(const ChainRoot& run);

// Names of `columns` from a .paramnames file (name, white space, LaTeX label; a star after the name marks a derived
// one). INVALID_ARGUMENT unless it names as many columns as there are, each once.
absl::Status ReadParamNames(const std::string& path, Table& table);

// Bounds of a .ranges file (name, lower, upper, N for an open side) for the columns that it names; nothing if there is
// no such file. A parameter whose bounds are equal was fixed.
absl::Status ReadRanges(const std::string& path, Table& table);

// log Z and its error as the run's sampler states them: PolyChord's .stats, MultiNest's stats.dat, Cobaya's .logZ;
// nothing if there is none.
absl::Status ReadStatedEvidence(const ChainRoot& run, Table& table);

// log Z with the mean volumes of the dead points, by trapezia, and the error of volumes alone, to first order.
// Skilling 2006, https://doi.org/10.1214/06-BA127. Any order; births of -inf for the first live points.
v1::LogEvidence NestedEvidence(absl::Span<const double> log_likelihood, absl::Span<const double> log_likelihood_birth);

}  // namespace creamery

#endif  // CREAMERY_CLIENT_CPP_READERS_READERS_H_
