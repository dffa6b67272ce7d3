// Family `blocks`: a product of flows, one for each block of parameters that are independent of all others.
#ifndef CREAMERY_MODELS_TRAINING_BLOCKS_H_
#define CREAMERY_MODELS_TRAINING_BLOCKS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "creamery/v1/estimator_spec.pb.h"
#include "models/densities/density_tree.h"
#include "models/training/flow_training.h"
#include "models/training/member_rows.h"
#include "models/training/trial.h"

namespace creamery {

absl::StatusOr<DensityTree> FitBlocks(const MemberRows& rows, const v1::EstimatorSpec& spec, FlowTraining& flows);
void VaryBlocks(const Trial& trial, v1::EstimatorSpec& spec);

// The blocks of a complete spec as indices of parameters: given, or found from the member's training rows.
// INVALID_ARGUMENT unless given blocks name every parameter exactly once.
absl::StatusOr<std::vector<std::vector<int64_t>>> BlocksOf(const MemberRows& rows, const v1::EstimatorSpec& spec,
                                                           const StopToken& stop);

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_BLOCKS_H_
