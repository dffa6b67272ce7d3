#include "models/training/box_spline.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "models/plan/column_map.h"
#include "models/random.h"
#include "models/training/transforms.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

// The same fit by LibTorch's autograd.
SplineKnots FitByAutograd(std::vector<double> u, std::vector<double> weight, int64_t bins) {
  const auto n = static_cast<int64_t>(u.size());
  const at::Tensor y = at::from_blob(u.data(), {n, 1}, at::kDouble);
  const at::Tensor w = at::from_blob(weight.data(), {n}, at::kDouble) / static_cast<double>(n);
  const int64_t size = 3 * bins + 1;
  at::Tensor raw = at::zeros({size}, at::kDouble);
  at::Tensor first = at::zeros({size}, at::kDouble);
  at::Tensor second = at::zeros({size}, at::kDouble);
  for (int step = 1; step <= 300; ++step) {
    at::Tensor leaf = raw.clone().set_requires_grad(true);
    (-SplineTransform(y, leaf.view({1, 1, size}), bins).ladj.dot(w)).backward();
    first = 0.9 * first + 0.1 * leaf.grad();
    second = 0.99 * second + 0.01 * leaf.grad().square();
    const double rate = 0.05 * (1 + std::cos(M_PI * (step - 1) / 300)) / (1 - std::pow(0.9, step));
    raw = raw - rate * first / ((second / (1 - std::pow(0.99, step))).sqrt() + 1e-8);
  }
  const at::Tensor sizes = at::softmax(raw.narrow(0, 0, 2 * bins).view({2, bins}), 1) * (1 - bins * 1e-4) + 1e-4;
  const at::Tensor knots = at::cat({at::zeros({2, 1}, at::kDouble), sizes.cumsum(1)}, 1).reshape({-1});
  const at::Tensor slopes = at::softplus(raw.narrow(0, 2 * bins, bins + 1) + std::log(std::expm1(1 - 1e-4))) + 1e-4;
  const double* knot = knots.data_ptr<double>();
  const double* slope = slopes.data_ptr<double>();
  return {{knot, knot + bins + 1}, {knot + bins + 1, knot + 2 * bins + 2}, {slope, slope + bins + 1}};
}

double MeanLogDensity(const SplineKnots& spline, const std::vector<double>& u) {
  ColumnMap map;
  map.space = ColumnMap::Space::kUnit;
  map.spline = spline;
  double sum = 0;
  for (const double value : u) sum += MapForward(map, value).ladj;
  return sum / static_cast<double>(u.size());
}

TEST(BoxSplineTest, TheFitIsThatOfAutograd) {
  const RandomStream stream(3, RandomPurpose::kSample);
  std::vector<double> u;
  for (int i = 0; i < 800; ++i) u.push_back(std::pow(stream.Uniform(i), 3));  // density u^(-2/3) / 3
  const std::vector<double> weight(u.size(), 1.0);
  ASSERT_OK_AND_ASSIGN(const SplineKnots fitted, FitBoxSpline(u, weight, 800, StopToken()));
  ASSERT_EQ(fitted.x.size(), 9u);
  const SplineKnots reference = FitByAutograd(u, weight, 8);
  // The way there magnifies rounding, and what it ends at is flat.
  EXPECT_NEAR(MeanLogDensity(fitted, u), MeanLogDensity(reference, u), 1e-5);
  for (size_t k = 0; k < 9; ++k) {
    EXPECT_NEAR(fitted.x[k], reference.x[k], 1e-3) << k;
    EXPECT_NEAR(fitted.y[k], reference.y[k], 1e-3) << k;
    EXPECT_NEAR(fitted.slope[k], reference.slope[k], 1e-2 * reference.slope[k]) << k;
  }
}

TEST(BoxSplineTest, ADensityThatRisesToTheEdgeIsFitted) {
  // Weighted by 2 u, uniform points have density 2 u: the spline is near u^2, its standard error below .01 everywhere.
  const RandomStream stream(4, RandomPurpose::kSample);
  std::vector<double> u;
  std::vector<double> weight;
  for (int i = 0; i < 10000; ++i) {
    u.push_back(stream.Uniform(i));
    weight.push_back(2 * u.back());
  }
  ASSERT_OK_AND_ASSIGN(const SplineKnots fitted, FitBoxSpline(u, weight, 7500, StopToken()));
  EXPECT_EQ(fitted.x.size(), 17u);
  EXPECT_EQ(fitted.x.front(), 0);
  EXPECT_EQ(fitted.x.back(), 1);
  EXPECT_EQ(fitted.y.back(), 1);
  for (size_t k = 0; k < fitted.x.size(); ++k) EXPECT_NEAR(fitted.y[k], fitted.x[k] * fitted.x[k], 0.03) << k;
}

TEST(BoxSplineTest, TheStopTokenEndsTheFit) {
  StopSource stop;
  stop.RequestStop();
  EXPECT_THAT(FitBoxSpline(std::vector<double>(100, 0.5), std::vector<double>(100, 1.0), 100, stop.token()),
              StatusIs(absl::StatusCode::kCancelled, testing::HasSubstr("cancelled")));
}

}  // namespace
}  // namespace creamery
