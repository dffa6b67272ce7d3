// A trained flow as plain numbers: what an artifact holds, what training produces and what the interpreter runs.
//
//   theta --column maps--> y --whitening--> y' --layers--> z ~ base
//
// Column maps and whitening are float64; layer weights are float32 values that the reference interpreter computes with
// in float64. d parameters throughout.
#ifndef CREAMERY_MODELS_PLAN_PLAN_H_
#define CREAMERY_MODELS_PLAN_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/support/safetensors.h"

namespace creamery {

// A monotonic rational-quadratic spline of [0, 1] onto itself (Durkan et al. 2019, arXiv:1906.04032, eqs. 4-8) with K
// bins: K + 1 knots, increasing from (0, 0) to (1, 1), and the slope at every knot, free at the ends. Empty: the
// identity.
struct SplineKnots {
  std::vector<double> x;
  std::vector<double> y;
  std::vector<double> slope;
};

// One column: theta -> t -> u or t directly -> y.
//   t = theta | log(theta - origin) | log(origin - theta)        (kLinear | kLogAbove | kLogBelow)
//   kStandardized:  y = (t - shift) / scale
//   kUnit, kProbit: u = (t - lower) / (upper - lower)                                        without zoom (zoom_scale
//   0)
//                   u = (F(t) - F(lower)) / (F(upper) - F(lower)), F(t) = Phi((t - zoom_center) / zoom_scale)  with
//                   zoom; then lower and upper may be infinite u = spline(u), if there is one
//   kUnit:          y = u
//   kProbit:        y = (Phi^-1(u) - shift) / scale
// theta at or beyond a bound has density 0.
struct ColumnMap {
  enum class Scale : int64_t { kLinear = 0, kLogAbove = 1, kLogBelow = 2 };
  enum class Space : int64_t { kStandardized = 0, kUnit = 1, kProbit = 2 };

  Scale scale_of_t = Scale::kLinear;
  double origin = 0;
  Space space = Space::kStandardized;
  double lower = 0;  // bounds of t, for kUnit and kProbit
  double upper = 1;
  double zoom_center = 0;
  double zoom_scale = 0;
  SplineKnots spline;
  double shift = 0;
  double scale = 1;
};

// One linear map of a masked network: y = weight x + bias. Entries the mask forbids are exactly 0.
struct Linear {
  int64_t in = 0;
  int64_t out = 0;
  std::vector<float> weight;  // (out, in), row-major
  std::vector<float> bias;    // (out)
};

// One autoregressive layer (Germain et al. 2015, arXiv:1502.03509). Position i = 0..d-1 takes input column order[i];
// the network sees inputs in the order of positions, and what it says of position i depends on positions < i alone.
// Hidden units have degrees 1..d-1 (for d = 1 there are none but the bias speaks) in increasing order within each
// hidden layer: a unit of degree m sees positions < m (0-based) and is seen by positions >= m.
// Activations are tanh; the last map is linear. `outputs_per_position` numbers for position i lie together at
// i * outputs_per_position.
//   kAffine:  (mu, alpha): z_i = (y_i - mu) exp(-alpha), ladj = -sum alpha       (Papamakarios et al. 2017, eq. 4)
//   kSpline:  (K widths, K heights, K + 1 slopes), unconstrained: widths = kMinBin + (1 - K kMinBin) softmax, so
//   heights,
//             slopes = kMinSlope + softplus(s + log(exp(1 - kMinSlope) - 1)), so that 0 means slope 1; then the spline
//             of SplineKnots maps y_i in [0, 1] to z_i.
// Column order[i] of the output is z_i: columns keep their places.
struct AutoregressiveLayer {
  enum class Kind : int64_t { kAffine = 0, kSpline = 1 };
  static constexpr double kMinBin = 1e-4;
  static constexpr double kMinSlope = 1e-4;

  Kind kind = Kind::kAffine;
  int64_t bins = 0;                           // K of kSpline
  std::vector<int64_t> order;                 // (d)
  std::vector<Linear> network;                // hidden maps, then the output map
  std::vector<std::vector<int64_t>> degrees;  // one vector per hidden layer, non-decreasing

  int64_t outputs_per_position() const { return kind == Kind::kAffine ? 2 : 3 * bins + 1; }
};

// A whole flow. The base is N(0, I) for affine layers and U(0, 1)^d for spline layers.
struct Plan {
  std::vector<ColumnMap> columns;  // d
  std::vector<double> whitening;   // (d, d) row-major lower triangular W, y' = W y; empty: the identity
  std::vector<AutoregressiveLayer> layers;

  int64_t d() const { return static_cast<int64_t>(columns.size()); }
};

// INTERNAL or DATA_LOSS-worthy inconsistencies as one message: shapes, finite weights, masks that hold (an entry that
// the degrees forbid is 0), permutations, knots that increase. OK means the interpreter can run it without another
// check.
absl::Status CheckPlan(const Plan& plan);

// What is wrong with one column's map: unknown kinds, numbers not finite, bounds the wrong way round, bad knots.
// `where` names it in the message.
absl::Status CheckColumnMap(const ColumnMap& map, absl::string_view where);

// The maps alone, to and from the tensors `prefix` + "columns/...". DATA_LOSS for anything missing or of a wrong shape.
void WriteColumnMaps(const std::vector<ColumnMap>& columns, const std::string& prefix, Safetensors& artifact);
absl::StatusOr<std::vector<ColumnMap>> ReadColumnMaps(const Safetensors& artifact, const std::string& prefix);

// To and from the tensors of an artifact, all names starting with `prefix` ("member0/").
void WritePlan(const Plan& plan, const std::string& prefix, Safetensors& artifact);
// DATA_LOSS for anything missing, of a wrong shape, or refused by CheckPlan.
absl::StatusOr<Plan> ReadPlan(const Safetensors& artifact, const std::string& prefix);

}  // namespace creamery

#endif  // CREAMERY_MODELS_PLAN_PLAN_H_
