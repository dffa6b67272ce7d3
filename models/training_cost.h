// What a training will take in memory, found from its spec and the size of its data alone, before anything is made.
// Options each in their range can ask together for more than any machine has.
#ifndef CREAMERY_MODELS_TRAINING_COST_H_
#define CREAMERY_MODELS_TRAINING_COST_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "creamery/v1/dataset.pb.h"
#include "creamery/v1/estimator_spec.pb.h"

namespace creamery {

struct TrainingCost {
  int64_t weights = 0;        // of the largest network
  int64_t network_bytes = 0;  // of all networks, with gradients, moments, averages, masks, checkpoint and artifact
  int64_t row_bytes = 0;      // of the rows, as they come, as they are mapped, and what is found for each of them
  int64_t bytes() const { return network_bytes + row_bytes; }
};

// The most that is held at one time. `spec`: as CompleteSpec leaves it; for d parameters of a dataset with `columns`
// columns and `rows` rows; `threads`: networks trained side by side. Held against what trainings were measured to take:
// at most a factor of two off where it is more than 64 MiB.
TrainingCost EstimateTrainingCost(const v1::EstimatorSpec& spec, int64_t d, int64_t columns, int64_t rows,
                                  int64_t threads);

// RESOURCE_EXHAUSTED if that is more than `max_bytes`, saying how much it is, `limit_name` and what to make smaller.
// `num_parameters`: those that are kept. No limit if `max_bytes` is 0.
absl::Status CheckTrainingCost(const v1::EstimatorSpec& spec, const v1::Dataset& dataset, int64_t num_parameters,
                               int64_t threads, int64_t max_bytes, absl::string_view limit_name);

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_COST_H_
