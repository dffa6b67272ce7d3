// Files of named tensors: an 8-byte little-endian header length, a JSON header, raw little-endian bytes.
// https://github.com/huggingface/safetensors. Nothing in such a file is ever executed.
#ifndef CREAMERY_PROTO_SUPPORT_SAFETENSORS_H_
#define CREAMERY_PROTO_SUPPORT_SAFETENSORS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "creamery/v1/array.pb.h"

namespace creamery {

// Where one tensor lies in a file.
struct TensorInfo {
  v1::DType dtype = v1::DTYPE_UNSPECIFIED;
  std::vector<int64_t> shape;
  uint64_t begin = 0;  // bytes from the start of the file
  uint64_t end = 0;
};

// The header of a file.
struct SafetensorsHeader {
  std::map<std::string, TensorInfo> tensors;
  std::map<std::string, std::string> metadata;
};

// Longest header that is read: 16 MiB.
inline constexpr uint64_t kMaxSafetensorsHeader = 16 << 20;

// Reads the header from the first bytes of a file of `file_size` bytes.
// DATA_LOSS for: a header that is cut or too long, bad JSON, duplicate keys, unknown types, a size that does not
// match shape and type, overflow, overlaps, holes, or tensors beyond the end.
absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(absl::string_view head, uint64_t file_size);

// The bytes before the first tensor of a file with these tensors (begin and end are set here) and metadata:
// what a writer that streams needs. Tensors lie in the order of their names, 8-byte aligned by the header's padding
// where all of them have 8-byte types.
std::string MakeSafetensorsHeader(SafetensorsHeader& header);

// A whole file in memory. Immutable once read; a writer adds, then calls Serialize.
class Safetensors {
 public:
  // Copies each tensor's bytes. DATA_LOSS as above.
  static absl::StatusOr<Safetensors> Parse(absl::string_view bytes);

  Safetensors() = default;
  void Add(const std::string& name, const std::vector<int64_t>& shape, absl::Span<const double> values);
  void Add(const std::string& name, const std::vector<int64_t>& shape, absl::Span<const float> values);
  void Add(const std::string& name, const std::vector<int64_t>& shape, absl::Span<const int64_t> values);
  void SetMetadata(const std::string& key, const std::string& value) { metadata_[key] = value; }
  std::string Serialize() const;

  bool Has(const std::string& name) const { return tensors_.count(name) != 0; }
  std::vector<std::string> names() const;
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  // DATA_LOSS "tensor 'x' is missing" so that a broken artifact says what it lacks.
  absl::StatusOr<std::vector<int64_t>> Shape(const std::string& name) const;
  // Numbers of a FLOAT32 or FLOAT64 tensor as float64. DATA_LOSS if missing, of another type, or not of `shape`
  // (-1 fits any length).
  absl::StatusOr<std::vector<double>> Doubles(const std::string& name, absl::Span<const int64_t> shape) const;
  absl::StatusOr<std::vector<int64_t>> Int64s(const std::string& name, absl::Span<const int64_t> shape) const;

 private:
  struct Tensor {
    v1::DType dtype;
    std::vector<int64_t> shape;
    std::string bytes;
  };
  std::map<std::string, Tensor> tensors_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace creamery

#endif  // CREAMERY_PROTO_SUPPORT_SAFETENSORS_H_
