// Which version a name means: the newest number and the aliases of every model, in memory, so that asking never touches
// SQLite. Read whole at the start and model by model after each change. Thread-safe.
#ifndef CREAMERY_SERVER_MODEL_DIRECTORY_H_
#define CREAMERY_SERVER_MODEL_DIRECTORY_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/support/mutex.h"
#include "proto/support/resource_names.h"
#include "storage/registry.h"

namespace creamery {

class ModelDirectory {
 public:
  // `registry` must outlive this.
  static absl::StatusOr<std::unique_ptr<ModelDirectory>> Load(Registry& registry);

  // `projects/{p}/models/{m}[/versions/{number, alias or latest}]` as the full name of a version, with its number: the
  // latest, an alias's, or the one asked for, which is not looked up here. INVALID_ARGUMENT for a bad name; NOT_FOUND
  // without the model, its alias (the message lists those it has) or any version.
  absl::StatusOr<std::string> Resolve(absl::string_view name) const;

  // Reads one model again. Call after every change of it; then the newest state wins whoever comes first.
  absl::Status Refresh(const ModelName& name);

 private:
  // What is known of one model; replaced, never changed, so that it is read without the lock.
  struct Head {
    std::string latest;  // full name of the latest version; empty without one
    std::map<std::string, int64_t> aliases;
  };
  using Heads = absl::flat_hash_map<std::string, std::shared_ptr<const Head>>;

  explicit ModelDirectory(Registry& registry) : registry_(registry) {}
  static std::shared_ptr<const Head> MakeHead(absl::string_view model, int64_t latest_version,
                                              std::map<std::string, int64_t> aliases);
  // Null without the model.
  std::shared_ptr<const Head> Find(absl::string_view model) const;

  Registry& registry_;
  Mutex refresh_mu_;  // one reader at a time, so that an older read never overwrites a newer one
  mutable Mutex mu_;
  Heads heads_ ABSL_GUARDED_BY(mu_);  // by the model's full name
};

}  // namespace creamery

#endif  // CREAMERY_SERVER_MODEL_DIRECTORY_H_
