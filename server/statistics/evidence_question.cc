#include "server/statistics/evidence_question.h"

#include "absl/strings/str_cat.h"
#include "models/statistics/evidence.h"
#include "models/statistics/harmonic_mean.h"
#include "models/statistics/importance_sampling.h"
#include "proto/support/status_macros.h"
#include "server/statistics/training_data.h"

namespace creamery {
namespace {

// What can be refused before the first row is read.
absl::Status CheckHarmonicMean(const v1::HarmonicMean& request, const v1::Dataset& dataset) {
  if (request.has_temperature() && !(request.temperature() > 0 && request.temperature() <= 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("temperature is ", request.temperature(), ", expected a number in (0, 1]"));
  }
  if (dataset.has_log_likelihood()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "the chain that the model was trained on, ", dataset.name(),
      ", carries no log-likelihoods: upload it with them and train again, or ask for importance sampling"));
}

absl::Status CheckImportanceSampling(const v1::ImportanceSampling& request) {
  ABSL_RETURN_IF_ERROR(
      ParseRounds(request.target_effective_size(), request.max_points(), request.round_size()).status());
  return ParseLogLikelihood(request.log_likelihood()).status();
}

}  // namespace

absl::StatusOr<EvidenceQuestion> OpenEvidence(const StatisticsSource& source, const v1::EvidenceRequest& request,
                                              const StopToken& stop) {
  EvidenceQuestion question;
  if (request.method_case() == v1::EvidenceRequest::METHOD_NOT_SET) {
    return absl::InvalidArgumentError("method is not set, expected harmonic_mean or importance_sampling");
  }
  ABSL_ASSIGN_OR_RETURN(question.model, source.models.Acquire(request.model(), stop));
  const v1::ModelVersion& version = question.model.estimator->description();
  ABSL_RETURN_IF_ERROR(CheckFullSpace("the evidence", version.signature()));
  ABSL_ASSIGN_OR_RETURN(question.prior, OpenPrior(source.models, question.model, request.prior(), stop));
  if (request.has_harmonic_mean()) {
    ABSL_ASSIGN_OR_RETURN(question.dataset, FindTrainingData(source.registry, version));
    ABSL_RETURN_IF_ERROR(CheckHarmonicMean(request.harmonic_mean(), question.dataset));
  } else {
    ABSL_RETURN_IF_ERROR(CheckImportanceSampling(request.importance_sampling()));
  }
  question.request = request;
  question.seed = SeedOf(request);
  return question;
}

absl::StatusOr<v1::EvidenceResponse> AnswerEvidence(const StatisticsSource& source, const EvidenceQuestion& question,
                                                    int64_t max_bytes, const StopToken& stop) {
  const Estimator& model = *question.model.estimator;
  v1::EvidenceResponse response;
  if (question.request.has_harmonic_mean()) {
    ABSL_ASSIGN_OR_RETURN(const RowBlock rows, ReadTrainingRows(source.registry, question.dataset, stop));
    ABSL_ASSIGN_OR_RETURN(response, HarmonicMeanEvidence(model, question.prior.prior, question.dataset, rows,
                                                         question.request.harmonic_mean(), question.seed, stop));
  } else {
    ABSL_ASSIGN_OR_RETURN(
        response, ImportanceSamplingEvidence(model, question.prior.prior, question.request.importance_sampling(),
                                             question.seed, max_bytes, stop));
  }
  SetOrigin(question.model, question.prior, question.seed, &response);
  return response;
}

}  // namespace creamery
