#include "models/training/box_spline.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "models/training/transforms.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr int kSteps = 300;
constexpr double kFirstStep = 0.1;
constexpr int64_t kPoints = 1000;
constexpr double kRowsPerBin = 100;

struct Points {
  std::vector<double> u;
  std::vector<double> weight;  // sums to 1
};

// Neighbours merged into at most about kPoints points of equal weight: far finer than any bin.
Points Compress(absl::Span<const double> u, absl::Span<const double> weight) {
  std::vector<size_t> order(u.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return u[a] < u[b]; });
  const double total = std::accumulate(weight.begin(), weight.end(), 0.0);
  Points points;
  double sum = 0;
  double moment = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    sum += weight[order[i]];
    moment += weight[order[i]] * u[order[i]];
    if (sum * kPoints < total && i + 1 < order.size()) continue;
    if (sum > 0) {
      points.u.push_back(std::clamp(moment / sum, 0.0, 1.0));
      points.weight.push_back(sum / total);
    }
    sum = moment = 0;
  }
  return points;
}

// The knots of unconstrained numbers, as AutoregressiveLayer says; ends exactly 0 and 1.
SplineKnots ToKnots(const std::vector<double>& raw, int64_t bins) {
  constexpr double kMinBin = AutoregressiveLayer::kMinBin;
  const auto ends = [&](int64_t first) {
    double total = 0;
    for (int64_t k = 0; k < bins; ++k) total += std::exp(raw[first + k]);
    std::vector<double> knots{0};
    for (int64_t k = 0; k < bins; ++k) {
      knots.push_back(knots.back() + kMinBin +
                      (1 - static_cast<double>(bins) * kMinBin) * std::exp(raw[first + k]) / total);
    }
    knots.back() = 1;
    return knots;
  };
  SplineKnots spline;
  spline.x = ends(0);
  spline.y = ends(bins);
  const double offset = std::log(std::expm1(1 - AutoregressiveLayer::kMinSlope));
  for (int64_t k = 0; k <= bins; ++k) {
    spline.slope.push_back(AutoregressiveLayer::kMinSlope + std::log1p(std::exp(raw[2 * bins + k] + offset)));
  }
  return spline;
}

}  // namespace

absl::StatusOr<SplineKnots> FitBoxSpline(absl::Span<const double> u, absl::Span<const double> weight,
                                         double effective_rows, const StopToken& stop) {
  Points points = Compress(u, weight);
  const auto n = static_cast<int64_t>(points.u.size());
  const int64_t bins = static_cast<int64_t>(std::clamp(effective_rows / kRowsPerBin, 4.0, 16.0));
  const int64_t size = 3 * bins + 1;
  std::vector<double> raw(size, 0.0);
  at::Tensor parameters = at::from_blob(raw.data(), {size}, at::kDouble).set_requires_grad(true);
  const at::Tensor y = at::from_blob(points.u.data(), {n, 1}, at::kDouble);
  const at::Tensor w = at::from_blob(points.weight.data(), {n}, at::kDouble);
  at::Tensor first = at::zeros({size}, at::kDouble);
  at::Tensor second = at::zeros({size}, at::kDouble);
  for (int step = 1; step <= kSteps; ++step) {
    ABSL_RETURN_IF_ERROR(stop.Check());
    const at::Tensor loss = -SplineTransform(y, parameters.view({1, 1, size}), bins).ladj.dot(w);
    parameters.mutable_grad() = at::Tensor();
    loss.backward();
    at::NoGradGuard no_grad;
    const at::Tensor& gradient = parameters.grad();
    first.mul_(0.9).add_(gradient, 0.1);
    second.mul_(0.99).addcmul_(gradient, gradient, 0.01);
    const at::Tensor scale = (second / (1 - std::pow(0.99, step))).sqrt_().add_(1e-8);
    // The step falls to nothing along a cosine, so that the end is the optimum and not a walk around it.
    const double rate = kFirstStep * 0.5 * (1 + std::cos(M_PI * (step - 1) / kSteps));
    parameters.addcdiv_(first, scale, -rate / (1 - std::pow(0.9, step)));
  }
  return ToKnots(raw, bins);
}

}  // namespace creamery
