#include "server/jobs/samples_blob.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"
#include "proto/support/array.h"
#include "proto/support/digest.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr char kColumns[] = "columns";  // metadata: names, which hold no white space, separated by spaces
constexpr int64_t kMessageBytes = 1 << 20;
constexpr uint64_t kLengthBytes = 8;

absl::Span<const double> Rows(const std::vector<double>& values, int64_t begin, int64_t end, int64_t columns) {
  return absl::MakeConstSpan(values).subspan(begin * columns, (end - begin) * columns);
}

absl::string_view AsBytes(const std::vector<double>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double)};
}

void AddTensor(const std::string& name, std::vector<int64_t> shape, SafetensorsHeader* header) {
  TensorInfo& tensor = header->tensors[name];
  tensor.dtype = v1::FLOAT64;
  tensor.shape = std::move(shape);
}

absl::Status CheckDigest(const BlobReader& blob, const std::string& digest) {
  Sha256 sha;
  for (int64_t at = 0; at < blob.size(); at += kMessageBytes) {
    ABSL_ASSIGN_OR_RETURN(const std::string bytes, blob.Read(at, std::min(kMessageBytes, blob.size() - at)));
    sha.Update(bytes);
  }
  if (sha.Finish() == digest) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("blob ", digest, " is damaged: its digest is another"));
}

absl::StatusOr<SafetensorsHeader> ReadHeader(const BlobReader& blob) {
  const uint64_t size = blob.size();
  const uint64_t head = std::min<uint64_t>(size, kLengthBytes + kMaxSafetensorsHeader);
  uint64_t length = 0;
  if (size >= kLengthBytes) {
    ABSL_ASSIGN_OR_RETURN(const std::string bytes, blob.Read(0, kLengthBytes));
    std::memcpy(&length, bytes.data(), kLengthBytes);
  }
  // A length beyond the file is the parser's to refuse.
  ABSL_ASSIGN_OR_RETURN(const std::string bytes, blob.Read(0, std::min(head, kLengthBytes + std::min(length, head))));
  return ParseSafetensorsHeader(bytes, size);
}

}  // namespace

int64_t SampleRowsPerMessage(int64_t d) {
  return std::max<int64_t>(1, kMessageBytes / static_cast<int64_t>(sizeof(double) * (d + 2)));
}

void FillSamples(const SampleTable& table, int64_t begin, int64_t end, v1::WeightedSamples* samples) {
  *samples->mutable_theta() = FromDoubles(Rows(table.theta, begin, end, table.d()), {end - begin, table.d()});
  if (!table.weight.empty()) *samples->mutable_weight() = FromDoubles(Rows(table.weight, begin, end, 1), {end - begin});
  if (!table.log_density.empty()) {
    *samples->mutable_log_density() = FromDoubles(Rows(table.log_density, begin, end, 1), {end - begin});
  }
  if (begin == 0) *samples->mutable_columns() = {table.columns.begin(), table.columns.end()};
}

absl::StatusOr<BlobWriter::Committed> StoreSamples(BlobStore& store, const SampleTable& table) {
  SafetensorsHeader header;
  AddTensor("theta", {table.n(), table.d()}, &header);
  if (!table.weight.empty()) AddTensor("weight", {table.n()}, &header);
  if (!table.log_density.empty()) AddTensor("log_density", {table.n()}, &header);
  header.metadata[kColumns] = absl::StrJoin(table.columns, " ");
  ABSL_ASSIGN_OR_RETURN(const std::unique_ptr<BlobWriter> writer, store.NewBlob());
  ABSL_RETURN_IF_ERROR(writer->Append(MakeSafetensorsHeader(header)));
  // In the order of their names.
  ABSL_RETURN_IF_ERROR(writer->Append(AsBytes(table.log_density)));
  ABSL_RETURN_IF_ERROR(writer->Append(AsBytes(table.theta)));
  ABSL_RETURN_IF_ERROR(writer->Append(AsBytes(table.weight)));
  return writer->Commit();
}

absl::StatusOr<std::shared_ptr<SamplesReader>> SamplesReader::Open(BlobStore& store, const std::string& digest) {
  std::shared_ptr<SamplesReader> reader(new SamplesReader());
  ABSL_ASSIGN_OR_RETURN(reader->blob_, store.OpenBlob(digest));
  ABSL_RETURN_IF_ERROR(CheckDigest(*reader->blob_, digest));
  ABSL_ASSIGN_OR_RETURN(reader->header_, ReadHeader(*reader->blob_));
  const auto columns = reader->header_.metadata.find(kColumns);
  const auto theta = reader->header_.tensors.find("theta");
  if (columns == reader->header_.metadata.end() || theta == reader->header_.tensors.end()) {
    return absl::DataLossError(absl::StrCat("blob ", digest, " is no table of samples"));
  }
  reader->columns_ = absl::StrSplit(columns->second, ' ');
  const std::vector<int64_t>& shape = theta->second.shape;
  if (shape.size() != 2 || shape[1] != static_cast<int64_t>(reader->columns_.size())) {
    return absl::DataLossError(absl::StrCat("blob ", digest, " has ", reader->columns_.size(),
                                            " names of columns, and theta has shape ", ShapeToString(shape)));
  }
  reader->rows_ = shape[0];
  return reader;
}

absl::StatusOr<bool> SamplesReader::Next(v1::WeightedSamples* samples) {
  if (row_ >= rows_) return false;
  const int64_t d = static_cast<int64_t>(columns_.size());
  const int64_t end = std::min(rows_, row_ + SampleRowsPerMessage(d));
  if (row_ == 0) *samples->mutable_columns() = {columns_.begin(), columns_.end()};
  for (const auto& [name, tensor] : header_.tensors) {
    const int64_t columns = name == "theta" ? d : 1;
    ABSL_ASSIGN_OR_RETURN(v1::Array rows, ReadRows(tensor, end, columns));
    if (name == "theta") {
      *samples->mutable_theta() = std::move(rows);
    } else if (name == "weight") {
      *samples->mutable_weight() = std::move(rows);
    } else if (name == "log_density") {
      *samples->mutable_log_density() = std::move(rows);
    }
  }
  row_ = end;
  return true;
}

absl::StatusOr<v1::Array> SamplesReader::ReadRows(const TensorInfo& tensor, int64_t end, int64_t columns) const {
  const int64_t row_bytes = columns * static_cast<int64_t>(sizeof(double));
  v1::Array array;
  array.set_dtype(v1::FLOAT64);
  array.add_shape(end - row_);
  if (tensor.shape.size() == 2) array.add_shape(columns);
  ABSL_ASSIGN_OR_RETURN(*array.mutable_data(), blob_->Read(tensor.begin + row_ * row_bytes, (end - row_) * row_bytes));
  return array;
}

}  // namespace creamery
