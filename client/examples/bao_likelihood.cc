#include "client/examples/bao_likelihood.h"

#include <array>
#include <cmath>
#include <cstddef>

namespace creamery::examples {
namespace {

constexpr double kSpeedOfLight = 299792.458;  // km/s
constexpr double kLogTwoPi = 1.8378770664093453;

// Gauss-Legendre on (-1, 1), 8 points: nodes +-x with weight w. Exact to 10^-9 here, E(z) being smooth below z = 1.
struct Node {
  double x;
  double w;
};
constexpr std::array<Node, 4> kGaussLegendre = {{{0.1834346424956498, 0.3626837833783620},
                                                 {0.5255324099163290, 0.3137066458778873},
                                                 {0.7966664774136267, 0.2223810344533745},
                                                 {0.9602898564975363, 0.1012285362903763}}};

// H0/H(z).
double InverseExpansionRate(double omegam, double w0, double z) {
  return 1 / std::sqrt(omegam * std::pow(1 + z, 3) + (1 - omegam) * std::pow(1 + z, 3 * (1 + w0)));
}

std::vector<double> CholeskyFactor(const std::vector<double>& matrix, size_t n) {
  std::vector<double> factor(n * n, 0);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j <= i; ++j) {
      double sum = matrix[i * n + j];
      for (size_t k = 0; k < j; ++k) sum -= factor[i * n + k] * factor[j * n + k];
      factor[i * n + j] = i == j ? std::sqrt(sum) : sum / factor[j * n + j];
    }
  }
  return factor;
}

}  // namespace

std::vector<BaoMeasurement> Desi2024() {
  return {{{.510}, {13.62003080, 20.98334647}, {.063466224, -.068533725, -.068533725, .372968756}},
          {{.706}, {16.84645313, 20.07872919}, {.101975713, -.0799403059, -.0799403059, .354449156}}};
}

std::vector<BaoMeasurement> Sdss() {
  return {{{.38, .51},
           {10.23406, 24.98058, 13.36595, 22.31656},
           {.02860520, -.04939281, .01489688, -.01387079,  //
            -.04939281, .5307187, -.02423513, .1767087,    //
            .01489688, -.02423513, .04147534, -.04873962,  //
            -.01387079, .1767087, -.04873962, .3268589}},
          {{.698}, {17.85823692, 19.32575373}, {.1076634009, -.05831820341, -.05831820341, .2838176386}}};
}

BaoLikelihood::BaoLikelihood(const std::vector<BaoMeasurement>& measurements) {
  for (const BaoMeasurement& measurement : measurements) {
    const size_t n = measurement.mean.size();
    Block block{measurement.redshifts, measurement.mean, CholeskyFactor(measurement.covariance, n), 0};
    block.log_normalisation = -.5 * static_cast<double>(n) * kLogTwoPi;
    for (size_t i = 0; i < n; ++i) block.log_normalisation -= std::log(block.cholesky[i * n + i]);
    blocks_.push_back(block);
  }
}

std::vector<double> BaoLikelihood::Distances(double omegam, double w0) const {
  std::vector<double> distances;
  for (const Block& block : blocks_) {
    for (const double z : block.redshifts) {
      double transverse = 0;
      for (const Node& node : kGaussLegendre) {
        transverse += .5 * z * node.w *
                      (InverseExpansionRate(omegam, w0, .5 * z * (1 - node.x)) +
                       InverseExpansionRate(omegam, w0, .5 * z * (1 + node.x)));
      }
      distances.push_back(transverse);
      distances.push_back(InverseExpansionRate(omegam, w0, z));
    }
  }
  return distances;
}

double BaoLikelihood::LogLikelihood(const std::vector<double>& distances, double h0rs) const {
  const double scale = kSpeedOfLight / h0rs;
  double log_likelihood = 0;
  size_t first = 0;
  for (const Block& block : blocks_) {
    const size_t n = block.mean.size();
    // chi^2 = |L^-1 r|^2 by forward substitution, r being the residual.
    std::vector<double> whitened(n);
    double chi_squared = 0;
    for (size_t i = 0; i < n; ++i) {
      double sum = scale * distances[first + i] - block.mean[i];
      for (size_t j = 0; j < i; ++j) sum -= block.cholesky[i * n + j] * whitened[j];
      whitened[i] = sum / block.cholesky[i * n + i];
      chi_squared += whitened[i] * whitened[i];
    }
    log_likelihood += block.log_normalisation - .5 * chi_squared;
    first += n;
  }
  return log_likelihood;
}

}  // namespace creamery::examples
