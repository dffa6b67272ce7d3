// What error bars are made of, computed once at the end of a training: statistics of log q, or of log q - log prior,
// over the training samples, by members that have seen a row and by the one that has not.
#ifndef CREAMERY_MODELS_STATISTICS_HELD_OUT_H_
#define CREAMERY_MODELS_STATISTICS_HELD_OUT_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "creamery/v1/dataset.pb.h"
#include "creamery/v1/model.pb.h"
#include "proto/support/stop_token.h"

namespace creamery {

// n rows evaluated by every member. Spans are borrowed for the call.
struct HeldOutInput {
  v1::RowKind kind = v1::INDEPENDENT;
  int64_t members = 0;             // at least 2
  absl::Span<const double> log_q;  // (members, n) row-major, natural log, in theta's units
  // (n), finite: taken from log q, so that all statistics are of the difference; empty: of log q.
  absl::Span<const double> log_prior;
  absl::Span<const int64_t> fold;   // (n): the member that held the row out, 0..members-1
  absl::Span<const double> weight;  // (n), at least 0, any scale; empty: all equal
  absl::Span<const int64_t>
      chain;  // (n), MCMC: id of the row's chain, rows of a chain in their order; empty: one chain
  // NESTED_SAMPLING: both columns of the whole dataset, rows that were left out included, for the live counts;
  absl::Span<const double> log_likelihood;
  absl::Span<const double> log_likelihood_birth;
  absl::Span<const int64_t> dataset_row;  // (n): the row's index in those columns; empty: 0..n-1
  uint64_t seed = 0;                      // of the volume realisations
};

// Errors by the kind of rows: INDEPENDENT sqrt(sum w^2 (f - mean)^2) / sum w, which is sqrt(variance / Kish size) where
// weights and f are unrelated, and of the variance never less than that; MCMC from the autocorrelation within chains;
// NESTED_SAMPLING standard deviation over realisations of the prior volumes, 400 of them (fewer, at least 100, for more
// than 20 000 rows), and the scatter of f within likelihood shells, in quadrature.
//
// The variance without the members' noise is an average over rows of products of two members' deviations, and its error
// is that average's: of the squares of one member it would be that member's noise at a few rows, which another seed
// puts elsewhere. For the same reason a member counts in products at no row further than three standard deviations (of
// the members' median over rows) from the members' median there: so far off it is noise of its own.
//
// Rows where a member's log q is -inf are left out of every average; FAILED_PRECONDITION if they carry more than 1 % of
// the weight. INTERNAL for NaN or +inf and for arrays that do not fit together. FAILED_PRECONDITION for three effective
// rows or fewer. CANCELLED or DEADLINE_EXCEEDED from `stop`.
absl::StatusOr<v1::HeldOutStatistics> ComputeHeldOut(const HeldOutInput& input, const StopToken& stop = StopToken());

// Effective number of rows of weighted samples: Kish's for INDEPENDENT and NESTED_SAMPLING; for MCMC the smallest
// autocorrelation size over the d columns of theta (n, d).
// FAILED_PRECONDITION "all weights are zero", or "n_eff = 7.3 is too few for 8 parameters, at least 18 are needed"
// below 2 (d + 1): a mean and a covariance need d + 1 rows to exist, and members are trained on half to 15/16 of the
// rows.
absl::StatusOr<double> EffectiveRows(v1::RowKind kind, absl::Span<const double> theta, int64_t d,
                                     absl::Span<const double> weight, absl::Span<const int64_t> chain);

}  // namespace creamery

#endif  // CREAMERY_MODELS_STATISTICS_HELD_OUT_H_
