// A dataset of a synthetic posterior, with what an estimate of its D_KL should be and what the exact density says.
#ifndef CREAMERY_TESTS_REPORTS_SYNTHETIC_PROBLEM_H_
#define CREAMERY_TESTS_REPORTS_SYNTHETIC_PROBLEM_H_

#include <cstdint>
#include <string>
#include <vector>

#include "models/training/trainer.h"
#include "tests/reports/synthetic_target.h"

namespace creamery {

// Which problems. Empty strings: any, by the index, as the series has always been: uniform and log-uniform priors.
struct ProblemChoice {
  int64_t fewest = 500;  // rows
  int64_t most = 20000;
  std::string prior;  // "uniform", "log-uniform", "normal", "model": rows of the prior to train a density on
  std::string kind;   // "independent", "weighted", "mcmc", "nested"
};

struct SyntheticProblem {
  std::string target;  // "gaussian", "truncated", ...
  std::string kind;    // "independent", "weighted", "mcmc", "nested"
  TrainingInput input;
  TrainingInput prior_input;      // of the choice "model": rows of the prior, and parameters without one
  std::vector<double> log_prob;   // (n): exact log P at the rows
  std::vector<double> log_prior;  // (n)
  double kl = 0;                  // the truth
  double dimensionality = 0;
};

// Problem `index` of the series of `seed`: 1 to 8 dimensions, `fewest` to `most` rows. A third are independent rows,
// half of them importance-weighted; a third Metropolis chains (1 to 4 of them, autocorrelation times of about 5 to 50,
// and so many rows, within the limits, that at least 100 are effective); a third nested-sampling runs.
// With a prior or a kind chosen: 2 to 5 dimensions, and besides "prior", whose posterior is the prior.
SyntheticProblem MakeProblem(uint64_t seed, int64_t index, const ProblemChoice& choice);

}  // namespace creamery

#endif  // CREAMERY_TESTS_REPORTS_SYNTHETIC_PROBLEM_H_
