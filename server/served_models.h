// From the name in a request to a loaded version: directory, then cache, and only on a miss the registry.
#ifndef CREAMERY_SERVER_SERVED_MODELS_H_
#define CREAMERY_SERVER_SERVED_MODELS_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "creamery/v1/precision.pb.h"
#include "server/model_cache.h"
#include "server/model_directory.h"
#include "storage/registry.h"

namespace creamery {

// A version and the handle that keeps it alive.
struct ServedModel {
  std::string version;  // full name, with its number
  ModelCache::Handle estimator;
};

// Thread-safe.
class ServedModels {
 public:
  // `registry` and `directory` must outlive this.
  ServedModels(Registry& registry, ModelDirectory& directory, int64_t budget_bytes);

  // What a request's name (`projects/p/models/m[/versions/number, alias or latest]`) means, from memory alone;
  // the estimator is null if it is not loaded. INVALID_ARGUMENT or NOT_FOUND as ModelDirectory::Resolve.
  absl::StatusOr<ServedModel> Find(absl::string_view name);
  // The same, loaded if need be: for the disk pool. NOT_FOUND for a number that does not exist or no longer,
  // DATA_LOSS naming a damaged artifact.
  absl::StatusOr<ServedModel> Acquire(const std::string& name, const StopToken& stop);

  // What Find found, loaded if need be.
  absl::StatusOr<ServedModel> Load(absl::StatusOr<ServedModel> found, const StopToken& stop);

  // Call after a version was published, deleted or an alias moved.
  absl::Status Changed(const ModelName& name) { return directory_.Refresh(name); }
  // Call once a version is deleted: requests that hold it finish, later ones do not find it.
  absl::Status Deleted(const VersionName& name);

  ModelDirectory& directory() { return directory_; }
  ModelCache& cache() { return cache_; }

 private:
  ModelDirectory& directory_;
  ModelCache cache_;
};

// An estimate of the time `rows` rows take on one thread, from the size of what answers.
absl::Duration EstimatedCost(const Estimator& estimator, int64_t rows,
                             v1::Precision precision = v1::PRECISION_UNSPECIFIED);

}  // namespace creamery

#endif  // CREAMERY_SERVER_SERVED_MODELS_H_
