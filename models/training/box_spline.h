// A density on [0, 1] as one spline, for parameters whose posterior leans on an edge of its box.
#ifndef CREAMERY_MODELS_TRAINING_BOX_SPLINE_H_
#define CREAMERY_MODELS_TRAINING_BOX_SPLINE_H_

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "models/plan/plan.h"
#include "proto/support/stop_token.h"

namespace creamery {

// Maximum weighted likelihood of u: (n) in [0, 1], weight: (n), by full-batch Adam in float64: no random numbers. More
// effective rows get more bins, 4 to 16. CANCELLED or DEADLINE_EXCEEDED from `stop`.
absl::StatusOr<SplineKnots> FitBoxSpline(absl::Span<const double> u, absl::Span<const double> weight,
                                         double effective_rows, const StopToken& stop);

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_BOX_SPLINE_H_
