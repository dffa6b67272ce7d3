#include "models/statistics/pareto.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kFewestExceedances = 5;
constexpr double kShapePriorRows = 10;  // the prior on k weighs as much as ten exceedances at k = 1/2
constexpr double kShapePriorMean = 0.5;
constexpr double kScalePrior = 3;        // Zhang & Stephens 2009, section 3
constexpr double kEqualWeights = 1e-10;  // largest relative difference of weights that count as equal

// The largest weights, as excesses over the largest weight that is not among them, in units of the largest of all.
struct Tail {
  std::vector<int64_t> index;      // into the weights, by increasing weight
  std::vector<double> exceedance;  // positive, increasing
  double cutoff = 0;               // in the same unit
  bool equal = false;              // the tail has no spread
};

Tail FindTail(absl::Span<const double> log_weight) {
  const auto n = static_cast<int64_t>(log_weight.size());
  Tail tail;
  const auto length =
      static_cast<int64_t>(std::ceil(std::min(0.2 * static_cast<double>(n), 3 * std::sqrt(static_cast<double>(n)))));
  if (length < kFewestExceedances) return tail;
  std::vector<int64_t> order(n);
  std::iota(order.begin(), order.end(), int64_t{0});
  const auto smaller = [&](int64_t a, int64_t b) { return log_weight[a] < log_weight[b]; };
  const auto first = order.begin() + (n - length);
  std::nth_element(order.begin(), first - 1, order.end(), smaller);  // n > length: a fifth at most
  std::sort(first, order.end(), smaller);
  const double largest = log_weight[order.back()];
  if (largest == -kInfinity) return tail;
  const double cutoff = log_weight[*(first - 1)];
  tail.cutoff = std::exp(cutoff - largest);
  tail.equal = -std::expm1(cutoff - largest) < kEqualWeights;
  for (auto it = first; it != order.end(); ++it) {
    // expm1 keeps the differences of weights that are almost equal.
    const double excess =
        cutoff == -kInfinity ? std::exp(log_weight[*it] - largest) : tail.cutoff * std::expm1(log_weight[*it] - cutoff);
    if (!(excess > 0)) continue;
    tail.index.push_back(*it);
    tail.exceedance.push_back(excess);
  }
  return tail;
}

}  // namespace

ParetoFit FitGeneralisedPareto(absl::Span<const double> exceedance) {
  const size_t n = exceedance.size();
  const double rows = static_cast<double>(n);
  const double quartile = exceedance[static_cast<size_t>(std::floor(rows / 4 + 0.5)) - 1];
  const auto grid = static_cast<size_t>(30 + std::floor(std::sqrt(rows)));
  const auto shape = [&](double theta) {
    double sum = 0;
    for (const double x : exceedance) sum += std::log1p(-theta * x);
    return sum / rows;
  };
  // The likelihood profiled over the shape, on a grid of theta = -k / sigma; then its mean under that weight.
  std::vector<double> theta(grid);
  std::vector<double> log_likelihood(grid);
  for (size_t j = 0; j < grid; ++j) {
    theta[j] = 1 / exceedance.back() +
               (1 - std::sqrt(static_cast<double>(grid) / (static_cast<double>(j) + 0.5))) / (kScalePrior * quartile);
    const double k = shape(theta[j]);
    // theta and k have opposite signs, and the limit theta -> 0 is the exponential distribution of mean -k / theta.
    log_likelihood[j] = rows * (std::log(-theta[j] / k) - k - 1);
    if (!(log_likelihood[j] < kInfinity)) log_likelihood[j] = -kInfinity;
  }
  const double best = *std::max_element(log_likelihood.begin(), log_likelihood.end());
  double sum = 0;
  double mean = 0;
  for (size_t j = 0; j < grid; ++j) {
    const double weight = std::exp(log_likelihood[j] - best);
    sum += weight;
    mean += weight * theta[j];
  }
  mean /= sum;
  ParetoFit fit;
  const double k = shape(mean);
  fit.sigma = -k / mean;
  fit.k = (k * rows + kShapePriorMean * kShapePriorRows) / (rows + kShapePriorRows);
  return fit;
}

double ParetoKHat(absl::Span<const double> log_weight) {
  const Tail tail = FindTail(log_weight);
  if (tail.equal) return 0;
  if (static_cast<int64_t>(tail.exceedance.size()) < kFewestExceedances) return kInfinity;
  return FitGeneralisedPareto(tail.exceedance).k;
}

std::vector<double> SmoothLogWeights(absl::Span<const double> log_weight) {
  std::vector<double> smoothed(log_weight.begin(), log_weight.end());
  const Tail tail = FindTail(log_weight);
  if (tail.equal || static_cast<int64_t>(tail.exceedance.size()) < kFewestExceedances) return smoothed;
  const ParetoFit fit = FitGeneralisedPareto(tail.exceedance);
  const double largest = log_weight[tail.index.back()];
  const auto rows = static_cast<double>(tail.index.size());
  for (size_t z = 0; z < tail.index.size(); ++z) {
    const double log_survival = std::log1p(-(static_cast<double>(z) + 0.5) / rows);
    const double quantile =
        std::abs(fit.k) < 1e-12 ? -fit.sigma * log_survival : fit.sigma * std::expm1(-fit.k * log_survival) / fit.k;
    smoothed[tail.index[z]] = largest + std::min(0.0, std::log(tail.cutoff + quantile));
  }
  return smoothed;
}

}  // namespace creamery
