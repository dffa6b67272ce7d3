#include "models/densities/contraction.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "models/plan/column_map.h"
#include "proto/support/status_macros.h"

namespace creamery {

absl::Status ContractThroughTransform(const Density& density, absl::Span<const double> theta, double temperature,
                                      absl::Span<double> log_prob, const StopToken& stop) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const int64_t d = density.num_parameters();
  ABSL_RETURN_IF_ERROR(density.LogProb(theta, log_prob, stop));
  if (temperature == 1) return absl::OkStatus();
  std::vector<size_t> inside;
  std::vector<double> rows;
  for (size_t i = 0; i < log_prob.size(); ++i) {
    if (log_prob[i] == -kInfinity) continue;
    inside.push_back(i);
    rows.insert(rows.end(), theta.begin() + i * d, theta.begin() + (i + 1) * d);
  }
  std::vector<double> u(rows.size());
  ABSL_RETURN_IF_ERROR(density.InversePriorTransform(rows, absl::MakeSpan(u), stop));
  const double log_width = 0.5 * static_cast<double>(d) * std::log(temperature);
  for (size_t r = 0; r < inside.size(); ++r) {
    double squares = 0;
    for (int64_t j = 0; j < d; ++j) {
      const double z = NormalQuantile(u[r * d + j]);
      squares += z * z;
    }
    log_prob[inside[r]] -= 0.5 * squares * (1 / temperature - 1) + log_width;
  }
  return absl::OkStatus();
}

}  // namespace creamery
