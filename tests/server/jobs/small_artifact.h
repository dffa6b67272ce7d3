// An artifact that answers a job without any training: a standard normal per parameter.
#ifndef CREAMERY_TESTS_SERVER_JOBS_SMALL_ARTIFACT_H_
#define CREAMERY_TESTS_SERVER_JOBS_SMALL_ARTIFACT_H_

#include <algorithm>
#include <string>
#include <vector>

#include "creamery/v1/dataset.pb.h"
#include "creamery/v1/job.pb.h"
#include "creamery/v1/model.pb.h"
#include "models/families.h"
#include "models/plan/plan.h"
#include "proto/support/safetensors.h"

namespace creamery {

// What a worker would say of the job's result.
inline v1::ModelVersion SmallDescription(const v1::Job& job, const v1::Dataset& dataset) {
  v1::ModelVersion version;
  *version.mutable_spec() = job.training().spec();
  *version.mutable_signature()->mutable_parameters() = dataset.parameters();
  version.mutable_signature()->add_abilities(v1::DENSITY);
  v1::TrainingSummary& training = *version.mutable_training();
  training.set_job(job.name());
  training.set_dataset(dataset.name());
  training.set_dataset_revision(dataset.revision());
  training.set_dataset_digest(dataset.digest());
  const int members = std::max(1, version.spec().training().members());
  for (int k = 0; k < members; ++k) training.add_members();
  return version;
}

inline std::string SmallArtifact(const v1::ModelVersion& description) {
  const int d = description.signature().parameters_size();
  AutoregressiveLayer identity;
  for (int i = 0; i < d; ++i) identity.order.push_back(i);
  identity.network = {{d, 2 * d, std::vector<float>(2 * d * d), std::vector<float>(2 * d)}};
  Plan plan;
  plan.columns.resize(d);
  plan.layers = {identity};
  Safetensors artifact;
  for (int k = 0; k < std::max(1, description.training().members_size()); ++k) {
    WritePlan(plan, "member" + std::to_string(k) + "/", artifact);
  }
  WriteDescription(description, artifact);
  return artifact.Serialize();
}

}  // namespace creamery

#endif  // CREAMERY_TESTS_SERVER_JOBS_SMALL_ARTIFACT_H_
