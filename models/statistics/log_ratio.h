// log q - log pi of a posterior's density and a prior, at points of the posterior: what D_KL and d_G are averages of.
#ifndef CREAMERY_MODELS_STATISTICS_LOG_RATIO_H_
#define CREAMERY_MODELS_STATISTICS_LOG_RATIO_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "creamery/v1/model.pb.h"
#include "models/estimator.h"
#include "models/statistics/marginal.h"
#include "proto/support/stop_token.h"

namespace creamery {

// Where a prior is no use: shares of the posterior, by weight.
struct PriorCoverage {
  double uncovered = 0;     // where its density is zero
  double outside = 0;       // where a prior model's lies below its log_prob_floor
  double outside_part = 0;  // what those add to the mean of log q - log pi
};

// FAILED_PRECONDITION naming the share if the prior vanishes on more than 1 % of the posterior.
absl::Status CheckCoverage(double uncovered);

// Draws from the density where the prior does not vanish.
struct LogRatioDraws {
  std::vector<double> log_q;
  std::vector<double> log_prior;  // of a prior model the mean over its members
  std::vector<double> log_ratio;
  std::vector<std::vector<double>> member_log_prior;  // by members of the prior model
  PriorCoverage coverage;
  // E[log P] over the covered posterior, normalised there, less that over all of it.
  double covered_shift = 0;
  double variance_everywhere = 0;  // of log q over all draws
};
absl::StatusOr<LogRatioDraws> DrawLogRatio(const Estimator& model, const MarginalPrior& prior, int64_t n, uint64_t seed,
                                           const StopToken& stop);

// Statistics over the rows a version was trained on, of the posterior cut to where the prior does not vanish.
struct LogRatioOfRows {
  v1::HeldOutStatistics statistics;  // of log q - log pi
  PriorCoverage coverage;
  double error_of_prior = 0;  // what a prior model leaves uncertain in the mean, by a jackknife over its members
  double variance_error_of_prior = 0;  // and in the variance
  int64_t num_rows = 0;                // used
  int64_t stride = 1;                  // every which one
};
// FAILED_PRECONDITION if the rows are not those of the training.
absl::StatusOr<LogRatioOfRows> LogRatioOverRows(const Estimator& model, const MarginalPrior& prior,
                                                const MarginalRows& rows, uint64_t seed, const StopToken& stop);

// Member k of a prior model has not seen the k-th part of its rows, so the members' values of a statistic are the
// replications of a delete-a-group jackknife (Shao & Wu 1989, Ann. Statist. 17, 1176). 0 for fewer than two.
double JackknifeError(const std::vector<double>& values);

}  // namespace creamery

#endif  // CREAMERY_MODELS_STATISTICS_LOG_RATIO_H_
