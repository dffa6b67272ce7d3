// What a training says against itself: reasons to read every answer of the version with care.
#ifndef CREAMERY_MODELS_TRAINING_WARNINGS_H_
#define CREAMERY_MODELS_TRAINING_WARNINGS_H_

#include <vector>

#include "creamery/v1/model.pb.h"
#include "creamery/v1/warning.pb.h"

namespace creamery {

// From `training` with all counts and held_out set:
//   ROWS_LEFT_OUT      rows lie on or outside the bounds of their parameters;
//   FEW_DISTINCT_ROWS  fewer than half of the rows differ, and fewer than 100 or 20 for each of the d parameters and
//   one; LARGE_MISFIT       the misfit exceeds a quarter of a nat and 5 of its standard errors.
std::vector<v1::Warning> TrainingWarnings(const v1::TrainingSummary& training, int64_t d);

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_WARNINGS_H_
