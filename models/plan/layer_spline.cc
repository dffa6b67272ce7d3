#include "models/plan/layer_spline.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace creamery {
namespace {

// Slope 1 for the raw number 0.
double SlopeOffset() {
  static const double kOffset = std::log(std::expm1(1 - AutoregressiveLayer::kMinSlope));
  return kOffset;
}

double Softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

// Of the softmax, what is left of the unit interval beside the minimum of every bin.
double Spread(int64_t bins) { return 1 - static_cast<double>(bins) * AutoregressiveLayer::kMinBin; }

// Knots from K unconstrained numbers; the ends are exactly 0 and 1.
void FillKnots(const double* raw, int64_t stride, int64_t bins, std::vector<double>& knots) {
  knots.resize(bins + 1);
  double largest = raw[0];
  for (int64_t k = 1; k < bins; ++k) largest = std::max(largest, raw[k * stride]);
  double total = 0;
  for (int64_t k = 0; k < bins; ++k) {
    knots[k + 1] = std::exp(raw[k * stride] - largest);
    total += knots[k + 1];
  }
  const double spread = Spread(bins);
  knots[0] = 0;
  for (int64_t k = 0; k < bins; ++k) {
    knots[k + 1] = knots[k] + AutoregressiveLayer::kMinBin + spread * (knots[k + 1] / total);
  }
  knots[bins] = 1;
}

// Reverse mode through FillKnots, given the adjoints of knots k and k + 1; the ends do not move.
void KnotsAdjoint(const std::vector<double>& knots, int64_t k, double lower_adjoint, double upper_adjoint,
                  int64_t stride, double* raw_adjoint) {
  const int64_t bins = static_cast<int64_t>(knots.size()) - 1;
  const double spread = Spread(bins);
  // The softmax share p_i moves knots i + 1 and above.
  const double upper = k + 1 < bins ? upper_adjoint : 0;
  const double lower = k > 0 ? lower_adjoint : 0;
  const auto share_adjoint = [&](int64_t i) { return (i < k ? lower + upper : i == k ? upper : 0) * spread; };
  const auto share = [&](int64_t i) { return (knots[i + 1] - knots[i] - AutoregressiveLayer::kMinBin) / spread; };
  double mean = 0;
  for (int64_t i = 0; i <= k; ++i) mean += share(i) * share_adjoint(i);
  for (int64_t i = 0; i < bins; ++i) raw_adjoint[i * stride] = share(i) * (share_adjoint(i) - mean);
}

}  // namespace

void FillSpline(const double* raw, int64_t stride, int64_t bins, SplineKnots& spline) {
  FillKnots(raw, stride, bins, spline.x);
  FillKnots(raw + bins * stride, stride, bins, spline.y);
  spline.slope.resize(bins + 1);
  for (int64_t k = 0; k <= bins; ++k) {
    spline.slope[k] = AutoregressiveLayer::kMinSlope + Softplus(raw[(2 * bins + k) * stride] + SlopeOffset());
  }
}

double SplineAdjoint(const double* raw, int64_t stride, const SplineKnots& spline, double y, double z_adjoint,
                     double* raw_adjoint) {
  const int64_t bins = static_cast<int64_t>(spline.x.size()) - 1;
  const int64_t k = std::upper_bound(spline.x.begin() + 1, spline.x.end() - 1, y) - spline.x.begin() - 1;
  const double dx = spline.x[k + 1] - spline.x[k];
  const double dy = spline.y[k + 1] - spline.y[k];
  const double s = dy / dx;
  const double d0 = spline.slope[k];
  const double d1 = spline.slope[k + 1];
  const double xi = std::clamp((y - spline.x[k]) / dx, 0.0, 1.0);
  const double eta = 1 - xi;
  const double product = xi * eta;
  const double bend = d0 + d1 - 2 * s;
  // z = y_k + dy numerator / denominator;  ladj = 2 log s - 2 log denominator + log slope_numerator
  const double numerator = s * xi * xi + d0 * product;
  const double denominator = s + bend * product;
  const double slope_numerator = d1 * xi * xi + 2 * s * product + d0 * eta * eta;
  // The adjoint of each quantity bears its name.
  const double a_numerator = z_adjoint * dy / denominator;
  const double a_denominator = -(z_adjoint * dy * numerator / denominator + 2) / denominator;
  const double a_slope_numerator = 1 / slope_numerator;
  const double a_s =
      2 / s + a_denominator * (1 - 2 * product) + a_numerator * xi * xi + a_slope_numerator * 2 * product;
  const double a_d0 = (a_denominator + a_numerator) * product + a_slope_numerator * eta * eta;
  const double a_d1 = a_denominator * product + a_slope_numerator * xi * xi;
  const double a_xi = a_denominator * bend * (eta - xi) + a_numerator * (2 * s * xi + d0 * (eta - xi)) +
                      a_slope_numerator * 2 * (d1 * xi + s * (eta - xi) - d0 * eta);
  const double a_dy = z_adjoint * numerator / denominator + a_s / dx;
  const double a_dx = -(a_s * s + a_xi * xi) / dx;
  KnotsAdjoint(spline.x, k, -a_xi / dx - a_dx, a_dx, stride, raw_adjoint);
  KnotsAdjoint(spline.y, k, z_adjoint - a_dy, a_dy, stride, raw_adjoint + bins * stride);
  double* slopes = raw_adjoint + 2 * bins * stride;
  for (int64_t j = 0; j <= bins; ++j) slopes[j * stride] = 0;
  const auto sigmoid = [&](int64_t j) { return 1 / (1 + std::exp(-raw[(2 * bins + j) * stride] - SlopeOffset())); };
  slopes[k * stride] = a_d0 * sigmoid(k);
  slopes[(k + 1) * stride] = a_d1 * sigmoid(k + 1);
  return a_xi / dx;
}

}  // namespace creamery
