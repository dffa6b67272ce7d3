#include "tests/reports/synthetic_target.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "models/plan/column_map.h"
#include "proto/support/rows.h"

namespace creamery {
namespace {

constexpr int64_t kGrid = 40000;
constexpr double kLog2Pi = 1.8378770664093454836;

class Gaussian final : public Block {
 public:
  Gaussian(int64_t m, double bend, Draws& draws) : m_(m), bend_(bend), factor_(m * m, 0.0) {
    for (int64_t i = 0; i < m; ++i) {
      double norm = 1;
      for (int64_t j = 0; j < i; ++j) {
        factor_[i * m + j] = draws.Normal() * 0.7;
        norm += factor_[i * m + j] * factor_[i * m + j];
      }
      factor_[i * m + i] = 1;
      const double scale = std::exp(draws.Uniform(-2, 0)) / std::sqrt(norm);
      for (int64_t j = 0; j <= i; ++j) factor_[i * m + j] *= scale;
      double sd = scale * std::sqrt(norm);
      if (i == m - 1) {
        bend_ *= sd;
        sd *= 1 + 6 * std::fabs(bend);
      }
      lower_.push_back(-sd * draws.Uniform(6.5, 15));
      upper_.push_back(sd * draws.Uniform(6.5, 15));
    }
  }
  int64_t m() const override { return m_; }
  void FromNormal(const double* z, double* theta) const override {
    for (int64_t i = 0; i < m_; ++i) {
      theta[i] = 0;
      for (int64_t j = 0; j <= i; ++j) theta[i] += factor_[i * m_ + j] * z[j];
    }
    theta[m_ - 1] += bend_ * (z[0] * z[0] - 1);
  }
  double LogProb(const double* theta) const override {
    std::vector<double> z(m_);
    double log_prob = 0;
    for (int64_t i = 0; i < m_; ++i) {
      double rest = theta[i];
      if (i == m_ - 1 && i > 0) rest -= bend_ * (z[0] * z[0] - 1);
      for (int64_t j = 0; j < i; ++j) rest -= factor_[i * m_ + j] * z[j];
      z[i] = rest / factor_[i * m_ + i];
      log_prob -= z[i] * z[i] / 2 + kLog2Pi / 2 + std::log(factor_[i * m_ + i]);
    }
    return log_prob;
  }
  double MeanLogProb() const override {
    double mean = 0;
    for (int64_t i = 0; i < m_; ++i) mean -= 0.5 + kLog2Pi / 2 + std::log(factor_[i * m_ + i]);
    return mean;
  }
  double VarianceLogProb() const override { return static_cast<double>(m_) / 2; }
  double lower(int64_t j) const override { return lower_[j]; }
  double upper(int64_t j) const override { return upper_[j]; }

 private:
  int64_t m_;
  double bend_;
  std::vector<double> factor_;  // lower triangular
  std::vector<double> lower_, upper_;
};

// One parameter on a grid of kGrid cells, log density linear in between.
class Tabulated final : public Block {
 public:
  Tabulated(std::function<double(double)> log_density, double lower, double upper)
      : log_density_(std::move(log_density)), lower_(lower), upper_(upper) {
    const double step = (upper - lower) / kGrid;
    // Midpoint rule: an integrand of bounded second derivative is integrated to 1e-9 of its scale.
    double total = 0;
    std::vector<double> log_p;
    for (int64_t i = 0; i < kGrid; ++i) {
      log_p.push_back(log_density_(lower + (static_cast<double>(i) + 0.5) * step));
      total += std::exp(log_p.back()) * step;
      cumulative_.push_back(total);
    }
    log_norm_ = std::log(total);
    for (double& c : cumulative_) c /= total;
    for (const double l : log_p) mean_ += std::exp(l - log_norm_) * (l - log_norm_) * step;
    for (const double l : log_p) variance_ += std::exp(l - log_norm_) * std::pow(l - log_norm_ - mean_, 2) * step;
  }
  int64_t m() const override { return 1; }
  void FromNormal(const double* z, double* theta) const override {
    const double u = NormalCdf(*z);
    const auto it = std::lower_bound(cumulative_.begin(), cumulative_.end(), u);
    const int64_t i = std::min<int64_t>(it - cumulative_.begin(), kGrid - 1);
    const double before = i == 0 ? 0 : cumulative_[i - 1];
    const double part = std::clamp((u - before) / (cumulative_[i] - before), 1e-9, 1 - 1e-9);
    *theta = lower_ + (static_cast<double>(i) + part) * (upper_ - lower_) / kGrid;
  }
  double LogProb(const double* theta) const override { return log_density_(*theta) - log_norm_; }
  double MeanLogProb() const override { return mean_; }
  double VarianceLogProb() const override { return variance_; }
  double lower(int64_t) const override { return lower_; }
  double upper(int64_t) const override { return upper_; }

