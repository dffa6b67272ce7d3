// Runs a plan in plain C++ and float64: the reference every faster path is held against. Functions of a checked plan
// (CheckPlan) and spans; thread-safe.
#ifndef CREAMERY_MODELS_PLAN_INTERPRETER_H_
#define CREAMERY_MODELS_PLAN_INTERPRETER_H_

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "models/plan/plan.h"
#include "proto/support/stop_token.h"

namespace creamery {

// theta: (n, d) -> log_prob: (n,), natural log, in theta's units; -inf where a column is at or beyond a bound; never
// NaN.
absl::Status PlanLogProb(const Plan& plan, absl::Span<const double> theta, absl::Span<double> log_prob,
                         const StopToken& stop);

// u: (n, d) in (0, 1) -> theta: (n, d): base quantiles, the layers' inverses, the maps' inverses. Inverts dimension by
// dimension, computing each hidden unit once, when the last input it sees is known: the work of one forward pass.
absl::Status PlanInverse(const Plan& plan, absl::Span<const double> u, absl::Span<double> theta, const StopToken& stop);

// theta: (n, d) inside the bounds -> u: (n, d) in (0, 1), the place that PlanInverse maps back to theta.
// INVALID_ARGUMENT naming the first row where the density is zero.
absl::Status PlanForward(const Plan& plan, absl::Span<const double> theta, absl::Span<double> u, const StopToken& stop);

}  // namespace creamery

#endif  // CREAMERY_MODELS_PLAN_INTERPRETER_H_
