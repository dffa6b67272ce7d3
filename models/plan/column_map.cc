#include "models/plan/column_map.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kSmallest = std::numeric_limits<double>::min();
constexpr double kLargest = std::numeric_limits<double>::max();
constexpr double kLogSqrtTwoPi = 0.91893853320467274178;
constexpr double kSqrtHalf = 0.70710678118654752440;

// A position in the unit interval by its distances from both ends, so that one near 1 keeps its precision.
struct UnitPosition {
  double below;  // u
  double above;  // 1 - u
};

struct MappedPosition {
  UnitPosition position;
  double ladj;
};

// Phi(b) - Phi(a) for a <= b, from the tails that do not cancel.
double NormalMass(double a, double b) { return a > 0 ? NormalCdf(-a) - NormalCdf(-b) : NormalCdf(b) - NormalCdf(a); }

// The same where width = b - a is known better than that difference: close to a bound, where even the tails cancel, the
// density in the middle times the width; the next term of the series is below 1e-15.
double NormalMass(double a, double b, double width) {
  const double middle = 0.5 * (a + b);
  if (!(width * std::max(1.0, std::fabs(middle)) < 1e-3)) return NormalMass(a, b);
  return width * std::exp(NormalLogDensity(middle)) * (1 + width * width * (middle * middle - 1) / 24);
}

double QuantileOf(const UnitPosition& u) {
  return u.below <= u.above ? NormalQuantile(std::max(u.below, kSmallest))
                            : -NormalQuantile(std::max(u.above, kSmallest));
}

// The bin [knots[k], knots[k + 1]] that holds u.
size_t FindBin(const std::vector<double>& knots, double u) {
  const auto above = std::upper_bound(knots.begin() + 1, knots.end() - 1, u);
  return static_cast<size_t>(above - knots.begin()) - 1;
}

MappedPosition SplineForwardPosition(const SplineKnots& knots, const UnitPosition& u) {
  if (knots.x.empty()) return {u, 0};
  const size_t k = FindBin(knots.x, u.below);
  const double dx = knots.x[k + 1] - knots.x[k];
  const double dy = knots.y[k + 1] - knots.y[k];
  const double s = dy / dx;
  const double d0 = knots.slope[k];
  const double d1 = knots.slope[k + 1];
  const double from_top = u.above - (1 - knots.x[k + 1]);
  const double xi = std::clamp((u.below - knots.x[k]) / dx, 0.0, 1.0);
  const double eta = std::clamp(u.below > 0.5 ? from_top / dx : 1 - xi, 0.0, 1.0);  // 1 - xi
  const double denominator = s + (d0 + d1 - 2 * s) * xi * eta;
  const double below = knots.y[k] + dy * (s * xi * xi + d0 * xi * eta) / denominator;
  const double above = (1 - knots.y[k + 1]) + dy * (s * eta * eta + d1 * xi * eta) / denominator;
  const double slope_numerator = d1 * xi * xi + 2 * s * xi * eta + d0 * eta * eta;
  return {{below, above}, 2 * std::log(s / denominator) + std::log(slope_numerator)};
}

double SplineLadjSlopeAt(const SplineKnots& knots, const UnitPosition& u) {
  if (knots.x.empty()) return 0;
  const size_t k = FindBin(knots.x, u.below);
  const double dx = knots.x[k + 1] - knots.x[k];
  const double s = (knots.y[k + 1] - knots.y[k]) / dx;
  const double d0 = knots.slope[k];
  const double d1 = knots.slope[k + 1];
  const double xi = std::clamp((u.below - knots.x[k]) / dx, 0.0, 1.0);
  const double eta = 1 - xi;
  const double bend = d0 + d1 - 2 * s;
  const double denominator = s + bend * xi * eta;
  const double slope_numerator = d1 * xi * xi + 2 * s * xi * eta + d0 * eta * eta;
  const double slope_numerator_slope = 2 * (d1 * xi + s * (eta - xi) - d0 * eta);
  return (slope_numerator_slope / slope_numerator - 2 * bend * (eta - xi) / denominator) / dx;
}

// Fraction of a bin, from the end that has slope d_near, at a distance `offset` in y from that end.
double SolveBin(double dy, double s, double d_near, double d_far, double offset) {
  const double bend = d_near + d_far - 2 * s;
  const double a = dy * (s - d_near) + offset * bend;
  const double b = dy * d_near - offset * bend;
  const double c = -s * offset;
  const double root = std::sqrt(std::max(b * b - 4 * a * c, 0.0));
  return std::clamp(2 * c / (-b - root), 0.0, 1.0);
}

