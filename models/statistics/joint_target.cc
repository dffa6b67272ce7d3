#include "models/statistics/joint_target.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "absl/strings/str_cat.h"
#include "models/plan/column_map.h"
#include "models/statistics/joint_mixture.h"
#include "models/statistics/weights.h"
#include "proto/support/rows.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The prior's quantiles, or the bounds', as a map: y is a standard normal under the prior.
ColumnMap MapOf(const v1::Parameter& parameter) {
  ColumnMap map;
  const v1::Prior& prior = parameter.prior();
  if (prior.has_normal()) {
    map.shift = prior.normal().mean();
    map.scale = prior.normal().stddev();
    return map;
  }
  const Bounds bounds = BoundsOf(parameter);
  const bool lower = std::isfinite(bounds.lower);
  const bool upper = std::isfinite(bounds.upper);
  if (prior.has_log_uniform()) {
    map.scale_of_t = ColumnMap::Scale::kLogAbove;
    map.space = ColumnMap::Space::kProbit;
    map.lower = std::log(bounds.lower);
    map.upper = std::log(bounds.upper);
  } else if (lower && upper) {
    map.space = ColumnMap::Space::kProbit;
    map.lower = bounds.lower;
    map.upper = bounds.upper;
  } else if (lower || upper) {
    map.scale_of_t = lower ? ColumnMap::Scale::kLogAbove : ColumnMap::Scale::kLogBelow;
    map.origin = lower ? bounds.lower : bounds.upper;
  }
  return map;
}

// -inf for what a density must not say but a float might.
double Clean(double log_p) { return log_p < kInfinity ? log_p : -kInfinity; }

// The mean over members at row i of (members, n); -inf if one of them is.
double MeanOverMembers(const std::vector<double>& member, size_t members, size_t n, size_t i) {
  double sum = 0;
  for (size_t m = 0; m < members; ++m) sum += member[m * n + i];
  return Clean(sum / static_cast<double>(members));
}

double LogMixture(const std::vector<double>& member, size_t members, size_t n, size_t i) {
  double largest = -kInfinity;
  for (size_t m = 0; m < members; ++m) largest = std::max(largest, member[m * n + i]);
  if (largest == -kInfinity) return -kInfinity;
  double sum = 0;
  for (size_t m = 0; m < members; ++m) sum += std::exp(member[m * n + i] - largest);
  return largest + std::log(sum / static_cast<double>(members));
}

}  // namespace

JointTarget::JointTarget(const JointProblem& problem, const StopToken& stop) : problem_(problem), stop_(stop) {
  for (const JointParameter& parameter : problem.parameters) maps_.push_back(MapOf(parameter.parameter));
}

int64_t JointTarget::num_members() const {
  int64_t sum = 0;
  for (const JointModel& model : problem_.models) sum += static_cast<int64_t>(model.members.size());
  return sum;
}

void JointTarget::ToTheta(absl::Span<const double> x, std::vector<double>& theta,
                          std::vector<double>& log_volume) const {
  const size_t columns = maps_.size();
  theta.resize(x.size());
  log_volume.assign(x.size() / columns, 0);
  for (size_t e = 0; e < x.size(); ++e) {
    const ColumnMap& map = maps_[e % columns];
    theta[e] = MapInverse(map, x[e]);
    const double ladj = MapForward(map, theta[e]).ladj;
    log_volume[e / columns] += std::isfinite(ladj) && std::isfinite(theta[e]) ? -ladj : -kInfinity;
  }
}

