#include "models/statistics/joint_sample.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "models/random.h"
#include "models/statistics/weights.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Most numbers kept of single members; fewer rows tell as much of how members differ.
constexpr int64_t kMostDifferences = 20000000;

// Adds one model to the rows' sums.
struct Sums {
  std::vector<double> log_p;                  // (n): sum over models of log P
  std::vector<std::vector<double>> versions;  // (versions, n)
  std::vector<std::vector<bool>> below;       // by model
};

void AddModel(const JointModel& model, size_t k, const ModelDraws& draws, const std::vector<double>& member,
              const std::vector<double>& log_volume, JointSample& sample, Sums& sums) {
  const size_t n = sums.log_p.size();
  const size_t members = model.members.size();
  const double floor =
      model.held_out().log_prob_floor() != 0 ? model.held_out().log_prob_floor() : -kInfinity;  // 0: not stored
  std::vector<float> difference(members * sample.member_rows, 0);
  std::vector<float> at_joint(sample.member_rows, 0);
  std::vector<bool> below(n);
  for (size_t i = 0; i < n; ++i) {
    const double log_p = draws.average.LogProb(member, members, n, i);
    below[i] = log_p < floor;
    sums.log_p[i] += log_p;
    if (!std::isfinite(sums.log_p[i])) {
      sums.log_p[i] = -kInfinity;
      continue;
    }
    for (size_t v = 0; v < sums.versions.size(); ++v)
      sums.versions[v][i] += draws.average.temperature * member[(v + k) % members * n + i] - draws.average.log_norm;
    if (static_cast<int64_t>(i) >= sample.member_rows) continue;
    at_joint[i] = static_cast<float>(log_p + log_volume[i]);
    for (size_t m = 0; m < members; ++m) {
      difference[m * sample.member_rows + i] = static_cast<float>(member[m * n + i] - log_p);
    }
  }
  sample.member_difference.push_back(std::move(difference));
  sample.model_log_prob.push_back(std::move(at_joint));
  sums.below.push_back(std::move(below));
}

}  // namespace

absl::StatusOr<JointSample> SampleJoint(JointTarget& target, const std::vector<ModelDraws>& draws,
                                        const StudentMixture& proposal, int64_t n, uint64_t seed,
                                        const std::function<void(double)>& progress) {
  const JointProblem& problem = target.problem();
  const int64_t d = target.d();
  JointSample sample;
  sample.x.resize(n * d);
  const RandomStream random(seed, RandomPurpose::kStatistics);
  for (int64_t i = 0; i < n; ++i) proposal.Draw(random, i, &sample.x[i * d]);
  std::vector<double> log_volume;
  std::vector<double> divided;
  std::vector<double> whole;
  target.ToTheta(sample.x, sample.theta, log_volume);
  ABSL_RETURN_IF_ERROR(target.LogPriors(sample.theta, divided, whole));
  sample.member_rows = std::min(n, std::max<int64_t>(kMostDifferences / target.num_members(), 1));

  Sums sums;
  sums.log_p.assign(n, 0);
  size_t versions = problem.models[0].members.size();
  for (const JointModel& model : problem.models) versions = std::min(versions, model.members.size());
  sums.versions.assign(versions, std::vector<double>(n, 0));
  std::vector<double> member;
  for (size_t k = 0; k < problem.models.size(); ++k) {
    ABSL_RETURN_IF_ERROR(target.LogMembers(k, sample.theta, member));
    AddModel(problem.models[k], k, draws[k], member, target.OwnLogVolume(k, sample.theta), sample, sums);
    progress(static_cast<double>(k + 1) / static_cast<double>(problem.models.size()));
  }

  sample.log_weight.assign(n, -kInfinity);
  sample.log_density.assign(n, -kInfinity);
  sample.log_l.assign(n, 0);
  sample.log_l_versions = std::move(sums.versions);
  for (int64_t i = 0; i < n; ++i) {
    const bool vanishes = sums.log_p[i] == -kInfinity || !std::isfinite(divided[i]) || log_volume[i] == -kInfinity;
    if (!vanishes) {
      sample.log_density[i] = sums.log_p[i] - divided[i];
      sample.log_weight[i] = sample.log_density[i] + log_volume[i] - proposal.LogDensity(&sample.x[i * d]);
    }
    // A private parameter outside its prior: the posterior says otherwise, and what follows from priors leaves it out.
    const double prior = std::isfinite(divided[i] + whole[i]) ? divided[i] + whole[i] : 0;
    sample.log_l[i] = vanishes ? 0 : sums.log_p[i] - prior;
    for (std::vector<double>& version : sample.log_l_versions) version[i] = vanishes ? 0 : version[i] - prior;
  }
  sample.weight = MeanOneWeights(sample.log_weight);
  if (!(KishSize(sample.weight) > 0)) {
    return absl::FailedPreconditionError("the joint density vanishes wherever it was looked for");
  }
  for (const std::vector<bool>& below : sums.below) {
    double share = 0;
    for (int64_t i = 0; i < n; ++i) share += below[i] ? sample.weight[i] / static_cast<double>(n) : 0;
    sample.below_floor.push_back(share);
  }
  return sample;
}

}  // namespace creamery
