// Family `piecewise`: a mixture of flows, one for each cluster of the rows (Bevins & Handley 2023, arXiv:2305.02930).
#ifndef CREAMERY_MODELS_TRAINING_PIECEWISE_H_
#define CREAMERY_MODELS_TRAINING_PIECEWISE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "creamery/v1/estimator_spec.pb.h"
#include "models/densities/density_tree.h"
#include "models/training/flow_training.h"
#include "models/training/member_rows.h"
#include "models/training/trial.h"

namespace creamery {

// `spec` with its number of pieces given. Clusters come from weighted k-means in the whitened space; every piece has a
// density everywhere and the mixture is over all of them, with the clusters' weights. FAILED_PRECONDITION naming a
// piece of too few effective rows.
absl::StatusOr<DensityTree> FitPiecewise(const MemberRows& rows, const v1::EstimatorSpec& spec, FlowTraining& flows);
void VaryPiecewise(const Trial& trial, v1::EstimatorSpec& spec);

// What to compare when the number of pieces is not given: 1 to max_pieces. Empty when it is.
absl::StatusOr<std::vector<v1::EstimatorSpec>> PiecewiseCandidates(const MemberRows& rows,
                                                                   const v1::EstimatorSpec& spec,
                                                                   const StopToken& stop);

// The numbers of pieces from 2 to `most` by falling weighted silhouette of the member's rows: a cheap hint which are
// worth a training; the held-out log-likelihood decides.
absl::StatusOr<std::vector<int32_t>> PiecesBySilhouette(const MemberRows& rows, const v1::EstimatorSpec& spec,
                                                        int32_t most, const StopToken& stop);

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_PIECEWISE_H_
