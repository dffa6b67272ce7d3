#include "tests/models/densities/random_tree.h"

#include <cmath>
#include <utility>

#include "models/random.h"
#include "tests/models/plan/random_plan.h"

namespace creamery {
namespace {

using Kind = DensityTree::Kind;

ColumnMap KernelColumn(int64_t j) {
  ColumnMap map;
  map.shift = 0.2;
  map.scale = 0.9;
  if (j % 3 == 1) {
    map.space = ColumnMap::Space::kProbit;
    map.lower = -1;
    map.upper = 2;
  } else if (j % 3 == 2) {
    map.scale_of_t = ColumnMap::Scale::kLogAbove;
  }
  return map;
}

}  // namespace

DensityTree RandomKernels(int64_t d, int64_t m, uint64_t seed) {
  const RandomStream random(seed, RandomPurpose::kStatistics);
  DensityTree tree;
  tree.kind = Kind::kKernels;
  KernelPlan& plan = tree.kernels;
  double total = 0;
  for (int64_t k = 0; k < m; ++k) {
    plan.weight.push_back(random.Uniform(k, 1000));
    total += plan.weight.back();
    for (int64_t j = 0; j < d; ++j) plan.centers.push_back((k % 2 == 0 ? -0.8 : 0.8) + 0.4 * random.Normal(k, j));
  }
  for (double& w : plan.weight) w /= total;
  plan.cholesky.assign(d * d, 0);
  for (int64_t i = 0; i < d; ++i) {
    plan.columns.push_back(KernelColumn(i));
    plan.cholesky[i * d + i] = 0.3;
    for (int64_t j = 0; j < i; ++j) plan.cholesky[i * d + j] = 0.15;
  }
  return tree;
}

DensityTree MakeMixture(std::vector<double> weight, std::vector<DensityTree> children) {
  DensityTree tree;
  tree.kind = Kind::kMixture;
  tree.weight = std::move(weight);
  tree.children = std::move(children);
  return tree;
}

DensityTree MakeProduct(std::vector<std::vector<int64_t>> columns, std::vector<DensityTree> children) {
  DensityTree tree;
  tree.kind = Kind::kProduct;
  tree.columns = std::move(columns);
  tree.children = std::move(children);
  return tree;
}

std::vector<NamedTree> EveryKind(int64_t d) {
  // Of one layer, and narrow enough for the density to vanish at the bounds, so that a quadrature needs no fine grid.
  const auto affine = [&](uint64_t seed) {
    Plan plan = RandomPlan(AutoregressiveLayer::Kind::kAffine, d, seed);
    plan.layers.resize(1);
    for (double& number : plan.whitening) number *= 2;
    for (int64_t j = 0; j < d; ++j) plan.columns[j] = KernelColumn(j);
    return FlowTree(std::move(plan));
  };
  const auto spline = [](int64_t columns, uint64_t seed) {
    Plan plan = RandomPlan(AutoregressiveLayer::Kind::kSpline, columns, seed);
    if (columns > 1) {  // column 1 in the box (-1, 2), the others on the whole line
      const ColumnMap box = plan.columns[0];
      plan.columns.assign(columns, plan.columns[1]);
      plan.columns[1] = box;
    }
    return FlowTree(std::move(plan));
  };
  std::vector<NamedTree> trees;
  trees.push_back({"affine", affine(1)});
  trees.push_back({"spline", spline(d, 2)});
  trees.push_back({"one_kernel", RandomKernels(d, 1, 3)});
  trees.push_back({"kernels", RandomKernels(d, 20, 4)});
  trees.push_back({"many_kernels", RandomKernels(d, 300, 12)});  // enough for quantiles by cells
  trees.push_back({"mixture", MakeMixture({0.2, 0.5, 0.3}, {affine(5), RandomKernels(d, 5, 6), affine(7)})});
  if (d > 1) {
    std::vector<int64_t> rest;
    for (int64_t j = 0; j < d; ++j) {
      if (j != 1) rest.push_back(j);
    }
    trees.push_back({"product", MakeProduct({{1}, rest}, {spline(1, 8), RandomKernels(d - 1, 7, 9)})});
    DensityTree last = trees.back().tree;
    trees.push_back({"deep", MakeMixture({0.6, 0.4}, {std::move(last), affine(10)})});
  }
  return trees;
}

}  // namespace creamery
