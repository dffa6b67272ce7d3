// The gradient of a plan's log-density, by reverse mode in float64. Thread-safe.
#ifndef CREAMERY_MODELS_PLAN_GRADIENT_H_
#define CREAMERY_MODELS_PLAN_GRADIENT_H_

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "models/plan/plan.h"
#include "proto/support/stop_token.h"

namespace creamery {

// theta: (n, d) -> log_prob: (n,), bit for bit that of PlanLogProb, and gradient: (n, d) = d log_prob / d theta, zeros
// where log_prob is -inf. At a knot of a spline, where the gradient jumps, that of the bin above. Bit-identical
// whatever n is. About three times the work of PlanLogProb.
absl::Status PlanLogProbGradient(const Plan& plan, absl::Span<const double> theta, absl::Span<double> log_prob,
                                 absl::Span<double> gradient, const StopToken& stop);

}  // namespace creamery

#endif  // CREAMERY_MODELS_PLAN_GRADIENT_H_
