// A small version of the report error_bar_coverage.
#include "tests/reports/error_bars.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/status_matchers.h"

namespace creamery {
namespace {

// A binomial of 60 trials at the 68 % of a calibrated bar has a standard deviation of 6 %.
TEST(ErrorBarsTest, TheExactDensitysBarsHoldTheTruthAsOftenAsTheyShould) {
  int within = 0;
  for (int index = 0; index < 60; ++index) {
    ASSERT_OK_AND_ASSIGN(const ErrorBars bars, MeasureErrorBars(MakeProblem(11, index, 500, 2000), "exact", 1));
    if (std::fabs(bars.value - bars.truth) < bars.error) ++within;
  }
  EXPECT_GT(within, 60 * 0.68 - 3 * 3.6);
  EXPECT_LT(within, 60 * 0.68 + 3 * 3.6);
}

TEST(ErrorBarsTest, TrainedBarsHoldTheTruthAndAreHardlyLongerThanTheExactDensitys) {
  int within = 0;
  for (int index = 0; index < 15; ++index) {
    ASSERT_OK_AND_ASSIGN(const ErrorBars bars, MeasureErrorBars(MakeProblem(12, index, 500, 2000), "auto", 1));
    if (std::fabs(bars.value - bars.truth) < bars.error) ++within;
    EXPECT_LT(std::fabs(bars.value - bars.truth), 4 * bars.error) << "problem " << index;
    EXPECT_LT(bars.error, 2.5 * bars.exact_error) << "problem " << index;
  }
  EXPECT_GE(within, 6);  // of 15, 10 +- 1.8 are expected
}

}  // namespace
}  // namespace creamery
