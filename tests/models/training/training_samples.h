// Small datasets with known truth, as training inputs.
#ifndef CREAMERY_TESTS_MODELS_TRAINING_TRAINING_SAMPLES_H_
#define CREAMERY_TESTS_MODELS_TRAINING_TRAINING_SAMPLES_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "models/training/trainer.h"

namespace creamery {

// A parameter with a uniform prior, or with none.
v1::Parameter BoxParameter(const std::string& name, double lower, double upper);
v1::Parameter FreeParameter(const std::string& name);
v1::Parameter HalfBoundedParameter(const std::string& name, double lower);

// n independent rows: draw(i, j) is a standard uniform of row i and number j, fill(u, row) writes d values.
TrainingInput MakeInput(const std::vector<v1::Parameter>& parameters, int64_t n,
                        const std::function<void(const std::function<double(int)>& u, double* row)>& fill);

// A spec of the family "maf", "auto", ... with default options.
v1::EstimatorSpec SpecOf(const std::string& family);

// A posterior in the PolyChord files of `folder` ("polychord_box/pc"), dead and live points, or no rows if absent.
TrainingInput PolyChordInput(const std::string& root, const std::vector<std::string>& parameters);

}  // namespace creamery

#endif  // CREAMERY_TESTS_MODELS_TRAINING_TRAINING_SAMPLES_H_
