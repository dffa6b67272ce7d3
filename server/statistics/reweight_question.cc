#include "server/statistics/reweight_question.h"

#include "absl/strings/str_cat.h"
#include "models/statistics/evidence.h"
#include "models/statistics/reweight.h"
#include "proto/support/status_macros.h"
#include "server/statistics/training_data.h"

namespace creamery {
namespace {

// The chain, if its points are asked for and it can have some.
absl::StatusOr<bool> ReadChain(const StatisticsSource& source, const v1::ModelVersion& version,
                               const v1::ReweightRequest& request, const StopToken& stop, v1::Dataset* dataset,
                               RowBlock* rows) {
  if (request.has_chain_points() && request.chain_points() == 0) return false;
  const bool asked = request.has_chain_points();
  if (version.training().dataset().empty() && !asked) return false;
  absl::StatusOr<v1::Dataset> found = FindTrainingData(source.registry, version);
  if (!found.ok()) {
    return absl::Status(found.status().code(), absl::StrCat(found.status().message(),
                                                            "; or take points from the model alone: chain_points 0"));
  }
  if (!found->has_log_likelihood() && !asked) return false;
  *dataset = *std::move(found);
  ABSL_ASSIGN_OR_RETURN(*rows, ReadTrainingRows(source.registry, *dataset, stop));
  return true;
}

}  // namespace

absl::StatusOr<v1::ReweightResponse> AnswerReweight(const StatisticsSource& source, const v1::ReweightRequest& request,
                                                    int64_t max_bytes, const StopToken& stop) {
  ABSL_ASSIGN_OR_RETURN(const ServedModel model, source.models.Acquire(request.model(), stop));
  const v1::ModelVersion& version = model.estimator->description();
  ABSL_RETURN_IF_ERROR(CheckFullSpace("reweighting", version.signature()));
  ABSL_ASSIGN_OR_RETURN(const OpenedPrior prior, OpenPrior(source.models, model, request.prior(), stop));
  v1::Dataset dataset;
  RowBlock rows;
  ABSL_ASSIGN_OR_RETURN(const bool has_chain, ReadChain(source, version, request, stop, &dataset, &rows));
  ReweightChain chain;
  if (has_chain) chain = {&dataset, &rows};
  const uint64_t seed = SeedOf(request);
  ABSL_ASSIGN_OR_RETURN(v1::ReweightResponse response,
                        ReweightRound(*model.estimator, prior.prior, chain, request, seed, max_bytes, stop));
  SetOrigin(model, prior, seed, &response);
  return response;
}

}  // namespace creamery
