// The evidence by importance sampling from a trained posterior, with likelihood values that the client computes in
// rounds.
//   log Z = logsumexp(log L + log prior - log q) - log N,   theta ~ q = (1 - f) flow + f prior.
// Unbiased in Z whatever the flow; the share of the prior keeps the weights bounded by L / f.
#ifndef CREAMERY_MODELS_STATISTICS_IMPORTANCE_SAMPLING_H_
#define CREAMERY_MODELS_STATISTICS_IMPORTANCE_SAMPLING_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "creamery/v1/statistics_service.pb.h"
#include "models/estimator.h"
#include "models/statistics/marginal.h"
#include "proto/support/stop_token.h"

namespace creamery {

// One round: the estimate from all values so far, and the next points. The points are rows 0, 1, ... of Sample(q,
// seed): the same model, prior, prior_fraction and seed give the same ones, whatever the sizes of the rounds.
//
// Fills all of the answer but the versions. The error is sqrt((1 / n_eff - 1 / N) N / (N - 1)), the delta method's. As
// long as every value is -inf there is no log_z; the answer says FEW_EFFECTIVE_SAMPLES and asks for more points.
// PARTIAL_RESULT if max_points are used before the target is reached. `max_bytes` bounds the bytes of next_theta.
//
// FAILED_PRECONDITION if the model is not of all sampled parameters; INVALID_ARGUMENT for NaN or +inf in log_likelihood
// (the row is named) and for options out of range.
absl::StatusOr<v1::EvidenceResponse> ImportanceSamplingEvidence(const Estimator& model, const MarginalPrior& prior,
                                                                const v1::ImportanceSampling& request, uint64_t seed,
                                                                int64_t max_bytes, const StopToken& stop);

}  // namespace creamery

#endif  // CREAMERY_MODELS_STATISTICS_IMPORTANCE_SAMPLING_H_
