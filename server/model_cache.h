// Loaded versions by full name, within a budget of bytes. A handle keeps a version alive for as long as a request needs
// it; what is held counts against the budget even after the cache has let it go. Thread-safe.
#ifndef CREAMERY_SERVER_MODEL_CACHE_H_
#define CREAMERY_SERVER_MODEL_CACHE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "models/estimator.h"
#include "proto/support/mutex.h"
#include "proto/support/stop_token.h"

namespace creamery {

class ModelCache {
 public:
  using Handle = std::shared_ptr<const Estimator>;
  using Loader = std::function<absl::StatusOr<std::unique_ptr<Estimator>>(const std::string& name)>;

  ModelCache(int64_t budget_bytes, Loader loader);

  // The version if it is loaded, else null. Never waits for a load.
  Handle Peek(const std::string& name);

  // The version, loaded if need be. Those who ask for it meanwhile wait for the same load and share its error; the next
  // one tries again. RESOURCE_EXHAUSTED if it is larger than the budget, UNAVAILABLE if models in use fill the budget.
  absl::StatusOr<Handle> Get(const std::string& name, const StopToken& stop);

  // Lets a version go, also if it is still being loaded: it was deleted. Handles stay valid.
  void Forget(const std::string& name);

  // Bytes of all loaded models, held ones included.
  int64_t bytes() const { return live_bytes_->load(); }
  int64_t budget_bytes() const { return budget_bytes_; }

 private:
  struct Load {
    bool done = false;
    absl::StatusOr<Handle> result = absl::UnknownError("still loading");
  };
  struct Entry {
    Handle model;  // null while `load` is under way
    std::shared_ptr<Load> load;
    std::list<std::string>::iterator recency;
  };

  Handle Account(std::unique_ptr<Estimator> estimator) const;
  // Makes room for `bytes` more, oldest first, sparing what is held.
  absl::Status MakeRoom(int64_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<Handle> LoadAndKeep(const std::string& name, const std::shared_ptr<Load>& load);

  const int64_t budget_bytes_;
  const Loader loader_;
  const std::shared_ptr<std::atomic<int64_t>> live_bytes_;  // shared with the handles, which may outlive the cache
  Mutex mu_;
  CondVar loaded_;
  absl::flat_hash_map<std::string, Entry> entries_ ABSL_GUARDED_BY(mu_);
  std::list<std::string> by_recency_ ABSL_GUARDED_BY(mu_);  // names of loaded entries, newest first
};

}  // namespace creamery

#endif  // CREAMERY_SERVER_MODEL_CACHE_H_
