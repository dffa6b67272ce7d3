#include "server/statistics/training_data.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/resource_names.h"
#include "proto/support/status_macros.h"
#include "storage/parts.h"

namespace creamery {
namespace {

// Rows between two looks at the stop token.
constexpr int64_t kRowsAtOnce = 65536;

template <typename T>
void Append(const std::vector<T>& more, std::vector<T>* all) {
  all->insert(all->end(), more.begin(), more.end());
}

}  // namespace

absl::StatusOr<v1::Dataset> FindTrainingData(Registry& registry, const v1::ModelVersion& version) {
  const v1::TrainingSummary& training = version.training();
  if (training.dataset().empty()) {
    return absl::FailedPreconditionError("the model's version does not say which dataset it was trained on");
  }
  ABSL_ASSIGN_OR_RETURN(const DatasetName name, DatasetName::Parse(training.dataset()));
  std::vector<DatasetPart> parts;
  absl::StatusOr<v1::Dataset> dataset = registry.GetDatasetRevision(name, training.dataset_revision(), &parts);
  const std::string what = absl::StrCat("the chain that the model was trained on, ", training.dataset(),
                                        " at revision ", training.dataset_revision());
  if (absl::IsNotFound(dataset.status())) {
    return absl::FailedPreconditionError(
        absl::StrCat(what,
                     ", is not in this registry (deleted, or the model was imported): upload it again under its "
                     "name, in the same parts"));
  }
  if (!dataset.ok()) return dataset.status();
  if (dataset->digest() != training.dataset_digest()) {
    return absl::FailedPreconditionError(absl::StrCat(what, ", has other rows now: its digest is ", dataset->digest(),
                                                      ", trained on was ", training.dataset_digest()));
  }
  return dataset;
}

absl::StatusOr<RowBlock> ReadTrainingRows(Registry& registry, const v1::Dataset& dataset, const StopToken& stop) {
  ABSL_ASSIGN_OR_RETURN(const DatasetName name, DatasetName::Parse(dataset.name()));
  std::vector<DatasetPart> parts;
  ABSL_RETURN_IF_ERROR(registry.GetDatasetRevision(name, dataset.revision(), &parts).status());
  ABSL_ASSIGN_OR_RETURN(const auto reader, PartsReader::Open(registry.blobs(), dataset, parts));
  RowBlock rows;
  for (int64_t begin = 0; begin < reader->num_rows(); begin += kRowsAtOnce) {
    ABSL_RETURN_IF_ERROR(stop.Check());
    ABSL_ASSIGN_OR_RETURN(const RowBlock block, reader->Read(begin, std::min(reader->num_rows(), begin + kRowsAtOnce)));
    rows.num_rows += block.num_rows;
    Append(block.theta, &rows.theta);
    Append(block.weight, &rows.weight);
    Append(block.chain, &rows.chain);
    Append(block.log_likelihood, &rows.log_likelihood);
    Append(block.log_likelihood_birth, &rows.log_likelihood_birth);
  }
  return rows;
}

}  // namespace creamery
