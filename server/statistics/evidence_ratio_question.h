// EvidenceRatio, opened and answered.
#ifndef CREAMERY_SERVER_STATISTICS_EVIDENCE_RATIO_QUESTION_H_
#define CREAMERY_SERVER_STATISTICS_EVIDENCE_RATIO_QUESTION_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "creamery/v1/statistics_service.pb.h"
#include "server/statistics/source.h"

namespace creamery {

struct EvidenceRatioQuestion {
  struct Side {
    ServedModel model;
    ServedModel prior_model;  // the one it was trained with, if there is one
  };
  Side numerator;
  Side denominator;
  v1::EvidenceRatioRequest request;
  uint64_t seed = 0;
};

absl::StatusOr<EvidenceRatioQuestion> OpenEvidenceRatio(const StatisticsSource& source,
                                                        const v1::EvidenceRatioRequest& request, const StopToken& stop);
// A chain that is not there is a remark of the answer.
absl::StatusOr<v1::EvidenceRatioResponse> AnswerEvidenceRatio(const StatisticsSource& source,
                                                              const EvidenceRatioQuestion& question,
                                                              const StopToken& stop);

}  // namespace creamery

#endif  // CREAMERY_SERVER_STATISTICS_EVIDENCE_RATIO_QUESTION_H_
