#include "server/statistics/evidence_ratio_question.h"

#include <string>

#include "models/statistics/evidence_ratio.h"
#include "proto/support/status_macros.h"
#include "server/statistics/training_data.h"

namespace creamery {
namespace {

absl::StatusOr<EvidenceRatioQuestion::Side> OpenSide(ServedModels& models, const std::string& name,
                                                     const StopToken& stop) {
  EvidenceRatioQuestion::Side side;
  ABSL_ASSIGN_OR_RETURN(side.model, models.Acquire(name, stop));
  ABSL_ASSIGN_OR_RETURN(side.prior_model, OpenPriorModelOf(models, side.model, stop));
  return side;
}

// A side and what it borrows.
struct ReadSide {
  EvidenceSide side;
  v1::Dataset dataset;
  RowBlock rows;
};

absl::Status Read(Registry& registry, const EvidenceRatioQuestion::Side& opened,
                  const google::protobuf::RepeatedPtrField<v1::NamedEvidence>& given, const StopToken& stop,
                  ReadSide* read) {
  read->side.model = opened.model.estimator.get();
  read->side.prior_model = opened.prior_model.estimator.get();
  read->side.given = {given.begin(), given.end()};
  absl::StatusOr<v1::Dataset> dataset = FindTrainingData(registry, opened.model.estimator->description());
  if (!dataset.ok()) {
    read->side.no_rows = std::string(dataset.status().message());
    return absl::OkStatus();
  }
  if (!dataset->has_log_likelihood()) {
    read->side.no_rows = "the chain carries no log-likelihoods";
    return absl::OkStatus();
  }
  absl::StatusOr<RowBlock> rows = ReadTrainingRows(registry, *dataset, stop);
  ABSL_RETURN_IF_ERROR(stop.Check());
  if (!rows.ok()) {
    read->side.no_rows = std::string(rows.status().message());
    return absl::OkStatus();
  }
  read->dataset = *std::move(dataset);
  read->rows = *std::move(rows);
  read->side.dataset = &read->dataset;
  read->side.rows = &read->rows;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<EvidenceRatioQuestion> OpenEvidenceRatio(const StatisticsSource& source,
                                                        const v1::EvidenceRatioRequest& request,
                                                        const StopToken& stop) {
  EvidenceRatioQuestion question;
  ABSL_ASSIGN_OR_RETURN(question.numerator, OpenSide(source.models, request.numerator(), stop));
  ABSL_ASSIGN_OR_RETURN(question.denominator, OpenSide(source.models, request.denominator(), stop));
  question.request = request;
  question.seed = SeedOf(request);
  return question;
}

absl::StatusOr<v1::EvidenceRatioResponse> AnswerEvidenceRatio(const StatisticsSource& source,
                                                              const EvidenceRatioQuestion& question,
                                                              const StopToken& stop) {
  ReadSide numerator;
  ReadSide denominator;
  ABSL_RETURN_IF_ERROR(
      Read(source.registry, question.numerator, question.request.numerator_evidences(), stop, &numerator));
  ABSL_RETURN_IF_ERROR(
      Read(source.registry, question.denominator, question.request.denominator_evidences(), stop, &denominator));
  ABSL_ASSIGN_OR_RETURN(v1::EvidenceRatioResponse response,
                        ComputeEvidenceRatio(numerator.side, denominator.side, question.seed, stop));
  response.set_seed(question.seed);
  response.clear_model_versions();
  response.add_model_versions(question.numerator.model.version);
  response.add_model_versions(question.denominator.model.version);
  return response;
}

}  // namespace creamery