 private:
  std::function<double(double)> log_density_;
  double lower_, upper_;
  double log_norm_ = 0;
  double mean_ = 0;
  double variance_ = 0;
  std::vector<double> cumulative_;
};

// Standard normal in x and y with correlation rho, cut to a box: the marginal of x is tabulated, y given x is a cut
// normal.
class TruncatedPair final : public Block {
 public:
  explicit TruncatedPair(Draws& draws)
      : rho_(draws.Uniform(-0.9, 0.9)),
        s_(std::sqrt(1 - rho_ * rho_)),
        ax_(draws.Uniform(-1.5, 0.5)),
        bx_(draws.Uniform(2, 6)),
        ay_(-draws.Uniform(2, 6)),
        by_(draws.Uniform(-0.5, 1.5)) {
    x_ = MakeTabulated([this](double x) { return NormalLogDensity(x) + std::log(MassOfY(x)); }, ax_, bx_);
    double mass = 0;  // of the box
    const int64_t cells = 1500;
    const double dx = (bx_ - ax_) / cells;
    const double dy = (by_ - ay_) / cells;
    double first = 0;
    double second = 0;
    for (int64_t i = 0; i < cells; ++i) {
      for (int64_t j = 0; j < cells; ++j) {
        const double l = LogDensity(ax_ + (i + 0.5) * dx, ay_ + (j + 0.5) * dy);
        const double p = std::exp(l) * dx * dy;
        mass += p;
        first += p * l;
        second += p * l * l;
      }
    }
    log_mass_ = std::log(mass);
    mean_ = first / mass - log_mass_;
    variance_ = second / mass - first / mass * (first / mass);
  }
  int64_t m() const override { return 2; }
  void FromNormal(const double* z, double* theta) const override {
    x_->FromNormal(z, theta);
    const double low = NormalCdf((ay_ - rho_ * theta[0]) / s_);
    const double u = low + NormalCdf(z[1]) * MassOfY(theta[0]);
    const double y = rho_ * theta[0] + s_ * NormalQuantile(std::clamp(u, 1e-300, 1 - 1e-16));
    theta[1] = std::clamp(y, ay_ + 1e-12, by_ - 1e-12);
  }
  double LogProb(const double* theta) const override { return LogDensity(theta[0], theta[1]) - log_mass_; }
  double MeanLogProb() const override { return mean_; }
  double VarianceLogProb() const override { return variance_; }
  double lower(int64_t j) const override { return j == 0 ? ax_ : ay_; }
  double upper(int64_t j) const override { return j == 0 ? bx_ : by_; }

 private:
  double MassOfY(double x) const { return NormalCdf((by_ - rho_ * x) / s_) - NormalCdf((ay_ - rho_ * x) / s_); }
  double LogDensity(double x, double y) const {
    return NormalLogDensity(x) + NormalLogDensity((y - rho_ * x) / s_) - std::log(s_);
  }

