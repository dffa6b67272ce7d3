#include "models/statistics/joint_sampler.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "models/random.h"
#include "models/statistics/pareto.h"
#include "models/statistics/weights.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kSizeKept = 0.5;      // effective size after a step of temperature
constexpr double kWideScale = 2;       // of the starting mixture's covering component
constexpr double kProductScale = 1.5;  // of its component at the product of Gaussians
constexpr int kMostSteps = 200;
constexpr int kMostMoves = 16;        // rounds at one temperature
constexpr double kEnoughMoves = 1.5;  // accepted moves of a particle at one temperature, on average
constexpr int kMostTrials = 5;
constexpr double kEvenEnough = 0.4;  // efficiency that ends the trials

// Random numbers of one stage: row i of stage s.
uint64_t At(uint64_t stage, int64_t i) { return (stage << 32) | static_cast<uint64_t>(i); }

bool IsPositiveDefinite(const std::vector<double>& matrix, int64_t d) {
  const std::vector<double> lower = Cholesky(matrix, d);
  for (int64_t j = 0; j < d; ++j) {
    if (!(lower[j * d + j] * lower[j * d + j] > 1e-6 * std::fabs(matrix[j * d + j]))) return false;
    if (!(matrix[j * d + j] > 0)) return false;
  }
  return true;
}

int64_t ComponentsFor(int64_t rows, int64_t d) { return std::clamp<int64_t>(rows / (20 * (d + 1)), 1, 6); }

struct Particles {
  int64_t d = 0;
  std::vector<double> x;      // (n, d)
  std::vector<double> log_q;  // (n): of the starting mixture
  std::vector<double> log_t;  // (n): of the joint density
  double beta = 0;
  double log_r = 0;

  int64_t n() const { return static_cast<int64_t>(log_q.size()); }
  // log of the density at the present temperature.
  static double LogAt(double beta, double log_q, double log_t) {
    if (beta == 0) return log_q;
    return log_t == -kInfinity ? -kInfinity : (1 - beta) * log_q + beta * log_t;
  }
};

std::vector<double> Increments(const Particles& p, double step) {
  std::vector<double> increment(p.n());
  for (int64_t i = 0; i < p.n(); ++i) {
    increment[i] = p.log_t[i] == -kInfinity ? -kInfinity : step * (p.log_t[i] - p.log_q[i]);
  }
  return increment;
}

// The largest step of temperature that keeps the effective size.
double LargestStep(const Particles& p) {
  const double alive = static_cast<double>(
      std::count_if(p.log_t.begin(), p.log_t.end(), [](double value) { return value != -kInfinity; }));
  const auto keeps = [&](double step) { return KishSize(MeanOneWeights(Increments(p, step))) >= kSizeKept * alive; };
  double high = 1 - p.beta;
  if (keeps(high)) return high;
  double low = 0;
  for (int i = 0; i < 60; ++i) (keeps((low + high) / 2) ? low : high) = (low + high) / 2;
  return low > 0 ? low : high;
}

double LogMean(const std::vector<double>& log_value) {
  const double largest = *std::max_element(log_value.begin(), log_value.end());
  if (largest == -kInfinity) return -kInfinity;
  double sum = 0;
  for (const double value : log_value) sum += std::exp(value - largest);
  return largest + std::log(sum / static_cast<double>(log_value.size()));
}

// Systematic resampling by exp(log_weight), then all have equal weight.
void Resample(const std::vector<double>& log_weight, double u, Particles& p) {
  const std::vector<double> weight = MeanOneWeights(log_weight);
  Particles kept = p;
  double cumulated = weight[0];
  int64_t source = 0;
  for (int64_t i = 0; i < p.n(); ++i) {
    while (cumulated < static_cast<double>(i) + u && source + 1 < p.n()) cumulated += weight[++source];
    std::copy(p.x.begin() + source * p.d, p.x.begin() + (source + 1) * p.d, kept.x.begin() + i * p.d);
    kept.log_q[i] = p.log_q[source];
    kept.log_t[i] = p.log_t[source];
  }
  p = std::move(kept);
}

class Sampler {
 public:
  Sampler(JointTarget& target, uint64_t seed, int64_t budget)
      : target_(target), random_(seed, RandomPurpose::kStatistics), budget_(budget), first_(target.evaluations()) {}

  bool Affords(int64_t rows) const { return target_.evaluations() - first_ + rows * target_.num_models() <= budget_; }

  // log w = log t - log q at n new draws x of the mixture.
  absl::StatusOr<std::vector<double>> Weigh(const StudentMixture& mixture, int64_t n, std::vector<double>& x) {
    const int64_t d = target_.d();
    ++stage_;
    x.resize(n * d);
    for (int64_t i = 0; i < n; ++i) mixture.Draw(random_, At(stage_, i), &x[i * d]);
    std::vector<double> log_weight(n);
    ABSL_RETURN_IF_ERROR(target_.LogDensity(x, absl::MakeSpan(log_weight)));
    for (int64_t i = 0; i < n; ++i) log_weight[i] -= mixture.LogDensity(&x[i * d]);
    return log_weight;
  }

