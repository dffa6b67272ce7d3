// From a dataset's rows to the rows a training sees: columns chosen, weights found, rows without a say left out, folds.
#ifndef CREAMERY_MODELS_DATA_PREPARATION_H_
#define CREAMERY_MODELS_DATA_PREPARATION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "creamery/v1/dataset.pb.h"
#include "proto/support/rows.h"

namespace creamery {

// n rows of d parameters.
struct PreparedData {
  std::vector<v1::Parameter> parameters;  // d
  std::vector<double> theta;              // (n, d), strictly inside the bounds
  std::vector<double> weight;             // (n), positive, mean 1; of independent rows that repeat, their sum
  std::vector<int64_t> chain;             // (n), or empty
  std::vector<int64_t> dataset_row;       // (n): where the row lies in the dataset; the first of those that repeat
  std::vector<int64_t> fold;              // (n): the member that holds the row out
  int64_t num_rows = 0;                   // rows used: n, and those that independent rows repeat
  int64_t num_distinct = 0;               // of them, those that differ in a parameter
  int64_t num_dropped = 0;                // rows of weight zero, and rows at or beyond a bound
  int64_t num_outside = 0;                // the latter
  double effective_rows = 0;

  int64_t n() const { return static_cast<int64_t>(weight.size()); }
  int64_t d() const { return static_cast<int64_t>(parameters.size()); }
};

// Rows of kind INDEPENDENT that repeat one another become one row: two copies in two folds would hold nothing out, and
// a copy is no further draw. kKept: of versions that were trained before that was done.
enum class RepeatedRows { kMerged, kKept };

// `names`: parameters to keep, in order; empty: all. The weights of nested-sampling rows that bring none follow from
// their likelihood columns with mean prior volumes; weights may be of any size. INVALID_ARGUMENT for unknown names;
// FAILED_PRECONDITION, with the numbers, for rows that no family can learn a density from: all-zero weights, too few
// rows inside the bounds, too few effective or distinct rows, a parameter that is constant, takes a few values only or
// is a linear combination of those before it.
absl::StatusOr<PreparedData> PrepareData(const v1::Dataset& dataset, const RowBlock& rows,
                                         absl::Span<const std::string> names, int64_t members, uint64_t seed,
                                         RepeatedRows repeated = RepeatedRows::kMerged);

// The fold, 0..members-1, of each of n rows. Independent and nested-sampling rows are dealt out at random. Rows of
// Markov chains resemble their neighbours, so they go by whole chains where there are at least as many as members, else
// by contiguous blocks of every chain; never at random.
std::vector<int64_t> AssignFolds(v1::RowKind kind, int64_t n, absl::Span<const int64_t> chain, int64_t members,
                                 uint64_t seed);

}  // namespace creamery

#endif  // CREAMERY_MODELS_DATA_PREPARATION_H_
