#include "models/training/blocks.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "models/random.h"
#include "models/training/dependence.h"
#include "models/training/flow.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

absl::StatusOr<std::vector<std::vector<int64_t>>> ParseBlocks(const PreparedData& data, const v1::BlocksSpec& spec) {
  std::vector<std::vector<int64_t>> blocks;
  std::vector<bool> named(data.d(), false);
  for (const std::string& text : spec.blocks()) {
    std::vector<int64_t> block;
    for (const std::string& name : std::vector<std::string>(absl::StrSplit(text, ' ', absl::SkipEmpty()))) {
      int64_t j = 0;
      while (j < data.d() && data.parameters[j].name() != name) ++j;
      if (j == data.d() || named[j]) {
        return absl::InvalidArgumentError(
            absl::StrCat("blocks.blocks: '", name, j == data.d() ? "' is no parameter" : "' is given twice"));
      }
      named[j] = true;
      block.push_back(j);
    }
    std::sort(block.begin(), block.end());
    if (!block.empty()) blocks.push_back(std::move(block));
  }
  for (int64_t j = 0; j < data.d(); ++j) {
    if (named[j]) continue;
    return absl::InvalidArgumentError(absl::StrCat("blocks.blocks: '", data.parameters[j].name(), "' is in no block"));
  }
  return blocks;
}

PreparedData SelectColumns(const PreparedData& data, const std::vector<int64_t>& columns) {
  PreparedData part = data;
  part.parameters.clear();
  for (const int64_t j : columns) part.parameters.push_back(data.parameters[j]);
  part.theta.clear();
  for (int64_t i = 0; i < data.n(); ++i) {
    for (const int64_t j : columns) part.theta.push_back(data.theta[i * data.d() + j]);
  }
  return part;
}

}  // namespace

absl::StatusOr<std::vector<std::vector<int64_t>>> BlocksOf(const MemberRows& rows, const v1::EstimatorSpec& spec,
                                                           const StopToken& stop) {
  const PreparedData& data = *rows.data;
  if (!spec.blocks().blocks().empty()) return ParseBlocks(data, spec.blocks());
  std::vector<double> theta;
  std::vector<double> weight;
  for (const int64_t row : rows.train) {
    theta.insert(theta.end(), data.theta.begin() + row * data.d(), data.theta.begin() + (row + 1) * data.d());
    weight.push_back(data.weight[row]);
  }
  const double offset = RandomStream(spec.training().seed(), RandomPurpose::kClusters).Uniform(0);
  return FindBlocks(theta, data.d(), weight, EffectiveRowsOf(data, rows.train), spec.blocks().dependence(), offset,
                    stop);
}

absl::StatusOr<DensityTree> FitBlocks(const MemberRows& rows, const v1::EstimatorSpec& spec, FlowTraining& flows) {
  ABSL_RETURN_IF_ERROR(flows.stop().Check());
  DensityTree tree;
  tree.kind = DensityTree::Kind::kProduct;
  ABSL_ASSIGN_OR_RETURN(tree.columns, BlocksOf(rows, spec, flows.stop()));
  std::vector<PreparedData> data;
  data.reserve(tree.columns.size());  // tasks point into it
  std::vector<FlowTask> tasks;
  for (const std::vector<int64_t>& columns : tree.columns) {
    data.push_back(SelectColumns(*rows.data, columns));
    PartOptions options = PartOptionsOf(spec.blocks());
    // An affine flow of one parameter is a Gaussian; a spline of one parameter needs one layer.
    if (columns.size() == 1) options = {"nsf", 0, {}, options.family == "nsf" ? options.bins : 0};
    ABSL_ASSIGN_OR_RETURN(v1::EstimatorSpec flow, PartSpec(spec, options, data.back()));
    tasks.push_back({absl::StrCat("block", tasks.size()), std::move(flow), &data.back(), rows.train, rows.held_out});
  }
  ABSL_ASSIGN_OR_RETURN(std::vector<Plan> plans, flows.Train(tasks));
  if (plans.size() == 1) return FlowTree(std::move(plans[0]));
  for (Plan& plan : plans) tree.children.push_back(FlowTree(std::move(plan)));
  return tree;
}

void VaryBlocks(const Trial& trial, v1::EstimatorSpec& spec) {
  VaryTraining(trial, *spec.mutable_training());
  VaryLayers(trial, *spec.mutable_blocks());
  VaryBins(trial, *spec.mutable_blocks());
}

}  // namespace creamery
