#include "tests/reports/nested_experiment.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <string>

#include "absl/strings/str_cat.h"
#include "models/plan/column_map.h"
#include "models/random.h"
#include "models/statistics/joint_mixture.h"

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kMoves = 40;
constexpr double kEnd = 1e-4;  // share of the evidence in the live points

double Pull(double a) { return 0.5 * a + 0.3 * (a * a - 1); }

// Unit diagonal, so that the determinant stays near 1; any invertible matrix would do.
double Mixing(int64_t j, int64_t k) {
  return j == k ? 1 : 0.35 * std::sin(1.7 * static_cast<double>(j) + 2.9 * static_cast<double>(k));
}

double LogDeterminant(int64_t d) {
  std::vector<double> m(d * d);
  for (int64_t e = 0; e < d * d; ++e) m[e] = Mixing(e / d, e % d);
  double log = 0;
  for (int64_t k = 0; k < d; ++k) {  // no pivoting: the diagonal dominates
    log += std::log(std::fabs(m[k * d + k]));
    for (int64_t i = k + 1; i < d; ++i) {
      const double factor = m[i * d + k] / m[k * d + k];
      for (int64_t j = k; j < d; ++j) m[i * d + j] -= factor * m[k * d + j];
    }
  }
  return log;
}

double LogNormalDensity(double x, double sd) {
  return -0.5 * (x / sd) * (x / sd) - std::log(sd) - 0.5 * std::log(2 * M_PI);
}

// Live points in the unit cube, and the moves that keep them within a contour.
class LivePoints {
 public:
  LivePoints(const NestedExperiment& experiment, int64_t n, uint64_t seed)
      : experiment_(experiment), n_(n), d_(experiment.sampled()), random_(seed, RandomPurpose::kSample) {
    cube_.resize(n_ * d_);
    for (double& value : cube_) value = Uniform();
    for (int64_t i = 0; i < n_; ++i) log_l_.push_back(experiment_.LogLikelihood(&cube_[i * d_]));
    birth_.assign(n_, -kInfinity);
  }

  const double* cube(int64_t i) const { return &cube_[i * d_]; }
  double log_l(int64_t i) const { return log_l_[i]; }
  double birth(int64_t i) const { return birth_[i]; }
  double highest() const { return *std::max_element(log_l_.begin(), log_l_.end()); }
  std::vector<int64_t> Order() const {
    std::vector<int64_t> order(n_);
    std::iota(order.begin(), order.end(), int64_t{0});
    std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return log_l_[a] < log_l_[b]; });
    return order;
  }

  // New points above `contour` in place of order[0 .. count).
  void Replace(const std::vector<int64_t>& order, int64_t count, double contour) {
    std::vector<double> survivors;
    for (int64_t i = count; i < n_; ++i) {
      survivors.insert(survivors.end(), cube(order[i]), cube(order[i]) + d_);
    }
    const std::vector<double> lower = Cholesky(MomentsOfRows(survivors, d_, {}).covariance, d_);
    const int64_t alive = n_ - count;
    double accepted = 0;
    std::vector<double> x(d_), y(d_);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t source = Below(alive);
      std::copy_n(&survivors[source * d_], d_, x.begin());
      double at_x = log_l_[order[count + source]];
      for (int move = 0; move < kMoves; ++move) {
        Propose(survivors, alive, lower, move % 2 == 0, x, y);
        if (std::any_of(y.begin(), y.end(), [](double v) { return !(v > 0 && v < 1); })) continue;
        const double at_y = experiment_.LogLikelihood(y.data());
        if (!(at_y > contour)) continue;
        x = y;
        at_x = at_y;
        accepted += 1.0 / static_cast<double>(kMoves * count);
      }
      std::copy(x.begin(), x.end(), cube_.begin() + order[i] * d_);
      log_l_[order[i]] = at_x;
      birth_[order[i]] = contour;
    }
    width_ = std::clamp(width_ * std::exp(0.3 * (accepted - 0.3)), 0.05, 2.0);
  }

 private:
  double Uniform() { return random_.Uniform(count_++); }
  int64_t Below(int64_t n) { return std::min(static_cast<int64_t>(Uniform() * static_cast<double>(n)), n - 1); }

  void Propose(const std::vector<double>& survivors, int64_t alive, const std::vector<double>& lower, bool normal,
               const std::vector<double>& x, std::vector<double>& y) {
    y = x;
    if (normal) {
      const double width = 2 * width_ / std::sqrt(static_cast<double>(d_));
      for (int64_t k = 0; k < d_; ++k) {
        const double z = width * NormalQuantile(Uniform());
        for (int64_t j = k; j < d_; ++j) y[j] += lower[j * d_ + k] * z;
      }
      return;
    }
    const int64_t a = Below(alive);
    const int64_t b = Below(alive);
    const double width = 1.7 * width_ / std::sqrt(2.0 * static_cast<double>(d_)) * (0.2 + 1.3 * Uniform());
    for (int64_t j = 0; j < d_; ++j) y[j] += width * (survivors[a * d_ + j] - survivors[b * d_ + j]);
  }

  const NestedExperiment& experiment_;
  const int64_t n_;
  const int64_t d_;
  const RandomStream random_;
  uint64_t count_ = 0;
  double width_ = 1;
  std::vector<double> cube_;
  std::vector<double> log_l_;
  std::vector<double> birth_;
};

}  // namespace

