// Log-densities of many rows on a device of LibTorch, in float64: for networks that are too large for the processor.
#ifndef CREAMERY_MODELS_TRAINING_DEVICE_LOG_PROB_H_
#define CREAMERY_MODELS_TRAINING_DEVICE_LOG_PROB_H_

#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "models/plan/plan.h"
#include "proto/support/stop_token.h"

namespace creamery {

// As PlanLogProb, for a plan whose layers FlowNetwork made; `device`: "cpu" or "cuda:0". theta: (n, d) -> log_prob:
// (n,), natural log, in theta's units; -inf where a column is at or beyond a bound; never NaN. Memory does not grow
// with n. CANCELLED from `stop`. Throws what LibTorch throws.
absl::Status DeviceLogProb(const Plan& plan, const std::string& device, absl::Span<const double> theta,
                           absl::Span<double> log_prob, const StopToken& stop);

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_DEVICE_LOG_PROB_H_
