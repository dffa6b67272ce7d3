// Two-dimensional densities with several modes or hard shapes, sampled exactly: what estimators of densities are held
// against. Natural logs throughout.
#ifndef CREAMERY_TESTS_REPORTS_DENSITY_TARGETS_H_
#define CREAMERY_TESTS_REPORTS_DENSITY_TARGETS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "models/estimator.h"
#include "models/training/trainer.h"

namespace creamery {

// A density of two parameters, known but for its constant, that is nothing to speak of outside [-half_width,
// half_width]^2. `log_density` is at most `log_bound`.
struct DensityTarget {
  std::string name;
  double (*log_density)(double x, double y);
  double log_bound;
  double half_width;
};

// "two_moons" (METHODS, section 8), "rings" (radii 1 and 2, width 1/8), "circle" (eight Gaussians), "funnel" (Neal).
absl::Span<const DensityTarget> DensityTargets();

// (n, 2): exact draws by rejection from the square, at most 2000 tries a row on average. Streams of different seeds are
// independent.
std::vector<double> DrawRows(const DensityTarget& target, int64_t n, uint64_t seed);

// Log of the integral of exp(log_density), by the midpoint rule on 3000^2 points.
double LogConstant(const DensityTarget& target);

// A training input of n rows, drawn with `seed`, with free parameters.
TrainingInput TargetInput(const DensityTarget& target, int64_t n, const v1::EstimatorSpec& spec, uint64_t seed = 1);

// KL(target || q) over `rows` that q has not seen, and its standard error.
struct Divergence {
  double value = 0;
  double error = 0;
};
Divergence TrueDivergence(const DensityTarget& target, absl::Span<const double> rows, absl::Span<const double> log_q);

// log q of the equal mixture of `members` at rows (n, d).
absl::StatusOr<std::vector<double>> MixtureLogProb(absl::Span<const Density* const> members,
                                                   absl::Span<const double> rows);

}  // namespace creamery

#endif  // CREAMERY_TESTS_REPORTS_DENSITY_TARGETS_H_
