#include "models/training/transforms.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "models/plan/plan.h"

namespace creamery {

Transformed AffineTransform(const at::Tensor& y, const at::Tensor& raw) {
  const std::vector<at::Tensor> parts = raw.unbind(2);
  const at::Tensor& alpha = parts[1];
  const at::Tensor ladj = alpha.sum(1).neg().expand({y.size(0)});
  return {(y - parts[0]) * alpha.neg().exp(), ladj};
}

Transformed SplineTransform(const at::Tensor& y, const at::Tensor& raw, int64_t bins) {
  constexpr double kMinBin = AutoregressiveLayer::kMinBin;
  constexpr double kMinSlope = AutoregressiveLayer::kMinSlope;
  const int64_t n = y.size(0);
  const int64_t d = y.size(1);
  const std::vector<at::Tensor> parts = raw.split_with_sizes({2 * bins, bins + 1}, 2);
  // Widths and heights go together: (n or 1, d, 2, bins).
  const at::Tensor sizes =
      at::softmax(parts[0].reshape({raw.size(0), d, 2, bins}), -1) * (1 - bins * kMinBin) + kMinBin;
  const at::Tensor ends = sizes.cumsum(-1);
  const at::Tensor slopes = at::softplus(parts[1] + std::log(std::expm1(1 - kMinSlope))) + kMinSlope;

  at::Tensor bin;  // (n, d), the bin y lies in
  at::Tensor pair_index;
  at::Tensor slope_index;
  {
    at::NoGradGuard no_grad;
    bin = (y.unsqueeze(-1) >= ends.select(2, 0).narrow(-1, 0, bins - 1)).sum(-1);
    pair_index = bin.view({n, d, 1, 1}).expand({n, d, 2, 1});
    slope_index = at::stack({bin, bin + 1}, -1);
  }
  const std::vector<at::Tensor> size =
      sizes.expand({n, d, 2, bins}).gather(-1, pair_index).squeeze(-1).unbind(-1);  // width, height of the bin
  const std::vector<at::Tensor> end =
      ends.expand({n, d, 2, bins}).gather(-1, pair_index).squeeze(-1).unbind(-1);  // its upper right corner
  const std::vector<at::Tensor> slope = slopes.expand({n, d, bins + 1}).gather(-1, slope_index).unbind(-1);

  const at::Tensor s = size[1] / size[0];
  const at::Tensor xi = ((y - end[0]) / size[0] + 1).clamp(0, 1);
  const at::Tensor rest = 1 - xi;
  const at::Tensor product = xi * rest;
  const at::Tensor s_xi = s * xi;
  const at::Tensor denominator = s + (slope[0] + slope[1] - 2 * s) * product;
  const at::Tensor z = end[1] - size[1] + size[1] * (s_xi * xi + slope[0] * product) / denominator;
  const at::Tensor numerator = slope[1] * xi * xi + 2 * s * product + slope[0] * rest * rest;
  const at::Tensor ladj = 2 * (s.log() - denominator.log()) + numerator.log();
  return {z, ladj.sum(1)};
}

}  // namespace creamery
