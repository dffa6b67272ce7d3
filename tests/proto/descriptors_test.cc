// The contract as it is declared: v1 only grows, and says what everything means.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

namespace pb = google::protobuf;
using ::testing::IsEmpty;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class DescriptorsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string path = CREAMERY_BINARY_DIR "/proto/creamery.descriptors.pb";
    pb::FileDescriptorSet set;
    ASSERT_TRUE(set.ParseFromString(ReadFile(path))) << path << ": build target proto_descriptors";
    // What the .proto files import from protobuf itself is in the generated pool.
    for (const pb::FileDescriptorProto& file : set.file()) {
      const pb::FileDescriptor* built = pool_.BuildFile(file);
      ASSERT_NE(built, nullptr) << file.name();
      files_.push_back(built);
    }
    ASSERT_GE(files_.size(), 13u);
  }

  template <typename Descriptor>
  void Expect(const Descriptor* descriptor, const std::string& line) {
    lines_.push_back(line);
    pb::SourceLocation location;
    if (!descriptor->GetSourceLocation(&location) || location.leading_comments.size() < 5) {
      without_comment_.push_back(descriptor->full_name());
    }
  }

  void Visit(const pb::EnumDescriptor* type) {
    Expect(type, absl::StrCat("enum ", type->full_name()));
    for (int i = 0; i < type->value_count(); ++i) {
      const pb::EnumValueDescriptor* value = type->value(i);
      Expect(value, absl::StrCat("value ", type->full_name(), ".", value->name(), " = ", value->number()));
    }
  }

  void Visit(const pb::Descriptor* message) {
    if (message->options().map_entry()) return;
    Expect(message, absl::StrCat("message ", message->full_name()));
    for (int i = 0; i < message->field_count(); ++i) {
      const pb::FieldDescriptor* field = message->field(i);
      const pb::OneofDescriptor* oneof = field->real_containing_oneof();
      Expect(field, absl::StrCat("field ", field->full_name(), " = ", field->number(), " ", TypeOf(field),
                                 oneof == nullptr ? "" : absl::StrCat(" in oneof ", oneof->name())));
    }
    for (int i = 0; i < message->nested_type_count(); ++i) Visit(message->nested_type(i));
    for (int i = 0; i < message->enum_type_count(); ++i) Visit(message->enum_type(i));
  }

  static std::string ElementOf(const pb::FieldDescriptor* field) {
    if (field->message_type() != nullptr) return field->message_type()->full_name();
    if (field->enum_type() != nullptr) return field->enum_type()->full_name();
    return field->type_name();
  }
  static std::string TypeOf(const pb::FieldDescriptor* field) {
    if (field->is_map()) {
      return absl::StrCat("map<", ElementOf(field->message_type()->field(0)), ", ",
                          ElementOf(field->message_type()->field(1)), ">");
    }
    return absl::StrCat(field->is_repeated()            ? "repeated "
                        : field->has_optional_keyword() ? "optional "
                                                        : "",
                        ElementOf(field));
  }

  void Visit(const pb::ServiceDescriptor* service) {
    Expect(service, absl::StrCat("service ", service->full_name()));
    for (int i = 0; i < service->method_count(); ++i) {
      const pb::MethodDescriptor* method = service->method(i);
      Expect(method, absl::StrCat("method ", method->full_name(), "(", method->client_streaming() ? "stream " : "",
                                  method->input_type()->full_name(), ") -> ",
                                  method->server_streaming() ? "stream " : "", method->output_type()->full_name()));
    }
  }

  void VisitAll() {
    for (const pb::FileDescriptor* file : files_) {
      for (int i = 0; i < file->message_type_count(); ++i) Visit(file->message_type(i));
      for (int i = 0; i < file->enum_type_count(); ++i) Visit(file->enum_type(i));
      for (int i = 0; i < file->service_count(); ++i) Visit(file->service(i));
    }
  }

  pb::DescriptorPool pool_{pb::DescriptorPool::generated_pool()};
  std::vector<const pb::FileDescriptor*> files_;
  std::vector<std::string> lines_;
  std::vector<std::string> without_comment_;
};

TEST_F(DescriptorsTest, TheContractIsTheOneThatWasReviewed) {
  VisitAll();
  std::sort(lines_.begin(), lines_.end());
  const std::string text = absl::StrCat(absl::StrJoin(lines_, "\n"), "\n");
  const std::string path = CREAMERY_SOURCE_DIR "/tests/golden/creamery_v1.descriptors.txt";
  if (std::getenv("CREAMERY_UPDATE_GOLDEN") != nullptr) std::ofstream(path, std::ios::binary) << text;
  EXPECT_EQ(text, ReadFile(path))
      << "The .proto files differ from " << path << ". New lines are compatible; a line that is gone or changed breaks "
      << "clients in the field and is not allowed once v1 is released. If the change is meant, run\n"
      << "  CREAMERY_UPDATE_GOLDEN=1 build/<preset>/bin/descriptors_test\nand commit the file.";
}

TEST_F(DescriptorsTest, EverythingSaysWhatItMeans) {
  VisitAll();
  EXPECT_GT(lines_.size(), 200u);
  EXPECT_THAT(without_comment_, IsEmpty()) << "write the sentence above it in the .proto file";
}

}  // namespace
}  // namespace creamery
