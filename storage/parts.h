// Parts of a dataset as safetensors blobs: written while rows arrive, read in ranges. Memory stays flat.
// Tensors: theta (n, d) FLOAT64; weight, log_likelihood, log_likelihood_birth (n) FLOAT64; chain (n) INT64.
#ifndef CREAMERY_STORAGE_PARTS_H_
#define CREAMERY_STORAGE_PARTS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "creamery/v1/dataset.pb.h"
#include "proto/support/rows.h"
#include "storage/blob_store.h"
#include "storage/registry.h"

namespace creamery {

// One part being written. Not thread-safe.
class PartWriter {
 public:
  // INVALID_ARGUMENT unless total_rows >= 1. `store` must outlive this.
  static absl::StatusOr<std::unique_ptr<PartWriter>> Create(BlobStore& store, const v1::Dataset& schema,
                                                            int64_t total_rows);
  virtual ~PartWriter() = default;
  // ParseRows' errors, and INVALID_ARGUMENT when there are more rows than announced.
  virtual absl::Status Append(const v1::Rows& rows) = 0;
  // INVALID_ARGUMENT when there are fewer rows than announced ("the upload ended after 17 of 20 rows").
  virtual absl::StatusOr<BlobWriter::Committed> Commit() = 0;
  // Rows so far with a parameter on or outside its bounds.
  virtual int64_t num_rows_outside() const = 0;
};

// Rows [begin, end) over the parts of a dataset, counted over all of them. DATA_LOSS naming a damaged part.
// Digests of parts are checked when a part is first touched by a reader.
class PartsReader {
 public:
  static absl::StatusOr<std::unique_ptr<PartsReader>> Open(BlobStore& store, const v1::Dataset& schema,
                                                           const std::vector<DatasetPart>& parts);
  virtual ~PartsReader() = default;
  virtual int64_t num_rows() const = 0;
  virtual absl::StatusOr<RowBlock> Read(int64_t begin, int64_t end) = 0;
};

}  // namespace creamery

#endif  // CREAMERY_STORAGE_PARTS_H_
