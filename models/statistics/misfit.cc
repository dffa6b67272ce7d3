#include "models/statistics/misfit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

#include "models/random.h"
#include "models/statistics/weights.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr size_t kRowNeighbour = 4;
constexpr size_t kDrawNeighbour = 8;
constexpr size_t kDrawsPerRow = 2;
constexpr size_t kMostRows = 2000;
constexpr size_t kFewestRows = 100;  // of a fold

// psi(k) of a positive integer, but for Euler's constant.
double Digamma(size_t k) {
  double sum = 0;
  for (size_t i = 1; i < k; ++i) sum += 1 / static_cast<double>(i);
  return sum;
}

// theta's columns in comparable units.
class Scales {
 public:
  Scales(const MisfitInput& input) : logarithm_(input.parameters.size()), scale_(input.parameters.size()) {
    const size_t d = scale_.size();
    std::vector<double> column(input.fold.size());
    for (size_t j = 0; j < d; ++j) {
      logarithm_[j] = input.parameters[j].prior().has_log_uniform();
      for (size_t i = 0; i < column.size(); ++i) column[i] = Value(input.theta[i * d + j], j);
      scale_[j] = 1 / std::sqrt(Moments(column, input.weight).variance);
    }
  }
  void Scale(absl::Span<double> theta) const {
    for (size_t i = 0; i < theta.size(); ++i) {
      const size_t j = i % scale_.size();
      theta[i] = Value(theta[i], j) * scale_[j];
    }
  }

 private:
  double Value(double theta, size_t j) const { return logarithm_[j] ? std::log(theta) : theta; }

  std::vector<bool> logarithm_;
  std::vector<double> scale_;
};

// The rows of every fold, of equal weight and nearly independent.
std::vector<std::vector<size_t>> EqualRows(const MisfitInput& input) {
  const size_t n = input.fold.size();
  size_t stride = 1;
  if (input.kind == v1::MCMC && input.effective_rows > 0) {
    stride = static_cast<size_t>(std::max(1.0, std::round(3 * static_cast<double>(n) / input.effective_rows)));
  }
  const double largest = *std::max_element(input.weight.begin(), input.weight.end());
  const RandomStream random(input.seed, RandomPurpose::kStatistics);
  std::vector<std::vector<size_t>> rows(input.members.size());
  for (const int64_t i : random.Permutation(static_cast<int64_t>(n), 0)) {
    const size_t row = static_cast<size_t>(i);
    if (row % stride != 0 || random.Uniform(row) > input.weight[row] / largest) continue;
    std::vector<size_t>& of_fold = rows[input.fold[row]];
    if (of_fold.size() < kMostRows) of_fold.push_back(row);
  }
  return rows;
}

// Distance (largest coordinate difference) from `from` to its k-th neighbour among `points` (m, d), those at distance 0
// apart.
template <size_t k>
double NeighbourDistance(const double* from, const std::vector<double>& points, size_t d) {
  std::array<double, k> nearest;
  nearest.fill(kInfinity);
  for (size_t i = 0; i < points.size(); i += d) {
    double distance = 0;
    for (size_t j = 0; j < d && distance < nearest[k - 1]; ++j) {
      distance = std::max(distance, std::fabs(points[i + j] - from[j]));
    }
    if (distance >= nearest[k - 1] || distance == 0) continue;
    size_t place = k - 1;
    for (; place > 0 && nearest[place - 1] > distance; --place) nearest[place] = nearest[place - 1];
    nearest[place] = distance;
  }
  return nearest[k - 1];
}

}  // namespace

absl::StatusOr<Misfit> ComputeMisfit(const MisfitInput& input, const StopToken& stop) {
  const size_t d = input.parameters.size();
  const Scales scales(input);
  const std::vector<std::vector<size_t>> rows = EqualRows(input);
  std::vector<double> terms;
  for (size_t k = 0; k < rows.size(); ++k) {
    const size_t n = rows[k].size();
    if (n < kFewestRows) return Misfit();
    std::vector<double> theta;
    for (const size_t row : rows[k]) theta.insert(theta.end(), &input.theta[row * d], &input.theta[row * d] + d);
    std::vector<double> draws(kDrawsPerRow * n * d);
    // Each member draws other rows of the stream.
    ABSL_RETURN_IF_ERROR(Sample(*input.members[k], input.seed, static_cast<int64_t>(k * kDrawsPerRow * kMostRows),
                                absl::MakeSpan(draws), stop));
    scales.Scale(absl::MakeSpan(theta));
    scales.Scale(absl::MakeSpan(draws));
    const double offset = Digamma(kRowNeighbour) - Digamma(kDrawNeighbour) +
                          std::log(static_cast<double>(kDrawsPerRow * n) / static_cast<double>(n - 1));
    for (size_t i = 0; i < n; ++i) {
      if (i % 64 == 0) ABSL_RETURN_IF_ERROR(stop.Check());
      const double to_rows = NeighbourDistance<kRowNeighbour>(&theta[i * d], theta, d);
      const double to_draws = NeighbourDistance<kDrawNeighbour>(&theta[i * d], draws, d);
      if (!std::isfinite(to_rows) || !std::isfinite(to_draws)) continue;  // rows that all repeat one point
      terms.push_back(offset + static_cast<double>(d) * std::log(to_draws / to_rows));
    }
  }
  Misfit misfit;
  const WeightedMoments moments = Moments(terms, {});
  misfit.kl = moments.mean;
  misfit.rows = static_cast<int64_t>(terms.size());
  misfit.error = std::sqrt(moments.variance / static_cast<double>(terms.size()));
  return misfit;
}

}  // namespace creamery
