#include "server/model_cache.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace creamery {
namespace {

// How often those who wait for a load look whether their client is still there.
constexpr absl::Duration kPatience = absl::Milliseconds(20);

}  // namespace

ModelCache::ModelCache(int64_t budget_bytes, Loader loader)
    : budget_bytes_(budget_bytes), loader_(std::move(loader)), live_bytes_(std::make_shared<std::atomic<int64_t>>(0)) {}

ModelCache::Handle ModelCache::Peek(const std::string& name) {
  MutexLock lock(&mu_);
  const auto found = entries_.find(name);
  if (found == entries_.end() || found->second.model == nullptr) return nullptr;
  by_recency_.splice(by_recency_.begin(), by_recency_, found->second.recency);
  return found->second.model;
}

absl::StatusOr<ModelCache::Handle> ModelCache::Get(const std::string& name, const StopToken& stop) {
  if (Handle model = Peek(name)) return model;
  std::shared_ptr<Load> load;
  {
    MutexLock lock(&mu_);
    Entry& entry = entries_[name];
    if (entry.model != nullptr) return entry.model;
    load = entry.load;
    if (load != nullptr) {
      while (!load->done) {
        if (absl::Status status = stop.Check(); !status.ok()) return status;
        loaded_.WaitFor(&mu_, kPatience);
      }
      return load->result;
    }
    load = entry.load = std::make_shared<Load>();
  }
  return LoadAndKeep(name, load);
}

absl::StatusOr<ModelCache::Handle> ModelCache::LoadAndKeep(const std::string& name, const std::shared_ptr<Load>& load) {
  absl::StatusOr<std::unique_ptr<Estimator>> estimator = loader_(name);
  MutexLock lock(&mu_);
  absl::Status status = estimator.status();
  if (status.ok()) {
    status = MakeRoom((*estimator)->memory_bytes());
    if (!status.ok()) status = absl::Status(status.code(), absl::StrCat(name, " cannot be loaded: ", status.message()));
  }
  absl::StatusOr<Handle> result =
      status.ok() ? absl::StatusOr<Handle>(Account(*std::move(estimator))) : absl::StatusOr<Handle>(status);
  load->done = true;
  load->result = result;
  const auto found = entries_.find(name);
  if (found != entries_.end() && found->second.load == load) {  // else it was forgotten meanwhile
    if (result.ok()) {
      by_recency_.push_front(name);
      found->second = {*result, nullptr, by_recency_.begin()};
    } else {
      entries_.erase(found);
    }
  }
  loaded_.SignalAll();
  return result;
}

absl::Status ModelCache::MakeRoom(int64_t bytes) {
  if (bytes > budget_bytes_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("it takes ", bytes, " bytes of memory, and the server keeps at most ", budget_bytes_));
  }
  for (auto it = by_recency_.end(); bytes + live_bytes_->load() > budget_bytes_ && it != by_recency_.begin();) {
    --it;
    const auto entry = entries_.find(*it);
    if (entry->second.model.use_count() > 1) continue;
    entries_.erase(entry);
    it = by_recency_.erase(it);
  }
  if (bytes + live_bytes_->load() > budget_bytes_) {
    return absl::UnavailableError(
        absl::StrCat("models in use fill the ", budget_bytes_, " bytes that the server keeps for models; try again"));
  }
  return absl::OkStatus();
}

ModelCache::Handle ModelCache::Account(std::unique_ptr<Estimator> estimator) const {
  const int64_t bytes = estimator->memory_bytes();
  live_bytes_->fetch_add(bytes);
  return Handle(estimator.release(), [bytes, live_bytes = live_bytes_](const Estimator* model) {
    delete model;
    live_bytes->fetch_sub(bytes);
  });
}

void ModelCache::Forget(const std::string& name) {
  MutexLock lock(&mu_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) return;
  if (found->second.model != nullptr) by_recency_.erase(found->second.recency);
  entries_.erase(found);
}

}  // namespace creamery
