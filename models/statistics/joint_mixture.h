// Mixtures of multivariate Student t distributions: what importance sampling draws from. Their tails are heavier than a
// normal's, so that weights of a near-normal target stay bounded.
#ifndef CREAMERY_MODELS_STATISTICS_JOINT_MIXTURE_H_
#define CREAMERY_MODELS_STATISTICS_JOINT_MIXTURE_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "models/random.h"

namespace creamery {

// Lower triangular L, row-major (d, d), with L L^T = matrix (d, d). What keeps the matrix from being positive definite
// is lifted: a pivot below 1e-12 of its diagonal entry becomes that.
std::vector<double> Cholesky(absl::Span<const double> matrix, int64_t d);

// Solves L z = x in place; L lower triangular (d, d).
void SolveLower(const std::vector<double>& lower, int64_t d, double* x);

// The inverse of a positive definite matrix.
std::vector<double> InverseOf(absl::Span<const double> matrix, int64_t d);

// Weighted mean (d) and covariance (d, d) of x (n, d); weight (n), or empty: equal.
struct MeanAndCovariance {
  std::vector<double> mean;
  std::vector<double> covariance;
};
MeanAndCovariance MomentsOfRows(absl::Span<const double> x, int64_t d, absl::Span<const double> weight);

// Immutable but for Add; thread-safe once it is built.
class StudentMixture {
 public:
  static constexpr int kDegrees = 8;  // of freedom; even, so that a chi-squared number is a product of uniforms

  explicit StudentMixture(int64_t d) : d_(d) {}

  // A component of scale matrix `scale` (d, d): the covariance is kDegrees / (kDegrees - 2) times it. Weights are
  // relative.
  void Add(double weight, std::vector<double> mean, absl::Span<const double> scale);

  int64_t d() const { return d_; }
  bool empty() const { return components_.empty(); }
  // Row `index` of the stream: x (d).
  void Draw(const RandomStream& random, uint64_t index, double* x) const;
  // Natural log of the density at x (d).
  double LogDensity(const double* x) const;

 private:
  struct Component {
    double weight;
    std::vector<double> mean;
    std::vector<double> lower;  // Cholesky factor of the scale matrix
    double log_norm;            // log of the density at the mean
  };
  int64_t d_;
  double total_ = 0;
  std::vector<Component> components_;
};

// A proposal for weighted rows x (n, d): `components` normals by expectation maximisation from rows drawn with
// `random`, each widened to a t, and beside them, at a tenth of the weight, one t over everything with twice the width.
StudentMixture FitMixture(absl::Span<const double> x, int64_t d, absl::Span<const double> weight, int64_t components,
                          const RandomStream& random, uint64_t index);

}  // namespace creamery

#endif  // CREAMERY_MODELS_STATISTICS_JOINT_MIXTURE_H_
