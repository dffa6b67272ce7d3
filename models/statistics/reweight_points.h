// Which rows of a chain are asked for a new likelihood, and in which order.
#ifndef CREAMERY_MODELS_STATISTICS_REWEIGHT_POINTS_H_
#define CREAMERY_MODELS_STATISTICS_REWEIGHT_POINTS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace creamery {

// Points of a thinned chain: rows of the chain and the weights that make up for the thinning.
struct ChainPoints {
  std::vector<int64_t> row;    // each row at most once
  std::vector<double> weight;  // mean 1
};

// `points` rows of a chain with weights (n), positive, in the chain's order. Row i is taken with probability
// min(1, w_i / c), c such that the probabilities sum to `points`, and then weighs max(w_i, c): rows heavier than c are
// all there, the others get equal weights (systematic sampling: Cochran 1977, section 8.1; with the random start that
// `seed` gives). All rows if there are no more. The order is that of the bits of the position reversed, so that the
// first points, however many a client has answered, are spread over the whole chain.
ChainPoints ThinChain(absl::Span<const double> weight, int64_t points, uint64_t seed);

}  // namespace creamery

#endif  // CREAMERY_MODELS_STATISTICS_REWEIGHT_POINTS_H_
