#include "models/training/layer_space.h"

#include <ATen/ATen.h>

#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "models/plan/column_map.h"

namespace creamery {

absl::StatusOr<LoopRows> ToLayerSpace(const Plan& plan, const PreparedData& data, absl::Span<const int64_t> use) {
  const auto n = static_cast<int64_t>(use.size());
  const int64_t d = plan.d();
  double whitening_ladj = 0;
  for (int64_t j = 0; j < d && !plan.whitening.empty(); ++j) whitening_ladj += std::log(plan.whitening[j * d + j]);
  double total = 0;
  for (const int64_t row : use) total += data.weight[row];

  std::vector<float> y;
  std::vector<float> weight;
  std::vector<double> mapped(d);
  double ladj = 0;
  for (const int64_t row : use) {
    const double w = data.weight[row] / total * static_cast<double>(n);
    double row_ladj = whitening_ladj;
    for (int64_t j = 0; j < d; ++j) {
      const double theta = data.theta[row * d + j];
      const MappedValue value = MapForward(plan.columns[j], theta);
      mapped[j] = value.y;
      row_ladj += value.ladj;
    }
    if (!std::isfinite(row_ladj)) {
      return absl::FailedPreconditionError(
          absl::StrCat("row ", data.dataset_row[row], " lies too close to a bound for the column maps"));
    }
    for (int64_t i = 0; i < d; ++i) {
      double sum = mapped[i];
      if (!plan.whitening.empty()) {
        sum = 0;
        for (int64_t j = 0; j <= i; ++j) sum += plan.whitening[i * d + j] * mapped[j];
      }
      y.push_back(static_cast<float>(sum));
    }
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