double NestedExperiment::LogLikelihood(const double* cube) const {
  double sum = 0;
  for (int64_t j = 0; j < d; ++j) {
    double u = 0;
    for (int64_t k = 0; k < d; ++k) u += Mixing(j, k) * kHalfWidth * (2 * cube[k] - 1);
    if (nuisances) u += sign * Pull(NormalQuantile(cube[d + j]));
    sum += LogNormalDensity(u - shift, Noise(j));
  }
  return sum;
}

double NestedExperiment::Marginal(int64_t j, double u) const {
  if (!nuisances) return std::exp(LogNormalDensity(u - shift, Noise(j)));
  double sum = 0;
  constexpr double kStep = 0.02;
  for (int i = -350; i <= 350; ++i) {
    const double a = kStep * i;
    sum += kStep * std::exp(LogNormalDensity(a, 1) + LogNormalDensity(u + sign * Pull(a) - shift, Noise(j)));
  }
  return sum;
}

TrainingInput NestedExperiment::Run(int64_t live, const std::string& family, uint64_t seed) const {
  TrainingInput input;
  input.job.set_name("projects/p/jobs/1");
  v1::EstimatorSpec& spec = *input.job.mutable_training()->mutable_spec();
  if (family == "nsf") {
    spec.mutable_nsf();
  } else {
    spec.mutable_maf();
  }
  spec.mutable_training()->set_seed(seed);
  input.dataset.set_name("projects/p/datasets/d");
  input.dataset.set_row_kind(v1::NESTED_SAMPLING);
  for (int64_t j = 0; j < d; ++j) {
    v1::Parameter& parameter = *input.dataset.add_parameters();
    parameter.set_name(absl::StrCat("p", j));
    parameter.mutable_prior()->mutable_uniform()->set_lower(-kHalfWidth);
    parameter.mutable_prior()->mutable_uniform()->set_upper(kHalfWidth);
  }
  LivePoints points(*this, live, seed);
  const auto bury = [&](int64_t i) {
    for (int64_t j = 0; j < d; ++j) input.rows.theta.push_back(kHalfWidth * (2 * points.cube(i)[j] - 1));
    input.rows.log_likelihood.push_back(points.log_l(i));
    input.rows.log_likelihood_birth.push_back(points.birth(i));
  };
  const int64_t dying = std::max<int64_t>(live / 20, 1);
  double log_x = 0;
  double log_z = -kInfinity;
  while (points.highest() + log_x > log_z + std::log(kEnd)) {
    const std::vector<int64_t> order = points.Order();
    for (int64_t i = 0; i < dying; ++i) {
      bury(order[i]);
      const double log_n = std::log(static_cast<double>(live - i));
      const double more = points.log_l(order[i]) + log_x - log_n;
      log_z = std::max(log_z, more) + std::log1p(std::exp(-std::fabs(log_z - more)));
      log_x -= 1 / static_cast<double>(live - i);
    }
    points.Replace(order, dying, points.log_l(order[dying - 1]));
  }
  for (int64_t i = 0; i < live; ++i) bury(i);
  input.rows.num_rows = static_cast<int64_t>(input.rows.log_likelihood.size());
  input.dataset.set_num_rows(input.rows.num_rows);
  return input;
}

double TrueLogR(const NestedExperiment& a, const NestedExperiment& b) {
  const double d = static_cast<double>(a.d);
  double log_r = d * std::log(2 * NestedExperiment::kHalfWidth) + LogDeterminant(a.d);
  constexpr double kStep = 0.04;
  for (int64_t j = 0; j < a.d; ++j) {
    double both = 0;
    double of_a = 0;
    double of_b = 0;
    for (double u = -12; u < 16; u += kStep) {
      const double at_a = a.Marginal(j, u);
      const double at_b = b.Marginal(j, u);
      both += at_a * at_b * kStep;
      of_a += at_a * kStep;
      of_b += at_b * kStep;
    }
    log_r += std::log(both) - std::log(of_a) - std::log(of_b);
  }
  return log_r;
}

double ShiftForDrop(const NestedExperiment& a, const NestedExperiment& b, double drop) {
  NestedExperiment moved = b;
  const auto at = [&](double shift) {
    moved.shift = shift;
    return TrueLogR(a, moved);
  };
  double best = 0;
  double highest = -kInfinity;
  for (double shift = 0; shift < 1.5; shift += 0.1) {
    const double log_r = at(shift);
    if (log_r > highest) {
      highest = log_r;
      best = shift;
    }
  }
  double low = best;
  double high = best + 5;
  for (int i = 0; i < 20; ++i) {
    const double middle = (low + high) / 2;
    (at(middle) > highest - drop ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace creamery
