#include "server/jobs/job_check.h"

#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/families.h"
#include "proto/support/family_name.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

using google::protobuf::util::MessageDifferencer;

std::vector<std::string> ColumnsOf(const v1::Dataset& dataset) {
  std::vector<std::string> names;
  names.reserve(dataset.parameters_size());
  for (const v1::Parameter& parameter : dataset.parameters()) names.push_back(parameter.name());
  return names;
}

// The spec that `auto` chose must be one it compared.
bool WasChosen(const v1::EstimatorSpec& spec, const v1::TrainingSummary& training) {
  for (const v1::Candidate& candidate : training.compared()) {
    if (candidate.chosen() && candidate.spec().family_case() == spec.family_case()) return true;
  }
  return false;
}

// What was asked for must be as asked; what was left open is the trainer's own: the batch size, maps of the parameters
// nobody named, the number of pieces, the blocks, the family if it was `auto`.
bool SameSpec(v1::EstimatorSpec asked, const v1::ModelVersion& made) {
  v1::EstimatorSpec trained = made.spec();
  for (const auto& [name, map] : asked.parameter_maps()) {
    const auto found = trained.parameter_maps().find(name);
    if (map != v1::PARAMETER_MAP_UNSPECIFIED && (found == trained.parameter_maps().end() || found->second != map)) {
      return false;
    }
  }
  asked.clear_parameter_maps();
  trained.clear_parameter_maps();
  if (asked.training().answer() == v1::ANSWER_UNSPECIFIED && asked.has_training()) {
    asked.mutable_training()->clear_answer();
  }
  if (asked.has_auto_() && !trained.has_auto_()) {
    if (!WasChosen(trained, made.training())) return false;
    asked.clear_auto_();
    // A search may have settled on other options of training.
    if (asked.has_training()) {
      asked.mutable_training()->clear_learning_rate();
      asked.mutable_training()->clear_batch_size();
    }
  }
  MessageDifferencer differencer;
  differencer.set_scope(MessageDifferencer::PARTIAL);
  return differencer.Compare(asked, trained);
}

}  // namespace

std::vector<std::string> ParametersOf(const v1::TrainingJob& training, const v1::Dataset& dataset) {
  if (training.parameters().empty()) return ColumnsOf(dataset);
  return {training.parameters().begin(), training.parameters().end()};
}

absl::StatusOr<v1::TrainingJob> CheckTraining(const ProjectName& parent, const v1::TrainingJob& training,
                                              const v1::Dataset& dataset) {
  ABSL_ASSIGN_OR_RETURN(const ModelName model, ModelName::Parse(training.model()));
  if (model.project != parent.project) {
    return absl::InvalidArgumentError(absl::StrCat("model is ", training.model(), ", expected one of the job's ",
                                                   "own project, ", parent.ToString(), "/models/..."));
  }
  v1::TrainingJob checked = training;
  checked.clear_dataset_revision();
  ABSL_ASSIGN_OR_RETURN(*checked.mutable_spec(),
                        CompleteSpec(training.spec(), dataset, ParametersOf(training, dataset)));
  return checked;
}

std::string FamilyOf(const v1::Job& job) { return FamilyName(job.training().spec()); }

absl::StatusOr<v1::ModelVersion> CheckArtifact(const v1::Job& job, const v1::Dataset& dataset,
                                               absl::string_view artifact_bytes) {
  ABSL_ASSIGN_OR_RETURN(const std::unique_ptr<Estimator> estimator, LoadEstimator(artifact_bytes));
  const v1::ModelVersion& made = estimator->description();
  const v1::TrainingSummary& training = made.training();
  const auto differs = [](absl::string_view what, absl::string_view given, absl::string_view expected) {
    return absl::FailedPreconditionError(
        absl::StrCat("the artifact's ", what, " is ", given, ", the job asked for ", expected));
  };
  if (training.job() != job.name()) return differs("job", training.job(), job.name());
  if (training.dataset() != dataset.name()) return differs("dataset", training.dataset(), dataset.name());
  if (training.dataset_revision() != dataset.revision()) {
    return differs("dataset revision", absl::StrCat(training.dataset_revision()), absl::StrCat(dataset.revision()));
  }
  if (training.dataset_digest() != dataset.digest()) {
    return differs("dataset digest", training.dataset_digest(), dataset.digest());
  }
  std::vector<std::string> names;
  for (const v1::Parameter& parameter : made.signature().parameters()) names.push_back(parameter.name());
  const std::vector<std::string> expected = ParametersOf(job.training(), dataset);
  if (names != expected) {
    return differs("list of parameters", absl::StrJoin(names, ", "), absl::StrJoin(expected, ", "));
  }
  if (made.signature().prior_model() != job.training().prior_model()) {
    return differs("prior_model", made.signature().prior_model().empty() ? "none" : made.signature().prior_model(),
                   job.training().prior_model().empty() ? "none" : job.training().prior_model());
  }
  if (!SameSpec(job.training().spec(), made)) {
    return differs("spec", made.spec().ShortDebugString(), job.training().spec().ShortDebugString());
  }
  return made;
}

}  // namespace creamery
