// Chooses how each parameter is mapped to the space of the layers, from its bounds and from weighted rows.
//
//   bounds             maf                                                nsf (every column must reach the unit box)
//   none               standardised; such columns are whitened together   normal distribution function, twice as wide
//   one                log of the distance to it, then as without bounds; the same
//                      if that is less symmetric, a half-line as a box
//   two                posterior leans on an edge: box spline + probit;   linear, or for a posterior narrower than a
//                      well inside: probit, shifted and scaled            tenth of the box a zoom on it
//   log-uniform prior  log, then as two bounds                            the same
//
// A column mapped by probit is never whitened with others: that would break its N(0, 1) tails at the edges.
#ifndef CREAMERY_MODELS_TRAINING_COLUMN_CHOICE_H_
#define CREAMERY_MODELS_TRAINING_COLUMN_CHOICE_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "creamery/v1/estimator_spec.pb.h"
#include "models/data_preparation.h"
#include "models/plan/plan.h"

namespace creamery {

// Fits a box spline to u: (n) in (0, 1) with weights (n); FitBoxSpline, or nothing in tests of the choice.
using BoxSplineFit =
    std::function<absl::StatusOr<SplineKnots>(absl::Span<const double> u, absl::Span<const double> weight)>;

// Columns and whitening of a plan whose layers are of `kind`, from the rows `use` of `data` only.
// FAILED_PRECONDITION naming a parameter that is constant, a combination of others, or not positive under LOG.
absl::StatusOr<Plan> ChooseColumns(const PreparedData& data, absl::Span<const int64_t> use,
                                   const v1::EstimatorSpec& spec, AutoregressiveLayer::Kind kind,
                                   const BoxSplineFit& fit);

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_COLUMN_CHOICE_H_
