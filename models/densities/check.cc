// CheckDensityTree of density_tree.h: everything the densities take for granted.
#include <cmath>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "models/densities/density_tree.h"
#include "models/densities/kernel_density.h"
#include "models/densities/limits.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

using Kind = DensityTree::Kind;

absl::Status Bad(absl::string_view where, absl::string_view what) {
  return absl::InternalError(absl::StrCat("density ", where, " ", what));
}

absl::Status CheckWeights(const std::vector<double>& weight, absl::string_view where) {
  if (weight.empty()) return Bad(where, "has no weights");
  double sum = 0;
  for (const double w : weight) {
    if (!(w > 0 && w <= 1)) return Bad(where, absl::StrCat("has the weight ", w, ", expected one in (0, 1]"));
    sum += w;
  }
  // A sum over up to 1e6 weights, rounded.
  if (std::fabs(sum - 1) > 1e-9) return Bad(where, absl::StrCat("has weights that sum to ", sum, ", expected 1"));
  return absl::OkStatus();
}

absl::Status CheckKernels(const KernelPlan& plan, absl::string_view where) {
  const int64_t d = plan.d();
  if (d < 1) return Bad(where, "has no columns");
  for (int64_t j = 0; j < d; ++j) {
    ABSL_RETURN_IF_ERROR(CheckColumnMap(plan.columns[j], absl::StrCat(where, ", column ", j)));
    if (plan.columns[j].space == ColumnMap::Space::kUnit) {
      return Bad(where, absl::StrCat("maps column ", j, " to the unit box, where kernels would leak out"));
    }
  }
  ABSL_RETURN_IF_ERROR(CheckWeights(plan.weight, where));
  if (plan.centers.size() != plan.weight.size() * d) {
    return Bad(where, absl::StrCat("has ", plan.centers.size(), " numbers for ", plan.weight.size(), " centres of ", d,
                                   " columns"));
  }
  if (static_cast<int64_t>(plan.cholesky.size()) != d * d) return Bad(where, "has a covariance of the wrong shape");
  for (int64_t i = 0; i < d; ++i) {
    for (int64_t j = 0; j < d; ++j) {
      const double number = plan.cholesky[i * d + j];
      if (j > i ? number != 0 : !std::isfinite(number) || (j == i && number <= 0)) {
        return Bad(where, "has a covariance factor that is not lower triangular with a positive diagonal");
      }
    }
  }
  std::vector<double> v(d);
  for (size_t k = 0; k < plan.weight.size(); ++k) {
    SolveTriangular(plan.cholesky, d, &plan.centers[k * d], v.data());
    for (const double number : v) {
      if (!(std::fabs(number) < kFarAway)) return Bad(where, absl::StrCat("has centre ", k, " out of reach"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckPartition(const DensityTree& tree, absl::string_view where) {
  if (tree.columns.empty()) return Bad(where, "has no columns");
  const int64_t d = tree.d();
  std::vector<bool> seen(d, false);
  for (size_t k = 0; k < tree.columns.size(); ++k) {
    if (tree.columns[k].empty()) return Bad(where, absl::StrCat("has no columns for child ", k));
    for (const int64_t column : tree.columns[k]) {
      if (column < 0 || column >= d || seen[column]) {
        return Bad(where, absl::StrCat("has column ", column, " twice or out of range, expected each of 0 to ", d - 1,
                                       " once"));
      }
      seen[column] = true;
    }
  }
  return absl::OkStatus();
}

absl::Status CheckNode(const DensityTree& tree, const std::string& where, int64_t depth) {
  if (depth > kMaxTreeDepth) return Bad(where, absl::StrCat("lies deeper than ", kMaxTreeDepth, " levels"));
  switch (tree.kind) {
    case Kind::kFlow:
      return CheckPlan(tree.flow);
    case Kind::kKernels:
      return CheckKernels(tree.kernels, where);
    case Kind::kMixture:
      ABSL_RETURN_IF_ERROR(CheckWeights(tree.weight, where));
      break;
    case Kind::kProduct:
      ABSL_RETURN_IF_ERROR(CheckPartition(tree, where));
      break;
    default:
      return Bad(where, "is of an unknown kind");
  }
  const bool mixture = tree.kind == Kind::kMixture;
  const size_t expected = mixture ? tree.weight.size() : tree.columns.size();
  if (tree.children.size() != expected) {
    return Bad(where, absl::StrCat("has ", tree.children.size(), " children, expected ", expected));
  }
  for (size_t k = 0; k < expected; ++k) {
    ABSL_RETURN_IF_ERROR(CheckNode(tree.children[k], absl::StrCat(where, k, "/"), depth + 1));
    const int64_t d = mixture ? tree.children[0].d() : static_cast<int64_t>(tree.columns[k].size());
    if (tree.children[k].d() != d) {
      return Bad(where, absl::StrCat("has child ", k, " of ", tree.children[k].d(), " columns, expected ", d));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckDensityTree(const DensityTree& tree) { return CheckNode(tree, "/", 1); }

}  // namespace creamery
