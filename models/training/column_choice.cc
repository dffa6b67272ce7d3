#include "models/training/column_choice.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "models/plan/column_map.h"
#include "models/statistics/weights.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// A posterior leans on an edge if the outer 2 % of the box hold more than a fifth of what a uniform one has there.
constexpr double kOuter = 0.02;
constexpr double kLeaningMass = 0.004;
// Narrower than this part of the box, a posterior in the unit box is zoomed on.
constexpr double kNarrow = 0.1;
// Width of the zoom in standard deviations: 2, so that tails keep a part of the box that a spline can resolve.
constexpr double kZoom = 2;
// Least part of a column's variance that the columns before it leave unexplained.
constexpr double kLeastPivot = 1e-10;

using Space = ColumnMap::Space;

// Values of one column under `map`'s first steps.
class Column {
 public:
  Column(const PreparedData& data, absl::Span<const int64_t> use, int64_t j) {
    for (const int64_t row : use) {
      theta_.push_back(data.theta[row * data.d() + j]);
      weight_.push_back(data.weight[row]);
    }
  }

  std::vector<double> Mapped(const ColumnMap& map) const {
    std::vector<double> y;
    for (const double theta : theta_) y.push_back(MapForward(map, theta).y);
    return y;
  }
  const std::vector<double>& theta() const { return theta_; }
  const std::vector<double>& weight() const { return weight_; }

 private:
  std::vector<double> theta_;
  std::vector<double> weight_;
};

bool Leans(const std::vector<double>& u, const std::vector<double>& weight) {
  double low = 0;
  double high = 0;
  double total = 0;
  for (size_t i = 0; i < u.size(); ++i) {
    total += weight[i];
    if (u[i] < kOuter) low += weight[i];
    if (u[i] > 1 - kOuter) high += weight[i];
  }
  return low > kLeaningMass * total || high > kLeaningMass * total;
}

double Skewness(const std::vector<double>& value, const std::vector<double>& weight) {
  const WeightedMoments moments = Moments(value, weight);
  double third = 0;
  double total = 0;
  for (size_t i = 0; i < value.size(); ++i) {
    third += weight[i] * std::pow((value[i] - moments.mean) / moments.deviation, 3);
    total += weight[i];
  }
  return third / total;
}

// Whether the logarithm of the distance to the only bound is more symmetric than the distance. Where the bound lies in
// the far tail the logarithm would make outliers of the few rows next to it, and bend straight correlations.
bool LogIsMoreSymmetric(const Column& column, ColumnMap map) {
  map.space = Space::kStandardized;
  const double log_skewness = Skewness(column.Mapped(map), column.weight());
  return std::abs(log_skewness) <= std::abs(Skewness(column.theta(), column.weight()));
}

// theta -> t, and the bounds of t.
absl::Status ChooseScale(const v1::Parameter& parameter, v1::ParameterMap wanted, const Column& column,
                         ColumnMap& map) {
  const Bounds bounds = BoundsOf(parameter);
  map.lower = bounds.lower;
  map.upper = bounds.upper;
  const bool log_prior = parameter.prior().has_log_uniform() && wanted == v1::PARAMETER_MAP_UNSPECIFIED;
  if (wanted == v1::LOG || log_prior) {
    for (const double theta : column.theta()) {
      if (theta > 0) continue;
      return absl::FailedPreconditionError(absl::StrCat("parameter_maps: LOG of '", parameter.name(),
                                                        "' needs positive values, the dataset has ", theta));
    }
    map.scale_of_t = ColumnMap::Scale::kLogAbove;
    map.lower = bounds.lower > 0 ? std::log(bounds.lower) : -kInfinity;
    map.upper = std::log(bounds.upper);
    return absl::OkStatus();
  }
  const bool below = std::isfinite(bounds.lower);
  const bool above = std::isfinite(bounds.upper);
  if (below != above) {
    ColumnMap log_map = map;
    log_map.scale_of_t = below ? ColumnMap::Scale::kLogAbove : ColumnMap::Scale::kLogBelow;
    log_map.origin = below ? bounds.lower : bounds.upper;
    log_map.lower = -kInfinity;
    log_map.upper = kInfinity;
    if (wanted == v1::HALF_BOUNDED || LogIsMoreSymmetric(column, log_map)) map = log_map;
  }
  return absl::OkStatus();
}

