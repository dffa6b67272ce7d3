#include "client/cpp/spec_docs.h"

#include <google/protobuf/descriptor.pb.h>

#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace creamery {

// The descriptor set of estimator_spec.proto with its comments; made by CMakeLists.txt.
extern const unsigned char kSpecDescriptors[];
extern const size_t kSpecDescriptorsSize;

namespace {

using google::protobuf::DescriptorPool;

// The generated descriptors carry no comments; these do.
const DescriptorPool& CommentedPool() {
  static const DescriptorPool* const pool = [] {
    auto made = std::make_unique<DescriptorPool>();
    google::protobuf::FileDescriptorSet set;
    if (set.ParseFromArray(kSpecDescriptors, static_cast<int>(kSpecDescriptorsSize))) {
      for (const auto& file : set.file()) made->BuildFile(file);
    }
    return made.release();
  }();
  return *pool;
}

template <typename Declared>
std::string CommentOf(const Declared* declared) {
  google::protobuf::SourceLocation location;
  if (declared == nullptr || !declared->GetSourceLocation(&location)) return "";
  std::string comment = absl::StrReplaceAll(location.leading_comments, {{"\n", " "}});
  absl::RemoveExtraAsciiWhitespace(&comment);
  return std::string(absl::StripPrefix(absl::StripPrefix(comment, "Optional. "), "Required. "));
}

}  // namespace

std::string SpecDoc(const google::protobuf::Descriptor& message) {
  return CommentOf(CommentedPool().FindMessageTypeByName(message.full_name()));
}

std::string SpecDoc(const google::protobuf::FieldDescriptor& field) {
  return CommentOf(CommentedPool().FindFieldByName(field.full_name()));
}

std::string SpecDoc(const google::protobuf::EnumValueDescriptor& value) {
  return CommentOf(CommentedPool().FindEnumValueByName(value.full_name()));
}

}  // namespace creamery
