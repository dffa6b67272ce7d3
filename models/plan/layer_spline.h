// The spline of one position of a spline layer, from the unconstrained numbers of its network, and the way back.
#ifndef CREAMERY_MODELS_PLAN_LAYER_SPLINE_H_
#define CREAMERY_MODELS_PLAN_LAYER_SPLINE_H_

#include <cstdint>

#include "models/plan/plan.h"

namespace creamery {

// raw: 3 K + 1 numbers, `stride` apart; see AutoregressiveLayer for the formulas.
void FillSpline(const double* raw, int64_t stride, int64_t bins, SplineKnots& spline);

// Reverse mode through z = spline(y) and ladj = log dz/dy: given a = d f / d z and d f / d ladj = 1, writes d f / d raw
// to raw_adjoint, `stride` apart, and returns d f / d y. `spline` is what FillSpline made of `raw`; y in [0, 1].
double SplineAdjoint(const double* raw, int64_t stride, const SplineKnots& spline, double y, double z_adjoint,
                     double* raw_adjoint);

}  // namespace creamery

#endif  // CREAMERY_MODELS_PLAN_LAYER_SPLINE_H_
