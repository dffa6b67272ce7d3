// Evidence, opened and answered: by the learnt harmonic mean, or a round of importance sampling.
#ifndef CREAMERY_SERVER_STATISTICS_EVIDENCE_QUESTION_H_
#define CREAMERY_SERVER_STATISTICS_EVIDENCE_QUESTION_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "creamery/v1/statistics_service.pb.h"
#include "server/statistics/source.h"

namespace creamery {

struct EvidenceQuestion {
  ServedModel model;
  OpenedPrior prior;
  v1::EvidenceRequest request;
  v1::Dataset dataset;  // of the harmonic mean: what the model was trained on
  uint64_t seed = 0;
};

// INVALID_ARGUMENT without a method or with numbers out of range; FAILED_PRECONDITION if the model is not of all
// sampled parameters, or, for the harmonic mean, its chain is not there or carries no log-likelihoods.
absl::StatusOr<EvidenceQuestion> OpenEvidence(const StatisticsSource& source, const v1::EvidenceRequest& request,
                                              const StopToken& stop);
// `max_bytes` bounds next_theta.
absl::StatusOr<v1::EvidenceResponse> AnswerEvidence(const StatisticsSource& source, const EvidenceQuestion& question,
                                                    int64_t max_bytes, const StopToken& stop);

}  // namespace creamery

#endif  // CREAMERY_SERVER_STATISTICS_EVIDENCE_QUESTION_H_
