// The families that are one flow, `maf` and `nsf`, and flows as parts of other families.
#ifndef CREAMERY_MODELS_TRAINING_FLOW_H_
#define CREAMERY_MODELS_TRAINING_FLOW_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "creamery/v1/estimator_spec.pb.h"
#include "models/densities/density_tree.h"
#include "models/training/flow_network.h"
#include "models/training/flow_training.h"
#include "models/training/member_rows.h"
#include "models/training/trial.h"

namespace creamery {

absl::StatusOr<DensityTree> FitFlow(const MemberRows& rows, const v1::EstimatorSpec& spec, FlowTraining& flows);
void VaryFlow(const Trial& trial, v1::EstimatorSpec& spec);

// Shape of the network that a complete spec of `maf` or `nsf` asks for, and its weights and biases, those that masks
// forbid included.
FlowShape ShapeOf(const v1::EstimatorSpec& spec, int64_t d);
int64_t NumWeights(const FlowShape& shape);

// What a spec says of the flows it is made of; 0 or empty: the family's default.
struct PartOptions {
  std::string family;
  int32_t transforms = 0;
  std::vector<int32_t> hidden_units;
  int32_t bins = 0;
};
template <typename Part>
PartOptions PartOptionsOf(const Part& part) {
  return {part.family().empty() ? "maf" : part.family(),
          part.transforms(),
          {part.hidden_units().begin(), part.hidden_units().end()},
          part.bins()};
}

// The complete spec of a flow of the parameters of `data` that is a part of `whole`, with the training options and
// maps of `whole`.
absl::StatusOr<v1::EstimatorSpec> PartSpec(const v1::EstimatorSpec& whole, const PartOptions& options,
                                           const PreparedData& data);

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_FLOW_H_
