#include "client/examples/posterior_sampler.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>

namespace creamery::examples {
namespace {

constexpr std::array<size_t, 3> kCells = {64, 64, 256};
constexpr size_t kAllCells = kCells[0] * kCells[1] * kCells[2];
constexpr double kPriorShare = .05;

// On (0, 1), from the top 53 bits: standard distributions differ between libraries, this does not.
double Uniform(std::mt19937_64& generator) { return (static_cast<double>(generator() >> 11) + .5) * 0x1p-53; }

double Between(const BaoPrior& prior, size_t axis, double u) {
  return prior.lower[axis] + u * (prior.upper[axis] - prior.lower[axis]);
}

std::array<size_t, 3> CellAxes(size_t cell) {
  return {cell / (kCells[1] * kCells[2]), cell / kCells[2] % kCells[1], cell % kCells[2]};
}

// Probability of each cell under the grid proposal.
std::vector<double> CellProbabilities(const BaoLikelihood& likelihood, const BaoPrior& prior) {
  std::vector<double> values(kAllCells);
  size_t cell = 0;
  for (size_t i = 0; i < kCells[0]; ++i) {
    for (size_t j = 0; j < kCells[1]; ++j) {
      const std::vector<double> distances =
          likelihood.Distances(Between(prior, 0, (i + .5) / kCells[0]), Between(prior, 1, (j + .5) / kCells[1]));
      for (size_t k = 0; k < kCells[2]; ++k) {
        values[cell++] = likelihood.LogLikelihood(distances, Between(prior, 2, (k + .5) / kCells[2]));
      }
    }
  }
  const double largest = *std::max_element(values.begin(), values.end());
  double sum = 0;
  for (double& value : values) sum += value = std::exp(value - largest);
  for (double& value : values) value /= sum;
  return values;
}

// Turns log weights into weights, evidence and effective size.
void Weigh(const std::vector<double>& log_weights, PosteriorSamples& samples) {
  const double largest = *std::max_element(log_weights.begin(), log_weights.end());
  const double n = static_cast<double>(log_weights.size());
  double sum = 0, sum_of_squares = 0;
  for (const double log_weight : log_weights) {
    const double weight = std::exp(log_weight - largest);
    samples.weight.push_back(weight);
    sum += weight;
    sum_of_squares += weight * weight;
  }
  samples.effective_size = sum * sum / sum_of_squares;
  samples.log_evidence = largest + std::log(sum / n);
  // Relative standard error of the mean weight: its variance over n, over its square.
  samples.log_evidence_error = std::sqrt((n / samples.effective_size - 1) / (n - 1));
}

}  // namespace

PosteriorSamples DrawPosterior(const BaoLikelihood& likelihood, const BaoPrior& prior, int64_t rows, uint64_t seed) {
  const std::vector<double> probabilities = CellProbabilities(likelihood, prior);
  std::vector<double> cumulative(kAllCells);
  double total = 0;
  for (size_t cell = 0; cell < kAllCells; ++cell) cumulative[cell] = total += probabilities[cell];

  std::mt19937_64 generator(seed);
  PosteriorSamples samples;
  std::vector<double> log_weights;
  for (int64_t row = 0; row < rows; ++row) {
    // Both parts of the proposal are a cell and a uniform place in it; under the prior all cells are alike.
    const double part = Uniform(generator);
    const double pick = Uniform(generator);
    size_t cell = static_cast<size_t>(pick * kAllCells);
    if (part >= kPriorShare) {
      cell = std::upper_bound(cumulative.begin(), cumulative.end(), pick * total) - cumulative.begin();
    }
    cell = std::min(cell, kAllCells - 1);

    const std::array<size_t, 3> axes = CellAxes(cell);
    std::array<double, 3> theta;
    for (size_t axis = 0; axis < 3; ++axis) {
      theta[axis] = Between(prior, axis, (axes[axis] + Uniform(generator)) / kCells[axis]);
    }
    const double log_likelihood = likelihood.LogLikelihood(likelihood.Distances(theta[0], theta[1]), theta[2]);
    const double proposal_over_prior = kPriorShare + (1 - kPriorShare) * probabilities[cell] * kAllCells;
    samples.theta.push_back(theta);
    samples.log_likelihood.push_back(log_likelihood);
    log_weights.push_back(log_likelihood - std::log(proposal_over_prior));
  }
  Weigh(log_weights, samples);
  return samples;
}

}  // namespace creamery::examples
