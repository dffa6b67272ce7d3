#include "proto/support/safetensors.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/array.h"
#include "proto/support/safetensors_json.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr uint64_t kLengthBytes = 8;

absl::Status Damaged(absl::string_view problem) { return absl::DataLossError(absl::StrCat("safetensors: ", problem)); }

const char* TypeName(v1::DType dtype) {
  switch (dtype) {
    case v1::FLOAT32:
      return "F32";
    case v1::FLOAT64:
      return "F64";
    case v1::INT64:
      return "I64";
    default:
      return "U8";
  }
}

absl::StatusOr<uint64_t> ByteSize(const std::string& name, const TensorInfo& tensor) {
  uint64_t size = DTypeSize(tensor.dtype);
  for (const int64_t axis : tensor.shape) {
    if (axis < 0) return Damaged(absl::StrCat("tensor '", name, "' has a negative axis"));
    if (__builtin_mul_overflow(size, static_cast<uint64_t>(axis), &size)) {
      return Damaged(absl::StrCat("the size of tensor '", name, "' overflows"));
    }
  }
  return size;
}

// The tensors must fill the data exactly: neither holes nor overlaps, so that every byte has one meaning.
absl::Status CheckLayout(const SafetensorsHeader& header, uint64_t data_begin, uint64_t file_size) {
  std::vector<std::pair<const std::string*, const TensorInfo*>> order;
  for (const auto& [name, tensor] : header.tensors) {
    ABSL_ASSIGN_OR_RETURN(const uint64_t size, ByteSize(name, tensor));
    if (tensor.end < tensor.begin || tensor.end - tensor.begin != size) {
      return Damaged(absl::StrCat("tensor '", name, "' lies at [", tensor.begin, ", ", tensor.end, ") but has ", size,
                                  " bytes by its shape ", ShapeToString(tensor.shape)));
    }
    if (tensor.end > file_size) {
      return Damaged(absl::StrCat("tensor '", name, "' ends at byte ", tensor.end, " of a file of ", file_size));
    }
    order.emplace_back(&name, &tensor);
  }
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return std::make_pair(a.second->begin, a.second->end) < std::make_pair(b.second->begin, b.second->end);
  });
  uint64_t position = data_begin;
  for (const auto& [name, tensor] : order) {
    if (tensor->begin != position) {
      return Damaged(absl::StrCat("tensor '", *name, "' begins at byte ", tensor->begin, ", expected ", position,
                                  tensor->begin < position ? " (an overlap)" : " (a hole)"));
    }
    position = tensor->end;
  }
  if (position != file_size) {
    return Damaged(absl::StrCat("the tensors end at byte ", position, " of a file of ", file_size));
  }
  return absl::OkStatus();
}

template <typename T>
std::string BytesOf(absl::Span<const T> values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

}  // namespace

absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(absl::string_view head, uint64_t file_size) {
  if (head.size() < kLengthBytes) return Damaged("the file is too short for a header");
  uint64_t length;
  std::memcpy(&length, head.data(), kLengthBytes);
  if (length > kMaxSafetensorsHeader) {
    return Damaged(absl::StrCat("the header has ", length, " bytes, the limit is ", kMaxSafetensorsHeader));
  }
  const uint64_t data_begin = kLengthBytes + length;
  if (data_begin > head.size() || data_begin > file_size) {
    return Damaged(absl::StrCat("the header has ", length, " bytes and is cut"));
  }
  ABSL_ASSIGN_OR_RETURN(SafetensorsHeader header, ParseSafetensorsJson(head.substr(kLengthBytes, length)));
  // Offsets in the header count from the end of the header; ours from the start of the file.
  for (auto& [name, tensor] : header.tensors) {
    if (__builtin_add_overflow(tensor.begin, data_begin, &tensor.begin) ||
        __builtin_add_overflow(tensor.end, data_begin, &tensor.end)) {
      return Damaged(absl::StrCat("the offsets of tensor '", name, "' overflow"));
    }
  }
  ABSL_RETURN_IF_ERROR(CheckLayout(header, data_begin, file_size));
  return header;
}