absl::Status JointTarget::LogPriors(const std::vector<double>& theta, std::vector<double>& divided,
                                    std::vector<double>& whole) {
  const size_t columns = maps_.size();
  const size_t n = theta.size() / columns;
  divided.assign(n, 0);
  whole.assign(n, 0);
  for (size_t e = 0; e < theta.size(); ++e) {
    const JointParameter& parameter = problem_.parameters[e % columns];
    if (!parameter.has_prior()) continue;
    const double log_prior = LogPrior(parameter.parameter.prior(), theta[e]);
    whole[e / columns] += log_prior;
    if (parameter.models > 1) divided[e / columns] += static_cast<double>(parameter.models - 1) * log_prior;
  }
  if (problem_.prior == nullptr) return absl::OkStatus();
  const size_t own = problem_.prior_columns.size();
  std::vector<double> of_prior(n * own);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < own; ++j) of_prior[i * own + j] = theta[i * columns + problem_.prior_columns[j]];
  }
  std::vector<double> log_prior(n);
  ABSL_RETURN_IF_ERROR(problem_.prior->LogProb(of_prior, absl::MakeSpan(log_prior), stop_));
  evaluations_ += static_cast<int64_t>(n);
  for (size_t i = 0; i < n; ++i) {
    divided[i] += static_cast<double>(num_models() - 1) * log_prior[i];
    whole[i] += log_prior[i];
  }
  return absl::OkStatus();
}

std::vector<double> JointTarget::OwnColumns(const JointModel& model, const std::vector<double>& theta) const {
  const size_t columns = maps_.size();
  const size_t own = model.columns.size();
  const size_t n = theta.size() / columns;
  std::vector<double> result(n * own);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < own; ++j) result[i * own + j] = theta[i * columns + model.columns[j]];
  }
  return result;
}

absl::Status JointTarget::LogDensity(absl::Span<const double> x, absl::Span<double> log_density) {
  std::vector<double> theta;
  std::vector<double> log_volume;
  std::vector<double> divided;
  std::vector<double> whole;
  ToTheta(x, theta, log_volume);
  ABSL_RETURN_IF_ERROR(LogPriors(theta, divided, whole));
  const size_t n = log_density.size();
  for (size_t i = 0; i < n; ++i) {
    log_density[i] = divided[i] == -kInfinity ? -kInfinity : log_volume[i] - divided[i];
  }
  std::vector<double> log_p(n);
  for (const JointModel& model : problem_.models) {
    ABSL_RETURN_IF_ERROR(stop_.Check());
    ABSL_RETURN_IF_ERROR(model.density().LogProb(OwnColumns(model, theta), absl::MakeSpan(log_p), stop_));
    for (size_t i = 0; i < n; ++i) log_density[i] = Clean(log_density[i] + log_p[i]);
  }
  evaluations_ += static_cast<int64_t>(n) * num_models();
  return absl::OkStatus();
}

absl::Status JointTarget::LogMembers(size_t k, const std::vector<double>& theta, std::vector<double>& member) {
  const JointModel& model = problem_.models[k];
  const std::vector<double> own = OwnColumns(model, theta);
  const size_t n = theta.size() / maps_.size();
  member.resize(model.members.size() * n);
  for (size_t m = 0; m < model.members.size(); ++m) {
    ABSL_RETURN_IF_ERROR(stop_.Check());
    ABSL_RETURN_IF_ERROR(model.members[m]->LogProb(own, absl::MakeSpan(member).subspan(m * n, n), stop_));
  }
  evaluations_ += static_cast<int64_t>(n * model.members.size());
  return absl::OkStatus();
}

bool JointTarget::OutsidePrior(const JointModel& model, const double* own) const {
  for (size_t j = 0; j < model.columns.size(); ++j) {
    const JointParameter& parameter = problem_.parameters[model.columns[j]];
    if (parameter.has_prior() && LogPrior(parameter.parameter.prior(), own[j]) == -kInfinity) return true;
  }
  return false;
}

