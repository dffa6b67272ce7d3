// Where a joint density lies: a proposal for importance sampling of it, found without knowing whether its factors
// overlap.
#ifndef CREAMERY_MODELS_STATISTICS_JOINT_SAMPLER_H_
#define CREAMERY_MODELS_STATISTICS_JOINT_SAMPLER_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "models/statistics/joint_mixture.h"
#include "models/statistics/joint_target.h"

namespace creamery {

struct JointProposal {
  StudentMixture mixture;
  double log_r = 0;       // the sampler's own estimate with the answering densities, natural log
  double efficiency = 0;  // Kish's effective size over the number of points, of the last trial
  bool reached = true;    // false if the budget ended before the joint density was reached
};

// Sequential Monte Carlo (Del Moral, Doucet & Jasra 2006, J. R. Statist. Soc. B 68, 411): particles go from a mixture
// of what the models' Gaussian moments multiply to and of what covers them all, by powers of the ratio chosen so that
// half of the effective size is left at each step, to the joint density; they are resampled and moved by Metropolis
// steps, in turn from a fitted mixture and at random with their covariance. Then trial rounds of importance sampling
// refit the mixture until its weights are even. Costs at most about `budget` evaluations. FAILED_PRECONDITION if the
// joint density vanishes at every starting point.
absl::StatusOr<JointProposal> FindJointProposal(JointTarget& target, const std::vector<ModelDraws>& draws,
                                                uint64_t seed, int64_t budget,
                                                const std::function<void(double)>& progress);

// The mixture the particles start from.
StudentMixture StartingMixture(const JointTarget& target, const std::vector<ModelDraws>& draws);

}  // namespace creamery

#endif  // CREAMERY_MODELS_STATISTICS_JOINT_SAMPLER_H_
