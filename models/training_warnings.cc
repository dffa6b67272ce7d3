#include "models/training_warnings.h"

#include <algorithm>

namespace creamery {
namespace {

constexpr int64_t kFewRows = 100;  // as for FEW_EFFECTIVE_SAMPLES
constexpr int64_t kFewRowsPerParameter = 20;
// A density that is 20 % too wide in five directions is a twelfth of a nat away; modes bridged or a singular density
// are half a nat and more.
constexpr double kLargeMisfit = 0.25;
constexpr double kSignificant = 5;

}  // namespace

std::vector<v1::Warning> TrainingWarnings(const v1::TrainingSummary& training, int64_t d) {
  std::vector<v1::Warning> warnings;
  if (training.num_rows_outside() > 0) warnings.push_back(v1::ROWS_LEFT_OUT);
  const int64_t few = std::max(kFewRows, kFewRowsPerParameter * (d + 1));
  if (2 * training.num_distinct_rows() < training.num_rows() && training.num_distinct_rows() < few) {
    warnings.push_back(v1::FEW_DISTINCT_ROWS);
  }
  const v1::HeldOutStatistics& held_out = training.held_out();
  if (held_out.misfit_error() > 0 && held_out.misfit() > kLargeMisfit &&
      held_out.misfit() > kSignificant * held_out.misfit_error()) {
    warnings.push_back(v1::LARGE_MISFIT);
  }
  return warnings;
}

}  // namespace creamery
