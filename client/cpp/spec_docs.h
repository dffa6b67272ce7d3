// What the contract says of a family, an option or a value: the comments of estimator_spec.proto, which the program
// carries, so that meaning, range and default are written in one place.
#ifndef CREAMERY_CLIENT_CPP_SPEC_DOCS_H_
#define CREAMERY_CLIENT_CPP_SPEC_DOCS_H_

#include <google/protobuf/descriptor.h>

#include <string>

namespace creamery {

// The comment on one line, without "Optional."; empty for what is not in estimator_spec.proto. Thread-safe.
std::string SpecDoc(const google::protobuf::Descriptor& message);
std::string SpecDoc(const google::protobuf::FieldDescriptor& field);
std::string SpecDoc(const google::protobuf::EnumValueDescriptor& value);

}  // namespace creamery

#endif  // CREAMERY_CLIENT_CPP_SPEC_DOCS_H_
