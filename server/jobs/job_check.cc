#include "server/jobs/job_check.h"

#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/families.h"
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

// The parameters a job keeps, in order.
std::vector<std::string> ParametersOf(const v1::Job& job, const v1::Dataset& dataset) {
  const auto& chosen = job.training().parameters();
  if (chosen.empty()) return ColumnsOf(dataset);
  return {chosen.begin(), chosen.end()};
}

// What the trainer decides from the data (the batch size, maps of the parameters nobody named) is its own;
// all else must be as asked.
bool SameSpec(const v1::EstimatorSpec& asked, v1::EstimatorSpec trained) {
  for (const auto& [name, map] : asked.parameter_maps()) {
    const auto found = trained.parameter_maps().find(name);
    if (map != v1::PARAMETER_MAP_UNSPECIFIED && (found == trained.parameter_maps().end() || found->second != map)) {
      return false;
    }
  }
  *trained.mutable_parameter_maps() = asked.parameter_maps();
  if (!asked.training().has_batch_size() && trained.has_training()) trained.mutable_training()->clear_batch_size();
  return MessageDifferencer::Equals(asked, trained);
}

}  // namespace

absl::StatusOr<DatasetName> DatasetOf(const v1::Job& job) {
  if (!job.has_training()) return absl::InvalidArgumentError("job has no work, expected its field training to be set");
  return DatasetName::Parse(job.training().dataset());
}

absl::StatusOr<v1::Job> CheckNewJob(const ProjectName& parent, const v1::Job& job, const v1::Dataset& dataset) {
  ABSL_ASSIGN_OR_RETURN(const ModelName model, ModelName::Parse(job.training().model()));
  if (model.project != parent.project) {
    return absl::InvalidArgumentError(absl::StrCat("model is ", job.training().model(), ", expected one of the job's ",
                                                   "own project, ", parent.ToString(), "/models/..."));
  }
  v1::Job checked;
  v1::TrainingJob& training = *checked.mutable_training();
  training = job.training();
  training.clear_dataset_revision();
  ABSL_ASSIGN_OR_RETURN(*training.mutable_spec(),
                        CompleteSpec(job.training().spec(), dataset, ParametersOf(job, dataset)));
  return checked;
}

std::string FamilyOf(const v1::Job& job) {
  const v1::EstimatorSpec& spec = job.training().spec();
  const google::protobuf::OneofDescriptor* family = v1::EstimatorSpec::descriptor()->FindOneofByName("family");
  const google::protobuf::FieldDescriptor* field = spec.GetReflection()->GetOneofFieldDescriptor(spec, family);
  return field == nullptr ? "" : field->name();
}

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
  const std::vector<std::string> expected = ParametersOf(job, dataset);
  if (names != expected) {
    return differs("list of parameters", absl::StrJoin(names, ", "), absl::StrJoin(expected, ", "));
  }
  if (!SameSpec(job.training().spec(), made.spec())) {
    return differs("spec", made.spec().ShortDebugString(), job.training().spec().ShortDebugString());
  }
  return made;
}

}  // namespace creamery
