#include "models/statistics/tension.h"

#include <algorithm>
#include <cmath>

namespace creamery {
namespace {

constexpr int kMostTerms = 100000;
constexpr double kPrecision = 1e-16;

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

void FillTension(v1::JointStatistics& statistics) {
  const v1::Estimate& s = statistics.log_suspiciousness();
  const v1::Estimate& d = statistics.dimensionality();
  const std::optional<Tension> tension = TensionOf(s.value(), d.value());
  if (!tension.has_value()) return;
  statistics.set_p_value(tension->p_value);
  statistics.set_sigma(tension->sigma);
  double low = tension->sigma;
  double high = tension->sigma;
  for (const double by : {-1.0, 1.0}) {
    for (const double by_d : {-1.0, 1.0}) {
      const std::optional<Tension> end = TensionOf(s.value() + by * s.error(), d.value() + by_d * d.error());
      if (!end.has_value()) continue;
      low = std::min(low, end->sigma);
      high = std::max(high, end->sigma);
    }
  }
  statistics.set_sigma_low(low);
  statistics.set_sigma_high(high);
}

}  // namespace creamery