  absl::Status Start(const StudentMixture& start, int64_t n, Particles& p) {
    p.d = target_.d();
    ABSL_ASSIGN_OR_RETURN(p.log_t, Weigh(start, n, p.x));
    p.log_q.resize(n);
    int64_t alive = 0;
    for (int64_t i = 0; i < n; ++i) {
      p.log_q[i] = start.LogDensity(&p.x[i * p.d]);
      p.log_t[i] += p.log_q[i];
      alive += p.log_t[i] == -kInfinity ? 0 : 1;
    }
    if (alive >= 5) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat("the posteriors exclude one another: their product vanishes at ",
                                                      n - alive, " of ", n,
                                                      " points drawn around them; look at their bounds"));
  }

  // One step of temperature; false when the budget does not carry it.
  absl::StatusOr<bool> Step(const StudentMixture& start, Particles& p) {
    const double step = LargestStep(p);
    const std::vector<double> increment = Increments(p, step);
    p.beta = step >= 1 - p.beta ? 1 : p.beta + step;
    p.log_r += LogMean(increment);
    ++stage_;
    Resample(increment, random_.Uniform(At(stage_, 0), 0), p);
    const StudentMixture fitted = FitMixture(p.x, p.d, {}, ComponentsFor(p.n(), p.d), random_, At(++stage_, 0));
    const std::vector<double> lower = Cholesky(MomentsOfRows(p.x, p.d, {}).covariance, p.d);
    double accepted = 0;
    for (int move = 0; move < kMostMoves && accepted < kEnoughMoves; ++move) {
      if (!Affords(p.n())) return false;
      ABSL_ASSIGN_OR_RETURN(const double rate, Move(start, move % 2 == 0 ? &fitted : nullptr, lower, p));
      accepted += rate;
    }
    return true;
  }

 private:
  // A Metropolis move of every particle: from `fitted`, or at random with the particles' covariance. The share
  // accepted.
  absl::StatusOr<double> Move(const StudentMixture& start, const StudentMixture* fitted,
                              const std::vector<double>& lower, Particles& p) {
    ++stage_;
    const int64_t n = p.n();
    std::vector<double> x = p.x;
    for (int64_t i = 0; i < n; ++i) {
      if (fitted != nullptr) {
        fitted->Draw(random_, At(stage_, i), &x[i * p.d]);
      } else {
        const double width = width_ * 2.38 / std::sqrt(static_cast<double>(p.d));
        for (int64_t j = 0; j < p.d; ++j) {
          const double z = width * random_.Normal(At(stage_, i), static_cast<uint32_t>(j));
          for (int64_t l = j; l < p.d; ++l) x[i * p.d + l] += lower[l * p.d + j] * z;
        }
      }
    }
    std::vector<double> log_t(n);
    ABSL_RETURN_IF_ERROR(target_.LogDensity(x, absl::MakeSpan(log_t)));
    ++stage_;
    int64_t accepted = 0;
    for (int64_t i = 0; i < n; ++i) {
      double* now = &p.x[i * p.d];
      const double* next = &x[i * p.d];
      const double log_q = start.LogDensity(next);
      double log_ratio = Particles::LogAt(p.beta, log_q, log_t[i]) - Particles::LogAt(p.beta, p.log_q[i], p.log_t[i]);
      if (fitted != nullptr) log_ratio += fitted->LogDensity(now) - fitted->LogDensity(next);
      if (!(std::log(random_.Uniform(At(stage_, i), 0)) < log_ratio)) continue;
      ++accepted;
      std::copy(next, next + p.d, now);
      p.log_q[i] = log_q;
      p.log_t[i] = log_t[i];
    }
    const double rate = static_cast<double>(accepted) / static_cast<double>(n);
    if (fitted == nullptr) width_ = std::clamp(width_ * std::exp(rate - 0.25), 0.05, 3.0);
    return rate;
  }

  JointTarget& target_;
  const RandomStream random_;
  const int64_t budget_;
  const int64_t first_;
  uint64_t stage_ = 0;
  double width_ = 1;
};

