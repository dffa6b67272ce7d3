#include "models/densities/kernel_density.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "models/densities/contraction.h"
#include "models/densities/limits.h"
#include "models/densities/normal_mixture.h"
#include "models/plan/column_map.h"
#include "models/plan/row_status.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kLogTwoPi = 1.83787706640934548356;
// A kernel smaller than exp(-kNegligible) times the largest adds nothing to a float64 sum of up to 1e6 kernels.
constexpr double kNegligible = 50;
constexpr int64_t kLanes = 8;

// sum_k f(k), in an order that lets the processor add several at once.
template <typename F>
double SumOver(int64_t n, const F& f) {
  double lane[kLanes] = {};
  int64_t k = 0;
  for (; k + kLanes <= n; k += kLanes) {
    for (int64_t l = 0; l < kLanes; ++l) lane[l] += f(k + l);
  }
  for (; k < n; ++k) lane[0] += f(k);
  return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

}  // namespace

void SolveTriangular(const std::vector<double>& cholesky, int64_t d, const double* y, double* v) {
  for (int64_t i = 0; i < d; ++i) {
    double value = y[i];
    for (int64_t j = 0; j < i; ++j) value -= cholesky[i * d + j] * v[j];
    v[i] = value / cholesky[i * d + i];
  }
}

KernelDensity::KernelDensity(KernelPlan plan)
    : m_(static_cast<int64_t>(plan.weight.size())),
      d_(plan.d()),
      columns_(std::move(plan.columns)),
      cholesky_(std::move(plan.cholesky)),
      centers_(plan.centers.size()),
      weight_(std::move(plan.weight)) {
  std::vector<double> v(d_);
  for (int64_t k = 0; k < m_; ++k) {
    SolveTriangular(cholesky_, d_, &plan.centers[k * d_], v.data());
    for (int64_t j = 0; j < d_; ++j) centers_[j * m_ + k] = v[j];
  }
  const double total = std::accumulate(weight_.begin(), weight_.end(), 0.0);
  for (double& w : weight_) {
    w /= total;
    log_weight_.push_back(std::log(w));
  }
  log_scale_ = -0.5 * static_cast<double>(d_) * kLogTwoPi;
  for (int64_t i = 0; i < d_; ++i) log_scale_ -= std::log(cholesky_[i * d_ + i]);
}

double KernelDensity::Whiten(const double* theta, double* v) const {
  double ladj = 0;
  std::vector<double> y(d_);
  for (int64_t j = 0; j < d_; ++j) {
    const MappedValue mapped = MapForward(columns_[j], theta[j]);
    y[j] = mapped.y;
    ladj += mapped.ladj;
  }
  SolveTriangular(cholesky_, d_, y.data(), v);
  for (int64_t j = 0; j < d_; ++j) {
    if (!(std::fabs(v[j]) < kFarAway)) return -kInfinity;
  }
  return ladj;
}

double KernelDensity::LogSum(const double* v, std::vector<double>& terms) const {
  terms = log_weight_;
  for (int64_t j = 0; j < d_; ++j) {
    const double* center = &centers_[j * m_];
    const double value = v[j];
    for (int64_t k = 0; k < m_; ++k) {
      const double x = value - center[k];
      terms[k] -= 0.5 * x * x;
    }
  }
  const double largest = *std::max_element(terms.begin(), terms.end());
  for (double& term : terms) term = term - largest > -kNegligible ? std::exp(term - largest) : 0;
  return largest + std::log(SumOver(m_, [&](int64_t k) { return terms[k]; }));
}

absl::Status KernelDensity::LogProb(absl::Span<const double> theta, absl::Span<double> log_prob,
                                    const StopToken& stop) const {
  const int64_t n = static_cast<int64_t>(log_prob.size());
  ABSL_RETURN_IF_ERROR(CheckRowShape("theta", theta.size(), n, d_));
  std::vector<double> v(d_);
  std::vector<double> terms;
  for (int64_t i = 0; i < n; ++i) {
    ABSL_RETURN_IF_ERROR(stop.Check());
    const double ladj = Whiten(&theta[i * d_], v.data());
    log_prob[i] = ladj == -kInfinity ? ladj : ladj + log_scale_ + LogSum(v.data(), terms);
  }
  return absl::OkStatus();
}

absl::Status KernelDensity::LogProbGradient(absl::Span<const double> theta, absl::Span<double> log_prob,
                                            absl::Span<double> gradient, const StopToken& stop) const {
  const int64_t n = static_cast<int64_t>(log_prob.size());
  ABSL_RETURN_IF_ERROR(CheckRowShape("theta", theta.size(), n, d_));
  ABSL_RETURN_IF_ERROR(CheckRowShape("gradient", gradient.size(), n, d_));
  std::vector<double> v(d_);
  std::vector<double> terms;
  for (int64_t i = 0; i < n; ++i) {
    ABSL_RETURN_IF_ERROR(stop.Check());
    double* out = &gradient[i * d_];
    std::fill(out, out + d_, 0.0);
    const double ladj = Whiten(&theta[i * d_], v.data());
    log_prob[i] = ladj == -kInfinity ? ladj : ladj + log_scale_ + LogSum(v.data(), terms);
    if (log_prob[i] == -kInfinity) continue;
    const double total = SumOver(m_, [&](int64_t k) { return terms[k]; });
    // In v: the mean of c - v under the kernels' shares. In y: C^-T times that, solved from the last row up.
    for (int64_t j = d_; j-- > 0;) {
      const double* center = &centers_[j * m_];
      double value = SumOver(m_, [&](int64_t k) { return terms[k] * (center[k] - v[j]); }) / total;
      for (int64_t l = j + 1; l < d_; ++l) value -= cholesky_[l * d_ + j] * out[l];
      out[j] = value / cholesky_[j * d_ + j];
    }
    for (int64_t j = 0; j < d_; ++j) {
      const MappedSlope mapped = MapForwardSlope(columns_[j], theta[i * d_ + j]);
      out[j] = out[j] * mapped.slope + mapped.ladj_slope;
      if (std::isnan(out[j])) out[j] = 0;  // beyond float64, within a rounding of a bound
    }
  }
  return absl::OkStatus();
}

