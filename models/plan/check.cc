// What a plan must obey before it is run: everything the interpreter takes for granted.
#include <cmath>
#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "models/plan/masks.h"
#include "models/plan/plan.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

absl::Status Bad(absl::string_view where, absl::string_view what) {
  return absl::InternalError(absl::StrCat("plan: ", where, " ", what));
}

bool AllFinite(const std::vector<double>& values) {
  for (const double value : values) {
    if (!std::isfinite(value)) return false;
  }
  return true;
}

absl::Status CheckKnots(absl::string_view where, const SplineKnots& knots) {
  const size_t n = knots.x.size();
  if (knots.y.size() != n || knots.slope.size() != n) return Bad(where, "has knots and slopes of unequal numbers");
  if (n == 0) return absl::OkStatus();
  if (n < 2) return Bad(where, "has a single knot");
  if (!AllFinite(knots.x) || !AllFinite(knots.y) || !AllFinite(knots.slope)) return Bad(where, "has a knot not finite");
  if (knots.x[0] != 0 || knots.y[0] != 0 || knots.x[n - 1] != 1 || knots.y[n - 1] != 1) {
    return Bad(where, "has knots that do not run from (0, 0) to (1, 1)");
  }
  for (size_t k = 0; k < n; ++k) {
    if (k > 0 && !(knots.x[k] > knots.x[k - 1] && knots.y[k] > knots.y[k - 1])) {
      return Bad(where, "has knots that do not increase");
    }
    if (!(knots.slope[k] > 0)) return Bad(where, "has a slope that is not positive");
  }
  return absl::OkStatus();
}

absl::Status CheckLinear(const Linear& linear, const std::vector<uint8_t>& mask, absl::string_view where) {
  if (linear.weight.size() != mask.size() || static_cast<int64_t>(linear.weight.size()) != linear.in * linear.out ||
      static_cast<int64_t>(linear.bias.size()) != linear.out) {
    return Bad(where, absl::StrCat("has shape (", linear.out, ", ", linear.in, ") but ", linear.weight.size(),
                                   " weights and ", linear.bias.size(), " biases for a mask of ", mask.size()));
  }
  for (size_t i = 0; i < mask.size(); ++i) {
    if (!std::isfinite(linear.weight[i])) return Bad(where, "has a weight that is not finite");
    if (mask[i] == 0 && linear.weight[i] != 0) {
      return Bad(where,
                 absl::StrCat("has a weight that the mask forbids, from ", i % linear.in, " to ", i / linear.in));
    }
  }
  for (const float bias : linear.bias) {
    if (!std::isfinite(bias)) return Bad(where, "has a bias that is not finite");
  }
  return absl::OkStatus();
}

absl::Status CheckLayer(const AutoregressiveLayer& layer, int64_t d, absl::string_view where) {
  const bool spline = layer.kind == AutoregressiveLayer::Kind::kSpline;
  if (!spline && layer.kind != AutoregressiveLayer::Kind::kAffine) return Bad(where, "is of an unknown kind");
  if (spline && (layer.bins < 1 || layer.bins > 1000)) return Bad(where, "has bins outside 1 to 1000");
  if (static_cast<int64_t>(layer.order.size()) != d) return Bad(where, "has an order of the wrong length");
  std::vector<bool> seen(d, false);
  for (const int64_t column : layer.order) {
    if (column < 0 || column >= d || seen[column]) return Bad(where, "has an order that is not a permutation");
    seen[column] = true;
  }
  if (layer.network.empty() || layer.network.size() != layer.degrees.size() + 1) {
    return Bad(where, "needs one map more than it has hidden layers");
  }
  std::vector<int64_t> in_degrees = InputDegrees(d, 0);
  for (size_t h = 0; h < layer.degrees.size(); ++h) {
    const std::vector<int64_t>& degrees = layer.degrees[h];
    if (degrees.empty()) return Bad(where, "has a hidden layer without units");
    for (size_t j = 0; j < degrees.size(); ++j) {
      if (degrees[j] < 0 || degrees[j] > d || (j > 0 && degrees[j] < degrees[j - 1])) {
        return Bad(where, "has hidden degrees out of range or out of order");
      }
    }
    ABSL_RETURN_IF_ERROR(
        CheckLinear(layer.network[h], HiddenMask(in_degrees, degrees), absl::StrCat(where, ", map ", h)));
    in_degrees = degrees;
  }
  return CheckLinear(layer.network.back(), OutputMask(in_degrees, d, layer.outputs_per_position()),
                     absl::StrCat(where, ", output map"));
}