  double rho_, s_, ax_, bx_, ay_, by_;
  std::unique_ptr<Block> x_;
  double log_mass_ = 0;
  double mean_ = 0;
  double variance_ = 0;
};

double LogMixture(double a, double b) { return std::max(a, b) + std::log1p(std::exp(-std::fabs(a - b))); }

}  // namespace

std::unique_ptr<Block> MakeGaussian(int64_t m, double bend, Draws& draws) {
  return std::make_unique<Gaussian>(m, m > 1 ? bend : 0, draws);
}

std::unique_ptr<Block> MakeTruncatedPair(Draws& draws) { return std::make_unique<TruncatedPair>(draws); }

std::unique_ptr<Block> MakeTabulated(const std::function<double(double)>& log_density, double lower, double upper) {
  return std::make_unique<Tabulated>(log_density, lower, upper);
}

std::unique_ptr<Block> MakeShape(int64_t shape, Draws& draws) {
  switch (shape) {
    case 0: {
      const double width = draws.Uniform(0.05, 0.2);
      const double share = draws.Uniform(0.3, 0.7);
      return MakeTabulated(
          [=](double x) {
            return LogMixture(std::log(share) + NormalLogDensity((x + 0.5) / width),
                              std::log(1 - share) + NormalLogDensity((x - 0.5) / width));
          },
          -2, 2);
    }
    case 1: {
      const double a = draws.Uniform(1.5, 4);
      return MakeTabulated([=](double x) { return a * std::log(x) - x; }, 0, 25);  // gamma
    }
    case 2:
      return MakeTabulated([](double x) { return std::log(1 - std::fabs(x)); }, -1, 1);
    case 3: {
      const double edge = draws.Uniform(-1, 1);
      return MakeTabulated([=](double x) { return NormalLogDensity(x + edge); }, 0, draws.Uniform(3, 8));
    }
    default: {
      const double rate = draws.Uniform(2, 10);
      return MakeTabulated([=](double x) { return -rate * x; }, 0, 1);
    }
  }
}

std::unique_ptr<Block> MakeFlat(Draws& draws) {
  const double lower = draws.Uniform(-2, 2);
  return MakeTabulated([](double) { return 0.0; }, lower, lower + draws.Uniform(0.5, 3));
}

void Target::Add(std::unique_ptr<Block> block, Coordinates coordinates) {
  kl_ += block->MeanLogProb();
  for (int64_t j = 0; j < block->m(); ++j) {
    Column column{coordinates, block->lower(j), block->upper(j)};
    kl_ += std::log(column.upper - column.lower);
    v1::Parameter parameter;
    parameter.set_name(absl::StrCat("p", parameters_.size()));
    v1::Prior& prior = *parameter.mutable_prior();
    switch (coordinates) {
      case Coordinates::kPlain:
        prior.mutable_uniform()->set_lower(column.lower);
        prior.mutable_uniform()->set_upper(column.upper);
        break;
      case Coordinates::kLogarithm:
        prior.mutable_log_uniform()->set_lower(std::exp(column.lower));
        prior.mutable_log_uniform()->set_upper(std::exp(column.upper));
        break;
      case Coordinates::kNormal:
        column.mean = std::sin(static_cast<double>(3 * parameters_.size() + 1));  // any
        column.sd = 0.5 + static_cast<double>(parameters_.size());
        prior.mutable_normal()->set_mean(column.mean);
        prior.mutable_normal()->set_stddev(column.sd);
        break;
    }
    parameters_.push_back(parameter);
    columns_.push_back(column);
  }
  dimensionality_ += 2 * block->VarianceLogProb();
  blocks_.push_back(std::move(block));
}

// With theta = L z and priors N(a, s), f = log P - log pi = constant - z' (1 - A) z / 2 + b' z, A = L' S^-1 L and
// b = -L' S^-1 a, S the priors' covariance: Var f = tr (1 - A)^2 / 2 + b' b.
void Target::AddUnderNormals(int64_t m, Draws& draws) {
  auto block = std::make_unique<Gaussian>(m, 0, draws);
  std::vector<double> l(m * m);
  for (int64_t j = 0; j < m; ++j) {
    std::vector<double> z(m, 0.0);
    std::vector<double> theta(m);
    z[j] = 1;
    block->FromNormal(z.data(), theta.data());
    for (int64_t i = 0; i < m; ++i) l[i * m + j] = theta[i];
  }
  std::vector<double> a(m);
  std::vector<double> s(m);
  kl_ += block->MeanLogProb();
  for (int64_t i = 0; i < m; ++i) {
    double variance = 0;
    for (int64_t j = 0; j < m; ++j) variance += l[i * m + j] * l[i * m + j];
    s[i] = std::sqrt(variance) * draws.Uniform(1, 4);
    a[i] = s[i] * draws.Uniform(-1.5, 1.5);
    kl_ += std::log(s[i]) + kLog2Pi / 2 + (a[i] * a[i] + variance) / (2 * s[i] * s[i]);
    v1::Parameter parameter;
    parameter.set_name(absl::StrCat("p", parameters_.size()));
    parameter.mutable_prior()->mutable_normal()->set_mean(a[i]);
    parameter.mutable_prior()->mutable_normal()->set_stddev(s[i]);
    parameters_.push_back(parameter);
    columns_.emplace_back();
  }
  for (int64_t j = 0; j < m; ++j) {
    double b = 0;
    for (int64_t i = 0; i < m; ++i) b += l[i * m + j] * a[i] / (s[i] * s[i]);
    dimensionality_ += 2 * b * b;
    for (int64_t k = 0; k < m; ++k) {
      double rest = j == k ? 1 : 0;
      for (int64_t i = 0; i < m; ++i) rest -= l[i * m + j] * l[i * m + k] / (s[i] * s[i]);
      dimensionality_ += rest * rest;
    }
  }
  blocks_.push_back(std::move(block));
}

double Target::FromColumn(int64_t j, double phi) const {
  const Column& column = columns_[j];
  switch (column.coordinates) {
    case Coordinates::kLogarithm:
      return std::exp(phi);
    case Coordinates::kNormal:
      return column.mean + column.sd * NormalQuantile((phi - column.lower) / (column.upper - column.lower));
    default:
      return phi;
  }
}

void Target::FromNormal(const double* z, double* theta) const {
  int64_t j = 0;
  for (const auto& block : blocks_) {
    block->FromNormal(z + j, theta + j);
    j += block->m();
  }
  for (j = 0; j < d(); ++j) theta[j] = FromColumn(j, theta[j]);
}

double Target::LogProb(const double* theta) const {
  std::vector<double> phi(theta, theta + d());
  double log_prob = 0;
  for (int64_t j = 0; j < d(); ++j) {
    const Column& column = columns_[j];
    if (column.coordinates == Coordinates::kLogarithm) {
      phi[j] = std::log(theta[j]);
      log_prob -= phi[j];
    } else if (column.coordinates == Coordinates::kNormal) {
      const double z = (theta[j] - column.mean) / column.sd;
      const double width = column.upper - column.lower;
      phi[j] = column.lower + width * NormalCdf(z);
      log_prob += std::log(width / column.sd) + NormalLogDensity(z);
    }
  }
  int64_t j = 0;
  for (const auto& block : blocks_) {
    log_prob += block->LogProb(&phi[j]);
    j += block->m();
  }
  return log_prob;
}

double Target::LogPrior(const double* theta) const {
  double log_prior = 0;
  for (int64_t j = 0; j < d(); ++j) log_prior += creamery::LogPrior(parameters_[j].prior(), theta[j]);
  return log_prior;
}

}  // namespace creamery
