// The two element-wise transforms of an autoregressive layer, differentiable by LibTorch in all arguments.
#ifndef CREAMERY_MODELS_TRAINING_TRANSFORMS_H_
#define CREAMERY_MODELS_TRAINING_TRANSFORMS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace creamery {

// z: (n, d), ladj: (n,) summed over d, natural log.
struct Transformed {
  at::Tensor z;
  at::Tensor ladj;
};

// y: (n, d), raw: (n or 1, d, 2) = (mu, alpha) -> z = (y - mu) exp(-alpha). Papamakarios et al. 2017, eq. 4.
Transformed AffineTransform(const at::Tensor& y, const at::Tensor& raw);

// y: (n, d) in [0, 1], raw: (n or 1, d, 3 bins + 1), unconstrained widths, heights and slopes as AutoregressiveLayer
// says -> z in [0, 1]. Monotonic rational-quadratic spline, Durkan et al. 2019, arXiv:1906.04032, eqs. 4-8.
Transformed SplineTransform(const at::Tensor& y, const at::Tensor& raw, int64_t bins);

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_TRANSFORMS_H_
