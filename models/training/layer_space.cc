#include "models/training/layer_space.h"

#include <ATen/ATen.h>

#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "models/plan/column_map.h"

namespace creamery {

double RowToLayerSpace(const Plan& plan, const double* theta, double* y) {
  const int64_t d = plan.d();
  double ladj = 0;
  for (int64_t j = 0; j < d; ++j) {
    const MappedValue value = MapForward(plan.columns[j], theta[j]);
    y[j] = value.y;
    ladj += value.ladj;
  }
  if (plan.whitening.empty()) return ladj;
  for (int64_t i = d; i-- > 0;) {  // from the last row up, so that y' can take the place of y
    const double* row = &plan.whitening[i * d];
    double sum = 0;
    for (int64_t j = 0; j <= i; ++j) sum += row[j] * y[j];
    y[i] = sum;
    ladj += std::log(row[i]);
  }
  return ladj;
}

absl::StatusOr<LoopRows> ToLayerSpace(const Plan& plan, const PreparedData& data, absl::Span<const int64_t> use) {
  const auto n = static_cast<int64_t>(use.size());
  const int64_t d = plan.d();
  double total = 0;
  for (const int64_t row : use) total += data.weight[row];

  std::vector<float> y;
  std::vector<float> weight;
  std::vector<double> mapped(d);
  double ladj = 0;
  for (const int64_t row : use) {
    const double w = data.weight[row] / total * static_cast<double>(n);
    const double row_ladj = RowToLayerSpace(plan, &data.theta[row * d], mapped.data());
    if (!std::isfinite(row_ladj)) {
      return absl::FailedPreconditionError(
          absl::StrCat("row ", data.dataset_row[row], " lies too close to a bound for the column maps"));
    }
    y.insert(y.end(), mapped.begin(), mapped.end());
    weight.push_back(static_cast<float>(w));
    ladj += w * row_ladj;
  }
  LoopRows rows;
  rows.y = at::from_blob(y.data(), {n, d}, at::kFloat).clone();
  rows.weight = at::from_blob(weight.data(), {n}, at::kFloat).clone();
  rows.map_ladj = ladj / static_cast<double>(n);
  return rows;
}

}  // namespace creamery