absl::StatusOr<std::vector<double>> JointTarget::OwnLogPrior(const JointModel& model, const std::vector<double>& own) {
  const size_t columns = model.columns.size();
  const size_t n = own.size() / columns;
  std::vector<double> log_prior(n, 0);
  for (size_t e = 0; e < own.size(); ++e) {
    const JointParameter& parameter = problem_.parameters[model.columns[e % columns]];
    if (parameter.has_prior()) log_prior[e / columns] += LogPrior(parameter.parameter.prior(), own[e]);
  }
  if (problem_.prior == nullptr) return log_prior;
  const size_t of_prior = problem_.prior_columns.size();
  std::vector<double> theta(n * of_prior);
  for (size_t j = 0; j < of_prior; ++j) {
    const auto at = std::find(model.columns.begin(), model.columns.end(), problem_.prior_columns[j]);
    for (size_t i = 0; i < n; ++i) theta[i * of_prior + j] = own[i * columns + (at - model.columns.begin())];
  }
  std::vector<double> of_model(n);
  ABSL_RETURN_IF_ERROR(problem_.prior->LogProb(theta, absl::MakeSpan(of_model), stop_));
  evaluations_ += static_cast<int64_t>(n);
  for (size_t i = 0; i < n; ++i) log_prior[i] += of_model[i];
  return log_prior;
}

absl::StatusOr<ModelDraws> JointTarget::DrawModel(size_t k, int64_t n, uint64_t seed, bool& outside) {
  const JointModel& model = problem_.models[k];
  const int64_t members = static_cast<int64_t>(model.members.size());
  const int64_t own = model.d();
  std::vector<double> theta(n * own);
  for (int64_t m = 0; m < members; ++m) {  // an equal share from each
    const int64_t begin = n * m / members;
    const int64_t end = n * (m + 1) / members;
    ABSL_RETURN_IF_ERROR(Sample(*model.members[m], seed + k, begin,
                                absl::MakeSpan(theta).subspan(begin * own, (end - begin) * own), stop_));
  }
  std::vector<double> inside;
  for (int64_t i = 0; i < n; ++i) {
    if (OutsidePrior(model, &theta[i * own])) continue;
    inside.insert(inside.end(), theta.begin() + i * own, theta.begin() + (i + 1) * own);
  }
  const size_t rows = inside.size() / own;
  evaluations_ += n + static_cast<int64_t>(rows) * members;
  outside = outside || static_cast<int64_t>(rows) < n;
  if (static_cast<int64_t>(rows) < n / 10 + 2) {
    return absl::FailedPreconditionError(absl::StrCat("the prior's density is zero at ", n - rows, " of ", n,
                                                      " draws from ", model.name,
                                                      ": the prior does not cover the posterior"));
  }
  ModelDraws draws;
  draws.member.resize(members * rows);
  for (int64_t m = 0; m < members; ++m) {
    ABSL_RETURN_IF_ERROR(
        model.members[m]->LogProb(inside, absl::MakeSpan(draws.member).subspan(m * rows, rows), stop_));
  }
  std::vector<double> log_weight(rows);
  std::vector<double> mean_log(rows);
  for (size_t i = 0; i < rows; ++i) {
    mean_log[i] = MeanOverMembers(draws.member, members, rows, i);
    log_weight[i] = mean_log[i] == -kInfinity ? -kInfinity : mean_log[i] - LogMixture(draws.member, members, rows, i);
  }
  double sum = 0;
  double squares = 0;
  for (const double value : log_weight) {
    sum += std::exp(value);
    squares += std::exp(2 * value);
  }
  const double mean = sum / static_cast<double>(rows);
  if (!(mean > 0)) return absl::FailedPreconditionError(absl::StrCat("the members of ", model.name, " do not overlap"));
  draws.log_norm = std::log(mean);
  draws.log_norm_error = std::sqrt(std::max(squares / (sum * mean) - 1, 0.0) / static_cast<double>(rows));
  for (size_t i = 0; i < rows; ++i) {
    draws.log_prob.push_back(mean_log[i] - draws.log_norm);
    for (int64_t j = 0; j < own; ++j) draws.x.push_back(MapForward(maps_[model.columns[j]], inside[i * own + j]).y);
  }
  ABSL_ASSIGN_OR_RETURN(draws.log_prior, OwnLogPrior(model, inside));
  draws.weight = MeanOneWeights(log_weight);
  MeanAndCovariance moments = MomentsOfRows(draws.x, own, draws.weight);
  draws.mean = std::move(moments.mean);
  draws.covariance = std::move(moments.covariance);
  return draws;
}

}  // namespace creamery
