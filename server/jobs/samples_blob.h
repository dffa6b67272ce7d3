// Weighted samples of a statistics job at rest: a safetensors blob with theta (n, d), and weight (n) and log_density
// (n) where there are some, all FLOAT64, and the names of the columns in its metadata.
#ifndef CREAMERY_SERVER_JOBS_SAMPLES_BLOB_H_
#define CREAMERY_SERVER_JOBS_SAMPLES_BLOB_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "creamery/v1/statistics_service.pb.h"
#include "proto/support/safetensors.h"
#include "storage/blob_store.h"

namespace creamery {

// n rows of d columns.
struct SampleTable {
  std::vector<std::string> columns;  // d
  std::vector<double> theta;         // (n, d)
  std::vector<double> weight;        // (n), or empty
  std::vector<double> log_density;   // (n), or empty

  int64_t d() const { return static_cast<int64_t>(columns.size()); }
  int64_t n() const { return columns.empty() ? 0 : static_cast<int64_t>(theta.size() / columns.size()); }
};

// Rows [begin, end) as they travel; the names of the columns with the first of them.
void FillSamples(const SampleTable& table, int64_t begin, int64_t end, v1::WeightedSamples* samples);
// Rows of d columns that make up one message of a stream, about 1 MiB.
int64_t SampleRowsPerMessage(int64_t d);

// Stores a table.
absl::StatusOr<BlobWriter::Committed> StoreSamples(BlobStore& store, const SampleTable& table);

// Reads a stored table in chunks of about 1 MiB. Not thread-safe.
class SamplesReader {
 public:
  // Checks the digest. DATA_LOSS naming a blob that is missing, damaged or not such a table.
  static absl::StatusOr<std::shared_ptr<SamplesReader>> Open(BlobStore& store, const std::string& digest);
  // The next rows; false at the end.
  absl::StatusOr<bool> Next(v1::WeightedSamples* samples);

 private:
  SamplesReader() = default;
  // Rows [row_, end) of a tensor with `columns` numbers in a row.
  absl::StatusOr<v1::Array> ReadRows(const TensorInfo& tensor, int64_t end, int64_t columns) const;

  std::unique_ptr<BlobReader> blob_;
  SafetensorsHeader header_;
  std::vector<std::string> columns_;
  int64_t rows_ = 0;
  int64_t row_ = 0;
};

}  // namespace creamery

#endif  // CREAMERY_SERVER_JOBS_SAMPLES_BLOB_H_
