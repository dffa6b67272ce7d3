#include "server/jobs/job_intake.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/training_cost.h"
#include "proto/support/status_macros.h"
#include "server/jobs/job_check.h"

namespace creamery {

absl::StatusOr<NewJob> JobIntake::Take(const ProjectName& parent, const v1::Job& job) {
  if (job.has_training()) return TakeTraining(parent, job.training());
  if (job.has_statistics()) return TakeStatistics(job.statistics());
  return absl::InvalidArgumentError("job has no work, expected its field training or statistics to be set");
}

absl::StatusOr<NewJob> JobIntake::TakeTraining(const ProjectName& parent, const v1::TrainingJob& training) {
  ABSL_ASSIGN_OR_RETURN(const DatasetName name, DatasetName::Parse(training.dataset()));
  auto dataset = datasets_.find(name.ToString());
  if (dataset == datasets_.end()) {
    ABSL_ASSIGN_OR_RETURN(v1::Dataset read, registry_.GetDataset(name));
    dataset = datasets_.emplace(name.ToString(), std::move(read)).first;
  }
  NewJob taken;
  ABSL_ASSIGN_OR_RETURN(*taken.job.mutable_training(), CheckTraining(parent, training, dataset->second));
  ABSL_RETURN_IF_ERROR(CheckTrainingCost(taken.job.training().spec(), dataset->second,
                                         static_cast<int64_t>(ParametersOf(training, dataset->second).size()),
                                         hooks_.training_threads, hooks_.max_training_bytes, "max_training_mib"));
  if (!training.prior_model().empty()) {
    ABSL_ASSIGN_OR_RETURN(VersionName prior, PinPrior(ParametersOf(training, dataset->second),
                                                      taken.job.mutable_training()->mutable_prior_model()));
    taken.versions.push_back(std::move(prior));
  }
  return taken;
}

absl::StatusOr<VersionName> JobIntake::PinPrior(const std::vector<std::string>& kept, std::string* prior_model) {
  if (!hooks_.find_version) return absl::UnimplementedError("prior_model: this server serves no models");
  const absl::StatusOr<v1::ModelVersion> version = hooks_.find_version(*prior_model);
  if (!version.ok()) {
    return absl::Status(version.status().code(), absl::StrCat("prior_model: ", version.status().message()));
  }
  std::vector<std::string> of_prior;
  for (const v1::Parameter& parameter : version->signature().parameters()) of_prior.push_back(parameter.name());
  if (!std::is_permutation(kept.begin(), kept.end(), of_prior.begin(), of_prior.end())) {
    return absl::InvalidArgumentError(absl::StrCat("prior_model: ", version->name(), " is a density of ",
                                                   absl::StrJoin(of_prior, ", "), "; the model to be trained keeps ",
                                                   absl::StrJoin(kept, ", ")));
  }
  *prior_model = version->name();
  return VersionName::Parse(version->name());
}

absl::StatusOr<NewJob> JobIntake::TakeStatistics(const v1::StatisticsJob& statistics) {
  if (statistics.request_case() == v1::StatisticsJob::REQUEST_NOT_SET) {
    return absl::InvalidArgumentError(
        "statistics has no request, expected marginal_kl, model_dimensionality, joint_posterior, evidence or "
        "evidence_ratio");
  }
  if (!hooks_.pin_statistics) return absl::UnimplementedError("this server computes no statistics");
  NewJob taken;
  *taken.job.mutable_statistics() = statistics;
  ABSL_RETURN_IF_ERROR(hooks_.pin_statistics(taken.job.mutable_statistics(), &taken.versions));
  return taken;
}

}  // namespace creamery
