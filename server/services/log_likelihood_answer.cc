#include "server/services/log_likelihood_answer.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "models/statistics/log_likelihood.h"
#include "proto/support/array.h"
#include "proto/support/status_macros.h"
#include "server/services/questions.h"
#include "server/statistics/source.h"

namespace creamery {
namespace {

constexpr int kMostMoreModels = 10000;
// With more, even to look them all up is too much for a gRPC thread.
constexpr int kFewModels = 16;

std::vector<std::string> NamesOf(const v1::LogLikelihoodRequest& request) {
  std::vector<std::string> names{request.model()};
  names.insert(names.end(), request.more_models().begin(), request.more_models().end());
  return names;
}

// The models and the priors they were trained with, kept alive.
struct LoadedModels {
  std::vector<ServedModel> models;
  std::vector<ServedModel> priors;
};

absl::StatusOr<LoadedModels> LoadAll(ServedModels& models, const v1::LogLikelihoodRequest& request,
                                     const StopToken& stop) {
  LoadedModels loaded;
  ABSL_ASSIGN_OR_RETURN(loaded.models, AcquireAll(models, NamesOf(request), stop));
  for (const ServedModel& model : loaded.models) {
    ABSL_RETURN_IF_ERROR(CheckContext(model, request.has_x()));
    ABSL_ASSIGN_OR_RETURN(ServedModel prior, OpenPriorModelOf(models, model, stop));
    loaded.priors.push_back(std::move(prior));
  }
  return loaded;
}

std::vector<const Estimator*> EstimatorsOf(const std::vector<ServedModel>& models) {
  std::vector<const Estimator*> estimators;
  estimators.reserve(models.size());
  for (const ServedModel& model : models) estimators.push_back(model.estimator.get());
  return estimators;
}

}  // namespace

Work WorkForLogLikelihood(ServedModels& models, const v1::LogLikelihoodRequest& request) {
  if (request.more_models_size() > kFewModels) return Work::Long();
  const int64_t rows = std::max<int64_t>(ClaimedRows(request.theta()), 0);
  absl::Duration cost;
  bool disk = false;
  for (const std::string& name : NamesOf(request)) {
    const absl::StatusOr<ServedModel> model = models.Find(name);
    if (!model.ok()) return Work::Compute(absl::ZeroDuration());  // the answer is this error
    // A prior model may have to be loaded too.
    if (model->estimator == nullptr || !model->estimator->description().signature().prior_model().empty()) disk = true;
    if (model->estimator != nullptr) cost += EstimatedCost(*model->estimator, rows, request.precision());
    if (cost > kLongLimit) return Work::Long();
  }
  return disk ? Work::Disk() : Work::Compute(cost);
}

absl::Status AnswerLogLikelihood(const v1::LogLikelihoodRequest& request, ServedModels& models, const Limits& limits,
                                 const StopToken& stop, v1::LogLikelihoodResponse* response) {
  if (request.more_models_size() > kMostMoreModels) {
    return absl::InvalidArgumentError(
        absl::StrCat("more_models has ", request.more_models_size(), " entries, expected at most ", kMostMoreModels));
  }
  ABSL_RETURN_IF_ERROR(CheckPrecision(request.precision()));
  ABSL_ASSIGN_OR_RETURN(const LoadedModels loaded, LoadAll(models, request, stop));
  const std::vector<const Estimator*> estimators = EstimatorsOf(loaded.models);
  const std::vector<const Estimator*> priors = EstimatorsOf(loaded.priors);
  const std::vector<std::string> names = UnionOfParameters(estimators);
  ABSL_ASSIGN_OR_RETURN(const Points theta, ReadTheta(
                                                static_cast<int64_t>(names.size()), [&names] { return names; },
                                                request.theta(), request.columns(), limits, sizeof(double)));
  LogLikelihoodInput input;
  input.models = estimators;
  input.prior_models = priors;
  input.theta = theta.values;
  input.without_evidence = request.without_evidence();
  input.in_double_precision = request.precision() == v1::DOUBLE_PRECISION;
  ABSL_ASSIGN_OR_RETURN(const LogLikelihoods answer, SumLogLikelihoods(input, stop));
  *response->mutable_log_likelihood() = FromDoubles(answer.values, {static_cast<int64_t>(answer.values.size())});
  response->set_log_evidence_error(answer.log_evidence_error);
  response->set_model_version(loaded.models.front().version);
  for (size_t i = 1; i < loaded.models.size(); ++i) response->add_more_model_versions(loaded.models[i].version);
  for (const v1::Warning warning : answer.warnings) response->add_warnings(warning);
  return absl::OkStatus();
}

}  // namespace creamery
