// The table of families: adding one is a row here, one in training/trainers.h and a case in EstimatorSpec.
#ifndef CREAMERY_MODELS_FAMILIES_H_
#define CREAMERY_MODELS_FAMILIES_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "creamery/v1/estimator_spec.pb.h"
#include "models/estimator.h"
#include "proto/support/safetensors.h"

namespace creamery {

// One family: the name of its case in EstimatorSpec, and how an artifact becomes an estimator.
struct Family {
  absl::string_view name;
  v1::EstimatorSpec::FamilyCase spec_case;
  absl::StatusOr<std::unique_ptr<Estimator>> (*load)(v1::ModelVersion description, const Safetensors& artifact);
};

absl::Span<const Family> Families();
// INVALID_ARGUMENT listing the families if `spec` has none or an unknown one.
absl::StatusOr<const Family*> FindFamily(const v1::EstimatorSpec& spec);
// "maf", "nsf", "kde" ...: names of all families.
std::vector<std::string> FamilyNames();

// `spec` with every default written out for d parameters. INVALID_ARGUMENT naming the option, what was given and its
// range.
absl::StatusOr<v1::EstimatorSpec> CompleteSpec(const v1::EstimatorSpec& spec, const v1::Dataset& schema,
                                               absl::Span<const std::string> parameters);

// The description stored in an artifact: spec, signature, training, log_evidence. DATA_LOSS if it is not one of ours.
absl::StatusOr<v1::ModelVersion> ReadDescription(const Safetensors& artifact);
void WriteDescription(const v1::ModelVersion& description, Safetensors& artifact);

// An estimator from an artifact's bytes. DATA_LOSS for a malformed file, FAILED_PRECONDITION for a newer format.
// `name`: of the version that the artifact was published as, for messages; an artifact does not know it.
absl::StatusOr<std::unique_ptr<Estimator>> LoadEstimator(absl::string_view artifact_bytes,
                                                         const std::string& name = "");

}  // namespace creamery

#endif  // CREAMERY_MODELS_FAMILIES_H_
