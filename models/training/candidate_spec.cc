#include "models/training/candidate_spec.h"

#include "absl/strings/str_cat.h"
#include "creamery/v1/dataset.pb.h"
#include "models/families.h"

namespace creamery {

absl::StatusOr<v1::EstimatorSpec> SpecOfFamily(const std::string& family, const v1::EstimatorSpec& whole,
                                               const PreparedData& data) {
  v1::EstimatorSpec spec;
  const auto* field = v1::EstimatorSpec::descriptor()->FindFieldByName(family);
  if (field == nullptr || field->containing_oneof() == nullptr || field->containing_oneof()->name() != "family") {
    return absl::InvalidArgumentError(absl::StrCat("there is no family '", family, "'"));
  }
  spec.GetReflection()->MutableMessage(&spec, field);
  *spec.mutable_training() = whole.training();
  for (const v1::Parameter& parameter : data.parameters) {
    const auto map = whole.parameter_maps().find(parameter.name());
    if (map != whole.parameter_maps().end()) (*spec.mutable_parameter_maps())[map->first] = map->second;
  }
  return spec;
}

absl::StatusOr<v1::EstimatorSpec> CompleteFor(const v1::EstimatorSpec& spec, const PreparedData& data) {
  v1::Dataset schema;
  for (const v1::Parameter& parameter : data.parameters) *schema.add_parameters() = parameter;
  schema.set_num_rows(data.n());
  return CompleteSpec(spec, schema, {});
}

}  // namespace creamery