absl::StatusOr<ColumnMap> ChooseColumn(const v1::Parameter& parameter, v1::ParameterMap wanted, bool on_box,
                                       const Column& column, const BoxSplineFit& fit) {
  ColumnMap map;
  ABSL_RETURN_IF_ERROR(ChooseScale(parameter, wanted, column, map));
  ColumnMap t_map = map;  // theta -> t alone
  t_map.space = Space::kStandardized;
  const WeightedMoments t = Moments(column.Mapped(t_map), column.weight());
  const double sd = t.deviation;
  // Below this the values differ by rounding only.
  if (!(sd > 1e-13 * std::abs(t.mean)) || sd == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("parameter '", parameter.name(), "' is constant: it has no density"));
  }
  const bool bounded = std::isfinite(map.lower) || std::isfinite(map.upper);
  if (!bounded && !on_box) {
    map.space = Space::kStandardized;
    map.shift = t.mean;
    map.scale = sd;
    return map;
  }
  map.space = Space::kUnit;
  if (!std::isfinite(map.upper - map.lower) || sd < kNarrow * (map.upper - map.lower)) {
    map.zoom_center = t.mean;
    map.zoom_scale = kZoom * sd;
  }
  if (on_box) return map;

  const std::vector<double> u = column.Mapped(map);
  const bool leans = Leans(u, column.weight());
  if (wanted == v1::BOX_SPLINE || (leans && wanted != v1::PROBIT)) {
    ABSL_ASSIGN_OR_RETURN(map.spline, fit(u, column.weight()));
    map.space = Space::kProbit;
    return map;
  }
  // Well inside the box nothing is near an edge, so the box itself needs no zoom and the quantiles may be rescaled; a
  // scale above 1 would let the density grow without limit towards the edges.
  if (std::isfinite(map.upper - map.lower)) map.zoom_scale = map.zoom_center = 0;
  map.space = Space::kProbit;
  const WeightedMoments y = Moments(column.Mapped(map), column.weight());
  if (!leans && y.variance < 1) {
    map.shift = y.mean;
    map.scale = std::sqrt(y.variance);
  }
  return map;
}

// The inverse of the Cholesky factor of the standardised columns' covariance, identity for the others.
absl::Status Whiten(const PreparedData& data, absl::Span<const int64_t> use, Plan& plan) {
  const int64_t d = plan.d();
  std::vector<int64_t> free;
  std::vector<std::vector<double>> y;
  std::vector<double> weight;
  for (int64_t j = 0; j < d; ++j) {
    if (plan.columns[j].space != Space::kStandardized) continue;
    const Column column(data, use, j);
    free.push_back(j);
    y.push_back(column.Mapped(plan.columns[j]));
    weight = column.weight();
  }
  const size_t m = free.size();
  if (m < 2) return absl::OkStatus();
  double total = 0;
  for (const double w : weight) total += w;
  std::vector<double> factor(m * m, 0.0);
  for (size_t a = 0; a < m; ++a) {
    for (size_t b = 0; b <= a; ++b) {
      double sum = 0;
      for (size_t i = 0; i < weight.size(); ++i) sum += weight[i] * y[a][i] * y[b][i];
      sum /= total;
      for (size_t k = 0; k < b; ++k) sum -= factor[a * m + k] * factor[b * m + k];
      if (a != b) {
        factor[a * m + b] = sum / factor[b * m + b];
      } else if (sum > kLeastPivot) {
        factor[a * m + a] = std::sqrt(sum);
      } else {
        return absl::FailedPreconditionError(absl::StrCat("parameter '", data.parameters[free[a]].name(),
                                                          "' is a linear combination of parameters before it: leave "
                                                          "it out"));
      }
    }
  }
  plan.whitening.assign(d * d, 0.0);
  for (int64_t j = 0; j < d; ++j) plan.whitening[j * d + j] = 1;
  for (size_t b = 0; b < m; ++b) {
    std::vector<double> solution(m, 0.0);  // column b of the inverse, by forward substitution
    for (size_t a = b; a < m; ++a) {
      double value = a == b ? 1.0 : 0.0;
      for (size_t k = b; k < a; ++k) value -= factor[a * m + k] * solution[k];
      solution[a] = value / factor[a * m + a];
      plan.whitening[free[a] * d + free[b]] = solution[a];
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Plan> ChooseColumns(const PreparedData& data, absl::Span<const int64_t> use,
                                   const v1::EstimatorSpec& spec, AutoregressiveLayer::Kind kind,
                                   const BoxSplineFit& fit) {
  const bool on_box = kind == AutoregressiveLayer::Kind::kSpline;
  Plan plan;
  for (int64_t j = 0; j < data.d(); ++j) {
    const v1::Parameter& parameter = data.parameters[j];
    const auto wanted = spec.parameter_maps().find(parameter.name());
    ABSL_ASSIGN_OR_RETURN(ColumnMap map, ChooseColumn(parameter,
                                                      wanted == spec.parameter_maps().end()
                                                          ? v1::PARAMETER_MAP_UNSPECIFIED
                                                          : static_cast<v1::ParameterMap>(wanted->second),
                                                      on_box, Column(data, use, j), fit));
    plan.columns.push_back(std::move(map));
  }
  ABSL_RETURN_IF_ERROR(Whiten(data, use, plan));
  return plan;
}

}  // namespace creamery
