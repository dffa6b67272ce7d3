// Family `auto`: the best of several families by held-out log-likelihood.
#ifndef CREAMERY_MODELS_TRAINING_AUTO_H_
#define CREAMERY_MODELS_TRAINING_AUTO_H_

#include <vector>

#include "absl/status/statusor.h"
#include "creamery/v1/estimator_spec.pb.h"
#include "models/training/member_rows.h"
#include "proto/support/stop_token.h"

namespace creamery {

// The named candidates, each with what it compares by itself; none named: what is sensible for d parameters.
//   d = 1         nsf, kde
//   d = 2, 3      nsf, maf, piecewise, kde
//   d >= 4        nsf, maf, piecewise, and blocks where more than one block is found
// Unless it is named, piecewise takes part with two pieces and with the number of pieces of the highest silhouette.
absl::StatusOr<std::vector<v1::EstimatorSpec>> AutoCandidates(const MemberRows& rows, const v1::EstimatorSpec& spec,
                                                              const StopToken& stop);

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_AUTO_H_
