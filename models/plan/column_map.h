// The maps between a column of theta and the space of the layers, in float64. See ColumnMap for the formulas.
#ifndef CREAMERY_MODELS_PLAN_COLUMN_MAP_H_
#define CREAMERY_MODELS_PLAN_COLUMN_MAP_H_

#include "models/plan/plan.h"

namespace creamery {

// A mapped value and log |dy/dtheta|, natural log.
struct MappedValue {
  double y;
  double ladj;
};

// theta -> y. ladj is -inf for theta at or beyond a bound (y is then some finite value). Never NaN for finite theta.
MappedValue MapForward(const ColumnMap& map, double theta);
// y -> theta, strictly inside the bounds.
double MapInverse(const ColumnMap& map, double y);

// A mapped value with its derivatives.
struct MappedSlope {
  double y;
  double ladj;
  double slope;       // dy/dtheta, of either sign
  double ladj_slope;  // dladj/dtheta
};

// As MapForward, the same bits of y and ladj. Slopes are 0 where ladj is -inf.
MappedSlope MapForwardSlope(const ColumnMap& map, double theta);

// The spline of `knots` at u in [0, 1], and its inverse. For an empty spline, the identity.
MappedValue SplineForward(const SplineKnots& knots, double u);
double SplineInverse(const SplineKnots& knots, double v);
// d ladj / du of SplineForward; at a knot, that of the bin above it.
double SplineLadjSlope(const SplineKnots& knots, double u);

// Standard normal: distribution function, log-density and quantile (relative error below 1e-15 in both tails).
double NormalCdf(double x);
double NormalLogDensity(double x);
double NormalQuantile(double p);

}  // namespace creamery

#endif  // CREAMERY_MODELS_PLAN_COLUMN_MAP_H_
