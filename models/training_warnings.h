// What a training says against itself: reasons to read every answer of the version with care.
#ifndef CREAMERY_MODELS_TRAINING_WARNINGS_H_
#define CREAMERY_MODELS_TRAINING_WARNINGS_H_

#include <string>
#include <vector>

#include "creamery/v1/model.pb.h"
#include "creamery/v1/warning.pb.h"

namespace creamery {

// From `training` with all counts and held_out set. ROWS_LEFT_OUT if rows lie on or outside the bounds of their
// parameters. FEW_DISTINCT_ROWS if fewer than half of the rows differ, and fewer than 100 or 20 (d + 1). LARGE_MISFIT
// if the misfit, less half the gap between rows seen and not seen in training, exceeds a quarter of a nat and five of
// its standard errors; of kernel densities no misfit is known.
std::vector<v1::Warning> TrainingWarnings(const v1::TrainingSummary& training, int64_t d);

// What the training's own warnings are about, in sentences with their numbers.
std::vector<std::string> TrainingRemarks(const v1::TrainingSummary& training);

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_WARNINGS_H_
