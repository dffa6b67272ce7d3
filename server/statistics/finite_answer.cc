#include "server/statistics/finite_answer.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace creamery {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool MayBeInfinite(const std::string& field) {
  return field == "k_hat" || field == "error" || field == "monte_carlo_error";
}

// The name and value of the first bad number below `message`, "log_z.value = nan"; empty if there is none.
std::string FindBadNumber(const Message& message, const std::string& path) {
  const Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const int n = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    const std::string name = absl::StrCat(path, field->name());
    for (int i = 0; i < n; ++i) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE) {
        const double value = field->is_repeated() ? reflection.GetRepeatedDouble(message, field, i)
                                                  : reflection.GetDouble(message, field);
        if (std::isfinite(value) || (value == kInfinity && MayBeInfinite(field->name()))) continue;
        return absl::StrCat(name, " = ", value);
      }
      if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) break;
      const Message& child = field->is_repeated() ? reflection.GetRepeatedMessage(message, field, i)
                                                  : reflection.GetMessage(message, field);
      std::string found = FindBadNumber(child, name + ".");
      if (!found.empty()) return found;
    }
  }
  return "";
}

// The versions that the answer says it is of, at whatever depth; empty if it does not say.
std::string VersionsOf(const Message& answer) {
  const Reflection& reflection = *answer.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(answer, &fields);
  std::string names;
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field->is_repeated() && names.empty()) {
      names = VersionsOf(reflection.GetMessage(answer, field));
    }
    if (field->name() != "model_version" && field->name() != "model_versions") continue;
    const int n = field->is_repeated() ? reflection.FieldSize(answer, field) : 1;
    for (int i = 0; i < n; ++i) {
      absl::StrAppend(
          &names, names.empty() ? "" : ", ",
          field->is_repeated() ? reflection.GetRepeatedString(answer, field, i) : reflection.GetString(answer, field));
    }
  }
  return names;
}

}  // namespace

absl::Status CheckFiniteAnswer(const Message& answer) {
  const std::string bad = FindBadNumber(answer, "");
  if (bad.empty()) return absl::OkStatus();
  const std::string versions = VersionsOf(answer);
  return absl::InternalError(absl::StrCat("the answer of ", versions.empty() ? "the model" : versions, " has ", bad,
                                          ": its artifact is damaged, or the fault is ours"));
}

}  // namespace creamery
