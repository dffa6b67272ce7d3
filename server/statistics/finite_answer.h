// The last look at an answer before it leaves: no number in it that is none.
#ifndef CREAMERY_SERVER_STATISTICS_FINITE_ANSWER_H_
#define CREAMERY_SERVER_STATISTICS_FINITE_ANSWER_H_

#include "absl/status/status.h"
#include "google/protobuf/message.h"

namespace creamery {

// INTERNAL naming the version and the field if a number of `answer`, at any depth, is NaN or infinite. What may be
// infinite and says so: `k_hat` of too few weights, and the errors of an average over one point. Arrays are not looked
// into: what they hold comes from densities, which check their own.
absl::Status CheckFiniteAnswer(const google::protobuf::Message& answer);

}  // namespace creamery

#endif  // CREAMERY_SERVER_STATISTICS_FINITE_ANSWER_H_
