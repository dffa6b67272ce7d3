// Rows of the registry's tables as records: what the methods of several resources need.
// Every function runs inside the caller's transaction.
#ifndef CREAMERY_STORAGE_RECORDS_H_
#define CREAMERY_STORAGE_RECORDS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "creamery/v1/dataset.pb.h"
#include "creamery/v1/job.pb.h"
#include "creamery/v1/model.pb.h"
#include "proto/support/resource_names.h"
#include "storage/database.h"
#include "storage/file_blob_store.h"

namespace creamery {

// DATA_LOSS naming `what` if the bytes are not a T.
template <typename T>
absl::StatusOr<T> ParseRecord(const std::string& what, const std::string& bytes) {
  T record;
  if (!record.ParseFromString(bytes)) return absl::DataLossError("the record of " + what + " cannot be read");
  return record;
}

// NOT_FOUND without the project.
absl::Status RequireProject(Database& db, const std::string& project);

// Makes the row of a stored blob, so that others can reference it; returns its size. NOT_FOUND if it is not stored.
absl::StatusOr<int64_t> NameBlob(Database& db, FileBlobStore& blobs, const std::string& digest);

struct DatasetRow {
  int64_t id = 0;
  v1::Dataset dataset;
};
// At a revision (0: the newest). NOT_FOUND without the dataset or the revision.
absl::StatusOr<DatasetRow> LoadDataset(Database& db, const DatasetName& name, int64_t revision = 0);
// SHA-256 over the digests of parts, in order: their hexadecimal texts, one after the other.
absl::StatusOr<std::string> DigestOfParts(Database& db, int64_t dataset_id, const std::string& more = "");

struct JobRow {
  int64_t id = 0;
  std::string token;
  int64_t checkpoint_sequence = 0;  // of the newest checkpoint ever accepted
  int64_t attempt_sequence = 0;     // the same when the current attempt began
  std::string samples;              // digest of a statistics job's samples, or empty
  v1::Job job;
};
absl::StatusOr<JobRow> LoadJob(Database& db, const JobName& name);
// All columns but those that never change.
absl::Status SaveJob(Database& db, const JobRow& row);

struct ModelRow {
  int64_t id = 0;
  v1::Model model;
};
absl::StatusOr<ModelRow> LoadModel(Database& db, const ModelName& name);
absl::StatusOr<v1::ModelVersion> LoadVersion(Database& db, const ModelName& name, int64_t number);
// The next version of a model, which is made if needed; `version` brings all but name, digest and size.
absl::StatusOr<v1::ModelVersion> PublishVersion(Database& db, FileBlobStore& blobs, const ModelName& name,
                                                v1::ModelVersion version, const std::string& artifact_digest);

}  // namespace creamery

#endif  // CREAMERY_STORAGE_RECORDS_H_
