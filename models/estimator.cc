#include "models/estimator.h"

#include <algorithm>
#include <vector>

#include "models/random.h"
#include "proto/support/status_macros.h"

namespace creamery {

absl::Status Density::ContractedLogProb(absl::Span<const double>, double, absl::Span<double>, const StopToken&) const {
  return absl::FailedPreconditionError("the base of this density cannot be contracted");
}

absl::Status Sample(const Density& density, uint64_t seed, int64_t first_row, absl::Span<double> theta,
                    const StopToken& stop) {
  constexpr int64_t kRowsAtOnce = 1024;
  const RandomStream random(seed, RandomPurpose::kSample);
  const int64_t d = density.num_parameters();
  const int64_t n = static_cast<int64_t>(theta.size()) / d;
  std::vector<double> u;
  for (int64_t begin = 0; begin < n; begin += kRowsAtOnce) {
    const int64_t rows = std::min(kRowsAtOnce, n - begin);
    u.resize(rows * d);
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < d; ++j) u[i * d + j] = random.Uniform(first_row + begin + i, static_cast<uint32_t>(j));
    }
    ABSL_RETURN_IF_ERROR(density.PriorTransform(u, theta.subspan(begin * d, rows * d), stop));
  }
  return absl::OkStatus();
}

}  // namespace creamery
