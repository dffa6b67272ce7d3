#include "client/cpp/spec_options.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/cpp/spec_docs.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr absl::string_view kMapPrefix = "map.";

// Parts of a spec that no family owns and that are there or not, such as `tail`.
std::vector<const FieldDescriptor*> OptionalParts() {
  std::vector<const FieldDescriptor*> parts;
  const Descriptor& spec = *v1::EstimatorSpec::descriptor();
  for (int i = 0; i < spec.field_count(); ++i) {
    const FieldDescriptor* field = spec.field(i);
    const bool message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field->is_repeated();
    const bool training = field->message_type() == v1::TrainingOptions::descriptor();
    if (message && !training && field->containing_oneof() == nullptr) parts.push_back(field);
  }
  return parts;
}

const FieldDescriptor* FamilyField(absl::string_view family) {
  const auto* families = v1::EstimatorSpec::descriptor()->FindOneofByName("family");
  for (int i = 0; i < families->field_count(); ++i) {
    if (families->field(i)->name() == family) return families->field(i);
  }
  return nullptr;
}

std::string EnumNames(const EnumDescriptor& type) {
  std::vector<std::string> names;
  for (int i = 1; i < type.value_count(); ++i) names.push_back(absl::AsciiStrToLower(type.value(i)->name()));
  return absl::StrJoin(names, "|");
}

std::string TypeName(const FieldDescriptor& field) {
  std::string name;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      name = "INTEGER";
      break;
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      name = "NUMBER";
      break;
    case FieldDescriptor::CPPTYPE_BOOL:
      name = "true|false";
      break;
    case FieldDescriptor::CPPTYPE_ENUM:
      name = EnumNames(*field.enum_type());
      break;
    default:
      name = "TEXT";
  }
  return field.is_repeated() ? absl::StrCat(name, ",…") : name;
}

absl::Status WrongType(const FieldDescriptor& field, absl::string_view value) {
  return absl::InvalidArgumentError(
      absl::StrCat("option ", field.name(), " is '", value, "', expected ", field.name(), "=", TypeName(field)));
}

// Parses `text` as T; then sets the field, or adds to it if it is repeated.
template <typename T, typename Parse, typename Set, typename Add>
absl::Status SetParsed(const FieldDescriptor& field, absl::string_view text, Parse parse, Set set, Add add) {
  T value;
  if (!parse(text, &value)) return WrongType(field, text);
  field.is_repeated() ? add(value) : set(value);
  return absl::OkStatus();
}

absl::Status SetOne(const FieldDescriptor& field, absl::string_view text, Message& message) {
  const auto& reflection = *message.GetReflection();
  const auto set = [&](auto member) { return [&, member](auto v) { (reflection.*member)(&message, &field, v); }; };
  using Reflection = google::protobuf::Reflection;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return SetParsed<int32_t>(
          field, text, [](auto t, auto* v) { return absl::SimpleAtoi(t, v); }, set(&Reflection::SetInt32),
          set(&Reflection::AddInt32));
    case FieldDescriptor::CPPTYPE_INT64:
      return SetParsed<int64_t>(
          field, text, [](auto t, auto* v) { return absl::SimpleAtoi(t, v); }, set(&Reflection::SetInt64),
          set(&Reflection::AddInt64));
    case FieldDescriptor::CPPTYPE_UINT64:
      return SetParsed<uint64_t>(
          field, text, [](auto t, auto* v) { return absl::SimpleAtoi(t, v); }, set(&Reflection::SetUInt64),
          set(&Reflection::AddUInt64));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return SetParsed<double>(
          field, text, [](auto t, auto* v) { return absl::SimpleAtod(t, v) && std::isfinite(*v); },
          set(&Reflection::SetDouble), set(&Reflection::AddDouble));
    case FieldDescriptor::CPPTYPE_BOOL:
      return SetParsed<bool>(
          field, text, [](auto t, auto* v) { return absl::SimpleAtob(t, v); }, set(&Reflection::SetBool),
          set(&Reflection::AddBool));
    case FieldDescriptor::CPPTYPE_ENUM: {
      const auto* value = field.enum_type()->FindValueByName(absl::AsciiStrToUpper(text));
      if (value == nullptr || value->number() == 0) return WrongType(field, text);
      field.is_repeated() ? reflection.AddEnum(&message, &field, value) : reflection.SetEnum(&message, &field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_STRING:
      field.is_repeated() ? reflection.AddString(&message, &field, std::string(text))
                          : reflection.SetString(&message, &field, std::string(text));
      return absl::OkStatus();
    default:
      return absl::UnimplementedError(absl::StrCat("option ", field.name(), " cannot be given as text"));
  }
}

absl::Status SetField(const FieldDescriptor& field, absl::string_view text, Message& message) {
  message.GetReflection()->ClearField(&message, &field);
  if (!field.is_repeated()) return SetOne(field, text, message);
  for (absl::string_view item : absl::StrSplit(text, ',')) ABSL_RETURN_IF_ERROR(SetOne(field, item, message));
  return absl::OkStatus();
}

std::vector<std::pair<std::string, std::string>> ValuesOf(const EnumDescriptor& type) {
  std::vector<std::pair<std::string, std::string>> values;
  for (int i = 1; i < type.value_count(); ++i) {
    values.emplace_back(absl::AsciiStrToLower(type.value(i)->name()), SpecDoc(*type.value(i)));
  }
  return values;
}

void AppendOptions(absl::string_view prefix, const Descriptor& type, std::vector<SpecOption>& options) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    SpecOption option = {absl::StrCat(prefix, field.name()), TypeName(field), SpecDoc(field)};
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) option.values = ValuesOf(*field.enum_type());
    options.push_back(std::move(option));
  }
}

