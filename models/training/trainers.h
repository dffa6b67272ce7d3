// The table of families that can be trained: adding one is a row in trainers.cc.
#ifndef CREAMERY_MODELS_TRAINING_TRAINERS_H_
#define CREAMERY_MODELS_TRAINING_TRAINERS_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "creamery/v1/estimator_spec.pb.h"
#include "models/training/flow_network.h"

namespace creamery {

// How one family is trained: as a flow of this shape.
struct Trainer {
  absl::string_view name;
  v1::EstimatorSpec::FamilyCase spec_case;
  FlowShape (*shape)(const v1::EstimatorSpec& spec, int64_t d);  // `spec` complete
};

absl::Span<const Trainer> Trainers();
// UNIMPLEMENTED if this program cannot train the family of `spec`.
absl::StatusOr<const Trainer*> FindTrainer(const v1::EstimatorSpec& spec);

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_TRAINERS_H_
