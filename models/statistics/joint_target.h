// The density of a joint analysis, evaluated in batches in an unbounded space: every parameter through the quantiles of
// its prior (a standard normal prior there), or through its bounds where it has no analytic prior.
#ifndef CREAMERY_MODELS_STATISTICS_JOINT_TARGET_H_
#define CREAMERY_MODELS_STATISTICS_JOINT_TARGET_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "models/plan/plan.h"
#include "models/statistics/joint_average.h"
#include "models/statistics/joint_problem.h"
#include "proto/support/stop_token.h"

namespace creamery {

// Weighted draws of one model's averaged density and what they say of it.
struct ModelDraws {
  std::vector<double> x;          // (n, own d), in the unbounded space
  std::vector<double> weight;     // (n), mean 1: the draws are from the mixture of the members
  std::vector<double> log_prob;   // (n): log P of the average
  std::vector<double> member;     // (members, n): log P_m
  std::vector<double> log_prior;  // (n): of all own parameters; those without a prior count nothing
  MemberAverage average;
  std::vector<double> mean;        // (own d), of x
  std::vector<double> covariance;  // (own d, own d)
};

// Counts what it evaluates. Not thread-safe.
class JointTarget {
 public:
  // Both must outlive it.
  JointTarget(const JointProblem& problem, const StopToken& stop);

  const JointProblem& problem() const { return problem_; }
  int64_t d() const { return problem_.d(); }
  const StopToken& stop() const { return stop_; }
  int64_t evaluations() const { return evaluations_; }
  int64_t num_models() const { return static_cast<int64_t>(problem_.models.size()); }
  int64_t num_members() const;  // of all models together

  // x: (n, d) -> theta: (n, d) and log |dtheta/dx|: (n), -inf where x is beyond what theta can tell from a bound.
  void ToTheta(absl::Span<const double> x, std::vector<double>& theta, std::vector<double>& log_volume) const;

  // theta (n, d) -> (n): sum over shared parameters of (k - 1) log prior, which the product of posteriors is divided
  // by, and the log prior of everything; -inf where it vanishes. Private parameters without a prior count nothing.
  absl::Status LogPriors(const std::vector<double>& theta, std::vector<double>& divided, std::vector<double>& whole);

  // x: (n, d) -> log of the joint density per volume of x, with the answering density of every model: (n), -inf where
  // it vanishes. Not normalised: its integral is R.
  absl::Status LogDensity(absl::Span<const double> x, absl::Span<double> log_density);

  // Every member of model k at theta (n, d): (members, n).
  absl::Status LogMembers(size_t k, const std::vector<double>& theta, std::vector<double>& member);

  // log |dtheta/dx| of model k's own columns of theta (n, d): (n).
  std::vector<double> OwnLogVolume(size_t k, const std::vector<double>& theta) const;

  // n draws of model k's average. FAILED_PRECONDITION if the prior vanishes at all of them; `outside`: if at some.
  absl::StatusOr<ModelDraws> DrawModel(size_t k, int64_t n, uint64_t seed, bool& outside);

 private:
  std::vector<double> OwnColumns(const JointModel& model, const std::vector<double>& theta) const;
  absl::StatusOr<std::vector<double>> OwnLogPrior(const JointModel& model, const std::vector<double>& own);
  bool OutsidePrior(const JointModel& model, const double* own) const;

  const JointProblem& problem_;
  const StopToken& stop_;
  std::vector<ColumnMap> maps_;
  int64_t evaluations_ = 0;
};

}  // namespace creamery

#endif  // CREAMERY_MODELS_STATISTICS_JOINT_TARGET_H_
