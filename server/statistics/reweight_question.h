// One round of Reweight, opened and answered.
#ifndef CREAMERY_SERVER_STATISTICS_REWEIGHT_QUESTION_H_
#define CREAMERY_SERVER_STATISTICS_REWEIGHT_QUESTION_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "creamery/v1/statistics_service.pb.h"
#include "server/statistics/source.h"

namespace creamery {

// The points of all rounds must be the same ones, and those of the chain come first: if the chain that the model was
// trained on is gone, the request has to say chain_points 0, else FAILED_PRECONDITION. `max_bytes` bounds the answer.
absl::StatusOr<v1::ReweightResponse> AnswerReweight(const StatisticsSource& source, const v1::ReweightRequest& request,
                                                    int64_t max_bytes, const StopToken& stop);

}  // namespace creamery

#endif  // CREAMERY_SERVER_STATISTICS_REWEIGHT_QUESTION_H_
