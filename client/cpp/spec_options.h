// Options of an estimator as `name=value`, made from the descriptor of EstimatorSpec: a field added to the contract is
// an option at once.
#ifndef CREAMERY_CLIENT_CPP_SPEC_OPTIONS_H_
#define CREAMERY_CLIENT_CPP_SPEC_OPTIONS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "creamery/v1/estimator_spec.pb.h"

namespace creamery {

// Names of the families, in the order of the contract: "maf", "nsf".
std::vector<std::string> FamilyNames();

// What can be set for a family, one line each: "transforms=INTEGER", "hidden_units=INTEGER,…", …, "map.PARAMETER=…".
// Empty for an unknown family.
std::vector<std::string> SpecOptionNames(absl::string_view family);

// The spec of a family with settings such as "transforms=8", "hidden_units=50,50", "members=2", "map.omegam=probit".
// INVALID_ARGUMENT for an unknown family or option (the right ones are listed), and for a value of another type.
absl::StatusOr<v1::EstimatorSpec> ParseSpec(absl::string_view family, const std::vector<std::string>& settings);

}  // namespace creamery

#endif  // CREAMERY_CLIENT_CPP_SPEC_OPTIONS_H_
