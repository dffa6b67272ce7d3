// How far a density is from rows it has not seen, by nearest neighbours: what error bars made of log q alone cannot
// see, because a family that cannot describe the samples fails on seen and unseen rows alike.
#ifndef CREAMERY_MODELS_STATISTICS_MISFIT_H_
#define CREAMERY_MODELS_STATISTICS_MISFIT_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "creamery/v1/dataset.pb.h"
#include "models/estimator.h"
#include "proto/support/stop_token.h"

namespace creamery {

// n rows of d parameters, each held out by one member. Spans are borrowed for the call.
struct MisfitInput {
  v1::RowKind kind = v1::INDEPENDENT;
  absl::Span<const Density* const> members;
  absl::Span<const v1::Parameter> parameters;  // d
  absl::Span<const double> theta;              // (n, d)
  absl::Span<const int64_t> fold;              // (n): the member that held the row out
  absl::Span<const double> weight;             // (n), positive
  double effective_rows = 0;                   // as EffectiveRows says, for the thinning of chains
  uint64_t seed = 0;
};

struct Misfit {
  double kl = 0;     // KL(P || q) of a member, nats, mean over members; may come out below 0
  double error = 0;  // its standard error; 0 if there were too few rows to tell
  int64_t rows = 0;  // rows compared
};

// KL(P || q) from the distances of a row to its 4th neighbour among the rows (of all folds in up to three dimensions,
// else of its own) and to its 8th among twice as many draws from the member (Wang, Kulkarni & Verdu 2009, IEEE Trans.
// Inf. Theory 55, 2392, eq. 25), in units of each column's standard deviation, of its logarithm for log-uniform priors.
// Rows are first made equal and independent: chains thinned to a third of their effective size, weights turned into
// chances to stay. At most 2500 rows of a fold are used, and fewer than 100 tell nothing: what is left of a short chain
// is no independent sample, and in many dimensions its gaps look like structure.
absl::StatusOr<Misfit> ComputeMisfit(const MisfitInput& input, const StopToken& stop);

}  // namespace creamery

#endif  // CREAMERY_MODELS_STATISTICS_MISFIT_H_
