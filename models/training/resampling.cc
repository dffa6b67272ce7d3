#include "models/training/resampling.h"

#include <limits>
#include <numeric>

namespace creamery {

WeightedRows SystematicResample(absl::Span<const double> weight, int64_t m, double offset) {
  const auto n = static_cast<int64_t>(weight.size());
  const double total = std::accumulate(weight.begin(), weight.end(), 0.0);
  WeightedRows rows;
  if (n <= m) {
    for (int64_t i = 0; i < n; ++i) {
      const double share = weight[i] / total;
      if (share < std::numeric_limits<double>::min()) continue;  // an importance weight far below all others
      rows.row.push_back(i);
      rows.weight.push_back(share);
    }
    return rows;
  }
  double passed = 0;  // weight of the rows so far
  int64_t drawn = 0;
  for (int64_t i = 0; i < n; ++i) {
    passed += weight[i];
    const int64_t before = drawn;
    while (drawn < m && (static_cast<double>(drawn) + offset) * total < passed * static_cast<double>(m)) ++drawn;
    if (drawn == before) continue;
    rows.row.push_back(i);
    rows.weight.push_back(static_cast<double>(drawn - before) / static_cast<double>(m));
  }
  if (drawn < m) rows.weight.back() += static_cast<double>(m - drawn) / static_cast<double>(m);  // rounding of the sum
  return rows;
}

}  // namespace creamery
