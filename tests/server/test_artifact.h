// An artifact made by hand, with a density known in closed form: omegam uniform on (0, 1), w0 normal(-1, 0.5).
#ifndef CREAMERY_TESTS_SERVER_TEST_ARTIFACT_H_
#define CREAMERY_TESTS_SERVER_TEST_ARTIFACT_H_

#include <string>

#include "creamery/v1/model.pb.h"
#include "models/families.h"
#include "models/plan/plan.h"
#include "proto/support/safetensors.h"

namespace creamery {

inline v1::ModelVersion TestDescription() {
  v1::ModelVersion description;
  description.mutable_spec()->mutable_maf()->set_transforms(1);
  v1::Parameter* omegam = description.mutable_signature()->add_parameters();
  omegam->set_name("omegam");
  omegam->mutable_prior()->mutable_uniform()->set_lower(0);
  omegam->mutable_prior()->mutable_uniform()->set_upper(1);
  v1::Parameter* w0 = description.mutable_signature()->add_parameters();
  w0->set_name("w0");
  w0->mutable_prior()->mutable_normal()->set_mean(-1);
  w0->mutable_prior()->mutable_normal()->set_stddev(0.5);
  description.mutable_signature()->add_abilities(v1::DENSITY);
  v1::HeldOutStatistics* held_out = description.mutable_training()->mutable_held_out();
  held_out->set_out_of_fold_log_prob(-0.72579135264472744);  // -log(0.5 sqrt(2 pi e))
  held_out->set_in_sample_log_prob(-0.72579135264472744);
  held_out->set_log_prob_variance(0.5);  // of a normal in one dimension
  held_out->set_log_prob_covariance(0.5);
  held_out->set_chain_error(0.01);
  held_out->set_variance_chain_error(0.01);
  held_out->set_effective_size(5000);
  held_out->set_kish_size(5000);
  held_out->set_log_prob_floor(-5);
  description.mutable_log_evidence()->set_value(-7);
  description.mutable_log_evidence()->set_error(0.25);
  return description;
}

// Another mean makes another artifact.
inline std::string TestArtifact(const v1::ModelVersion& description = TestDescription(), double w0_mean = -1) {
  Plan plan;
  plan.columns.resize(2);
  plan.columns[0].space = ColumnMap::Space::kProbit;
  plan.columns[0].lower = 0;
  plan.columns[0].upper = 1;
  plan.columns[1].shift = w0_mean;
  plan.columns[1].scale = 0.5;
  AutoregressiveLayer layer;
  layer.order = {0, 1};
  layer.network = {{2, 4, std::vector<float>(8, 0.0F), std::vector<float>(4, 0.0F)}};
  plan.layers = {layer};
  Safetensors artifact;
  WritePlan(plan, "member0/", artifact);
  WriteDescription(description, artifact);
  return artifact.Serialize();
}

}  // namespace creamery

#endif  // CREAMERY_TESTS_SERVER_TEST_ARTIFACT_H_
