// Artifacts made by hand whose densities are products of normals, so that every statistic has a closed form.
#ifndef CREAMERY_TESTS_SERVER_GAUSSIAN_MODELS_H_
#define CREAMERY_TESTS_SERVER_GAUSSIAN_MODELS_H_

#include <cmath>
#include <string>
#include <vector>

#include "creamery/v1/model.pb.h"
#include "models/families.h"
#include "models/plan/plan.h"
#include "proto/support/safetensors.h"

namespace creamery {

// One parameter: posterior N(mean, stddev), prior N(0, prior_stddev) (0: none).
struct GaussianColumn {
  std::string name;
  double mean = 0;
  double stddev = 1;
  double prior_stddev = 0;
};

inline double GaussianEntropy(const std::vector<GaussianColumn>& columns) {
  double entropy = 0;
  for (const GaussianColumn& column : columns) entropy += std::log(column.stddev) + 0.5 * std::log(2 * M_PI) + 0.5;
  return entropy;
}

// What the version says of itself: as if trained on 5000 independent rows, two members.
inline v1::ModelVersion GaussianDescription(const std::vector<GaussianColumn>& columns) {
  v1::ModelVersion version;
  version.mutable_spec()->mutable_maf()->set_transforms(1);
  version.mutable_spec()->mutable_training()->set_members(2);
  version.mutable_spec()->mutable_training()->set_seed(0);
  for (const GaussianColumn& column : columns) {
    v1::Parameter& parameter = *version.mutable_signature()->add_parameters();
    parameter.set_name(column.name);
    if (column.prior_stddev == 0) continue;
    parameter.mutable_prior()->mutable_normal()->set_mean(0);
    parameter.mutable_prior()->mutable_normal()->set_stddev(column.prior_stddev);
  }
  version.mutable_signature()->add_abilities(v1::DENSITY);
  v1::TrainingSummary& training = *version.mutable_training();
  training.set_row_kind(v1::INDEPENDENT);
  training.set_num_rows(5000);
  training.add_members();
  training.add_members();
  const double d = static_cast<double>(columns.size());
  v1::HeldOutStatistics& held_out = *training.mutable_held_out();
  held_out.set_out_of_fold_log_prob(-GaussianEntropy(columns));
  held_out.set_in_sample_log_prob(-GaussianEntropy(columns));
  held_out.set_log_prob_variance(d / 2);
  held_out.set_log_prob_covariance(d / 2);
  held_out.set_chain_error(std::sqrt(d / 2 / 5000));
  held_out.set_variance_chain_error(0.05);
  held_out.set_effective_size(5000);
  held_out.set_kish_size(5000);
  held_out.set_log_prob_floor(-GaussianEntropy(columns) - 15);
  return version;
}

// Member k is shifted by k * `shift` in every column.
inline std::string GaussianArtifact(const std::vector<GaussianColumn>& columns, const v1::ModelVersion& description,
                                    double shift = 0) {
  const int d = static_cast<int>(columns.size());
  Safetensors artifact;
  for (int member = 0; member < 2; ++member) {
    AutoregressiveLayer identity;
    for (int i = 0; i < d; ++i) identity.order.push_back(i);
    identity.network = {{d, 2 * d, std::vector<float>(2 * d * d), std::vector<float>(2 * d)}};
    Plan plan;
    plan.layers = {identity};
    for (const GaussianColumn& column : columns) {
      ColumnMap map;
      map.shift = column.mean + member * shift;
      map.scale = column.stddev;
      plan.columns.push_back(map);
    }
    WritePlan(plan, "member" + std::to_string(member) + "/", artifact);
  }
  WriteDescription(description, artifact);
  return artifact.Serialize();
}

inline std::string GaussianArtifact(const std::vector<GaussianColumn>& columns) {
  return GaussianArtifact(columns, GaussianDescription(columns));
}

}  // namespace creamery

#endif  // CREAMERY_TESTS_SERVER_GAUSSIAN_MODELS_H_
