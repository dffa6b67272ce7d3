// What a dataset's schema and its rows must obey: checked once, where they enter.
#ifndef CREAMERY_PROTO_SUPPORT_ROWS_H_
#define CREAMERY_PROTO_SUPPORT_ROWS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "creamery/v1/dataset.pb.h"

namespace creamery {

// INVALID_ARGUMENT for: no parameters or more than 4096, a repeated or malformed name, a prior with bad numbers,
// bounds the wrong way round, text that CheckText refuses, an unknown row kind, NESTED_SAMPLING without both likelihood
// columns, a bad log-evidence.
absl::Status CheckSchema(const v1::Dataset& schema);

// The fields of Rows as numbers; a field the schema does not have is empty.
struct RowBlock {
  int64_t num_rows = 0;
  std::vector<double> theta;  // (n, d)
  std::vector<double> weight;
  std::vector<int64_t> chain;
  std::vector<double> log_likelihood;
  std::vector<double> log_likelihood_birth;
};

// INVALID_ARGUMENT for a missing or unexpected field, a wrong shape, NaN or infinity (the row and column are named;
// log_likelihood may be -inf, log_likelihood_birth may be -inf), or a negative weight.
// `first_row` is the number of rows before these, for messages.
absl::StatusOr<RowBlock> ParseRows(const v1::Dataset& schema, const v1::Rows& rows, int64_t first_row);

// FLOAT64 / INT64 arrays of rows [begin, end) of `block`.
v1::Rows MakeRows(const v1::Dataset& schema, const RowBlock& block, int64_t begin, int64_t end);

// The interval a parameter cannot leave, from its prior or its bounds; -inf and +inf where there is none.
struct Bounds {
  double lower;
  double upper;
};
Bounds BoundsOf(const v1::Parameter& parameter);

// Natural log of an analytic prior's density at theta; -inf outside its support.
double LogPrior(const v1::Prior& prior, double theta);

}  // namespace creamery

#endif  // CREAMERY_PROTO_SUPPORT_ROWS_H_
