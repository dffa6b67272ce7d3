#include "models/statistics/misfit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>

#include "models/random.h"
#include "models/statistics/weights.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr size_t kRowNeighbour = 4;
constexpr size_t kDrawNeighbour = 8;
constexpr size_t kDrawsPerRow = 2;
constexpr size_t kMostRows = 2500;
// Up to here the rows of all folds are the neighbours: distances then resolve finer structure, at little cost.
constexpr size_t kFewDimensions = 3;
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
      scale_[j] = Moments(column, input.weight).deviation;
    }
  }
  void Scale(absl::Span<double> theta) const {
    for (size_t i = 0; i < theta.size(); ++i) {
      const size_t j = i % scale_.size();
      theta[i] = Value(theta[i], j) / scale_[j];
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

// m points of d coordinates, sorted by the first: a search goes outwards from its place and ends where the first
// coordinate alone is too far. Points lie in blocks, coordinate by coordinate, so that a block is compared at once.
class Points {
 public:
  Points(const std::vector<double>& values, size_t d) : d_(d) {
    std::vector<size_t> order(values.size() / d);
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a * d] < values[b * d]; });
    num_blocks_ = (order.size() + kBlock - 1) / kBlock;
    values_.assign(num_blocks_ * d * kBlock, kInfinity);
    for (size_t i = 0; i < order.size(); ++i) {
      const double* point = &values[order[i] * d];
      for (size_t j = 0; j < d; ++j) values_[(i / kBlock * d + j) * kBlock + i % kBlock] = point[j];
      first_.push_back(point[0]);
    }
  }

  // Largest coordinate difference from `from` to its k-th neighbour, those at distance 0 apart.
  template <size_t k>
  double Distance(const double* from) const {
    std::array<double, k> nearest;
    nearest.fill(kInfinity);
    const size_t middle = (std::lower_bound(first_.begin(), first_.end(), from[0]) - first_.begin()) / kBlock;
    for (size_t b = middle; b < num_blocks_ && first_[b * kBlock] - from[0] < nearest[k - 1]; ++b) {
      Visit(b, from, nearest);
    }
    for (size_t b = middle; b-- > 0 && from[0] - first_[(b + 1) * kBlock - 1] < nearest[k - 1];) {
      Visit(b, from, nearest);
    }
    return nearest[k - 1];
  }

 private:
  static constexpr size_t kBlock = 16;

  template <size_t k>
  void Visit(size_t block, const double* from, std::array<double, k>& nearest) const {
    double distance[kBlock] = {};
    const double* values = &values_[block * d_ * kBlock];
    for (size_t j = 0; j < d_; ++j, values += kBlock) {
      for (size_t i = 0; i < kBlock; ++i) distance[i] = std::max(distance[i], std::fabs(values[i] - from[j]));
    }
    for (size_t i = 0; i < kBlock; ++i) {
      if (distance[i] >= nearest[k - 1] || distance[i] == 0) continue;
      size_t place = k - 1;
      for (; place > 0 && nearest[place - 1] > distance[i]; --place) nearest[place] = nearest[place - 1];
      nearest[place] = distance[i];
    }
  }

  const size_t d_;
  size_t num_blocks_ = 0;
  std::vector<double> values_;  // beyond the last point infinity
  std::vector<double> first_;
};

std::vector<double> Gather(const MisfitInput& input, const std::vector<size_t>& rows) {
  const size_t d = input.parameters.size();
  std::vector<double> theta;
  for (const size_t row : rows) theta.insert(theta.end(), &input.theta[row * d], &input.theta[row * d] + d);
  return theta;
}

}  // namespace

absl::StatusOr<Misfit> ComputeMisfit(const MisfitInput& input, const StopToken& stop) {
  const size_t d = input.parameters.size();
  const Scales scales(input);
  const std::vector<std::vector<size_t>> rows = EqualRows(input);
  std::vector<double> terms;
  std::vector<size_t> all;
  for (const auto& of_fold : rows) {
    if (of_fold.size() < kFewestRows) return Misfit();
    all.insert(all.end(), of_fold.begin(), of_fold.end());
  }
  for (size_t k = 0; k < rows.size(); ++k) {
    std::vector<double> theta = Gather(input, rows[k]);
    std::vector<double> neighbours = d <= kFewDimensions ? Gather(input, all) : theta;
    const size_t n = neighbours.size() / d;
    std::vector<double> draws(kDrawsPerRow * n * d);
    // Each member draws other rows of the stream.
    ABSL_RETURN_IF_ERROR(
        Sample(*input.members[k], input.seed, static_cast<int64_t>(k * kDrawsPerRow * n), absl::MakeSpan(draws), stop));
    scales.Scale(absl::MakeSpan(theta));
    scales.Scale(absl::MakeSpan(neighbours));
    scales.Scale(absl::MakeSpan(draws));
    const Points of_rows(neighbours, d);
    const Points of_draws(draws, d);
    const double offset = Digamma(kRowNeighbour) - Digamma(kDrawNeighbour) +
                          std::log(static_cast<double>(kDrawsPerRow * n) / static_cast<double>(n - 1));
    for (size_t i = 0; i < theta.size(); i += d) {
      if (i % (64 * d) == 0) ABSL_RETURN_IF_ERROR(stop.Check());
      const double to_rows = of_rows.Distance<kRowNeighbour>(&theta[i]);
      const double to_draws = of_draws.Distance<kDrawNeighbour>(&theta[i]);
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
