#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "client/cpp/readers/readers.h"

namespace creamery {

v1::LogEvidence NestedEvidence(absl::Span<const double> log_likelihood, absl::Span<const double> log_likelihood_birth) {
  const size_t n = log_likelihood.size();
  std::vector<double> deaths(log_likelihood.begin(), log_likelihood.end());
  std::vector<double> births(log_likelihood_birth.begin(), log_likelihood_birth.end());
  std::sort(deaths.begin(), deaths.end());
  std::sort(births.begin(), births.end());
  // Points alive at each death, the dying one included, and the mean of the logarithm of the volume left behind it.
  std::vector<double> live(n), log_volume(n + 1);
  size_t born = 0;
  for (size_t i = 0; i < n; ++i) {
    while (born < n && (births[born] < deaths[i] || std::isinf(births[born]))) ++born;
    live[i] = born > i ? static_cast<double>(born - i) : 1;
    log_volume[i + 1] = log_volume[i] + std::log(live[i] / (live[i] + 1));
  }
  std::vector<double> log_weight(n);
  double largest = -std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < n; ++i) {
    // Half of the shell between the contours before and after; nothing is left behind the last.
    const double shrunk = i + 1 < n ? std::log1p(-std::exp(log_volume[i + 2] - log_volume[i])) : 0;
    log_weight[i] = deaths[i] + shrunk + log_volume[i] - std::log(2);
    largest = std::max(largest, log_weight[i]);
  }
  v1::LogEvidence evidence;
  if (std::isinf(largest)) {
    evidence.set_value(largest);
    return evidence;
  }
  double total = 0;
  for (const double each : log_weight) total += std::exp(each - largest);
  // d log Z / d log t of a shrinkage t is the share of the posterior behind it; log t has the variance 1 / live².
  double variance = 0, behind = 0;
  for (size_t i = n; i-- > 0;) {
    behind += std::exp(log_weight[i] - largest) / total;
    variance += behind * behind / (live[i] * live[i]);
  }
  evidence.set_value(largest + std::log(total));
  evidence.set_error(std::sqrt(variance));
  return evidence;
}

}  // namespace creamery
