// START HERE for server/statistics: a question about statistics is opened (numbers checked, models and priors loaded),
// and then answered by a function of models/statistics. Methods and jobs open and answer alike; a job is besides
// pinned: what was opened is written into its question, so that it means the same when it runs. One file for each
// statistic.
#ifndef CREAMERY_SERVER_STATISTICS_SOURCE_H_
#define CREAMERY_SERVER_STATISTICS_SOURCE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "creamery/v1/statistics_service.pb.h"
#include "models/statistics/marginal.h"
#include "proto/support/resource_names.h"
#include "proto/support/stop_token.h"
#include "server/served_models.h"
#include "storage/registry.h"

namespace creamery {

// Where models and the rows they were trained on come from. Thread-safe; both must outlive it.
struct StatisticsSource {
  ServedModels& models;
  Registry& registry;
};

// All of `names`, loaded. RESOURCE_EXHAUSTED if together they are more than the server's memory for models.
absl::StatusOr<std::vector<ServedModel>> AcquireAll(ServedModels& models, const std::vector<std::string>& names,
                                                    const StopToken& stop);

// The prior that a statistic of one model is taken against, and the handle that keeps it alive.
struct OpenedPrior {
  ServedModel model;  // no estimator: the prior is analytic
  MarginalPrior prior;
};

// What was chosen; with nothing chosen the prior model that the version was trained with, if there is one, else the
// declared priors. The errors of ChoosePrior, and NOT_FOUND for a prior model that is not there any more.
absl::StatusOr<OpenedPrior> OpenPrior(ServedModels& models, const ServedModel& model, const v1::PriorChoice& choice,
                                      const StopToken& stop);

// The prior model that a version was trained with; no estimator if there is none.
absl::StatusOr<ServedModel> OpenPriorModelOf(ServedModels& models, const ServedModel& model, const StopToken& stop);

// A seed for a request that brings none.
uint64_t PickSeed();
template <typename Request>
uint64_t SeedOf(const Request& request) {
  return request.has_seed() ? request.seed() : PickSeed();
}

// `given`, or `default_value` for 0. INVALID_ARGUMENT unless it lies in [least, most].
absl::StatusOr<int64_t> CheckCount(const char* name, int64_t given, int64_t default_value, int64_t least, int64_t most);

// Writes what was opened into a request for one model.
template <typename Request>
void PinModel(const ServedModel& model, const OpenedPrior& prior, uint64_t seed, Request* request) {
  request->set_model(model.version);
  if (prior.model.estimator != nullptr) request->mutable_prior()->set_model(prior.model.version);
  request->set_seed(seed);
}
// The versions behind loaded models; those without an estimator are left out.
absl::StatusOr<std::vector<VersionName>> VersionsOf(const std::vector<const ServedModel*>& models);

// Fills what answers about one model say of where they come from.
template <typename Response>
void SetOrigin(const ServedModel& model, const OpenedPrior& prior, uint64_t seed, Response* response) {
  response->set_seed(seed);
  response->set_model_version(model.version);
  response->set_prior_model_version(prior.model.version);
}

}  // namespace creamery

#endif  // CREAMERY_SERVER_STATISTICS_SOURCE_H_
