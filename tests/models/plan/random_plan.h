// Plans with random weights that obey their masks, to hold the interpreter against mathematics.
#ifndef CREAMERY_TESTS_MODELS_PLAN_RANDOM_PLAN_H_
#define CREAMERY_TESTS_MODELS_PLAN_RANDOM_PLAN_H_

#include <cstdint>
#include <vector>

#include "models/plan/plan.h"

namespace creamery {

// A spline of three bins with slopes far from 1.
SplineKnots SteepKnots();

struct PlanSizes {
  int layers;
  std::vector<int64_t> hidden;  // units of each hidden layer
  int64_t bins;                 // of splines
  double hidden_weight;         // standard deviation of the weights
  double output_weight;
};

// d columns of every sort that `kind` allows, layers with opposite orders in turn.
Plan SizedPlan(AutoregressiveLayer::Kind kind, int64_t d, const PlanSizes& sizes, uint64_t seed);

// d columns of every sort that `kind` allows, two layers with opposite orders, hidden layers of 7 and 5 units.
Plan RandomPlan(AutoregressiveLayer::Kind kind, int64_t d, uint64_t seed);

// The same with as many layers and hidden units as flows have by default: six of 50 and 50, for splines three. Weights
// such that each layer does about as much as those of a trained flow.
Plan LargePlan(AutoregressiveLayer::Kind kind, int64_t d, uint64_t seed);

}  // namespace creamery

#endif  // CREAMERY_TESTS_MODELS_PLAN_RANDOM_PLAN_H_
