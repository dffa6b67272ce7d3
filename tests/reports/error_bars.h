// What a training states of a problem of known truth, beside what the exact density would state on the same rows.
#ifndef CREAMERY_TESTS_REPORTS_ERROR_BARS_H_
#define CREAMERY_TESTS_REPORTS_ERROR_BARS_H_

#include <string>

#include "absl/status/statusor.h"
#include "tests/reports/synthetic_problem.h"

namespace creamery {

struct ErrorBars {
  double d, rows, n_eff;
  double truth, value, error, chain, approximation, member, exact_value, exact_error;  // D_KL
  double g_truth, g_value, g_error, g_exact_error;                                     // d_G
  double g_rows, g_draws;  // 2 Var[log q] between members over rows, and over draws from the density
  double seconds;          // of training
};

// The family `exact` trains nothing: the exact density's own statement. A prior of the choice "model" is trained too.
absl::StatusOr<ErrorBars> MeasureErrorBars(const SyntheticProblem& problem, const std::string& family, int threads);

}  // namespace creamery

#endif  // CREAMERY_TESTS_REPORTS_ERROR_BARS_H_
