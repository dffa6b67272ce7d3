// Weights from the posterior of one likelihood to that of another, whose values the client computes in rounds:
// importance sampling with two sources of points, each weighted on its own and brought together by what it is worth.
#ifndef CREAMERY_MODELS_STATISTICS_REWEIGHT_H_
#define CREAMERY_MODELS_STATISTICS_REWEIGHT_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "creamery/v1/dataset.pb.h"
#include "creamery/v1/statistics_service.pb.h"
#include "models/estimator.h"
#include "models/statistics/marginal.h"
#include "proto/support/rows.h"
#include "proto/support/stop_token.h"

namespace creamery {

// The chain that the model was trained on, if it is at hand. Borrowed for the call.
struct ReweightChain {
  const v1::Dataset* dataset = nullptr;
  const RowBlock* rows = nullptr;
};

// One round: weights of all points so far, and the next points. Fills all of the answer but the versions.
//
// Points 0..m-1 are rows of the chain (ThinChain), weighted by L_new / L; then rows 0, 1, ... of Sample(model, seed),
// weighted by L_new prior / q. m is `chain_points`, or the chain's effective size (0 without log-likelihoods): it, the
// seed and the model decide which points there are; target, max_points and round_size only how many are asked.
//
// The two sets estimate the same posterior, but the chain's weights are known up to Z alone and L is unknown at the
// model's points, so no common (balance) weight can be formed. Each set is normalised to sum 1 and takes a share of the
// whole in proportion to its effective size: of all fixed shares it gives the smallest variance for an average, and the
// effective sizes add up. The chain's is Kish's of its weights, times the share that its rows' correlation leaves.
//
// PARTIAL_RESULT if max_points are used before the target is reached. log(Z_new / Z) comes from the chain's points,
// with the error of the kind of its rows (AverageExponentials). `max_bytes` bounds the bytes of the arrays of the
// answer.
//
// FAILED_PRECONDITION if the model is not of all sampled parameters, chain_points are asked of a chain without
// log-likelihoods, or the rows are not those it was trained on; INVALID_ARGUMENT for NaN or +inf in log_likelihood (the
// row is named) and for options out of range; RESOURCE_EXHAUSTED if the weights alone exceed `max_bytes`.
absl::StatusOr<v1::ReweightResponse> ReweightRound(const Estimator& model, const MarginalPrior& prior,
                                                   const ReweightChain& chain, const v1::ReweightRequest& request,
                                                   uint64_t seed, int64_t max_bytes, const StopToken& stop);

}  // namespace creamery

#endif  // CREAMERY_MODELS_STATISTICS_REWEIGHT_H_
