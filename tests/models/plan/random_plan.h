// Plans with random weights that obey their masks, to hold the interpreter against mathematics.
#ifndef CREAMERY_TESTS_MODELS_PLAN_RANDOM_PLAN_H_
#define CREAMERY_TESTS_MODELS_PLAN_RANDOM_PLAN_H_

#include "models/plan/plan.h"

namespace creamery {

// A spline of three bins with slopes far from 1.
SplineKnots SteepKnots();

// d columns of every sort that `kind` allows, two layers with opposite orders, hidden layers of 7 and 5 units.
Plan RandomPlan(AutoregressiveLayer::Kind kind, int64_t d, uint64_t seed);

}  // namespace creamery

#endif  // CREAMERY_TESTS_MODELS_PLAN_RANDOM_PLAN_H_
