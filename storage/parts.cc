#include "storage/parts.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/array.h"
#include "proto/support/digest.h"
#include "proto/support/parameters.h"
#include "proto/support/safetensors.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kPiece = 1 << 20;

// The tensors of a part with `n` rows.
SafetensorsHeader LayoutOf(const v1::Dataset& schema, int64_t n) {
  SafetensorsHeader header;
  const auto add = [&](const char* name, bool present, v1::DType dtype, std::vector<int64_t> shape) {
    if (!present) return;
    header.tensors[name].dtype = dtype;
    header.tensors[name].shape = std::move(shape);
  };
  add("theta", true, v1::FLOAT64, {n, schema.parameters_size()});
  add("weight", schema.has_weight(), v1::FLOAT64, {n});
  add("chain", schema.has_chain(), v1::INT64, {n});
  add("log_likelihood", schema.has_log_likelihood(), v1::FLOAT64, {n});
  add("log_likelihood_birth", schema.has_log_likelihood_birth(), v1::FLOAT64, {n});
  return header;
}

template <typename T>
absl::string_view BytesOf(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

class FilePartWriter final : public PartWriter {
 public:
  FilePartWriter(std::unique_ptr<BlobWriter> blob, v1::Dataset schema, SafetensorsHeader header, int64_t total_rows)
      : blob_(std::move(blob)), schema_(std::move(schema)), header_(std::move(header)), total_rows_(total_rows) {}

  absl::Status Append(const v1::Rows& rows) override {
    ABSL_ASSIGN_OR_RETURN(const RowBlock block, ParseRows(schema_, rows, num_rows_));
    if (block.num_rows > total_rows_ - num_rows_) {
      return absl::InvalidArgumentError(absl::StrCat("the upload has at least ", num_rows_ + block.num_rows,
                                                     " rows, expected total_rows = ", total_rows_));
    }
    ABSL_RETURN_IF_ERROR(Put("theta", schema_.parameters_size(), BytesOf(block.theta)));
    ABSL_RETURN_IF_ERROR(Put("weight", 1, BytesOf(block.weight)));
    ABSL_RETURN_IF_ERROR(Put("chain", 1, BytesOf(block.chain)));
    ABSL_RETURN_IF_ERROR(Put("log_likelihood", 1, BytesOf(block.log_likelihood)));
    ABSL_RETURN_IF_ERROR(Put("log_likelihood_birth", 1, BytesOf(block.log_likelihood_birth)));
    num_rows_ += block.num_rows;
    num_rows_outside_ += CountRowsOutside(schema_, block);
    return absl::OkStatus();
  }

  int64_t num_rows_outside() const override { return num_rows_outside_; }

  absl::StatusOr<BlobWriter::Committed> Commit() override {
    if (num_rows_ != total_rows_) {
      return absl::InvalidArgumentError(
          absl::StrCat("the upload ended after ", num_rows_, " of ", total_rows_, " rows"));
    }
    return blob_->Commit();
  }

 private:
  // Numbers of the next rows, `width` of them in a row; all types here have 8 bytes.
  absl::Status Put(const std::string& name, int64_t width, absl::string_view bytes) {
    if (bytes.empty()) return absl::OkStatus();
    return blob_->WriteAt(header_.tensors[name].begin + static_cast<uint64_t>(num_rows_ * width) * 8, bytes);
  }

  const std::unique_ptr<BlobWriter> blob_;
  const v1::Dataset schema_;
  SafetensorsHeader header_;
  const int64_t total_rows_;
  int64_t num_rows_ = 0;
  int64_t num_rows_outside_ = 0;
};

// One part, open.
struct OpenPart {
  std::unique_ptr<BlobReader> blob;
  SafetensorsHeader header;
};

absl::Status Damaged(const std::string& digest, absl::string_view problem) {
  return absl::DataLossError(absl::StrCat("part ", digest, ": ", problem));
}

absl::StatusOr<OpenPart> OpenAndCheck(BlobStore& store, const v1::Dataset& schema, const DatasetPart& part) {
  OpenPart open;
  ABSL_ASSIGN_OR_RETURN(open.blob, store.OpenBlob(part.digest));
  const uint64_t size = open.blob->size();
  Sha256 sha;
  for (uint64_t offset = 0; offset < size; offset += kPiece) {
    ABSL_ASSIGN_OR_RETURN(const std::string piece, open.blob->Read(offset, std::min(kPiece, size - offset)));
    sha.Update(piece);
  }
  if (sha.Finish() != part.digest) return Damaged(part.digest, "damaged: its bytes have another digest");

  ABSL_ASSIGN_OR_RETURN(const std::string prefix, open.blob->Read(0, std::min(kLengthBytes, size)));
  uint64_t length = 0;
  std::memcpy(&length, prefix.data(), prefix.size());
  const uint64_t head_size = kLengthBytes + std::min(length, kMaxSafetensorsHeader);
  ABSL_ASSIGN_OR_RETURN(const std::string head, open.blob->Read(0, std::min(head_size, size)));
  absl::StatusOr<SafetensorsHeader> header = ParseSafetensorsHeader(head, size);
  if (!header.ok()) return Damaged(part.digest, header.status().message());
  open.header = *std::move(header);
  for (const auto& [name, expected] : LayoutOf(schema, part.num_rows).tensors) {
    const auto found = open.header.tensors.find(name);
    if (found == open.header.tensors.end() || found->second.dtype != expected.dtype ||
        found->second.shape != expected.shape) {
      return Damaged(part.digest, absl::StrCat("expected tensor '", name, "' of ", DTypeName(expected.dtype), " ",
                                               ShapeToString(expected.shape)));
    }
  }
  return open;
}

class FilePartsReader final : public PartsReader {
 public:
  FilePartsReader(BlobStore& store, v1::Dataset schema, const std::vector<DatasetPart>& parts)
      : store_(store), schema_(std::move(schema)), parts_(parts), open_(parts.size()) {
    for (const DatasetPart& part : parts_) num_rows_ += part.num_rows;
  }

  int64_t num_rows() const override { return num_rows_; }

  absl::StatusOr<RowBlock> Read(int64_t begin, int64_t end) override {
    if (begin < 0 || end < begin || end > num_rows_) {
      return absl::InvalidArgumentError(
          absl::StrCat("rows ", begin, " to ", end, " were asked for, expected a range within 0 to ", num_rows_));
    }
    RowBlock block;
    block.num_rows = end - begin;
    int64_t first = 0;  // row of the part's first
    for (size_t i = 0; i < parts_.size() && first < end; ++i) {
      const int64_t past = first + parts_[i].num_rows;
      if (past > begin) {
        ABSL_RETURN_IF_ERROR(ReadPart(i, std::max(begin, first) - first, std::min(end, past) - first, block));
      }
      first = past;
    }
    return block;
  }

 private:
  // Appends rows [begin, end) of part `i`.
  absl::Status ReadPart(size_t i, int64_t begin, int64_t end, RowBlock& block) {
    OpenPart& part = open_[i];
    if (part.blob == nullptr) {
      ABSL_ASSIGN_OR_RETURN(part, OpenAndCheck(store_, schema_, parts_[i]));
    }
    const auto get = [&](const std::string& name, int64_t width, auto& values) -> absl::Status {
      const auto tensor = part.header.tensors.find(name);
      if (tensor == part.header.tensors.end()) return absl::OkStatus();
      const uint64_t offset = tensor->second.begin + static_cast<uint64_t>(begin * width) * 8;
      ABSL_ASSIGN_OR_RETURN(const std::string bytes,
                            part.blob->Read(offset, static_cast<uint64_t>((end - begin) * width) * 8));
      const size_t before = values.size();
      values.resize(before + bytes.size() / 8);
      if (!bytes.empty()) std::memcpy(values.data() + before, bytes.data(), bytes.size());
      return absl::OkStatus();
    };
    ABSL_RETURN_IF_ERROR(get("theta", schema_.parameters_size(), block.theta));
    ABSL_RETURN_IF_ERROR(get("weight", 1, block.weight));
    ABSL_RETURN_IF_ERROR(get("chain", 1, block.chain));
    ABSL_RETURN_IF_ERROR(get("log_likelihood", 1, block.log_likelihood));
    return get("log_likelihood_birth", 1, block.log_likelihood_birth);
  }

  BlobStore& store_;  // must outlive this
  const v1::Dataset schema_;
  const std::vector<DatasetPart> parts_;
  int64_t num_rows_ = 0;
  std::vector<OpenPart> open_;  // filled when first touched
};

}  // namespace

absl::StatusOr<std::unique_ptr<PartWriter>> PartWriter::Create(BlobStore& store, const v1::Dataset& schema,
                                                               int64_t total_rows) {
  // 2^40 rows of 2^12 parameters of 8 bytes stay below 2^63.
  if (total_rows < 1 || total_rows > int64_t{1} << 40) {
    return absl::InvalidArgumentError(absl::StrCat("total_rows is ", total_rows, ", expected 1 to 2^40"));
  }
  ABSL_ASSIGN_OR_RETURN(std::unique_ptr<BlobWriter> blob, store.NewBlob());
  SafetensorsHeader header = LayoutOf(schema, total_rows);
  ABSL_RETURN_IF_ERROR(blob->WriteAt(0, MakeSafetensorsHeader(header)));
  return std::make_unique<FilePartWriter>(std::move(blob), schema, std::move(header), total_rows);
}

absl::StatusOr<std::unique_ptr<PartsReader>> PartsReader::Open(BlobStore& store, const v1::Dataset& schema,
                                                               const std::vector<DatasetPart>& parts) {
  return std::make_unique<FilePartsReader>(store, schema, parts);
}

}  // namespace creamery
