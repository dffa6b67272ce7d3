// Densities whose base is contracted, for the learnt harmonic mean (Polanska et al. 2024, arXiv:2405.05969, section 3).
#ifndef CREAMERY_MODELS_DENSITIES_CONTRACTION_H_
#define CREAMERY_MODELS_DENSITIES_CONTRACTION_H_

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "models/estimator.h"
#include "proto/support/stop_token.h"

namespace creamery {

// Density::ContractedLogProb for a density whose PriorTransform is one to one, so that it is the push-forward of
// z = Phi^-1(u) ~ N(0, 1): log p(theta) + sum_j [log N(z_j; 0, T) - log N(z_j; 0, 1)]. Rows outside the support get
// -inf.
absl::Status ContractThroughTransform(const Density& density, absl::Span<const double> theta, double temperature,
                                      absl::Span<double> log_prob, const StopToken& stop);

}  // namespace creamery

#endif  // CREAMERY_MODELS_DENSITIES_CONTRACTION_H_
