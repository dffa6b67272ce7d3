// Joint analyses of Gaussians against closed form.
#include "models/statistics/joint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "models/statistics/weights.h"
#include "tests/models/statistics/exact_gaussian.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr double kHalfWidth = 15;
const double kLogVolume = std::log(2 * kHalfWidth);

std::vector<std::string> Names(int64_t d) {
  std::vector<std::string> names;
  for (int64_t j = 0; j < d; ++j) names.push_back(absl::StrCat("p", j));
  return names;
}

std::vector<v1::Prior> Boxes(int64_t d) { return std::vector<v1::Prior>(d, UniformPriorOf(-kHalfWidth, kHalfWidth)); }

// Two posteriors of d parameters, `separation` standard deviations of their difference apart along the first.
std::vector<GaussianPosterior> Pair(int64_t d, double separation) {
  GaussianPosterior a{Names(d), std::vector<double>(d, 0), Correlated(d, 0.5)};
  GaussianPosterior b{Names(d), std::vector<double>(d, 0), Correlated(d, -0.3)};
  // Sigma_A + Sigma_B is nearly twice the unit matrix: along one axis the Mahalanobis distance is its inverse's entry.
  std::vector<double> sum = a.covariance;
  for (size_t e = 0; e < sum.size(); ++e) sum[e] += b.covariance[e];
  GaussianPosterior both{Names(d), {}, sum};
  double inverse = 1;
  {
    const JointTruth one = TruthOf({{Names(d), std::vector<double>(d, 0), sum}}, Names(d), std::vector<double>(d, 0));
    std::vector<double> shifted(d, 0);
    shifted[0] = 1;
    // 1/2 distance^2 of a unit shift, from the closed form itself.
    const JointTruth near = TruthOf({a, b}, Names(d), std::vector<double>(d, 0));
    GaussianPosterior moved = b;
    moved.mean[0] = 1;
    inverse = 2 * (near.log_r - TruthOf({a, moved}, Names(d), std::vector<double>(d, 0)).log_r);
    (void)one;
  }
  b.mean[0] = separation / std::sqrt(inverse);
  a.mean[0] = -b.mean[0] / 2;
  b.mean[0] /= 2;
  return {a, b};
}

struct Case {
  int64_t d;
  double separation;
};

class GaussianPairTest : public testing::TestWithParam<Case> {};

TEST_P(GaussianPairTest, ExactDensitiesGiveTheClosedForm) {
  const auto [d, separation] = GetParam();
  const std::vector<GaussianPosterior> pair = Pair(d, separation);
  const JointTruth truth = TruthOf(pair, Names(d), std::vector<double>(d, kLogVolume));
  const auto a = ExactModel(pair[0], Boxes(d));
  const auto b = ExactModel(pair[1], Boxes(d));
  const Estimator* models[] = {a.get(), b.get()};
  JointInput input;
  input.models = models;
  input.seed = 7;
  ASSERT_OK_AND_ASSIGN(const JointResult result, ComputeJoint(input, nullptr, StopToken()));
  const v1::JointStatistics& s = result.head.statistics();
  std::cout << d << " " << separation << ": log R " << s.log_r().value() << " truth " << truth.log_r << " mc "
            << s.log_r().monte_carlo_error() << " chain " << s.log_r().chain_error() << " n_eff "
            << result.head.effective_size() << " k " << result.head.k_hat() << " evals " << result.head.evaluations()
            << " I " << s.information().value() << " " << truth.information << " d " << s.dimensionality().value()
            << " sigma " << s.sigma() << " (" << s.sigma_low() << ", " << s.sigma_high() << ")" << std::endl;
  EXPECT_NEAR(s.log_r().value(), truth.log_r, 4 * s.log_r().monte_carlo_error());
  EXPECT_LT(s.log_r().monte_carlo_error(), 0.03);
  EXPECT_NEAR(s.joint_kl().value(), truth.joint_kl, 4 * s.joint_kl().monte_carlo_error());
  EXPECT_NEAR(s.information().value(), truth.information, 4 * s.information().monte_carlo_error());
  EXPECT_NEAR(s.dimensionality().value(), truth.dimensionality, 4 * s.dimensionality().monte_carlo_error());
  EXPECT_GT(result.head.effective_size(), 3000);
  EXPECT_LT(result.head.k_hat(), 0.7);
}

INSTANTIATE_TEST_SUITE_P(Gaussians, GaussianPairTest,
                         testing::Values(Case{2, 0}, Case{2, 4}, Case{5, 2}, Case{5, 8}, Case{10, 0}, Case{10, 1},
                                         Case{10, 4}));

}  // namespace
}  // namespace creamery
