// LogLikelihood of one model, or summed over many.
#ifndef CREAMERY_SERVER_SERVICES_LOG_LIKELIHOOD_ANSWER_H_
#define CREAMERY_SERVER_SERVICES_LOG_LIKELIHOOD_ANSWER_H_

#include "absl/status/status.h"
#include "creamery/v1/inference_service.pb.h"
#include "proto/support/stop_token.h"
#include "server/rpc/call.h"
#include "server/served_models.h"
#include "server/services/limits.h"

namespace creamery {

// Where it runs: by its estimated cost, with the disk if models have to be loaded.
Work WorkForLogLikelihood(ServedModels& models, const v1::LogLikelihoodRequest& request);

// Loads the models, reads the points and fills the response. The errors of SumLogLikelihoods, of ReadTheta, and
// INVALID_ARGUMENT for more than 10000 further models.
absl::Status AnswerLogLikelihood(const v1::LogLikelihoodRequest& request, ServedModels& models, const Limits& limits,
                                 const StopToken& stop, v1::LogLikelihoodResponse* response);

}  // namespace creamery

#endif  // CREAMERY_SERVER_SERVICES_LOG_LIKELIHOOD_ANSWER_H_
