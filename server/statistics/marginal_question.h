// MarginalKL and ModelDimensionality, opened and answered.
#ifndef CREAMERY_SERVER_STATISTICS_MARGINAL_QUESTION_H_
#define CREAMERY_SERVER_STATISTICS_MARGINAL_QUESTION_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "creamery/v1/statistics_service.pb.h"
#include "proto/support/status_macros.h"
#include "server/statistics/source.h"

namespace creamery {

struct MarginalQuestion {
  ServedModel model;
  OpenedPrior prior;
  int64_t num_samples = 0;
  uint64_t seed = 0;
};

// INVALID_ARGUMENT for num_samples out of range; the errors of ServedModels::Acquire and OpenPrior.
template <typename Request>
absl::StatusOr<MarginalQuestion> OpenMarginal(ServedModels& models, const Request& request, const StopToken& stop) {
  MarginalQuestion question;
  ABSL_ASSIGN_OR_RETURN(question.num_samples, CheckCount("num_samples", request.num_samples(), 10000, 100, 1000000));
  ABSL_ASSIGN_OR_RETURN(question.model, models.Acquire(request.model(), stop));
  ABSL_ASSIGN_OR_RETURN(question.prior, OpenPrior(models, question.model, request.prior(), stop));
  question.seed = SeedOf(request);
  return question;
}

// The rows of the training are read if the prior asks for them and they are there.
absl::StatusOr<v1::MarginalKLResponse> AnswerMarginalKL(const StatisticsSource& source,
                                                        const MarginalQuestion& question, const StopToken& stop);
absl::StatusOr<v1::ModelDimensionalityResponse> AnswerModelDimensionality(const StatisticsSource& source,
                                                                          const MarginalQuestion& question,
                                                                          const StopToken& stop);

}  // namespace creamery

#endif  // CREAMERY_SERVER_STATISTICS_MARGINAL_QUESTION_H_