// The conditional mixtures of one row, dimension by dimension.
class KernelDensity::Conditionals {
 public:
  explicit Conditionals(const KernelDensity& density) : density_(density) {}

  void Start() {
    const int64_t m = density_.m_;
    kernel_.resize(m);
    std::iota(kernel_.begin(), kernel_.end(), int64_t{0});
    exponent_ = density_.log_weight_;
    weight_ = density_.weight_;
    center_.assign(density_.centers_.begin(), density_.centers_.begin() + m);
  }

  // p(v_i | v_<i) after i calls of Fix: weights to any scale.
  absl::Span<const double> weight() const { return weight_; }
  absl::Span<const double> center() const { return center_; }

  // v_i is fixed; makes the mixture of dimension `next` = i + 1.
  void Fix(double v, int64_t next) {
    double largest = -kInfinity;
    for (size_t a = 0; a < kernel_.size(); ++a) {
      const double x = v - center_[a];
      exponent_[a] -= 0.5 * x * x;
      largest = std::max(largest, exponent_[a]);
    }
    const double* center = &density_.centers_[next * density_.m_];
    size_t kept = 0;
    for (size_t a = 0; a < kernel_.size(); ++a) {
      const double exponent = exponent_[a] - largest;
      if (exponent < -kNegligible) continue;
      kernel_[kept] = kernel_[a];
      exponent_[kept] = exponent;
      weight_[kept] = std::exp(exponent);
      center_[kept] = center[kernel_[a]];
      ++kept;
    }
    kernel_.resize(kept);
    exponent_.resize(kept);
    weight_.resize(kept);
    center_.resize(kept);
  }

 private:
  const KernelDensity& density_;
  std::vector<int64_t> kernel_;
  std::vector<double> exponent_;
  std::vector<double> weight_;
  std::vector<double> center_;
};

absl::Status KernelDensity::PriorTransform(absl::Span<const double> u, absl::Span<double> theta,
                                           const StopToken& stop) const {
  const int64_t n = static_cast<int64_t>(theta.size()) / d_;
  ABSL_RETURN_IF_ERROR(CheckRowShape("u", u.size(), n, d_));
  ABSL_RETURN_IF_ERROR(CheckRowShape("theta", theta.size(), n, d_));
  std::vector<double> v(d_);
  Conditionals conditionals(*this);
  BinnedNormalMixture first;  // of column 0, where all rows begin
  first.Reset(weight_, absl::MakeConstSpan(centers_).subspan(0, m_));
  BinnedNormalMixture mixture;
  for (int64_t row = 0; row < n; ++row) {
    ABSL_RETURN_IF_ERROR(stop.Check());
    v[0] = first.Quantile(u[row * d_]);
    if (d_ > 1) conditionals.Start();
    for (int64_t i = 1; i < d_; ++i) {
      ABSL_RETURN_IF_ERROR(stop.Check());
      conditionals.Fix(v[i - 1], i);
      mixture.Reset(conditionals.weight(), conditionals.center());
      v[i] = mixture.Quantile(u[row * d_ + i]);
    }
    for (int64_t i = 0; i < d_; ++i) {
      double y = 0;
      for (int64_t j = 0; j <= i; ++j) y += cholesky_[i * d_ + j] * v[j];
      theta[row * d_ + i] = MapInverse(columns_[i], y);
    }
  }
  return absl::OkStatus();
}

absl::Status KernelDensity::InversePriorTransform(absl::Span<const double> theta, absl::Span<double> u,
                                                  const StopToken& stop) const {
  const int64_t n = static_cast<int64_t>(theta.size()) / d_;
  ABSL_RETURN_IF_ERROR(CheckRowShape("theta", theta.size(), n, d_));
  ABSL_RETURN_IF_ERROR(CheckRowShape("u", u.size(), n, d_));
  std::vector<double> v(d_);
  Conditionals conditionals(*this);
  for (int64_t row = 0; row < n; ++row) {
    ABSL_RETURN_IF_ERROR(stop.Check());
    if (Whiten(&theta[row * d_], v.data()) == -kInfinity) return OutsideSupport(row);
    conditionals.Start();
    for (int64_t i = 0; i < d_; ++i) {
      u[row * d_ + i] = NormalMixtureCdf(conditionals.weight(), conditionals.center(), v[i]);
      if (i + 1 < d_) conditionals.Fix(v[i], i + 1);
    }
  }
  return absl::OkStatus();
}

absl::Status KernelDensity::ContractedLogProb(absl::Span<const double> theta, double temperature,
                                              absl::Span<double> log_prob, const StopToken& stop) const {
  return ContractThroughTransform(*this, theta, temperature, log_prob, stop);
}

}  // namespace creamery
