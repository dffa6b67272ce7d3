// Rows that have no density: what every family would learn in its own wrong way is found before any of them starts.
#ifndef CREAMERY_MODELS_DEGENERATE_ROWS_H_
#define CREAMERY_MODELS_DEGENERATE_ROWS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "models/data_preparation.h"

namespace creamery {

// Sets data.num_distinct; `merge`: rows that repeat an earlier one give it their weight and go.
void FindDistinctRows(bool merge, PreparedData& data);

// FAILED_PRECONDITION, in this order, for
//   - a parameter with one value, or with fewer than ten of which each comes five times or more among the distinct
//     rows: the values are counted and, if few, listed;
//   - rows that repeat one another, of which fewer than ten, 2 (d + 1) or 2 for each member differ;
//   - a parameter whose variance those before it explain but for 1e-10 of it: they are named.
// `data` holds all but effective rows and folds.
absl::Status CheckDegenerateRows(const PreparedData& data, int64_t members);

// "; 612 of 2000 rows lie on or outside the bounds and were left out ('n' on (0, 4): 612)", or nothing if none does.
// `outside`: by parameter; `num_rows` of the dataset.
std::string LeftOut(const PreparedData& data, absl::Span<const int64_t> outside, int64_t num_rows);

}  // namespace creamery

#endif  // CREAMERY_MODELS_DEGENERATE_ROWS_H_
