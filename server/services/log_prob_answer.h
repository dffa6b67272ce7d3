// LogProb, once its model is loaded.
#ifndef CREAMERY_SERVER_SERVICES_LOG_PROB_ANSWER_H_
#define CREAMERY_SERVER_SERVICES_LOG_PROB_ANSWER_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "creamery/v1/inference_service.pb.h"
#include "proto/support/stop_token.h"
#include "server/compute_pool.h"
#include "server/served_models.h"
#include "server/services/limits.h"

namespace creamery {

// An estimate of the time the whole question takes.
absl::Duration EstimatedLogProbCost(const v1::LogProbRequest& request, const Estimator& estimator);

// Checks the question, computes, many rows on several threads of `pool`, and fills the response. The errors of
// ReadTheta; INVALID_ARGUMENT for a context, an unknown precision or a prior_fraction outside [0, 1);
// FAILED_PRECONDITION if the model is not a density, for a share of the prior without analytic priors and for a spread
// of fewer than two members. After an error the response is not to be used.
absl::Status AnswerLogProb(const v1::LogProbRequest& request, const ServedModel& model, const Limits& limits,
                           ComputePool& pool, const StopToken& stop, v1::LogProbResponse* response);

}  // namespace creamery

#endif  // CREAMERY_SERVER_SERVICES_LOG_PROB_ANSWER_H_
