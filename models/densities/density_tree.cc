#include "models/densities/density_tree.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "models/densities/flow_density.h"
#include "models/densities/kernel_density.h"
#include "models/densities/mixture_density.h"
#include "models/densities/product_density.h"

namespace creamery {
namespace {

int64_t BytesOf(const std::vector<ColumnMap>& columns) {
  size_t bytes = columns.size() * sizeof(ColumnMap);
  for (const ColumnMap& column : columns) bytes += 3 * column.spline.x.size() * sizeof(double);
  return static_cast<int64_t>(bytes);
}

int64_t BytesOf(const Plan& plan) {
  size_t bytes = plan.whitening.size() * sizeof(double);
  for (const AutoregressiveLayer& layer : plan.layers) {
    bytes += sizeof(layer) + layer.order.size() * sizeof(int64_t);
    for (const Linear& linear : layer.network) {
      bytes += sizeof(linear) + (linear.weight.size() + linear.bias.size()) * sizeof(float);
    }
    for (const auto& degrees : layer.degrees) bytes += degrees.size() * sizeof(int64_t);
  }
  return BytesOf(plan.columns) + static_cast<int64_t>(bytes);
}

int64_t BytesOf(const KernelPlan& plan) {
  const size_t numbers = plan.centers.size() + 2 * plan.weight.size() + plan.cholesky.size();
  return BytesOf(plan.columns) + static_cast<int64_t>(numbers * sizeof(double));
}

}  // namespace

int64_t DensityTree::d() const {
  switch (kind) {
    case Kind::kFlow:
      return flow.d();
    case Kind::kKernels:
      return kernels.d();
    case Kind::kMixture:
      return children.empty() ? 0 : children[0].d();
    case Kind::kProduct: {
      size_t d = 0;
      for (const std::vector<int64_t>& of_child : columns) d += of_child.size();
      return static_cast<int64_t>(d);
    }
  }
  return 0;
}

int64_t DensityTree::memory_bytes() const {
  int64_t bytes = static_cast<int64_t>(sizeof(*this)) + BytesOf(flow) + BytesOf(kernels);
  for (const DensityTree& child : children) bytes += child.memory_bytes();
  return bytes;
}

DensityTree FlowTree(Plan plan) {
  DensityTree tree;
  tree.flow = std::move(plan);
  return tree;
}

std::string MemberPrefix(int64_t member) { return absl::StrCat("member", member, "/"); }

std::unique_ptr<Density> MakeDensity(DensityTree tree) {
  std::vector<std::shared_ptr<const Density>> children;
  for (DensityTree& child : tree.children) children.push_back(MakeDensity(std::move(child)));
  switch (tree.kind) {
    case DensityTree::Kind::kKernels:
      return std::make_unique<KernelDensity>(std::move(tree.kernels));
    case DensityTree::Kind::kMixture:
      return std::make_unique<MixtureDensity>(std::move(children), std::move(tree.weight));
    case DensityTree::Kind::kProduct:
      return std::make_unique<ProductDensity>(std::move(children), std::move(tree.columns));
    case DensityTree::Kind::kFlow:
      break;
  }
  return std::make_unique<FlowDensity>(std::move(tree.flow));
}

}  // namespace creamery
