#include "models/statistics/joint_mixture.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

namespace creamery {
namespace {

constexpr double kLeastPivot = 1e-12;
constexpr double kDefensiveShare = 0.1;
constexpr double kDefensiveScale = 4;  // twice the width
constexpr int kRounds = 30;            // of expectation maximisation

// The normals being fitted, as responsibilities and moments.
struct Normal {
  double weight = 0;
  MeanAndCovariance moments;
  std::vector<double> lower;
  double log_norm = 0;
};

double LogDeterminant(const std::vector<double>& lower, int64_t d) {
  double sum = 0;
  for (int64_t j = 0; j < d; ++j) sum += std::log(lower[j * d + j]);
  return sum;
}

double SquaredDistance(const std::vector<double>& mean, const std::vector<double>& lower, int64_t d, const double* x) {
  std::vector<double> z(d);
  for (int64_t j = 0; j < d; ++j) z[j] = x[j] - mean[j];
  SolveLower(lower, d, z.data());
  double sum = 0;
  for (const double value : z) sum += value * value;
  return sum;
}

// A share of the overall covariance keeps a component of few rows from collapsing: d + 2 rows' worth.
void Regularise(const MeanAndCovariance& all, double rows, int64_t d, Normal& normal) {
  const double prior_rows = static_cast<double>(d + 2);
  const double share = prior_rows / (prior_rows + rows) * 0.5;
  for (size_t e = 0; e < all.covariance.size(); ++e) {
    normal.moments.covariance[e] = (1 - share) * normal.moments.covariance[e] + share * all.covariance[e];
  }
  normal.lower = Cholesky(normal.moments.covariance, d);
  normal.log_norm = -LogDeterminant(normal.lower, d);
}

// responsibility (K, n) <- weight of row i times the chance that it belongs to component k.
void Expect(absl::Span<const double> x, int64_t d, const std::vector<double>& weight,
            const std::vector<Normal>& normals, std::vector<std::vector<double>>& responsibility) {
  const int64_t n = static_cast<int64_t>(weight.size());
  std::vector<double> log_p(normals.size());
  for (int64_t i = 0; i < n; ++i) {
    double largest = -std::numeric_limits<double>::infinity();
    for (size_t k = 0; k < normals.size(); ++k) {
      const Normal& normal = normals[k];
      log_p[k] = std::log(normal.weight) + normal.log_norm -
                 0.5 * SquaredDistance(normal.moments.mean, normal.lower, d, &x[i * d]);
      largest = std::max(largest, log_p[k]);
    }
    double sum = 0;
    for (double& value : log_p) sum += value = std::exp(value - largest);
    for (size_t k = 0; k < normals.size(); ++k) responsibility[k][i] = weight[i] * log_p[k] / sum;
  }
}

std::vector<Normal> FitNormals(absl::Span<const double> x, int64_t d, const std::vector<double>& weight,
                               const MeanAndCovariance& all, int64_t components, const RandomStream& random,
                               uint64_t index) {
  const int64_t n = static_cast<int64_t>(weight.size());
  double total = 0;
  for (const double w : weight) total += w;
  std::vector<Normal> normals(components);
  for (int64_t k = 0; k < components; ++k) {
    // Start at a row drawn by weight, with the shape of the whole.
    double goal = random.Uniform(index, static_cast<uint32_t>(k)) * total;
    int64_t row = 0;
    while (row + 1 < n && (goal -= weight[row]) > 0) ++row;
    normals[k].weight = 1 / static_cast<double>(components);
    normals[k].moments.mean.assign(x.begin() + row * d, x.begin() + (row + 1) * d);
    normals[k].moments.covariance = all.covariance;
    normals[k].lower = Cholesky(all.covariance, d);
    normals[k].log_norm = -LogDeterminant(normals[k].lower, d);
  }
  std::vector<std::vector<double>> responsibility(components, std::vector<double>(n));
  for (int round = 0; round < kRounds; ++round) {
    Expect(x, d, weight, normals, responsibility);
    for (int64_t k = 0; k < components; ++k) {
      double mass = 0;
      double squares = 0;
      for (const double r : responsibility[k]) {
        mass += r;
        squares += r * r;
      }
      normals[k].weight = std::max(mass / total, 1e-12);
      if (!(squares > 0)) continue;
      normals[k].moments = MomentsOfRows(x, d, responsibility[k]);
      Regularise(all, mass * mass / squares, d, normals[k]);
    }
  }
  return normals;
}

}  // namespace

std::vector<double> Cholesky(absl::Span<const double> matrix, int64_t d) {
  std::vector<double> lower(d * d, 0);
  for (int64_t i = 0; i < d; ++i) {
    for (int64_t j = 0; j <= i; ++j) {
      double sum = matrix[i * d + j];
      for (int64_t k = 0; k < j; ++k) sum -= lower[i * d + k] * lower[j * d + k];
      if (i == j) {
        const double least = std::max(kLeastPivot * std::fabs(matrix[i * d + i]), std::numeric_limits<double>::min());
        lower[i * d + i] = std::sqrt(std::max(sum, least));
      } else {
        lower[i * d + j] = sum / lower[j * d + j];
      }
    }
  }
  return lower;
}

void SolveLower(const std::vector<double>& lower, int64_t d, double* x) {
  for (int64_t i = 0; i < d; ++i) {
    for (int64_t k = 0; k < i; ++k) x[i] -= lower[i * d + k] * x[k];
    x[i] /= lower[i * d + i];
  }
}

std::vector<double> InverseOf(absl::Span<const double> matrix, int64_t d) {
  const std::vector<double> lower = Cholesky(matrix, d);
  std::vector<double> columns(d * d, 0);  // row k: L^-1 e_k
  for (int64_t k = 0; k < d; ++k) {
    columns[k * d + k] = 1;
    SolveLower(lower, d, &columns[k * d]);
  }
  std::vector<double> inverse(d * d, 0);
  for (int64_t i = 0; i < d; ++i) {
    for (int64_t j = 0; j < d; ++j) {
      for (int64_t k = 0; k < d; ++k) inverse[i * d + j] += columns[i * d + k] * columns[j * d + k];
    }
  }
  return inverse;
}

MeanAndCovariance MomentsOfRows(absl::Span<const double> x, int64_t d, absl::Span<const double> weight) {
  const int64_t n = static_cast<int64_t>(x.size()) / d;
  MeanAndCovariance moments;
  moments.mean.assign(d, 0);
  moments.covariance.assign(d * d, 0);
  double total = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double w = weight.empty() ? 1 : weight[i];
    total += w;
    for (int64_t j = 0; j < d; ++j) moments.mean[j] += w * x[i * d + j];
  }
  for (double& value : moments.mean) value /= total;
  for (int64_t i = 0; i < n; ++i) {
    const double w = (weight.empty() ? 1 : weight[i]) / total;
    if (w == 0) continue;
    for (int64_t j = 0; j < d; ++j) {
      const double part = w * (x[i * d + j] - moments.mean[j]);
      for (int64_t k = 0; k <= j; ++k) moments.covariance[j * d + k] += part * (x[i * d + k] - moments.mean[k]);
    }
  }
  for (int64_t j = 0; j < d; ++j) {
    for (int64_t k = 0; k < j; ++k) moments.covariance[k * d + j] = moments.covariance[j * d + k];
  }
  return moments;
}

