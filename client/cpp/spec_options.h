// Options of an estimator as `name=value`, made from the descriptor of EstimatorSpec: a field added to the contract is
// an option at once.
#ifndef CREAMERY_CLIENT_CPP_SPEC_OPTIONS_H_
#define CREAMERY_CLIENT_CPP_SPEC_OPTIONS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "creamery/v1/estimator_spec.pb.h"

namespace creamery {

// Names of the families, in the order of the contract: "maf", "nsf".
std::vector<std::string> FamilyNames();

// What can be set, and what it means: the contract's sentence with range and default.
struct SpecOption {
  std::string name;  // "transforms", "map.PARAMETER"
  std::string type;  // "INTEGER", "NUMBER,…", "probit|log"
  std::string meaning;
  std::vector<std::pair<std::string, std::string>> values = {};  // of an option of few words: each with its meaning
};
// Of one family; empty for an unknown one.
std::vector<SpecOption> FamilyOptions(absl::string_view family);
// Of the training, the maps and the tail: the same for every family.
std::vector<SpecOption> CommonOptions();
// What a family is, in a sentence.
std::string FamilyMeaning(absl::string_view family);

// What can be set for a family, one line each: "transforms=INTEGER", "hidden_units=INTEGER,…", …, "map.PARAMETER=…".
// Empty for an unknown family.
std::vector<std::string> SpecOptionNames(absl::string_view family);

// The spec of a family with settings such as "transforms=8", "hidden_units=50,50", "members=2", "map.omegam=probit",
// "tail=true", "tail.exponents=.5,.1".
// INVALID_ARGUMENT for an unknown family or option (the right ones are listed), and for a value of another type.
absl::StatusOr<v1::EstimatorSpec> ParseSpec(absl::string_view family, const std::vector<std::string>& settings);

}  // namespace creamery

#endif  // CREAMERY_CLIENT_CPP_SPEC_OPTIONS_H_
