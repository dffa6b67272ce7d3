#include "server/statistics/marginal_question.h"

#include <string>

#include "models/statistics/marginal.h"
#include "server/statistics/training_data.h"

namespace creamery {
namespace {

// Over the rows of the training where the prior asks for them; what keeps them away is a remark of the answer.
absl::StatusOr<MarginalStatistics> Compute(const StatisticsSource& source, const MarginalQuestion& question,
                                           const StopToken& stop) {
  const Estimator& model = *question.model.estimator;
  const MarginalPrior& prior = question.prior.prior;
  MarginalRows rows;
  if (!NeedsRows(model, prior)) {
    return ComputeMarginal(model, prior, rows, question.num_samples, question.seed, stop);
  }
  const absl::StatusOr<v1::Dataset> dataset = FindTrainingData(source.registry, model.description());
  if (!dataset.ok()) {
    if (!absl::IsFailedPrecondition(dataset.status())) return dataset.status();
    rows.missing = std::string(dataset.status().message());
    return ComputeMarginal(model, prior, rows, question.num_samples, question.seed, stop);
  }
  ABSL_ASSIGN_OR_RETURN(const RowBlock block, ReadTrainingRows(source.registry, *dataset, stop));
  rows.dataset = &*dataset;
  rows.rows = &block;
  return ComputeMarginal(model, prior, rows, question.num_samples, question.seed, stop);
}

}  // namespace

absl::StatusOr<v1::MarginalKLResponse> AnswerMarginalKL(const StatisticsSource& source,
                                                        const MarginalQuestion& question, const StopToken& stop) {
  ABSL_ASSIGN_OR_RETURN(const MarginalStatistics statistics, Compute(source, question, stop));
  v1::MarginalKLResponse response;
  *response.mutable_kl() = statistics.kl;
  SetOrigin(question.model, question.prior, question.seed, &response);
  for (const v1::Warning warning : statistics.warnings) response.add_warnings(warning);
  for (const std::string& remark : statistics.remarks) response.add_remarks(remark);
  return response;
}

absl::StatusOr<v1::ModelDimensionalityResponse> AnswerModelDimensionality(const StatisticsSource& source,
                                                                          const MarginalQuestion& question,
                                                                          const StopToken& stop) {
  ABSL_ASSIGN_OR_RETURN(const MarginalStatistics statistics, Compute(source, question, stop));
  v1::ModelDimensionalityResponse response;
  *response.mutable_dimensionality() = statistics.dimensionality;
  SetOrigin(question.model, question.prior, question.seed, &response);
  for (const v1::Warning warning : statistics.dimensionality_warnings) response.add_warnings(warning);
  for (const std::string& remark : statistics.remarks) response.add_remarks(remark);
  return response;
}

}  // namespace creamery
