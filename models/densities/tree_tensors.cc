// WriteDensityTree and ReadDensityTree of density_tree.h: the tree as named tensors.
#include <utility>

#include "absl/strings/str_cat.h"
#include "models/densities/density_tree.h"
#include "models/densities/limits.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

using Kind = DensityTree::Kind;

int64_t Size(size_t n) { return static_cast<int64_t>(n); }

absl::StatusOr<DensityTree> ReadNode(const Safetensors& artifact, const std::string& prefix, int64_t depth);

absl::StatusOr<KernelPlan> ReadKernels(const Safetensors& artifact, const std::string& prefix) {
  KernelPlan plan;
  ABSL_ASSIGN_OR_RETURN(plan.columns, ReadColumnMaps(artifact, prefix));
  const int64_t d = plan.d();
  ABSL_ASSIGN_OR_RETURN(plan.weight, artifact.Doubles(absl::StrCat(prefix, "kernels/weight"), {-1}));
  ABSL_ASSIGN_OR_RETURN(plan.centers,
                        artifact.Doubles(absl::StrCat(prefix, "kernels/centers"), {Size(plan.weight.size()), d}));
  ABSL_ASSIGN_OR_RETURN(plan.cholesky, artifact.Doubles(absl::StrCat(prefix, "kernels/cholesky"), {d, d}));
  return plan;
}

// The columns of a product: how many each child has, and all of them one after the other.
absl::StatusOr<std::vector<std::vector<int64_t>>> ReadColumns(const Safetensors& artifact, const std::string& prefix) {
  ABSL_ASSIGN_OR_RETURN(const std::vector<int64_t> sizes, artifact.Int64s(absl::StrCat(prefix, "product/sizes"), {-1}));
  ABSL_ASSIGN_OR_RETURN(const std::vector<int64_t> all, artifact.Int64s(absl::StrCat(prefix, "product/columns"), {-1}));
  std::vector<std::vector<int64_t>> columns;
  int64_t begin = 0;
  for (const int64_t size : sizes) {
    if (size < 0 || size > Size(all.size()) - begin) break;
    columns.emplace_back(all.begin() + begin, all.begin() + begin + size);
    begin += size;
  }
  if (columns.size() != sizes.size() || begin != Size(all.size())) {
    return absl::DataLossError(absl::StrCat("tensor '", prefix, "product/sizes' does not split the ", all.size(),
                                            " columns of 'product/columns'"));
  }
  return columns;
}

absl::StatusOr<DensityTree> ReadNode(const Safetensors& artifact, const std::string& prefix, int64_t depth) {
  if (depth > kMaxTreeDepth) {
    return absl::DataLossError(absl::StrCat("the density '", prefix, "' lies deeper than ", kMaxTreeDepth, " levels"));
  }
  DensityTree tree;
  if (artifact.Has(absl::StrCat(prefix, "kind"))) {
    ABSL_ASSIGN_OR_RETURN(const std::vector<int64_t> kind, artifact.Int64s(absl::StrCat(prefix, "kind"), {1}));
    tree.kind = static_cast<Kind>(kind[0]);
  }
  size_t num_children = 0;
  switch (tree.kind) {
    case Kind::kFlow: {
      ABSL_ASSIGN_OR_RETURN(tree.flow, ReadPlan(artifact, prefix));
      return tree;
    }
    case Kind::kKernels: {
      ABSL_ASSIGN_OR_RETURN(tree.kernels, ReadKernels(artifact, prefix));
      return tree;
    }
    case Kind::kMixture: {
      ABSL_ASSIGN_OR_RETURN(tree.weight, artifact.Doubles(absl::StrCat(prefix, "mixture/weight"), {-1}));
      num_children = tree.weight.size();
      break;
    }
    case Kind::kProduct: {
      ABSL_ASSIGN_OR_RETURN(tree.columns, ReadColumns(artifact, prefix));
      num_children = tree.columns.size();
      break;
    }
    default:
      return absl::DataLossError(
          absl::StrCat("tensor '", prefix, "kind' is ", static_cast<int64_t>(tree.kind), ", expected 0 to 3"));
  }
  for (size_t k = 0; k < num_children; ++k) {
    ABSL_ASSIGN_OR_RETURN(DensityTree child, ReadNode(artifact, absl::StrCat(prefix, k, "/"), depth + 1));
    tree.children.push_back(std::move(child));
  }
  return tree;
}

}  // namespace

void WriteDensityTree(const DensityTree& tree, const std::string& prefix, Safetensors& artifact) {
  if (tree.kind == Kind::kFlow) return WritePlan(tree.flow, prefix, artifact);
  const int64_t kind = static_cast<int64_t>(tree.kind);
  artifact.Add(absl::StrCat(prefix, "kind"), {1}, absl::MakeConstSpan(&kind, 1));
  if (tree.kind == Kind::kKernels) {
    const KernelPlan& plan = tree.kernels;
    WriteColumnMaps(plan.columns, prefix, artifact);
    artifact.Add(absl::StrCat(prefix, "kernels/weight"), {Size(plan.weight.size())}, absl::MakeConstSpan(plan.weight));
    artifact.Add(absl::StrCat(prefix, "kernels/centers"), {Size(plan.weight.size()), plan.d()},
                 absl::MakeConstSpan(plan.centers));
    artifact.Add(absl::StrCat(prefix, "kernels/cholesky"), {plan.d(), plan.d()}, absl::MakeConstSpan(plan.cholesky));
    return;
  }
  if (tree.kind == Kind::kMixture) {
    artifact.Add(absl::StrCat(prefix, "mixture/weight"), {Size(tree.weight.size())}, absl::MakeConstSpan(tree.weight));
  } else {
    std::vector<int64_t> sizes;
    std::vector<int64_t> all;
    for (const std::vector<int64_t>& of_child : tree.columns) {
      sizes.push_back(Size(of_child.size()));
      all.insert(all.end(), of_child.begin(), of_child.end());
    }
    artifact.Add(absl::StrCat(prefix, "product/sizes"), {Size(sizes.size())}, absl::MakeConstSpan(sizes));
    artifact.Add(absl::StrCat(prefix, "product/columns"), {Size(all.size())}, absl::MakeConstSpan(all));
  }
  for (size_t k = 0; k < tree.children.size(); ++k) {
    WriteDensityTree(tree.children[k], absl::StrCat(prefix, k, "/"), artifact);
  }
}

absl::StatusOr<DensityTree> ReadDensityTree(const Safetensors& artifact, const std::string& prefix) {
  ABSL_ASSIGN_OR_RETURN(DensityTree tree, ReadNode(artifact, prefix, 1));
  if (const absl::Status status = CheckDensityTree(tree); !status.ok()) {
    return absl::DataLossError(absl::StrCat("the density '", prefix, "' cannot be used: ", status.message()));
  }
  return tree;
}

}  // namespace creamery