// Refits the mixture to its own weighted draws while they are uneven; the best is kept.
absl::Status Refine(Sampler& sampler, int64_t n, int64_t d, uint64_t seed, JointProposal& proposal) {
  StudentMixture mixture = proposal.mixture;
  for (int trial = 0; trial < kMostTrials && sampler.Affords(n); ++trial) {
    std::vector<double> x;
    ABSL_ASSIGN_OR_RETURN(const std::vector<double> log_weight, sampler.Weigh(mixture, n, x));
    const double size = KishSize(MeanOneWeights(log_weight));
    const double efficiency = size / static_cast<double>(n);
    if (efficiency > proposal.efficiency) {
      proposal.efficiency = efficiency;
      proposal.mixture = mixture;
    }
    if (efficiency >= kEvenEnough || size < static_cast<double>(3 * (d + 1))) break;
    const std::vector<double> weight = MeanOneWeights(SmoothLogWeights(log_weight));
    mixture = FitMixture(x, d, weight, ComponentsFor(static_cast<int64_t>(size), d),
                         RandomStream(seed, RandomPurpose::kStatistics), At(1u << 30, trial));
  }
  return absl::OkStatus();
}

}  // namespace

StudentMixture StartingMixture(const JointTarget& target, const std::vector<ModelDraws>& draws) {
  const JointProblem& problem = target.problem();
  const int64_t d = target.d();
  std::vector<double> precision(d * d, 0);
  std::vector<double> pull(d, 0);
  std::vector<double> covariance(d * d, 0);
  std::vector<double> pairs(d * d, 0);
  std::vector<double> centre(d, 0);
  for (size_t k = 0; k < draws.size(); ++k) {
    const std::vector<int>& columns = problem.models[k].columns;
    const int64_t own = problem.models[k].d();
    const std::vector<double> inverse = InverseOf(draws[k].covariance, own);
    for (int64_t i = 0; i < own; ++i) {
      centre[columns[i]] += draws[k].mean[i] / static_cast<double>(problem.parameters[columns[i]].models);
      for (int64_t j = 0; j < own; ++j) {
        precision[columns[i] * d + columns[j]] += inverse[i * own + j];
        pull[columns[i]] += inverse[i * own + j] * draws[k].mean[j];
        covariance[columns[i] * d + columns[j]] += draws[k].covariance[i * own + j];
        pairs[columns[i] * d + columns[j]] += 1;
      }
    }
  }
  for (size_t e = 0; e < pairs.size(); ++e) covariance[e] /= std::max(pairs[e], 1.0);
  // Its width is that of one model and, along each parameter, of the models' scatter about their centre.
  for (size_t k = 0; k < draws.size(); ++k) {
    for (int64_t i = 0; i < problem.models[k].d(); ++i) {
      const int c = problem.models[k].columns[i];
      const double away = draws[k].mean[i] - centre[c];
      covariance[c * d + c] += away * away / static_cast<double>(problem.parameters[c].models);
    }
  }
  std::vector<double> divided = precision;  // by the prior, a standard normal
  for (int64_t j = 0; j < d; ++j) {
    const JointParameter& parameter = problem.parameters[j];
    if (parameter.has_prior() && parameter.models > 1) divided[j * d + j] -= static_cast<double>(parameter.models - 1);
  }
  if (IsPositiveDefinite(divided, d)) precision = divided;
  std::vector<double> product = InverseOf(precision, d);
  std::vector<double> mean(d, 0);
  for (int64_t i = 0; i < d; ++i) {
    for (int64_t j = 0; j < d; ++j) mean[i] += product[i * d + j] * pull[j];
  }
  for (double& value : product) value *= kProductScale;
  for (double& value : covariance) value *= kWideScale;
  StudentMixture mixture(d);
  mixture.Add(0.5, std::move(mean), product);
  mixture.Add(0.5, std::move(centre), covariance);
  return mixture;
}

absl::StatusOr<JointProposal> FindJointProposal(JointTarget& target, const std::vector<ModelDraws>& draws,
                                                uint64_t seed, int64_t budget,
                                                const std::function<void(double)>& progress) {
  const int64_t d = target.d();
  // A fifth of the budget for the trials; a run needs a few dozen evaluations of every particle.
  const int64_t most = budget * 4 / 5 / (20 * target.num_models());
  const int64_t n = std::max<int64_t>(std::min(std::clamp<int64_t>(100 * d, 600, 2000), most), 50);
  Sampler sampler(target, seed, budget * 4 / 5);
  const StudentMixture start = StartingMixture(target, draws);
  Particles particles;
  ABSL_RETURN_IF_ERROR(sampler.Start(start, n, particles));
  bool affordable = true;
  for (int step = 0; step < kMostSteps && affordable && particles.beta < 1; ++step) {
    ABSL_ASSIGN_OR_RETURN(affordable, sampler.Step(start, particles));
    progress(particles.beta);
  }
  JointProposal proposal{FitMixture(particles.x, d, {}, ComponentsFor(n, d),
                                    RandomStream(seed, RandomPurpose::kStatistics), At((1u << 30) - 1, 0)),
                         particles.log_r, 0, particles.beta == 1};
  Sampler trials(target, seed + 1, budget - std::min(budget, budget * 4 / 5));
  ABSL_RETURN_IF_ERROR(Refine(trials, n, d, seed, proposal));
  progress(1);
  return proposal;
}

}  // namespace creamery
