// Fewer rows that stand for all of them.
#ifndef CREAMERY_MODELS_TRAINING_RESAMPLING_H_
#define CREAMERY_MODELS_TRAINING_RESAMPLING_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace creamery {

// Rows and their weights, sum 1.
struct WeightedRows {
  std::vector<int64_t> row;  // increasing
  std::vector<double> weight;
};

// All n rows where there are at most m, but for shares too small for a number; else m draws by systematic resampling
// (Kitagawa 1996, doi:10.1080/10618600.1996.10474692): a row of weight w comes floor or ceil of m w / sum w times, and
// several times of one row become one row of a larger weight. weight: (n), positive. `offset` in (0, 1) is the only
// random number.
WeightedRows SystematicResample(absl::Span<const double> weight, int64_t m, double offset);

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_RESAMPLING_H_
