// All estimates of log(Z_1 / Z_2) of two models of the same data, side by side, and whether they agree.
#ifndef CREAMERY_MODELS_STATISTICS_EVIDENCE_RATIO_H_
#define CREAMERY_MODELS_STATISTICS_EVIDENCE_RATIO_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "creamery/v1/dataset.pb.h"
#include "creamery/v1/statistics_service.pb.h"
#include "models/estimator.h"
#include "proto/support/rows.h"
#include "proto/support/stop_token.h"

namespace creamery {

// One model of a ratio. Borrowed for the call.
struct EvidenceSide {
  const Estimator* model = nullptr;
  // The density of the prior that the model's signature names (prior_model), or null for the signature's analytic
  // priors.
  const Estimator* prior_model = nullptr;
  // The dataset it was trained on and its rows, or null with the reason, a sentence's end: "the dataset was deleted".
  const v1::Dataset* dataset = nullptr;
  const RowBlock* rows = nullptr;
  std::string no_rows;
  std::vector<v1::NamedEvidence> given;
};

// Of each side: its declared log-evidence, the harmonic mean if the chain carries log-likelihoods and the model is of
// the full space, and the given ones. Then every pair of methods, the same on both sides first. Fills all of the answer
// but the versions. A declared or given error counts as the chain's. What fails for one estimate is a remark and not an
// error, but for CANCELLED and DEADLINE_EXCEEDED. ESTIMATES_DISAGREE when two estimates of one side differ by more than
// three of their combined errors; NO_LOG_EVIDENCE when a side declares none. INVALID_ARGUMENT for a given evidence
// without a method's name, or with numbers that are not finite.
absl::StatusOr<v1::EvidenceRatioResponse> ComputeEvidenceRatio(const EvidenceSide& numerator,
                                                               const EvidenceSide& denominator, uint64_t seed,
                                                               const StopToken& stop);

}  // namespace creamery

#endif  // CREAMERY_MODELS_STATISTICS_EVIDENCE_RATIO_H_
