// A dataset of a synthetic posterior, with what an estimate of its D_KL should be and what the exact density says.
#ifndef CREAMERY_TESTS_REPORTS_SYNTHETIC_PROBLEM_H_
#define CREAMERY_TESTS_REPORTS_SYNTHETIC_PROBLEM_H_

#include <cstdint>
#include <string>
#include <vector>

#include "models/training/trainer.h"
#include "tests/reports/synthetic_target.h"

namespace creamery {

struct SyntheticProblem {
  std::string target;  // "gaussian", "truncated", ...
  std::string kind;    // "independent", "weighted", "mcmc", "nested"
  TrainingInput input;
  std::vector<double> log_prob;   // (n): exact log P at the rows
  std::vector<double> log_prior;  // (n)
  double kl = 0;                  // the truth
  double dimensionality = 0;
};

// Problem `index` of the series of `seed`: 1 to 8 dimensions, `fewest` to `most` rows. A third are independent rows,
// half of them importance-weighted; a third Metropolis chains (1 to 4 of them, autocorrelation times of about 5 to 50,
// and so many rows, within the limits, that at least 100 are effective); a third nested-sampling runs.
SyntheticProblem MakeProblem(uint64_t seed, int64_t index, int64_t fewest, int64_t most);

}  // namespace creamery

#endif  // CREAMERY_TESTS_REPORTS_SYNTHETIC_PROBLEM_H_
