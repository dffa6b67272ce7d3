// A product of densities of disjoint parameters: independent blocks.
#ifndef CREAMERY_MODELS_DENSITIES_PRODUCT_DENSITY_H_
#define CREAMERY_MODELS_DENSITIES_PRODUCT_DENSITY_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "models/estimator.h"

namespace creamery {

// p(theta) = prod_k p_k(theta[columns_k]); u is split as theta is. Immutable; safe to use from any number of threads.
class ProductDensity final : public Density {
 public:
  // columns: for each child as many as it has parameters; together each of 0..d-1 once.
  ProductDensity(std::vector<std::shared_ptr<const Density>> children, std::vector<std::vector<int64_t>> columns);

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
  std::unique_ptr<const Density> InDoublePrecision() const override;
  int64_t prepared_bytes() const override;

 private:
  // Calls ask(k, columns of child k of a block of rows, the block's first row, its number of rows).
  template <typename Ask>
  absl::Status ForEach(absl::Span<const double> in, const Ask& ask) const;
  // ask(child, its columns, answer, first row, rows): puts the answer into the same columns of `out`, (n, d) as `in`.
  template <typename Ask>
  absl::Status MapColumns(absl::Span<const double> in, absl::Span<double> out, const Ask& ask) const;
  // ask(child, its columns, answer): adds up what the children answer.
  template <typename Ask>
  absl::Status AddLogProbs(absl::Span<const double> theta, absl::Span<double> log_prob, const Ask& ask) const;

  const std::vector<std::shared_ptr<const Density>> children_;
  const std::vector<std::vector<int64_t>> columns_;
  int64_t d_ = 0;
};

}  // namespace creamery

#endif  // CREAMERY_MODELS_DENSITIES_PRODUCT_DENSITY_H_
