// The name of a spec's family, as command lines and workers know it.
#ifndef CREAMERY_PROTO_SUPPORT_FAMILY_NAME_H_
#define CREAMERY_PROTO_SUPPORT_FAMILY_NAME_H_

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string>

#include "creamery/v1/estimator_spec.pb.h"

namespace creamery {

// "maf": the name of the case that is set; empty if none is.
inline std::string FamilyName(const v1::EstimatorSpec& spec) {
  const auto* family = v1::EstimatorSpec::descriptor()->FindOneofByName("family");
  const auto* field = spec.GetReflection()->GetOneofFieldDescriptor(spec, family);
  return field == nullptr ? "" : std::string(field->name());
}

}  // namespace creamery

#endif  // CREAMERY_PROTO_SUPPORT_FAMILY_NAME_H_
