// Which version a name means: the newest number and the aliases of every model, in memory, so that asking never touches
// SQLite. Read whole at the start and model by model after each change. Thread-safe.
#ifndef CREAMERY_SERVER_MODEL_DIRECTORY_H_
#define CREAMERY_SERVER_MODEL_DIRECTORY_H_

#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/support/mutex.h"
#include "proto/support/resource_names.h"
#include "storage/registry.h"

namespace creamery {

class ModelDirectory {
 public:
  // `registry` must outlive this.
  static absl::StatusOr<std::unique_ptr<ModelDirectory>> Load(Registry& registry);

  // The name with its number: the latest, an alias's, or the one asked for, which is not looked up here.
  // NOT_FOUND without the model, its alias (the message lists those it has) or any version.
  absl::StatusOr<VersionName> Resolve(const VersionName& name) const;

  // Reads one model again. Call after every change of it; then the newest state wins whoever comes first.
  absl::Status Refresh(const ModelName& name);

 private:
  explicit ModelDirectory(Registry& registry) : registry_(registry) {}

  Registry& registry_;
  Mutex refresh_mu_;  // one reader at a time, so that an older read never overwrites a newer one
  mutable Mutex mu_;
  std::map<std::string, ModelHead> heads_ ABSL_GUARDED_BY(mu_);  // by the model's full name
};

}  // namespace creamery

#endif  // CREAMERY_SERVER_MODEL_DIRECTORY_H_
