// A kernel density estimate: a leaf of a DensityTree.
#ifndef CREAMERY_MODELS_DENSITIES_KERNEL_DENSITY_H_
#define CREAMERY_MODELS_DENSITIES_KERNEL_DENSITY_H_

#include <cstdint>
#include <vector>

#include "models/densities/density_tree.h"
#include "models/estimator.h"

namespace creamery {

// p(theta) = |dy/dtheta| sum_k w_k N(y; mu_k, C C^T), y the mapped columns. With v = C^-1 y the kernels are isotropic,
// and because C is triangular, v_i depends on y_0..y_i alone: the conditional densities of y in the order of its
// columns are those of v,
//   p(v_i | v_<i) = sum_k omega_k N(v_i; c_ki, 1),  omega_k ~ w_k exp(-|v_<i - c_k,<i|^2 / 2),
// one-dimensional mixtures whose weights follow from the dimensions already fixed; their distribution functions are u.
// Immutable; safe to use from any number of threads.
class KernelDensity final : public Density {
 public:
  // `plan` has passed CheckDensityTree.
  explicit KernelDensity(KernelPlan plan);

  int64_t num_parameters() const override { return d_; }
  absl::Status LogProb(absl::Span<const double> theta, absl::Span<double> log_prob,
                       const StopToken& stop) const override;
  absl::Status PriorTransform(absl::Span<const double> u, absl::Span<double> theta,
                              const StopToken& stop) const override;
  absl::Status LogProbGradient(absl::Span<const double> theta, absl::Span<double> log_prob, absl::Span<double> gradient,
                               const StopToken& stop) const override;
  absl::Status InversePriorTransform(absl::Span<const double> theta, absl::Span<double> u,
                                     const StopToken& stop) const override;
  absl::Status ContractedLogProb(absl::Span<const double> theta, double temperature, absl::Span<double> log_prob,
                                 const StopToken& stop) const override;

 private:
  class Conditionals;

  // v = C^-1 y(theta); log |dv/dtheta|, -inf where the density is zero.
  double Whiten(const double* theta, double* v) const;
  // log sum_k w_k exp(-|v - c_k|^2 / 2); terms: (m), the summands, all divided by the largest.
  double LogSum(const double* v, std::vector<double>& terms) const;

  int64_t m_;
  int64_t d_;
  std::vector<ColumnMap> columns_;
  std::vector<double> cholesky_;    // C, (d, d)
  std::vector<double> centers_;     // c, (d, m)
  std::vector<double> weight_;      // (m), sum 1
  std::vector<double> log_weight_;  // (m)
  double log_scale_;                // of the kernels: -log |C| - d/2 log(2 pi)
};

// v = C^-1 y for a lower triangular C (d, d) with a positive diagonal.
void SolveTriangular(const std::vector<double>& cholesky, int64_t d, const double* y, double* v);

}  // namespace creamery

#endif  // CREAMERY_MODELS_DENSITIES_KERNEL_DENSITY_H_