absl::Status CheckWhitening(const std::vector<double>& whitening, int64_t d) {
  if (whitening.empty()) return absl::OkStatus();
  if (static_cast<int64_t>(whitening.size()) != d * d) return Bad("whitening", "has the wrong shape");
  if (!AllFinite(whitening)) return Bad("whitening", "has a number that is not finite");
  for (int64_t i = 0; i < d; ++i) {
    if (!(whitening[i * d + i] > 0)) return Bad("whitening", "has a diagonal that is not positive");
    for (int64_t j = i + 1; j < d; ++j) {
      if (whitening[i * d + j] != 0) return Bad("whitening", "is not lower triangular");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckColumnMap(const ColumnMap& map, absl::string_view where) {
  const auto scale = static_cast<int64_t>(map.scale_of_t);
  const auto space = static_cast<int64_t>(map.space);
  if (scale < 0 || scale > 2 || space < 0 || space > 2) return Bad(where, "has a map of an unknown kind");
  if (!AllFinite({map.origin, map.zoom_center, map.zoom_scale, map.shift, map.scale})) {
    return Bad(where, "has a number that is not finite");
  }
  if (!(map.scale > 0)) return Bad(where, "has a scale that is not positive");
  if (map.zoom_scale < 0) return Bad(where, "has a negative zoom scale");
  if (map.space != ColumnMap::Space::kStandardized) {
    if (!(map.lower < map.upper)) return Bad(where, "has bounds the wrong way round");
    if (map.zoom_scale == 0 && !std::isfinite(map.upper - map.lower)) return Bad(where, "has an infinite box");
    if (map.zoom_scale > 0) {
      // A box 30 zoom scales away from the centre has no mass that float64 can tell from zero.
      const double low = (map.lower - map.zoom_center) / map.zoom_scale;
      const double high = (map.upper - map.zoom_center) / map.zoom_scale;
      if (low > 30 || high < -30 || !(high > low)) return Bad(where, "has a zoom far outside its bounds");
    }
  }
  return CheckKnots(where, map.spline);
}

absl::Status CheckPlan(const Plan& plan) {
  const int64_t d = plan.d();
  if (d < 1) return Bad("columns", "are missing");
  if (plan.layers.empty()) return Bad("layers", "are missing");
  for (int64_t j = 0; j < d; ++j) ABSL_RETURN_IF_ERROR(CheckColumnMap(plan.columns[j], absl::StrCat("column ", j)));
  ABSL_RETURN_IF_ERROR(CheckWhitening(plan.whitening, d));
  const AutoregressiveLayer::Kind kind = plan.layers[0].kind;
  for (size_t l = 0; l < plan.layers.size(); ++l) {
    const std::string where = absl::StrCat("layer ", l);
    if (plan.layers[l].kind != kind) return Bad(where, "is of another kind than the first: they share one base");
    ABSL_RETURN_IF_ERROR(CheckLayer(plan.layers[l], d, where));
  }
  const bool on_box = kind == AutoregressiveLayer::Kind::kSpline;
  if (on_box && !plan.whitening.empty()) return Bad("whitening", "would leave the unit box of spline layers");
  for (int64_t j = 0; j < d; ++j) {
    if (on_box != (plan.columns[j].space == ColumnMap::Space::kUnit)) {
      return Bad(absl::StrCat("column ", j), on_box ? "must be mapped to the unit box for spline layers"
                                                    : "must not be mapped to the unit box for affine layers");
    }
  }
  return absl::OkStatus();
}

}  // namespace creamery
