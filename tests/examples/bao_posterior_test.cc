// The example analysis against brute force: Simpson's rule for distances, a plain grid for the posterior.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "client/examples/bao_likelihood.h"
#include "client/examples/posterior_sampler.h"

namespace creamery::examples {
namespace {

using ::testing::DoubleNear;
using ::testing::Pointwise;

// H0 D_M / c by Simpson's rule on 1000 intervals.
double ComovingDistance(double omegam, double w0, double z) {
  const int n = 1000;
  double sum = 0;
  for (int i = 0; i <= n; ++i) {
    const double a = 1 + z * i / n;
    const double weight = i == 0 || i == n ? 1 : (i % 2 == 1 ? 4 : 2);
    sum += weight / std::sqrt(omegam * a * a * a + (1 - omegam) * std::pow(a, 3 + 3 * w0));
  }
  return sum * z / n / 3;
}

struct Moments {
  double log_evidence = 0;
  double mean[3] = {0, 0, 0};
  double stddev[3] = {0, 0, 0};
};

// Midpoint rule over the prior box.
Moments BruteForce(const BaoLikelihood& likelihood) {
  const int n[3] = {90, 90, 350};
  const BaoPrior prior;
  double sum = 0, first[3] = {0, 0, 0}, second[3] = {0, 0, 0};
  auto at = [&](int axis, int i) {
    return prior.lower[axis] + (prior.upper[axis] - prior.lower[axis]) * (i + .5) / n[axis];
  };
  for (int i = 0; i < n[0]; ++i) {
    for (int j = 0; j < n[1]; ++j) {
      const std::vector<double> distances = likelihood.Distances(at(0, i), at(1, j));
      for (int k = 0; k < n[2]; ++k) {
        const double theta[3] = {at(0, i), at(1, j), at(2, k)};
        const double value = std::exp(likelihood.LogLikelihood(distances, theta[2]));
        sum += value;
        for (int axis = 0; axis < 3; ++axis) {
          first[axis] += value * theta[axis];
          second[axis] += value * theta[axis] * theta[axis];
        }
      }
    }
  }
  Moments moments;
  moments.log_evidence = std::log(sum / n[0] / n[1] / n[2]);
  for (int axis = 0; axis < 3; ++axis) {
    moments.mean[axis] = first[axis] / sum;
    moments.stddev[axis] = std::sqrt(second[axis] / sum - moments.mean[axis] * moments.mean[axis]);
  }
  return moments;
}

TEST(BaoLikelihoodTest, DistancesAgreeWithSimpsonsRule) {
  const BaoLikelihood likelihood(Desi2024());
  for (const double w0 : {-2.9, -1., -.1}) {
    for (const double omegam : {.06, .3, .94}) {
      const std::vector<double> distances = likelihood.Distances(omegam, w0);
      ASSERT_EQ(distances.size(), 4u);
      EXPECT_NEAR(distances[0], ComovingDistance(omegam, w0, .510), 1e-8);
      EXPECT_NEAR(distances[2], ComovingDistance(omegam, w0, .706), 1e-8);
    }
  }
}

TEST(BaoLikelihoodTest, AnEinsteinDeSitterUniverseHasClosedForms) {
  // omegam = 1: H = H0 (1+z)^1.5, D_M = 2 c/H0 (1 - (1+z)^-1/2).
  const std::vector<double> distances = BaoLikelihood(Desi2024()).Distances(1, -1);
  EXPECT_THAT(distances, Pointwise(DoubleNear(1e-10), {2 * (1 - std::pow(1.51, -.5)), std::pow(1.51, -1.5),
                                                       2 * (1 - std::pow(1.706, -.5)), std::pow(1.706, -1.5)}));
}

TEST(BaoLikelihoodTest, ACorrelatedGaussianHasItsClosedForm) {
  // One redshift, covariance [[4, 1], [1, 9]] (determinant 35), residuals (2, -3):
  // chi^2 = (9*4 - 2*1*2*(-3) + 4*9) / 35 = 84/35.
  BaoMeasurement measurement{{.5}, {0, 0}, {4, 1, 1, 9}};
  const double scale = 299792.458 / 10000;
  const double log_likelihood = BaoLikelihood({measurement}).LogLikelihood({2 / scale, -3 / scale}, 10000);
  EXPECT_NEAR(log_likelihood, -.5 * 84 / 35 - std::log(2 * M_PI) - .5 * std::log(35.), 1e-12);
}

class BaoPosteriorTest : public testing::TestWithParam<bool> {
 protected:
  const BaoLikelihood likelihood_{GetParam() ? Desi2024() : Sdss()};
};

TEST_P(BaoPosteriorTest, EvidenceAndMomentsAgreeWithAGrid) {
  const Moments truth = BruteForce(likelihood_);
  const PosteriorSamples samples = DrawPosterior(likelihood_, {}, 10000, 3);
  ASSERT_EQ(samples.theta.size(), 10000u);
  EXPECT_GE(samples.effective_size, 3000);
  EXPECT_LE(samples.log_evidence_error, .01);
  // 4 standard errors, and 10^-3 for the grid of the truth.
  EXPECT_NEAR(samples.log_evidence, truth.log_evidence, 4 * samples.log_evidence_error + 1e-3);
  for (int axis = 0; axis < 3; ++axis) {
    double sum = 0, first = 0, second = 0;
    for (size_t i = 0; i < samples.theta.size(); ++i) {
      sum += samples.weight[i];
      first += samples.weight[i] * samples.theta[i][axis];
      second += samples.weight[i] * samples.theta[i][axis] * samples.theta[i][axis];
    }
    const double mean = first / sum, stddev = std::sqrt(second / sum - mean * mean);
    const double n_eff = samples.effective_size;
    EXPECT_NEAR(mean, truth.mean[axis], 4 * truth.stddev[axis] / std::sqrt(n_eff) + 1e-3 * truth.stddev[axis]);
    // The standard deviation's own error is at most stddev / sqrt(n_eff) for these light tails.
    EXPECT_NEAR(stddev, truth.stddev[axis], 4 * truth.stddev[axis] / std::sqrt(n_eff) + 1e-3 * truth.stddev[axis]);
  }
}

TEST_P(BaoPosteriorTest, TheSeedDecidesTheRows) {
  const PosteriorSamples a = DrawPosterior(likelihood_, {}, 50, 7);
  const PosteriorSamples b = DrawPosterior(likelihood_, {}, 50, 7);
  const PosteriorSamples c = DrawPosterior(likelihood_, {}, 50, 8);
  EXPECT_EQ(a.theta, b.theta);
  EXPECT_EQ(a.weight, b.weight);
  EXPECT_NE(a.theta, c.theta);
}

TEST_P(BaoPosteriorTest, RowsStayInsideThePrior) {
  const BaoPrior prior;
  for (const auto& theta : DrawPosterior(likelihood_, prior, 2000, 1).theta) {
    for (int axis = 0; axis < 3; ++axis) {
      ASSERT_GT(theta[axis], prior.lower[axis]);
      ASSERT_LT(theta[axis], prior.upper[axis]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Surveys, BaoPosteriorTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Desi" : "Sdss"; });

}  // namespace
}  // namespace creamery::examples
