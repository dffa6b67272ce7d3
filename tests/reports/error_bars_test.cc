// A small version of the report error_bar_coverage.
#include "tests/reports/error_bars.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/status_matchers.h"

namespace creamery {
namespace {

// A binomial of 60 trials at the 68 % of a calibrated bar has a standard deviation of 6 %.
TEST(ErrorBarsTest, TheExactDensitysBarsHoldTheTruthAsOftenAsTheyShould) {
  int within = 0;
  for (int index = 0; index < 60; ++index) {
    ASSERT_OK_AND_ASSIGN(const ErrorBars bars,
                         MeasureErrorBars(MakeProblem(11, index, {500, 2000, "", ""}), "exact", 1));
    if (std::fabs(bars.value - bars.truth) < bars.error) ++within;
  }
  EXPECT_GT(within, 60 * 0.68 - 3 * 3.6);
  EXPECT_LT(within, 60 * 0.68 + 3 * 3.6);
}

TEST(ErrorBarsTest, TrainedBarsHoldTheTruthAndAreHardlyLongerThanTheExactDensitys) {
  int within = 0;
  for (int index = 0; index < 15; ++index) {
    ASSERT_OK_AND_ASSIGN(const ErrorBars bars,
                         MeasureErrorBars(MakeProblem(12, index, {500, 2000, "", ""}), "auto", 1));
    if (std::fabs(bars.value - bars.truth) < bars.error) ++within;
    EXPECT_LT(std::fabs(bars.value - bars.truth), 4 * bars.error) << "problem " << index;
    EXPECT_LT(bars.error, 2.5 * bars.exact_error) << "problem " << index;
  }
  EXPECT_GE(within, 6);  // of 15, 10 +- 1.8 are expected
}

// Posterior = prior, five parameters, 3000 rows, under normal priors: D_KL does not depend on coordinates, so it is 0
// as under the uniform ones that their distribution functions map to, and so is the length of the bar.
TEST(ErrorBarsTest, APosteriorThatIsItsNormalPriorHasNoInformation) {
  for (const char* family : {"maf", "nsf"}) {
    double uniform_error = 0;
    for (const char* prior : {"uniform", "normal"}) {
      // Index 4 is the posterior that is its prior.
      const SyntheticProblem problem = MakeProblem(3, 4, {3000, 3000, prior, "independent"});
      ASSERT_EQ(problem.target, "prior");
      ASSERT_OK_AND_ASSIGN(const ErrorBars bars, MeasureErrorBars(problem, family, 1));
      EXPECT_NEAR(bars.value, 0, 3 * bars.error) << family << ", " << prior;
      EXPECT_NEAR(bars.g_value, 0, 3 * bars.g_error) << family << ", " << prior;
      EXPECT_LT(bars.error, 0.03) << family << ", " << prior;
      if (uniform_error == 0) uniform_error = bars.error;
      EXPECT_LT(bars.error, 2 * uniform_error) << family << ", " << prior;
    }
  }
}

// The same rows of a nested-sampling run trained with other seeds: the errors agree.
TEST(ErrorBarsTest, TheErrorOfTheDimensionalityHardlyDependsOnTheSeed) {
  SyntheticProblem problem = MakeProblem(1, 2, {1500, 1500, "uniform", "nested"});
  std::vector<double> errors;
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    problem.input.job.mutable_training()->mutable_spec()->mutable_training()->set_seed(seed);
    ASSERT_OK_AND_ASSIGN(const ErrorBars bars, MeasureErrorBars(problem, "maf", 1));
    EXPECT_NEAR(bars.g_value, bars.g_truth, 3 * bars.g_error);
    errors.push_back(bars.g_error);
  }
  const auto ends = std::minmax_element(errors.begin(), errors.end());
  EXPECT_LT(*ends.second, 1.6 * *ends.first);  // four draws of a spread of 15 % or so
}

}  // namespace
}  // namespace creamery
