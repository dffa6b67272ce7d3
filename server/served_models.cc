#include "server/served_models.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "models/families.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

// Nanoseconds for every number that a density holds. Vector kernels of flows: what the first row takes more, alone in
// its lanes, and each row of many; measured: 2 us for one and .3 us a row for 25000 numbers, here with room for slower
// machines and cold caches. Kernel densities and the reference in double precision: plain loops.
constexpr double kBytesPerNumber = 4;
constexpr double kFirstRow = 0.2;
constexpr double kRow = 0.03;
constexpr double kReferenceRow = 1;

absl::StatusOr<std::unique_ptr<Estimator>> LoadVersion(Registry& registry, const std::string& name) {
  ABSL_ASSIGN_OR_RETURN(const VersionName version, VersionName::Parse(name));
  ABSL_ASSIGN_OR_RETURN(const v1::ModelVersion row, registry.GetVersion(version.model_name(), version.number));
  absl::StatusOr<std::string> bytes = registry.blobs().ReadBlob(row.artifact_digest());
  absl::Status status = bytes.status();
  if (status.ok()) {
    absl::StatusOr<std::unique_ptr<Estimator>> estimator = LoadEstimator(*bytes, name);
    if (estimator.ok()) return estimator;
    status = estimator.status();
  }
  return absl::Status(status.code(), absl::StrCat("the artifact of ", name, ": ", status.message()));
}

}  // namespace

ServedModels::ServedModels(Registry& registry, ModelDirectory& directory, int64_t budget_bytes)
    : directory_(directory),
      cache_(budget_bytes, [&registry](const std::string& name) { return LoadVersion(registry, name); }) {}

absl::StatusOr<ServedModel> ServedModels::Find(absl::string_view name) {
  ServedModel model;
  ABSL_ASSIGN_OR_RETURN(model.version, directory_.Resolve(name));
  model.estimator = cache_.Peek(model.version);
  return model;
}

absl::StatusOr<ServedModel> ServedModels::Load(absl::StatusOr<ServedModel> found, const StopToken& stop) {
  if (!found.ok() || found->estimator != nullptr) return found;
  ABSL_ASSIGN_OR_RETURN(found->estimator, cache_.Get(found->version, stop));
  return found;
}

absl::StatusOr<ServedModel> ServedModels::Acquire(const std::string& name, const StopToken& stop) {
  return Load(Find(name), stop);
}

absl::Status ServedModels::Deleted(const VersionName& name) {
  absl::Status refreshed = directory_.Refresh(name.model_name());
  cache_.Forget(name.ToString());
  return refreshed;
}

absl::Duration EstimatedCost(const Estimator& estimator, int64_t rows, v1::Precision precision) {
  const Density* const density = estimator.density();
  const double n = static_cast<double>(rows);
  const double packed = density == nullptr ? 0 : static_cast<double>(density->prepared_bytes()) / kBytesPerNumber;
  if (packed > 0 && precision != v1::DOUBLE_PRECISION) return absl::Nanoseconds(packed * (kFirstRow + n * kRow));
  const absl::Span<const Density* const> members = estimator.members();
  const double all = std::max<double>(1, static_cast<double>(members.size()));
  // One member answers, or the mixture of all.
  const bool one = std::find(members.begin(), members.end(), density) != members.end();
  const double bytes = static_cast<double>(estimator.memory_bytes()) * (one ? 1 / all : 1);
  return absl::Nanoseconds(bytes / kBytesPerNumber * n * kReferenceRow);
}

}  // namespace creamery
