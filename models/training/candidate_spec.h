// Specs made from another spec: of a part, or of a candidate of a comparison.
#ifndef CREAMERY_MODELS_TRAINING_CANDIDATE_SPEC_H_
#define CREAMERY_MODELS_TRAINING_CANDIDATE_SPEC_H_

#include <string>

#include "absl/status/statusor.h"
#include "creamery/v1/estimator_spec.pb.h"
#include "models/data_preparation.h"

namespace creamery {

// A spec of `family` without options, with training options and parameter maps of `whole` for the parameters of
// `data`. INVALID_ARGUMENT for a name that is no family.
absl::StatusOr<v1::EstimatorSpec> SpecOfFamily(const std::string& family, const v1::EstimatorSpec& whole,
                                               const PreparedData& data);

// Every default written out, for the parameters of `data`.
absl::StatusOr<v1::EstimatorSpec> CompleteFor(const v1::EstimatorSpec& spec, const PreparedData& data);

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_CANDIDATE_SPEC_H_
