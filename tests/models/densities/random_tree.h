// Trees of densities with random numbers, one of every kind of node, to hold the densities against mathematics.
#ifndef CREAMERY_TESTS_MODELS_DENSITIES_RANDOM_TREE_H_
#define CREAMERY_TESTS_MODELS_DENSITIES_RANDOM_TREE_H_

#include <string>
#include <vector>

#include "models/densities/density_tree.h"

namespace creamery {

// `m` correlated kernels of d columns in two clusters: columns 0, 3 ... on the whole line, 1, 4 ... in the box (-1, 2),
// 2, 5 ... above 0.
DensityTree RandomKernels(int64_t d, int64_t m, uint64_t seed);
DensityTree MakeMixture(std::vector<double> weight, std::vector<DensityTree> children);
DensityTree MakeProduct(std::vector<std::vector<int64_t>> columns, std::vector<DensityTree> children);

struct NamedTree {
  std::string name;
  DensityTree tree;
};

// Flows, kernels, mixtures and products (of at least two columns), and trees of all of them, of d columns.
std::vector<NamedTree> EveryKind(int64_t d);

}  // namespace creamery

#endif  // CREAMERY_TESTS_MODELS_DENSITIES_RANDOM_TREE_H_
