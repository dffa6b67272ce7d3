// The chain that a version was trained on, from the registry: what the learnt harmonic mean and reweighting start from.
#ifndef CREAMERY_SERVER_STATISTICS_TRAINING_DATA_H_
#define CREAMERY_SERVER_STATISTICS_TRAINING_DATA_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "creamery/v1/dataset.pb.h"
#include "models/estimator.h"
#include "proto/support/rows.h"
#include "proto/support/stop_token.h"
#include "storage/registry.h"

namespace creamery {

// The dataset at the revision the version was trained on. FAILED_PRECONDITION, saying what to do, if the version names
// none, if it was deleted, or if it has other rows now. Does not touch the rows.
absl::StatusOr<v1::Dataset> FindTrainingData(Registry& registry, const v1::ModelVersion& version);

// All of its rows, in order. `dataset` as FindTrainingData returns it. DATA_LOSS for a damaged part.
absl::StatusOr<RowBlock> ReadTrainingRows(Registry& registry, const v1::Dataset& dataset, const StopToken& stop);

}  // namespace creamery

#endif  // CREAMERY_SERVER_STATISTICS_TRAINING_DATA_H_
