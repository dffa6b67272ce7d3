#include "models/statistics/tension.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "models/plan/column_map.h"

namespace creamery {
namespace {

constexpr int kMostTerms = 100000;
constexpr double kPrecision = 1e-16;
constexpr double kMostSigma = 1e6;

// log of x^a e^-x / Gamma(a), the factor in front of both expansions.
double LogFront(double a, double x) { return a * std::log(x) - x - std::lgamma(a); }

// P(a, x) = x^a e^-x / Gamma(a) sum_n x^n / (a (a + 1) ... (a + n)).
double LowerBySeries(double a, double x) {
  double term = 1 / a;
  double sum = term;
  for (int n = 1; n < kMostTerms && term > sum * kPrecision; ++n) {
    term *= x / (a + n);
    sum += term;
  }
  return std::exp(LogFront(a, x)) * sum;
}

// log Q(a, x) by the continued fraction 1 / (x + 1 - a - 1 (1 - a) / (x + 3 - a - ...)), modified Lentz's method.
double LogUpperByFraction(double a, double x) {
  constexpr double kTiny = 1e-300;
  double b = x + 1 - a;
  double c = 1 / kTiny;
  double d = 1 / b;
  double h = d;
  for (int n = 1; n < kMostTerms; ++n) {
    const double an = -n * (n - a);
    b += 2;
    d = an * d + b;
    if (std::fabs(d) < kTiny) d = kTiny;
    c = b + an / c;
    if (std::fabs(c) < kTiny) c = kTiny;
    d = 1 / d;
    const double factor = d * c;
    h *= factor;
    if (std::fabs(factor - 1) < kPrecision) break;
  }
  return LogFront(a, x) + std::log(h);
}

// log erfc(z) for z >= 0, also where erfc underflows.
double LogErfc(double z) {
  // 1 / z^2 expansion (Abramowitz & Stegun 1964, eq. 7.1.23); at z = 25 its fourth term is below 1e-10.
  if (z < 25) return std::log(std::erfc(z));
  const double y = 1 / (2 * z * z);
  return -z * z - std::log(z * std::sqrt(M_PI)) + std::log1p(-y + 3 * y * y - 15 * y * y * y);
}

double NormalCdf(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }

// The x >= 0 with LogChiSquaredSurvival(x, dof) = log_p, log_p <= 0: Newton's method, halving where it leaves the
// bracket.
double ChiSquaredOfLogP(double log_p, double dof) {
  if (log_p >= 0) return 0;
  double low = 0;
  double high = std::max(2 * dof, -2 * log_p);
  while (LogChiSquaredSurvival(high, dof) > log_p) high *= 2;
  double x = high;
  for (int i = 0; i < 200; ++i) {
    const double log_q = LogChiSquaredSurvival(x, dof);
    (log_q > log_p ? low : high) = x;
    const double log_density = LogFront(dof / 2, x / 2) - std::log(x);
    double next = x + (log_q - log_p) * std::exp(log_q - log_density);
    if (!(next > low && next < high)) next = (low + high) / 2;
    if (std::fabs(next - x) <= 1e-13 * x) return next;
    x = next;
  }
  return x;
}

// The distribution of sigma, log S and d being normal and d positive.
class SigmaDistribution {
 public:
  SigmaDistribution(const v1::Estimate& log_s, const v1::Estimate& d, double correlation) {
    const double rho = std::clamp(correlation, -1.0, 1.0);
    const int nodes = d.error() > 0 ? kNodes : 1;
    const double below_zero = d.error() > 0 ? NormalCdf(-d.value() / d.error()) : 0;
    for (int i = 0; i < nodes; ++i) {
      // Midpoints of equal shares of what is positive.
      const double z = nodes == 1 ? 0 : NormalQuantile(below_zero + (1 - below_zero) * (i + 0.5) / nodes);
      dimensionality_.push_back(std::max(d.value() + z * d.error(), 1e-9));
      mean_.push_back(log_s.value() + rho * z * log_s.error());
    }
    // A step, smoothed where log S has no error of its own.
    error_ = std::max(log_s.error() * std::sqrt(1 - rho * rho), 1e-12 * (1 + std::fabs(log_s.value())));
  }