UnitPosition SplineInversePosition(const SplineKnots& knots, const UnitPosition& v) {
  if (knots.x.empty()) return v;
  const size_t k = FindBin(knots.y, v.below);
  const double dx = knots.x[k + 1] - knots.x[k];
  const double dy = knots.y[k + 1] - knots.y[k];
  const double s = dy / dx;
  if (v.below <= 0.5) {
    const double xi = SolveBin(dy, s, knots.slope[k], knots.slope[k + 1], std::max(v.below - knots.y[k], 0.0));
    const double below = knots.x[k] + dx * xi;
    return {below, 1 - below};
  }
  const double offset = std::max(v.above - (1 - knots.y[k + 1]), 0.0);
  const double eta = SolveBin(dy, s, knots.slope[k + 1], knots.slope[k], offset);
  const double above = (1 - knots.x[k + 1]) + dx * eta;
  return {1 - above, above};
}

// t and log |dt/dtheta|; NaN where theta is at or beyond the origin of a log.
MappedValue ToScale(const ColumnMap& map, double theta) {
  switch (map.scale_of_t) {
    case ColumnMap::Scale::kLinear:
      return {theta, 0};
    case ColumnMap::Scale::kLogAbove:
      if (theta > map.origin) break;
      return {std::numeric_limits<double>::quiet_NaN(), -kInfinity};
    case ColumnMap::Scale::kLogBelow:
      if (theta < map.origin) break;
      return {std::numeric_limits<double>::quiet_NaN(), -kInfinity};
  }
  const double t = std::log(std::min(std::fabs(theta - map.origin), kLargest));
  return {t, -t};
}

double FromScale(const ColumnMap& map, double t) {
  switch (map.scale_of_t) {
    case ColumnMap::Scale::kLinear:
      return t;
    case ColumnMap::Scale::kLogAbove:
      return map.origin + std::exp(t);
    case ColumnMap::Scale::kLogBelow:
      return map.origin - std::exp(t);
  }
  return t;
}

bool HasBounds(const ColumnMap& map) { return map.space != ColumnMap::Space::kStandardized; }

bool Inside(const ColumnMap& map, double t) { return HasBounds(map) ? t > map.lower && t < map.upper : !std::isnan(t); }

// t strictly inside its bounds -> position between them and log |du/dt|.
MappedPosition ToUnit(const ColumnMap& map, double t) {
  if (map.zoom_scale == 0) {
    const double width = map.upper - map.lower;
    return {{(t - map.lower) / width, (map.upper - t) / width}, -std::log(width)};
  }
  const double s = (t - map.zoom_center) / map.zoom_scale;
  const double s_lower = (map.lower - map.zoom_center) / map.zoom_scale;
  const double s_upper = (map.upper - map.zoom_center) / map.zoom_scale;
  const double mass = NormalMass(s_lower, s_upper);
  return {{NormalMass(s_lower, s, (t - map.lower) / map.zoom_scale) / mass,
           NormalMass(s, s_upper, (map.upper - t) / map.zoom_scale) / mass},
          NormalLogDensity(s) - std::log(map.zoom_scale) - std::log(mass)};
}

double FromUnit(const ColumnMap& map, const UnitPosition& u) {
  if (map.zoom_scale == 0) {
    const double width = map.upper - map.lower;
    return u.below <= u.above ? map.lower + width * u.below : map.upper - width * u.above;
  }
  const double s_lower = (map.lower - map.zoom_center) / map.zoom_scale;
  const double s_upper = (map.upper - map.zoom_center) / map.zoom_scale;
  const double mass = NormalMass(s_lower, s_upper);
  const UnitPosition whole = {NormalCdf(s_lower) + mass * u.below, NormalCdf(-s_upper) + mass * u.above};
  return map.zoom_center + map.zoom_scale * QuantileOf(whole);
}

