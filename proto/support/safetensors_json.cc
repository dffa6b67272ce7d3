#include "proto/support/safetensors_json.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/str_cat.h"

namespace creamery {
namespace {

constexpr size_t kMaxAxes = 32;

// Where in {"name": {"dtype": "F32", "shape": [..], "data_offsets": [..]}, "__metadata__": {..}} the parser is.
enum class Place { kStart, kTop, kMetadata, kTensor, kShape, kOffsets, kEnd };

class Handler : public nlohmann::json_sax<nlohmann::json> {
 public:
  SafetensorsHeader header;
  std::string problem;

  bool null() override { return Refuse("null"); }
  bool boolean(bool) override { return Refuse("a boolean"); }
  bool number_integer(number_integer_t value) override { return Refuse(absl::StrCat("the number ", value)); }
  bool number_float(number_float_t, const string_t& text) override { return Refuse("the number " + text); }
  bool binary(binary_t&) override { return Refuse("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ == Place::kShape && tensor_->shape.size() < kMaxAxes &&
        value <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      tensor_->shape.push_back(static_cast<int64_t>(value));
      return true;
    }
    if (place_ == Place::kOffsets && num_offsets_ < 2) {
      (num_offsets_++ == 0 ? tensor_->begin : tensor_->end) = value;
      return true;
    }
    return Refuse(absl::StrCat("the number ", value));
  }

  bool string(string_t& value) override {
    if (place_ == Place::kMetadata) {
      header.metadata[key_] = value;
      return true;
    }
    if (place_ != Place::kTensor || key_ != "dtype") return Refuse("the text '" + value + "'");
    tensor_->dtype = value == "F32"   ? v1::FLOAT32
                     : value == "F64" ? v1::FLOAT64
                     : value == "I64" ? v1::INT64
                     : value == "U8"  ? v1::UINT8
                                      : v1::DTYPE_UNSPECIFIED;
    if (tensor_->dtype != v1::DTYPE_UNSPECIFIED) return true;
    return Fail(absl::StrCat("tensor '", name_, "' has type '", value, "', expected F32, F64, I64 or U8"));
  }

  bool start_object(std::size_t) override {
    if (place_ == Place::kStart) {
      place_ = Place::kTop;
      return true;
    }
    if (place_ != Place::kTop) return Refuse("an object");
    fields_.clear();
    num_offsets_ = 0;
    if (name_ == "__metadata__") {
      place_ = Place::kMetadata;
    } else {
      place_ = Place::kTensor;
      tensor_ = &header.tensors[name_];
    }
    return true;
  }

  bool key(string_t& value) override {
    key_ = value;
    if (place_ == Place::kTop) {
      name_ = value;
      return names_.insert(value).second || Fail("two entries are named '" + value + "'");
    }
    if (place_ == Place::kTensor && value != "dtype" && value != "shape" && value != "data_offsets") {
      return Fail(absl::StrCat("tensor '", name_, "' has the unknown key '", value, "'"));
    }
    return fields_.insert(value).second || Fail(absl::StrCat("'", name_, "' has two keys '", value, "'"));
  }

  bool end_object() override {
    if (place_ == Place::kTop) {
      place_ = Place::kEnd;
      return true;
    }
    if (place_ == Place::kTensor && (fields_.size() != 3 || num_offsets_ != 2)) {
      return Fail(absl::StrCat("tensor '", name_, "' lacks dtype, shape or two data_offsets"));
    }
    place_ = Place::kTop;
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ != Place::kTensor || key_ == "dtype") return Refuse("an array");
    place_ = key_ == "shape" ? Place::kShape : Place::kOffsets;
    return true;
  }
  bool end_array() override {
    place_ = Place::kTensor;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
    return Fail(absl::StrCat("the header is not JSON at byte ", position));
  }

 private:
  bool Refuse(const std::string& what) {
    return Fail(absl::StrCat("the header has ", what, name_.empty() ? "" : absl::StrCat(" in '", name_, "'"),
                             " where it cannot be"));
  }
  bool Fail(const std::string& what) {
    if (problem.empty()) problem = what;
    return false;
  }

  Place place_ = Place::kStart;
  std::string name_;  // of the entry of the top object being read
  std::string key_;
  std::set<std::string> names_;
  std::set<std::string> fields_;  // keys of the entry being read
  TensorInfo* tensor_ = nullptr;
  int num_offsets_ = 0;
};

}  // namespace

absl::StatusOr<SafetensorsHeader> ParseSafetensorsJson(absl::string_view json) {
  // The format promises an object at the first byte; this also refuses byte-order marks.
  if (json.empty() || json[0] != '{') return absl::DataLossError("safetensors: the header does not begin with '{'");
  Handler handler;
  if (!nlohmann::json::sax_parse(json.begin(), json.end(), &handler) || !handler.problem.empty()) {
    return absl::DataLossError("safetensors: " + handler.problem);
  }
  return std::move(handler.header);
}

}  // namespace creamery
