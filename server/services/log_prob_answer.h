// LogProb, once its model is loaded and its points are read.
#ifndef CREAMERY_SERVER_SERVICES_LOG_PROB_ANSWER_H_
#define CREAMERY_SERVER_SERVICES_LOG_PROB_ANSWER_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "creamery/v1/inference_service.pb.h"
#include "proto/support/stop_token.h"
#include "server/compute_pool.h"
#include "server/served_models.h"

namespace creamery {

// Bytes of the reply for each row of d parameters.
int64_t ReplyBytesPerRow(const v1::LogProbRequest& request, int64_t d);
// An estimate of the time `rows` rows take.
absl::Duration EstimatedLogProbCost(const v1::LogProbRequest& request, const Estimator& estimator, int64_t rows);

// Fills the response for theta (n, d) in the model's order, many rows on several threads of `pool`.
// INVALID_ARGUMENT for a prior_fraction outside [0, 1), FAILED_PRECONDITION for one without analytic priors and for a
// spread of fewer than two members.
absl::Status AnswerLogProb(const v1::LogProbRequest& request, const ServedModel& model,
                           const std::vector<double>& theta, ComputePool& pool, const StopToken& stop,
                           v1::LogProbResponse* response);

}  // namespace creamery

#endif  // CREAMERY_SERVER_SERVICES_LOG_PROB_ANSWER_H_
