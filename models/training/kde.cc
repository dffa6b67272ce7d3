#include "models/training/kde.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "models/random.h"
#include "models/statistics/weights.h"
#include "models/training/mapped_columns.h"
#include "models/training/resampling.h"
#include "models/training/whitened_rows.h"
#include "proto/support/status_macros.h"

namespace creamery {

absl::StatusOr<DensityTree> FitKde(const MemberRows& rows, const v1::EstimatorSpec& spec, FlowTraining& flows) {
  const PreparedData& data = *rows.data;
  ABSL_RETURN_IF_ERROR(flows.stop().Check());
  ABSL_ASSIGN_OR_RETURN(const std::vector<ColumnMap> columns, MappedColumns(data, rows.train, spec, flows.stop()));
  ABSL_ASSIGN_OR_RETURN(const WhitenedSpace space, FindWhitenedSpace(columns, data, rows.train));

  std::vector<double> weight;
  for (const int64_t row : rows.train) weight.push_back(data.weight[row]);
  const double offset =
      RandomStream(spec.training().seed(), RandomPurpose::kKernels).Uniform(static_cast<uint64_t>(rows.member));
  WeightedRows kept = SystematicResample(weight, spec.kde().kernels(), offset);

  DensityTree tree;
  tree.kind = DensityTree::Kind::kKernels;
  KernelPlan& kernels = tree.kernels;
  kernels.columns = columns;
  std::vector<int64_t> centers;
  for (const int64_t at : kept.row) centers.push_back(rows.train[at]);
  kernels.centers = MapColumns(columns, data, centers);
  kernels.weight = std::move(kept.weight);
  const auto d = static_cast<double>(data.d());
  const double size = std::min(EffectiveRowsOf(data, rows.train), KishSize(kernels.weight));
  const double h = spec.kde().bandwidth() * std::pow(size * (d + 2) / 4, -1 / (d + 4));
  for (const double factor : space.cholesky) kernels.cholesky.push_back(h * factor);
  return tree;
}

void VaryKde(const Trial& trial, v1::EstimatorSpec& spec) {
  spec.mutable_kde()->set_bandwidth(std::clamp(spec.kde().bandwidth() * trial.Factor(4, 3), 0.01, 100.0));
}

}  // namespace creamery
