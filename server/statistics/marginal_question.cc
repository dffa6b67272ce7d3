#include "server/statistics/marginal_question.h"

#include "models/statistics/marginal.h"

namespace creamery {
namespace {

absl::StatusOr<MarginalStatistics> Compute(const MarginalQuestion& question, const StopToken& stop) {
  return ComputeMarginal(*question.model.estimator, question.prior.prior, question.num_samples, question.seed, stop);
}

}  // namespace

absl::StatusOr<v1::MarginalKLResponse> AnswerMarginalKL(const MarginalQuestion& question, const StopToken& stop) {
  ABSL_ASSIGN_OR_RETURN(const MarginalStatistics statistics, Compute(question, stop));
  v1::MarginalKLResponse response;
  *response.mutable_kl() = statistics.kl;
  SetOrigin(question.model, question.prior, question.seed, &response);
  for (const v1::Warning warning : statistics.warnings) response.add_warnings(warning);
  return response;
}

absl::StatusOr<v1::ModelDimensionalityResponse> AnswerModelDimensionality(const MarginalQuestion& question,
                                                                          const StopToken& stop) {
  ABSL_ASSIGN_OR_RETURN(const MarginalStatistics statistics, Compute(question, stop));
  v1::ModelDimensionalityResponse response;
  *response.mutable_dimensionality() = statistics.dimensionality;
  SetOrigin(question.model, question.prior, question.seed, &response);
  for (const v1::Warning warning : statistics.dimensionality_warnings) response.add_warnings(warning);
  return response;
}

}  // namespace creamery
