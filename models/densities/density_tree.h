// A trained density as plain numbers: what one member of an artifact holds and what training produces. A tree whose
// leaves are flows and kernel densities; a mixture adds its children, a product multiplies them over disjoint columns.
// A plain flow is a tree of one leaf, and its tensors are those of Plan alone, as in the first released format.
#ifndef CREAMERY_MODELS_DENSITIES_DENSITY_TREE_H_
#define CREAMERY_MODELS_DENSITIES_DENSITY_TREE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "models/estimator.h"
#include "models/plan/plan.h"
#include "proto/support/safetensors.h"

namespace creamery {

// Gaussian kernels of one covariance in the space behind the column maps. m kernels, d columns.
struct KernelPlan {
  std::vector<ColumnMap> columns;  // d, of kind kStandardized or kProbit
  std::vector<double> centers;     // (m, d), in the mapped space
  std::vector<double> weight;      // (m), positive, sum 1
  std::vector<double> cholesky;    // (d, d) row-major lower triangular C: kernel covariance C C^T

  int64_t d() const { return static_cast<int64_t>(columns.size()); }
};

struct DensityTree {
  enum class Kind : int64_t { kFlow = 0, kKernels = 1, kMixture = 2, kProduct = 3 };

  Kind kind = Kind::kFlow;
  Plan flow;                                  // kFlow
  KernelPlan kernels;                         // kKernels
  std::vector<double> weight;                 // kMixture: of the children, positive, sum 1
  std::vector<std::vector<int64_t>> columns;  // kProduct: of each child; a partition of 0..d-1
  std::vector<DensityTree> children;          // kMixture: of the same d columns; kProduct

  int64_t d() const;
  // Bytes of memory its numbers hold.
  int64_t memory_bytes() const;
};

// A flow alone.
DensityTree FlowTree(Plan plan);

// Prefix of a member's tensors in an artifact: "member0/".
std::string MemberPrefix(int64_t member);

// What is inconsistent, as one message: shapes, weights that do not sum to 1, columns that are no partition, a depth
// above 8, and CheckPlan of every flow. OK means that MakeDensity's density answers without another check.
absl::Status CheckDensityTree(const DensityTree& tree);

// To and from the tensors of an artifact, all names starting with `prefix` ("member0/"). A node that is not a flow has
// the tensor `kind`; its own numbers lie under "kernels/", "mixture/" or "product/", its children under "0/", "1/" ...
void WriteDensityTree(const DensityTree& tree, const std::string& prefix, Safetensors& artifact);
// DATA_LOSS for anything missing, of a wrong shape, or refused by CheckDensityTree.
absl::StatusOr<DensityTree> ReadDensityTree(const Safetensors& artifact, const std::string& prefix);

// The tree as a density: immutable, thread-safe. `tree` has passed CheckDensityTree.
std::unique_ptr<Density> MakeDensity(DensityTree tree);

}  // namespace creamery

#endif  // CREAMERY_MODELS_DENSITIES_DENSITY_TREE_H_
