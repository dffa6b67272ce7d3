#include "tests/reports/nested_joint.h"

#include <cmath>
#include <iostream>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "models/families.h"
#include "models/statistics/joint.h"
#include "models/statistics/tension.h"
#include "proto/support/status_macros.h"
#include "tests/reports/nested_experiment.h"

namespace creamery {
namespace {

absl::StatusOr<std::unique_ptr<Estimator>> Trained(const NestedExperiment& experiment,
                                                   const NestedJointOptions& options, uint64_t seed) {
  const TrainingInput input = experiment.Run(options.live, options.family, seed);
  ABSL_ASSIGN_OR_RETURN(const std::string artifact, Train(input, TrainingHooks()));
  return LoadEstimator(artifact);
}

// How far log R falls from its largest value where two normal posteriors of d parameters disagree by `sigma`: half the
// chi-squared of the same rarity.
double DropAt(double sigma, double d) {
  const double log_p = std::log(std::erfc(sigma / std::sqrt(2.0)));
  double low = 0;
  double high = 200;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (LogChiSquaredSurvival(middle, d) > log_p ? low : high) = middle;
  }
  return (low + high) / 4;
}

}  // namespace

absl::Status ReportNestedJoint(const NestedJointOptions& options) {
  std::cout << absl::StrFormat("%d parameters%s, %s, runs of %d live points\n", options.d,
                               options.nuisances ? " with a nuisance each" : "", options.family, options.live);
  std::cout
      << "tension | log R truth, answer +- error (chain member approximation), off by | sigma [range] | warnings\n";
  for (const double tension : {0.0, 2.0, 4.0, 6.0}) {
    NestedExperiment one{options.d, options.nuisances, 0, 1};
    NestedExperiment two{options.d, options.nuisances, 0, -1};
    two.shift = ShiftForDrop(one, two, DropAt(tension, static_cast<double>(options.d)));
    const double truth = TrueLogR(one, two);
    for (int64_t pair = 0; pair < options.pairs; ++pair) {
      ABSL_ASSIGN_OR_RETURN(const auto a, Trained(one, options, 100 + 2 * pair));
      ABSL_ASSIGN_OR_RETURN(const auto b, Trained(two, options, 101 + 2 * pair));
      const Estimator* models[] = {a.get(), b.get()};
      JointInput input;
      input.models = models;
      input.seed = static_cast<uint64_t>(pair);
      ABSL_ASSIGN_OR_RETURN(const JointResult result, ComputeJoint(input, nullptr, StopToken()));
      const v1::JointStatistics& s = result.head.statistics();
      std::string warnings;
      for (const int warning : result.head.warnings()) {
        absl::StrAppend(&warnings, " ", v1::Warning_Name(static_cast<v1::Warning>(warning)));
      }
      std::cout << absl::StrFormat("%3.1f | %7.2f, %7.2f +- %5.2f (%.2f %.2f %.2f), %+5.2f | %.2f [%.2f, %.2f] |%s\n",
                                   tension, truth, s.log_r().value(), s.log_r().error(), s.log_r().chain_error(),
                                   s.log_r().member_error(), s.log_r().approximation_error(), s.log_r().value() - truth,
                                   s.sigma(), s.sigma_low(), s.sigma_high(), warnings)
                << std::flush;
    }
  }
  return absl::OkStatus();
}

}  // namespace creamery
