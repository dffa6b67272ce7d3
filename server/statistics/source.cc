#include "server/statistics/source.h"

#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/status_macros.h"

namespace creamery {

absl::StatusOr<std::vector<ServedModel>> AcquireAll(ServedModels& models, const std::vector<std::string>& names,
                                                    const StopToken& stop) {
  std::vector<ServedModel> all;
  int64_t bytes = 0;
  for (const std::string& name : names) {
    ABSL_RETURN_IF_ERROR(stop.Check());
    absl::StatusOr<ServedModel> model = models.Acquire(name, stop);
    // To try again helps only if it is mostly others that fill the memory.
    if (absl::IsUnavailable(model.status()) && bytes > models.cache().budget_bytes() / 2) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the first ", all.size(), " of ", names.size(), " models take ", bytes >> 10,
                       " KiB, and the server keeps at most ", models.cache().budget_bytes() >> 10,
                       " KiB of models: ask about fewer at once, or start the server with a larger cache_mib"));
    }
    if (!model.ok()) return model.status();
    bytes += model->estimator->memory_bytes();
    all.push_back(*std::move(model));
  }
  return all;
}

absl::StatusOr<ServedModel> OpenPriorModelOf(ServedModels& models, const ServedModel& model, const StopToken& stop) {
  const std::string& name = model.estimator->description().signature().prior_model();
  if (name.empty()) return ServedModel();
  absl::StatusOr<ServedModel> prior = models.Acquire(name, stop);
  if (prior.ok() || !absl::IsNotFound(prior.status())) return prior;
  return absl::NotFoundError(absl::StrCat(model.version, " was trained with the prior model ", name,
                                          ", which is not there any more (", prior.status().message(),
                                          "): choose a prior in the request"));
}

absl::StatusOr<OpenedPrior> OpenPrior(ServedModels& models, const ServedModel& model, const v1::PriorChoice& choice,
                                      const StopToken& stop) {
  OpenedPrior opened;
  v1::PriorChoice chosen = choice;
  if (choice.prior_case() == v1::PriorChoice::kModel) {
    ABSL_ASSIGN_OR_RETURN(opened.model, models.Acquire(choice.model(), stop));
  } else if (choice.prior_case() == v1::PriorChoice::PRIOR_NOT_SET) {
    ABSL_ASSIGN_OR_RETURN(opened.model, OpenPriorModelOf(models, model, stop));
    if (opened.model.estimator != nullptr) chosen.set_model(opened.model.version);
  }
  ABSL_ASSIGN_OR_RETURN(opened.prior,
                        ChoosePrior(model.estimator->description().signature(), chosen, opened.model.estimator.get()));
  return opened;
}

uint64_t PickSeed() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

absl::StatusOr<int64_t> CheckCount(const char* name, int64_t given, int64_t default_value, int64_t least,
                                   int64_t most) {
  const int64_t value = given == 0 ? default_value : given;
  if (value >= least && value <= most) return value;
  return absl::InvalidArgumentError(absl::StrCat(name, " is ", given, ", expected ", least, " to ", most));
}

absl::StatusOr<std::vector<VersionName>> VersionsOf(const std::vector<const ServedModel*>& models) {
  std::vector<VersionName> versions;
  for (const ServedModel* model : models) {
    if (model->estimator == nullptr) continue;
    ABSL_ASSIGN_OR_RETURN(VersionName version, VersionName::Parse(model->version));
    versions.push_back(std::move(version));
  }
  return versions;
}

}  // namespace creamery
