// Rows brought to the space of a plan's layers: column maps and whitening, in float64, once per member.
#ifndef CREAMERY_MODELS_TRAINING_LAYER_SPACE_H_
#define CREAMERY_MODELS_TRAINING_LAYER_SPACE_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "models/data_preparation.h"
#include "models/plan/plan.h"
#include "models/training/training_loop.h"

namespace creamery {

// One row: theta: (d) -> y: (d). Returns log |det dy/dtheta|, natural log; not finite if the row cannot be mapped.
double RowToLayerSpace(const Plan& plan, const double* theta, double* y);

// Rows `use` of `data`, weights scaled to mean 1 over them. FAILED_PRECONDITION if a row cannot be mapped.
absl::StatusOr<LoopRows> ToLayerSpace(const Plan& plan, const PreparedData& data, absl::Span<const int64_t> use);

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_LAYER_SPACE_H_