void StudentMixture::Add(double weight, std::vector<double> mean, absl::Span<const double> scale) {
  Component component;
  component.weight = weight;
  component.mean = std::move(mean);
  component.lower = Cholesky(scale, d_);
  const double d = static_cast<double>(d_);
  component.log_norm = std::lgamma((kDegrees + d) / 2) - std::lgamma(kDegrees / 2.0) -
                       d / 2 * std::log(kDegrees * M_PI) - LogDeterminant(component.lower, d_);
  total_ += weight;
  components_.push_back(std::move(component));
}

void StudentMixture::Draw(const RandomStream& random, uint64_t index, double* x) const {
  double goal = random.Uniform(index, 0) * total_;
  size_t k = 0;
  while (k + 1 < components_.size() && (goal -= components_[k].weight) > 0) ++k;
  const Component& component = components_[k];
  double chi_squared = 0;
  for (int j = 0; j < kDegrees / 2; ++j) {
    chi_squared -= 2 * std::log(random.Uniform(index, static_cast<uint32_t>(1 + j)));
  }
  const double width = std::sqrt(kDegrees / chi_squared);
  std::vector<double> z(d_);
  for (int64_t j = 0; j < d_; ++j) z[j] = random.Normal(index, static_cast<uint32_t>(1 + kDegrees / 2 + j));
  for (int64_t i = 0; i < d_; ++i) {
    double sum = 0;
    for (int64_t j = 0; j <= i; ++j) sum += component.lower[i * d_ + j] * z[j];
    x[i] = component.mean[i] + width * sum;
  }
}

double StudentMixture::LogDensity(const double* x) const {
  std::vector<double> log_p;
  log_p.reserve(components_.size());
  for (const Component& component : components_) {
    const double distance = SquaredDistance(component.mean, component.lower, d_, x);
    log_p.push_back(std::log(component.weight / total_) + component.log_norm -
                    0.5 * static_cast<double>(kDegrees + d_) * std::log1p(distance / kDegrees));
  }
  const double largest = *std::max_element(log_p.begin(), log_p.end());
  double sum = 0;
  for (const double value : log_p) sum += std::exp(value - largest);
  return largest + std::log(sum);
}

StudentMixture FitMixture(absl::Span<const double> x, int64_t d, absl::Span<const double> weight, int64_t components,
                          const RandomStream& random, uint64_t index) {
  const int64_t n = static_cast<int64_t>(x.size()) / d;
  std::vector<double> weights(weight.begin(), weight.end());
  if (weights.empty()) weights.assign(n, 1);
  const MeanAndCovariance all = MomentsOfRows(x, d, weights);
  StudentMixture mixture(d);
  if (components <= 1) {
    mixture.Add(1 - kDefensiveShare, all.mean, all.covariance);
  } else {
    for (Normal& normal : FitNormals(x, d, weights, all, components, random, index)) {
      mixture.Add((1 - kDefensiveShare) * normal.weight, std::move(normal.moments.mean), normal.moments.covariance);
    }
  }
  std::vector<double> wide = all.covariance;
  for (double& value : wide) value *= kDefensiveScale;
  mixture.Add(kDefensiveShare, all.mean, wide);
  return mixture;
}

}  // namespace creamery
