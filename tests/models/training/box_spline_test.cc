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

// The same fit by LibTorch's autograd. -> knots in x, then in y, then slopes.
std::vector<double> FitByAutograd(std::vector<double> u, std::vector<double> weight, int64_t bins) {
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
  const at::Tensor all = at::cat({knots, slopes}).contiguous();
  return {all.data_ptr<double>(), all.data_ptr<double>() + all.numel()};
}

TEST(BoxSplineTest, TheFitIsThatOfAutograd) {
  const RandomStream stream(3, RandomPurpose::kSample);
  std::vector<double> u;
  for (int i = 0; i < 800; ++i) u.push_back(std::pow(stream.Uniform(i), 3));  // density u^(-2/3) / 3
  const std::vector<double> weight(u.size(), 1.0);
  ASSERT_OK_AND_ASSIGN(const SplineKnots fitted, FitBoxSpline(u, weight, 800, StopToken()));
  ASSERT_EQ(fitted.x.size(), 9u);
  std::vector<double> numbers = fitted.x;
  numbers.insert(numbers.end(), fitted.y.begin(), fitted.y.end());
  numbers.insert(numbers.end(), fitted.slope.begin(), fitted.slope.end());
  const std::vector<double> reference = FitByAutograd(u, weight, 8);
  ASSERT_EQ(numbers.size(), reference.size());
  for (size_t i = 0; i < numbers.size(); ++i) {
    EXPECT_NEAR(numbers[i], reference[i], 1e-6 * std::max(1.0, reference[i])) << i;
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
