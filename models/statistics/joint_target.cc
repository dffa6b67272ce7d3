#include "models/statistics/joint_target.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "absl/strings/str_cat.h"
#include "models/plan/column_map.h"
#include "models/random.h"
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

std::vector<double> JointTarget::OwnLogVolume(size_t k, const std::vector<double>& theta) const {
  const size_t columns = maps_.size();
  std::vector<double> log_volume(theta.size() / columns, 0);
  for (size_t i = 0; i < log_volume.size(); ++i) {
    for (const int c : problem_.models[k].columns) log_volume[i] -= MapForward(maps_[c], theta[i * columns + c]).ladj;
  }
  return log_volume;
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
  const RandomStream random(seed, RandomPurpose::kStatistics);
  std::vector<double> u(n * own);
  std::vector<double> theta(n * own);
  for (int64_t e = 0; e < n * own; ++e) {
    // Apart from the stages of the search, which count from 0.
    u[e] = random.Uniform((uint64_t{1} << 63) | (static_cast<uint64_t>(k) << 32) | static_cast<uint64_t>(e / own),
                          static_cast<uint32_t>(e % own));
  }
  for (int64_t m = 0; m < members; ++m) {  // an equal share from each
    const int64_t begin = n * m / members * own;
    const int64_t size = n * (m + 1) / members * own - begin;
    ABSL_RETURN_IF_ERROR(model.members[m]->PriorTransform(absl::MakeSpan(u).subspan(begin, size),
                                                          absl::MakeSpan(theta).subspan(begin, size), stop_));
  }
  std::vector<double> inside;
  AverageInput average;
  average.members = members;
  for (int64_t i = 0; i < n; ++i) {
    if (OutsidePrior(model, &theta[i * own])) continue;
    inside.insert(inside.end(), theta.begin() + i * own, theta.begin() + (i + 1) * own);
    average.control.push_back(-0.5 * static_cast<double>(own));
    for (int64_t j = 0; j < own; ++j) average.control.back() += 0.5 * std::pow(NormalQuantile(u[i * own + j]), 2);
  }
  const int64_t rows = static_cast<int64_t>(inside.size()) / own;
  evaluations_ += n + rows * members;
  outside = outside || rows < n;
  if (rows < n / 10 + 2) {
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
  average.member = draws.member;
  average.held_out_log_prob = model.held_out().out_of_fold_log_prob();
  average.whole = rows == n;
  std::vector<double> log_weight;
  ABSL_ASSIGN_OR_RETURN(draws.average, FitAverage(average, draws.log_prob, log_weight));
  for (int64_t e = 0; e < rows * own; ++e) draws.x.push_back(MapForward(maps_[model.columns[e % own]], inside[e]).y);
  ABSL_ASSIGN_OR_RETURN(draws.log_prior, OwnLogPrior(model, inside));
  draws.weight = MeanOneWeights(log_weight);
  MeanAndCovariance moments = MomentsOfRows(draws.x, own, draws.weight);
  draws.mean = std::move(moments.mean);
  draws.covariance = std::move(moments.covariance);
  return draws;
}

}  // namespace creamery
