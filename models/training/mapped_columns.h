// Column maps to a space without bounds, for families that are not layers of a flow.
#ifndef CREAMERY_MODELS_TRAINING_MAPPED_COLUMNS_H_
#define CREAMERY_MODELS_TRAINING_MAPPED_COLUMNS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "creamery/v1/estimator_spec.pb.h"
#include "models/data_preparation.h"
#include "models/plan/plan.h"
#include "proto/support/stop_token.h"

namespace creamery {

// The maps that affine layers would get (ChooseColumns): standardised, or by the normal quantile, where a posterior
// leans on an edge behind a box spline. From the rows `use` only.
absl::StatusOr<std::vector<ColumnMap>> MappedColumns(const PreparedData& data, absl::Span<const int64_t> use,
                                                     const v1::EstimatorSpec& spec, const StopToken& stop);

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_MAPPED_COLUMNS_H_
