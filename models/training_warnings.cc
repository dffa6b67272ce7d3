#include "models/training_warnings.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace creamery {
namespace {

constexpr int64_t kFewRows = 100;  // as for FEW_EFFECTIVE_SAMPLES
constexpr int64_t kFewRowsPerParameter = 20;
// What is measured: 0.00 to 0.13 nats for what a family can describe, 0.3 and more for an affine flow over two modes,
// values on a grid of 20 points, or a parameter that is a function of another (1 to 2).
constexpr double kLargeMisfit = 0.25;
constexpr double kSignificant = 5;

// The misfit beyond what a training on too few rows explains, half the gap between rows seen and not seen: that part is
// in every error bar.
double UnexplainedMisfit(const v1::HeldOutStatistics& held_out) {
  const double gap = held_out.in_sample_log_prob() - held_out.out_of_fold_log_prob();
  return held_out.misfit() - std::max(gap, 0.0) / 2;
}

}  // namespace

std::vector<v1::Warning> TrainingWarnings(const v1::TrainingSummary& training, int64_t d) {
  std::vector<v1::Warning> warnings;
  if (training.num_rows_outside() > 0) warnings.push_back(v1::ROWS_LEFT_OUT);
  const int64_t few = std::max(kFewRows, kFewRowsPerParameter * (d + 1));
  if (2 * training.num_distinct_rows() < training.num_rows() && training.num_distinct_rows() < few) {
    warnings.push_back(v1::FEW_DISTINCT_ROWS);
  }
  const v1::HeldOutStatistics& held_out = training.held_out();
  const double misfit = UnexplainedMisfit(held_out);
  if (held_out.misfit_error() > 0 && misfit > kLargeMisfit && misfit > kSignificant * held_out.misfit_error()) {
    warnings.push_back(v1::LARGE_MISFIT);
  }
  return warnings;
}

std::vector<std::string> TrainingRemarks(const v1::TrainingSummary& training) {
  std::vector<std::string> remarks;
  for (const int warning : training.warnings()) {
    if (warning == v1::ROWS_LEFT_OUT) {
      remarks.push_back(absl::StrCat(training.num_rows_outside(), " rows on or outside a declared bound ",
                                     "were left out of the training, which used ", training.num_rows()));
    } else if (warning == v1::FEW_DISTINCT_ROWS) {
      remarks.push_back(absl::StrCat("only ", training.num_distinct_rows(), " of the ", training.num_rows(),
                                     " rows of the training are distinct"));
    } else if (warning == v1::LARGE_MISFIT) {
      remarks.push_back(
          absl::StrFormat("nearest neighbours find the density %.2g +- %.2g nats from rows it has not seen",
                          training.held_out().misfit(), training.held_out().misfit_error()));
    }
  }
  return remarks;
}

}  // namespace creamery
