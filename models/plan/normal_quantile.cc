// Wichura 1988, Algorithm AS 241, PPND16.
#include "models/plan/normal_quantile.h"

#include <cmath>
#include <cstddef>

#include "models/plan/column_map.h"

namespace creamery {
namespace {

// Coefficients from the constant term upwards.
double Polynomial(const double (&coefficients)[8], double x) {
  double sum = coefficients[7];
  for (int i = 6; i >= 0; --i) sum = sum * x + coefficients[i];
  return sum;
}

}  // namespace

double NormalQuantile(double p) {
  using C = NormalQuantileCoefficients;
  const double q = p - 0.5;
  if (std::fabs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * Polynomial(C::kCentralNumerator, r) / Polynomial(C::kCentralDenominator, r);
  }
  const double r = std::sqrt(-std::log(q < 0 ? p : 1 - p));
  const double x = r <= 5 ? Polynomial(C::kMiddleNumerator, r - 1.6) / Polynomial(C::kMiddleDenominator, r - 1.6)
                          : Polynomial(C::kFarNumerator, r - 5) / Polynomial(C::kFarDenominator, r - 5);
  return q < 0 ? -x : x;
}

}  // namespace creamery
