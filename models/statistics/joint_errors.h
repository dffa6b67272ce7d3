// How the statistics of a joint analysis answer to a small change of one model's density, log P -> log P + h with
// E_P[h] = 0, and from that their errors. First order in h; averages over the joint posterior are E_J, over the model
// E_k.
//   log R:  E_J[h]                              joint KL:  Cov_J(log L, h)
//   log S:  Cov_J(log L, h) + E_J[h] - dD_k     I:         dD_k - Cov_J(log L, h),  dD_k = Cov_k(log L_k, h)
//   d_J:    2 (E_J[g^2 h] - Var_J(log L) E_J[h] + 2 Cov_J(log L, h)), g = log L - E_J[log L]; d_k the same over P
// D_k and D_J share the same densities, so their errors are not independent: they are added before they are squared.
#ifndef CREAMERY_MODELS_STATISTICS_JOINT_ERRORS_H_
#define CREAMERY_MODELS_STATISTICS_JOINT_ERRORS_H_

#include <array>
#include <vector>

#include "models/statistics/joint_sample.h"
#include "models/statistics/joint_target.h"

namespace creamery {

// The statistics, as indices.
enum JointStatistic { kLogR, kLogS, kInformation, kJointKl, kJointDimensionality, kDimensionality, kNumStatistics };
using ByStatistic = std::array<double, kNumStatistics>;

struct JointErrors {
  // The finite chain. A Gaussian with the posterior's mean and covariance, in the unbounded space, has the linear
  // response h = z.e + (z' W z - tr W) / 2 to an error e of its mean and W of its covariance, z whitened; with n
  // effective rows Var e = 1/n, Var W_ij = (1 + delta_ij)/n. That is the least error any estimate from n rows has.
  ByStatistic chain{};
  // The training: members differ by more than the rows each left out. See joint_errors.cc.
  ByStatistic member{};
  // What members have in common and rows seen and not seen in training tell: half their gap, scaled from the bulk to
  // where the joint posterior is by how much more members differ there; and what a family makes of a tail of few rows.
  ByStatistic approximation{};
  ByStatistic monte_carlo{};
  // Covariance of the errors of log S and d that chain, members and draws give: one chain moves both.
  double log_s_dimensionality = 0;
  // By model: as many of its rows as would be effective, were its chain reweighted to the joint posterior. Where they
  // are fewer than kFewLocalRows the family decides how the density goes on, not the rows.
  std::vector<double> local_rows;
};
inline constexpr double kFewLocalRows = 50;

JointErrors ErrorsOf(const JointProblem& problem, const std::vector<ModelDraws>& draws, const JointSample& sample);

}  // namespace creamery

#endif  // CREAMERY_MODELS_STATISTICS_JOINT_ERRORS_H_
