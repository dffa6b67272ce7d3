// Importance sampling of a joint density with every member of every model: what all its statistics are averages over.
#ifndef CREAMERY_MODELS_STATISTICS_JOINT_SAMPLE_H_
#define CREAMERY_MODELS_STATISTICS_JOINT_SAMPLE_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "models/statistics/joint_mixture.h"
#include "models/statistics/joint_target.h"

namespace creamery {

// n rows; L = prod_i P_i / prior_i over all parameters of each model, the joint likelihood but for a constant.
struct JointSample {
  std::vector<double> x;            // (n, d), in the unbounded space
  std::vector<double> theta;        // (n, d)
  std::vector<double> log_weight;   // (n), natural log: joint density over the proposal's
  std::vector<double> weight;       // (n), mean 1
  std::vector<double> log_density;  // (n): of theta, not normalised; -inf where the weight is 0
  std::vector<double> log_l;        // (n); 0 where the weight is 0
  // (versions, n): log L with one member of every model in place of its average, another one in each version.
  std::vector<std::vector<double>> log_l_versions;
  // By model: log P_m - log P at the first `member_rows` rows, (members, member_rows); 0 where the weight is 0.
  std::vector<std::vector<float>> member_difference;
  // By model: log P per volume of x at the first `member_rows` rows; 0 where the weight is 0.
  std::vector<std::vector<float>> model_log_prob;
  int64_t member_rows = 0;
  std::vector<double> below_floor;  // by model: share of the weight where log P is below what training rows have

  int64_t n() const { return static_cast<int64_t>(weight.size()); }
};

// n draws of `proposal`. FAILED_PRECONDITION if the joint density vanishes at all of them.
absl::StatusOr<JointSample> SampleJoint(JointTarget& target, const std::vector<ModelDraws>& draws,
                                        const StudentMixture& proposal, int64_t n, uint64_t seed,
                                        const std::function<void(double)>& progress);

}  // namespace creamery

#endif  // CREAMERY_MODELS_STATISTICS_JOINT_SAMPLE_H_