std::string MakeSafetensorsHeader(SafetensorsHeader& header) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  if (!header.metadata.empty()) json["__metadata__"] = header.metadata;
  uint64_t position = 0;
  for (auto& [name, tensor] : header.tensors) {
    uint64_t size = DTypeSize(tensor.dtype);
    for (const int64_t axis : tensor.shape) size *= static_cast<uint64_t>(axis);
    tensor.begin = position;
    tensor.end = position += size;
    json[name] = {
        {"dtype", TypeName(tensor.dtype)}, {"shape", tensor.shape}, {"data_offsets", {tensor.begin, position}}};
  }
  // Bytes that are not UTF-8 would make dump() throw; replaced, the file stays readable.
  std::string text = json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  text.append((8 - text.size() % 8) % 8, ' ');
  const uint64_t length = text.size();
  std::string head(kLengthBytes, '\0');
  std::memcpy(head.data(), &length, kLengthBytes);
  head += text;
  for (auto& [name, tensor] : header.tensors) {
    tensor.begin += head.size();
    tensor.end += head.size();
  }
  return head;
}

absl::StatusOr<Safetensors> Safetensors::Parse(absl::string_view bytes) {
  ABSL_ASSIGN_OR_RETURN(SafetensorsHeader header, ParseSafetensorsHeader(bytes, bytes.size()));
  Safetensors file;
  file.metadata_ = std::move(header.metadata);
  for (const auto& [name, tensor] : header.tensors) {
    file.tensors_[name] = {tensor.dtype, tensor.shape,
                           std::string(bytes.substr(tensor.begin, tensor.end - tensor.begin))};
  }
  return file;
}

void Safetensors::Add(const std::string& name, const std::vector<int64_t>& shape, absl::Span<const double> values) {
  tensors_[name] = {v1::FLOAT64, shape, BytesOf(values)};
}
void Safetensors::Add(const std::string& name, const std::vector<int64_t>& shape, absl::Span<const float> values) {
  tensors_[name] = {v1::FLOAT32, shape, BytesOf(values)};
}
void Safetensors::Add(const std::string& name, const std::vector<int64_t>& shape, absl::Span<const int64_t> values) {
  tensors_[name] = {v1::INT64, shape, BytesOf(values)};
}

std::string Safetensors::Serialize() const {
  SafetensorsHeader header;
  header.metadata = metadata_;
  for (const auto& [name, tensor] : tensors_) {
    TensorInfo& info = header.tensors[name];
    info.dtype = tensor.dtype;
    info.shape = tensor.shape;
  }
  std::string bytes = MakeSafetensorsHeader(header);
  for (const auto& [name, tensor] : tensors_) bytes += tensor.bytes;
  return bytes;
}

std::vector<std::string> Safetensors::names() const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors_) names.push_back(name);
  return names;
}

absl::StatusOr<std::vector<int64_t>> Safetensors::Shape(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) return absl::DataLossError(absl::StrCat("tensor '", name, "' is missing"));
  return found->second.shape;
}

namespace {

// Array's checks on shape and type serve tensors too; what they find is damage here, not a wrong request.
absl::Status AsDataLoss(const absl::Status& status) {
  return absl::DataLossError(absl::StrCat("tensor ", status.message()));
}

}  // namespace

absl::StatusOr<std::vector<double>> Safetensors::Doubles(const std::string& name,
                                                         absl::Span<const int64_t> shape) const {
  ABSL_RETURN_IF_ERROR(Shape(name).status());
  const Tensor& tensor = tensors_.at(name);
  if (tensor.dtype != v1::FLOAT32 && tensor.dtype != v1::FLOAT64) {
    return absl::DataLossError(
        absl::StrCat("tensor '", name, "' has type ", DTypeName(tensor.dtype), ", expected FLOAT32 or FLOAT64"));
  }
  v1::Array array;
  array.set_dtype(tensor.dtype);
  array.mutable_shape()->Add(tensor.shape.begin(), tensor.shape.end());
  array.set_data(tensor.bytes);
  absl::StatusOr<std::vector<double>> values = ToDoubles(absl::StrCat("'", name, "'"), array, shape);
  if (!values.ok()) return AsDataLoss(values.status());
  return values;
}

absl::StatusOr<std::vector<int64_t>> Safetensors::Int64s(const std::string& name,
                                                         absl::Span<const int64_t> shape) const {
  ABSL_RETURN_IF_ERROR(Shape(name).status());
  const Tensor& tensor = tensors_.at(name);
  v1::Array array;
  array.set_dtype(tensor.dtype);
  array.mutable_shape()->Add(tensor.shape.begin(), tensor.shape.end());
  array.set_data(tensor.bytes);
  absl::StatusOr<std::vector<int64_t>> values = ToInt64s(absl::StrCat("'", name, "'"), array, shape);
  if (!values.ok()) return AsDataLoss(values.status());
  return values;
}

}  // namespace creamery
