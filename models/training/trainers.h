// The table of families that can be trained: adding one is a row in trainers.cc.
#ifndef CREAMERY_MODELS_TRAINING_TRAINERS_H_
#define CREAMERY_MODELS_TRAINING_TRAINERS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "creamery/v1/estimator_spec.pb.h"
#include "models/densities/density_tree.h"
#include "models/training/flow_training.h"
#include "models/training/member_rows.h"
#include "models/training/trial.h"

namespace creamery {

// How one family is trained. Specs are complete. What is decided from data is a function of the rows and the seed, so
// that a resumed training decides the same.
struct Trainer {
  absl::string_view name;
  v1::EstimatorSpec::FamilyCase spec_case;
  // What to compare on member 0 before the others are trained, complete; empty, or null: nothing.
  absl::StatusOr<std::vector<v1::EstimatorSpec>> (*candidates)(const MemberRows& rows, const v1::EstimatorSpec& spec,
                                                               const StopToken& stop);
  // One member's density from its rows. Null for a family that only compares. FAILED_PRECONDITION for data that it
  // cannot be trained on.
  absl::StatusOr<DensityTree> (*fit)(const MemberRows& rows, const v1::EstimatorSpec& spec, FlowTraining& flows);
  // Changes `spec` to another setting for a hyper-parameter search.
  void (*vary)(const Trial& trial, v1::EstimatorSpec& spec);
};

absl::Span<const Trainer> Trainers();
// UNIMPLEMENTED if this program cannot train the family of `spec`.
absl::StatusOr<const Trainer*> FindTrainer(const v1::EstimatorSpec& spec);

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_TRAINERS_H_