  // P(sigma' <= sigma).
  double Below(double sigma) const {
    const double log_p = LogErfc(sigma / std::sqrt(2.0));
    double sum = 0;
    for (size_t i = 0; i < mean_.size(); ++i) {
      const double d = dimensionality_[i];
      sum += NormalCdf((mean_[i] - (d - ChiSquaredOfLogP(log_p, d)) / 2) / error_);
    }
    return sum / static_cast<double>(mean_.size());
  }

  // The sigma in [low, high] with Below(sigma) = share, or the nearest end.
  double Quantile(double share, double low, double high) const {
    for (int i = 0; i < 60 && high - low > 1e-12 * high; ++i) {
      const double middle = (low + high) / 2;
      (Below(middle) < share ? low : high) = middle;
    }
    return (low + high) / 2;
  }

 private:
  static constexpr int kNodes = 64;

  std::vector<double> dimensionality_;
  std::vector<double> mean_;
  double error_ = 0;
};

}  // namespace

double LogChiSquaredSurvival(double x, double dof) {
  if (x <= 0) return 0;
  const double a = dof / 2;
  const double half = x / 2;
  if (half < a + 1) return std::log1p(-std::min(LowerBySeries(a, half), 1.0));
  return LogUpperByFraction(a, half);
}

double SigmaOfLogP(double log_p) {
  if (log_p >= 0) return 0;
  // Newton on log erfc(z) - log_p, which is concave and falling, from the right of the root (erfc z <= e^(-z^2)), so
  // that every step stays there.
  double z = std::sqrt(-log_p);
  for (int i = 0; i < 100; ++i) {
    const double log_erfc = LogErfc(z);
    const double slope = -2 / std::sqrt(M_PI) * std::exp(-z * z - log_erfc);
    const double step = (log_erfc - log_p) / slope;
    z = std::max(z - step, 0.0);
    if (std::fabs(step) <= 1e-14 * z) break;
  }
  return z * std::sqrt(2.0);
}

std::optional<Tension> TensionOf(double log_suspiciousness, double dimensionality) {
  if (!(dimensionality > 0) || std::isnan(log_suspiciousness)) return std::nullopt;
  const double log_p = LogChiSquaredSurvival(dimensionality - 2 * log_suspiciousness, dimensionality);
  return Tension{std::exp(log_p), SigmaOfLogP(log_p)};
}

void FillTension(v1::JointStatistics& statistics, double correlation) {
  constexpr double kOneError = 0.682689492137086;  // share of a normal within one standard deviation
  const v1::Estimate& log_s = statistics.log_suspiciousness();
  const v1::Estimate& d = statistics.dimensionality();
  const std::optional<Tension> tension = TensionOf(log_s.value(), d.value());
  if (!tension.has_value()) return;
  const double sigma = tension->sigma;
  statistics.set_p_value(tension->p_value);
  statistics.set_sigma(sigma);
  statistics.set_sigma_low(sigma);
  statistics.set_sigma_high(sigma);
  if (!(log_s.error() > 0 || d.error() > 0) || !std::isfinite(log_s.error() + d.error())) return;
  const SigmaDistribution distribution(log_s, d, correlation);
  const double below = distribution.Below(sigma);
  const double low_share = (1 - kOneError) * below;
  const double high_share = 1 - (1 - kOneError) * (1 - below);
  double beyond = 2 * sigma + 1;
  while (distribution.Below(beyond) < high_share && beyond < kMostSigma) beyond *= 2;
  statistics.set_sigma_low(distribution.Below(0) >= low_share ? 0 : distribution.Quantile(low_share, 0, sigma));
  statistics.set_sigma_high(distribution.Quantile(high_share, sigma, beyond));
}

}  // namespace creamery