// The nearest theta whose t is strictly inside the bounds: rounding may have put it on one.
double MoveInside(const ColumnMap& map, double theta) {
  if (std::isnan(theta)) theta = 0;
  theta = std::clamp(theta, -kLargest, kLargest);
  if (Inside(map, ToScale(map, theta).y)) return theta;
  double low = -kLargest;
  double high = kLargest;
  if (map.scale_of_t == ColumnMap::Scale::kLogAbove) low = map.origin;
  if (map.scale_of_t == ColumnMap::Scale::kLogBelow) high = map.origin;
  if (HasBounds(map)) {
    const double a = FromScale(map, map.lower);
    const double b = FromScale(map, map.upper);
    low = std::max(low, std::min(a, b));
    high = std::min(high, std::max(a, b));
  }
  const bool at_low = theta - low <= high - theta;
  theta = std::clamp(theta, low, high);
  const double goal = at_low ? high : low;
  double step = std::max(std::fabs(std::nextafter(theta, goal) - theta), kSmallest);
  for (int tries = 0; tries < 60; ++tries, step *= 2) {
    const double moved = at_low ? theta + step : theta - step;
    if (Inside(map, ToScale(map, moved).y)) return moved;
  }
  return 0.5 * low + 0.5 * high;
}

}  // namespace

MappedValue SplineForward(const SplineKnots& knots, double u) {
  const MappedPosition v = SplineForwardPosition(knots, {u, 1 - u});
  return {v.position.below, v.ladj};
}

double SplineInverse(const SplineKnots& knots, double v) { return SplineInversePosition(knots, {v, 1 - v}).below; }

double SplineLadjSlope(const SplineKnots& knots, double u) { return SplineLadjSlopeAt(knots, {u, 1 - u}); }

MappedValue MapForward(const ColumnMap& map, double theta) {
  const MappedValue t = ToScale(map, theta);
  if (!Inside(map, t.y)) return {map.space == ColumnMap::Space::kUnit ? 0.5 : 0.0, -kInfinity};
  if (map.space == ColumnMap::Space::kStandardized) {
    return {std::clamp((t.y - map.shift) / map.scale, -kLargest, kLargest), t.ladj - std::log(map.scale)};
  }
  MappedPosition u = ToUnit(map, t.y);
  const MappedPosition v = SplineForwardPosition(map.spline, u.position);
  const double ladj = t.ladj + u.ladj + v.ladj;
  if (map.space == ColumnMap::Space::kUnit) return {std::clamp(v.position.below, 0.0, 1.0), ladj};
  const double x = QuantileOf(v.position);
  return {(x - map.shift) / map.scale, ladj - NormalLogDensity(x) - std::log(map.scale)};
}

MappedSlope MapForwardSlope(const ColumnMap& map, double theta) {
  const MappedValue mapped = MapForward(map, theta);
  if (mapped.ladj == -kInfinity) return {mapped.y, mapped.ladj, 0, 0};
  const bool is_log = map.scale_of_t != ColumnMap::Scale::kLinear;
  // dt/dtheta; for the logs 1 / (theta - origin), and log |dt/dtheta| changes by the negative of it.
  const double t_slope = is_log ? 1 / (theta - map.origin) : 1;
  double ladj_slope = is_log ? -t_slope : 0;
  const double slope = std::copysign(std::exp(mapped.ladj), t_slope);
  if (map.space != ColumnMap::Space::kStandardized) {
    const double t = ToScale(map, theta).y;
    const MappedPosition u = ToUnit(map, t);
    if (map.zoom_scale > 0) ladj_slope -= t_slope * ((t - map.zoom_center) / map.zoom_scale) / map.zoom_scale;
    ladj_slope += t_slope * std::exp(u.ladj) * SplineLadjSlopeAt(map.spline, u.position);
    // log |dx/dv| = -log N(x) grows by x dx; y = (x - shift) / scale.
    if (map.space == ColumnMap::Space::kProbit) ladj_slope += (mapped.y * map.scale + map.shift) * slope * map.scale;
  }
  return {mapped.y, mapped.ladj, slope, ladj_slope};
}

double MapInverse(const ColumnMap& map, double y) {
  if (map.space == ColumnMap::Space::kStandardized) return MoveInside(map, FromScale(map, y * map.scale + map.shift));
  UnitPosition v = {y, 1 - y};
  if (map.space == ColumnMap::Space::kProbit) {
    const double x = y * map.scale + map.shift;
    v = {NormalCdf(x), NormalCdf(-x)};
  }
  const double t = FromUnit(map, SplineInversePosition(map.spline, v));
  return MoveInside(map, FromScale(map, t));
}

double NormalCdf(double x) { return 0.5 * std::erfc(-x * kSqrtHalf); }

double NormalLogDensity(double x) { return -0.5 * x * x - kLogSqrtTwoPi; }

}  // namespace creamery