// Sets `part` or one field of it; false if `key` is neither.
absl::StatusOr<bool> SetPart(const FieldDescriptor& part, absl::string_view key, absl::string_view text,
                             v1::EstimatorSpec& spec) {
  if (key == part.name()) {
    bool wanted = false;
    if (!absl::SimpleAtob(text, &wanted)) {
      return absl::InvalidArgumentError(
          absl::StrCat("option ", key, " is '", text, "', expected ", key, "=true|false"));
    }
    wanted ? void(spec.GetReflection()->MutableMessage(&spec, &part)) : spec.GetReflection()->ClearField(&spec, &part);
    return true;
  }
  if (!absl::ConsumePrefix(&key, part.name()) || !absl::ConsumePrefix(&key, ".")) return false;
  const FieldDescriptor* field = part.message_type()->FindFieldByName(std::string(key));
  if (field == nullptr) return false;
  ABSL_RETURN_IF_ERROR(SetField(*field, text, *spec.GetReflection()->MutableMessage(&spec, &part)));
  return true;
}

absl::Status SetMap(absl::string_view parameter, absl::string_view text, v1::EstimatorSpec& spec) {
  v1::ParameterMap map;
  if (parameter.empty() || !v1::ParameterMap_Parse(absl::AsciiStrToUpper(text), &map) ||
      map == v1::PARAMETER_MAP_UNSPECIFIED) {
    return absl::InvalidArgumentError(
        absl::StrCat("option map.", parameter, " is '", text,
                     "', expected map.PARAMETER=", EnumNames(*v1::ParameterMap_descriptor())));
  }
  (*spec.mutable_parameter_maps())[std::string(parameter)] = map;
  return absl::OkStatus();
}

}  // namespace

std::vector<std::string> FamilyNames() {
  std::vector<std::string> names;
  const auto* families = v1::EstimatorSpec::descriptor()->FindOneofByName("family");
  names.reserve(families->field_count());
  for (int i = 0; i < families->field_count(); ++i) names.push_back(families->field(i)->name());
  return names;
}

std::vector<SpecOption> FamilyOptions(absl::string_view family) {
  std::vector<SpecOption> options;
  if (const FieldDescriptor* field = FamilyField(family)) AppendOptions("", *field->message_type(), options);
  return options;
}

std::vector<SpecOption> CommonOptions() {
  std::vector<SpecOption> options;
  AppendOptions("", *v1::TrainingOptions::descriptor(), options);
  const auto& maps = *v1::EstimatorSpec::descriptor()->FindFieldByName("parameter_maps");
  const EnumDescriptor& map = *v1::ParameterMap_descriptor();
  options.push_back({absl::StrCat(kMapPrefix, "PARAMETER"), EnumNames(map), SpecDoc(maps), ValuesOf(map)});
  for (const FieldDescriptor* part : OptionalParts()) {
    options.push_back({part->name(), "true|false", SpecDoc(*part)});
    AppendOptions(absl::StrCat(part->name(), "."), *part->message_type(), options);
  }
  return options;
}

std::string FamilyMeaning(absl::string_view family) {
  const FieldDescriptor* field = FamilyField(family);
  return field == nullptr ? "" : SpecDoc(*field->message_type());
}

std::vector<std::string> SpecOptionNames(absl::string_view family) {
  std::vector<std::string> names;
  if (FamilyField(family) == nullptr) return names;
  for (const auto& options : {FamilyOptions(family), CommonOptions()}) {
    for (const SpecOption& option : options) names.push_back(absl::StrCat(option.name, "=", option.type));
  }
  return names;
}

absl::StatusOr<v1::EstimatorSpec> ParseSpec(absl::string_view family, const std::vector<std::string>& settings) {
  const FieldDescriptor* family_field = FamilyField(family);
  if (family_field == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no family '", family, "'; the families are ", absl::StrJoin(FamilyNames(), ", ")));
  }
  v1::EstimatorSpec spec;
  Message* options = spec.GetReflection()->MutableMessage(&spec, family_field);
  for (const std::string& setting : settings) {
    const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(setting, absl::MaxSplits('=', 1));
    const absl::string_view name = absl::StripAsciiWhitespace(parts.first);
    const absl::string_view value = absl::StripAsciiWhitespace(parts.second);
    const std::string key(name);
    if (setting.find('=') == std::string::npos || name.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("setting '", setting, "' is not of the form 'name=value'"));
    }
    if (absl::StartsWith(name, kMapPrefix)) {
      ABSL_RETURN_IF_ERROR(SetMap(name.substr(kMapPrefix.size()), value, spec));
    } else if (const auto* field = family_field->message_type()->FindFieldByName(key); field != nullptr) {
      ABSL_RETURN_IF_ERROR(SetField(*field, value, *options));
    } else if (const auto* training = v1::TrainingOptions::descriptor()->FindFieldByName(key); training != nullptr) {
      ABSL_RETURN_IF_ERROR(SetField(*training, value, *spec.mutable_training()));
    } else {
      bool set = false;
      for (const FieldDescriptor* part : OptionalParts()) {
        ABSL_ASSIGN_OR_RETURN(const bool of_part, SetPart(*part, name, value, spec));
        set = set || of_part;
      }
      if (set) continue;
      return absl::InvalidArgumentError(absl::StrCat("family ", family, " has no option '", name, "'; it has ",
                                                     absl::StrJoin(SpecOptionNames(family), ", ")));
    }
  }
  return spec;
}

}  // namespace creamery
