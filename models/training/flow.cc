#include "models/training/flow.h"

#include <utility>

#include "models/training/candidate_spec.h"
#include "proto/support/status_macros.h"

namespace creamery {

absl::StatusOr<DensityTree> FitFlow(const MemberRows& rows, const v1::EstimatorSpec& spec, FlowTraining& flows) {
  const FlowTask task{"", spec, rows.data, rows.train, rows.held_out};
  ABSL_ASSIGN_OR_RETURN(std::vector<Plan> plans, flows.Train({task}));
  return FlowTree(std::move(plans[0]));
}

void VaryFlow(const Trial& trial, v1::EstimatorSpec& spec) {
  VaryTraining(trial, *spec.mutable_training());
  if (spec.has_maf()) return VaryLayers(trial, *spec.mutable_maf());
  VaryLayers(trial, *spec.mutable_nsf());
  VaryBins(trial, *spec.mutable_nsf());
}

FlowShape ShapeOf(const v1::EstimatorSpec& spec, int64_t d) {
  FlowShape shape;
  shape.d = d;
  if (spec.has_maf()) {
    shape.kind = AutoregressiveLayer::Kind::kAffine;
    shape.transforms = spec.maf().transforms();
    shape.hidden_units.assign(spec.maf().hidden_units().begin(), spec.maf().hidden_units().end());
  } else {
    shape.kind = AutoregressiveLayer::Kind::kSpline;
    shape.transforms = spec.nsf().transforms();
    shape.hidden_units.assign(spec.nsf().hidden_units().begin(), spec.nsf().hidden_units().end());
    shape.bins = spec.nsf().bins();
  }
  return shape;
}

int64_t NumWeights(const FlowShape& shape) {
  const int64_t outputs = shape.d * (shape.kind == AutoregressiveLayer::Kind::kAffine ? 2 : 3 * shape.bins + 1);
  int64_t below = shape.d;
  int64_t layer = 0;
  for (const int64_t units : shape.hidden_units) {
    layer += (below + 1) * units;
    below = units;
  }
  return shape.transforms * (layer + (below + 1) * outputs);
}

absl::StatusOr<v1::EstimatorSpec> PartSpec(const v1::EstimatorSpec& whole, const PartOptions& options,
                                           const PreparedData& data) {
  ABSL_ASSIGN_OR_RETURN(v1::EstimatorSpec spec, SpecOfFamily(options.family, whole, data));
  const auto set = [&](auto& flow) {
    if (options.transforms > 0) flow.set_transforms(options.transforms);
    for (const int32_t units : options.hidden_units) flow.add_hidden_units(units);
  };
  if (spec.has_maf()) {
    set(*spec.mutable_maf());
  } else if (spec.has_nsf()) {
    set(*spec.mutable_nsf());
    if (options.bins > 0) spec.mutable_nsf()->set_bins(options.bins);
  }
  return CompleteFor(spec, data);
}

}  // namespace creamery
