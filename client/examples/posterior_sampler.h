// Weighted, independent draws from the posterior of a BAO likelihood by importance sampling.
#ifndef CREAMERY_CLIENT_EXAMPLES_POSTERIOR_SAMPLER_H_
#define CREAMERY_CLIENT_EXAMPLES_POSTERIOR_SAMPLER_H_

#include <array>
#include <cstdint>
#include <vector>

#include "client/examples/bao_likelihood.h"

namespace creamery::examples {

// Uniform prior of (omegam, w0, h0rs), h0rs in km/s.
struct BaoPrior {
  std::array<double, 3> lower = {.05, -3, 7000};
  std::array<double, 3> upper = {.95, 0, 14000};
};

struct PosteriorSamples {
  std::vector<std::array<double, 3>> theta;  // (n, 3): omegam, w0, h0rs
  std::vector<double> weight;                // (n,), the largest is 1
  std::vector<double> log_likelihood;        // (n,), natural log
  double log_evidence = 0;                   // natural log
  double log_evidence_error = 0;             // standard error, from the weights
  double effective_size = 0;                 // Kish: (sum w)^2 / sum w^2
};

// Draws from a density that is constant on the cells of a grid, in proportion to the likelihood at their centres,
// mixed with 5 % of the prior. The weight L pi / q corrects for the grid exactly, whatever its resolution, and the
// share of the prior bounds it. Same seed, same rows.
PosteriorSamples DrawPosterior(const BaoLikelihood& likelihood, const BaoPrior& prior, int64_t rows, uint64_t seed);

}  // namespace creamery::examples

#endif  // CREAMERY_CLIENT_EXAMPLES_POSTERIOR_SAMPLER_H_
