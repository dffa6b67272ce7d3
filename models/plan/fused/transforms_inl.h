// The element-wise transforms of autoregressive layers in float64, of `count` numbers in lanes: the rows of a tile for
// one column, or the columns of one row. Number k of a position lies `stride` numbers after number k - 1. Included once
// per instruction set, hence no ordinary include guard.
#if defined(CREAMERY_MODELS_PLAN_FUSED_TRANSFORMS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CREAMERY_MODELS_PLAN_FUSED_TRANSFORMS_INL_H_
#undef CREAMERY_MODELS_PLAN_FUSED_TRANSFORMS_INL_H_
#else
#define CREAMERY_MODELS_PLAN_FUSED_TRANSFORMS_INL_H_
#endif

#include <cmath>
#include <type_traits>

#include "models/plan/fused/math64_inl.h"
#include "models/plan/plan.h"

HWY_BEFORE_NAMESPACE();
namespace creamery {
namespace HWY_NAMESPACE {

// What a network says, in float32 or float64.
HWY_INLINE Vector64 LoadRaw(const float* from) {
  return hn::PromoteTo(Lanes64(), hn::LoadU(hn::Rebind<float, Lanes64>(), from));
}
HWY_INLINE Vector64 LoadRaw(const double* from) { return hn::LoadU(Lanes64(), from); }

// exp of alpha or of -alpha, as precisely as a network of numbers T knows alpha.
template <typename T>
HWY_INLINE Vector64 Scale(Vector64 alpha) {
  if constexpr (std::is_same_v<T, float>) return QuickExp(alpha);
  return Exp(alpha);
}

// y -> z = (y - mu) exp(-alpha), ladj -= alpha.
template <typename T>
HWY_INLINE void AffineForward(int64_t count, int64_t stride, const T* raw, double* y, double* ladj) {
  for (int64_t lane = 0; lane < count; lane += kLanes64) {
    const Vector64 alpha = LoadRaw(raw + stride + lane);
    const Vector64 centered = hn::Sub(Load64(y + lane), LoadRaw(raw + lane));
    Store64(hn::Mul(centered, Scale<T>(hn::Neg(alpha))), y + lane);
    Store64(hn::Sub(Load64(ladj + lane), alpha), ladj + lane);
  }
}

// z -> y = z exp(alpha) + mu.
template <typename T>
HWY_INLINE void AffineInverse(int64_t count, int64_t stride, const T* raw, double* z) {
  for (int64_t lane = 0; lane < count; lane += kLanes64) {
    const Vector64 scale = Scale<T>(LoadRaw(raw + stride + lane));
    Store64(hn::MulAdd(Load64(z + lane), scale, LoadRaw(raw + lane)), z + lane);
  }
}

// raw[0..bins) -> exp(raw - largest), in place; what they are multiplied with to become bins beside their minimum.
HWY_INLINE Vector64 StartSoftmax(int64_t bins, int64_t stride, double* raw) {
  Vector64 most = Load64(raw);
  for (int64_t j = 1; j < bins; ++j) {
    const Vector64 value = Load64(raw + j * stride);
    most = hn::IfThenElse(hn::Gt(value, most), value, most);
  }
  Vector64 sum = hn::Zero(Lanes64());
  for (int64_t j = 0; j < bins; ++j) {
    const Vector64 e = Exp(hn::Sub(Load64(raw + j * stride), most));
    sum = hn::Add(sum, e);
    Store64(e, raw + j * stride);
  }
  const double spread = 1 - static_cast<double>(bins) * AutoregressiveLayer::kMinBin;
  return hn::Div(Number64(spread), sum);
}

// The bin that a number lies in: its ends in x and y, and the slopes there (Durkan et al. 2019, arXiv:1906.04032).
struct Bin {
  Vector64 x0, x1, y0, y1, slope0, slope1;
  Vector64 dx, dy, s;  // s = dy / dx
};

// The bin of `value`, searched among the knots in x or in y. Leaves the raw widths and heights exponentiated.
template <bool kByX>
HWY_INLINE Bin FindBin(int64_t bins, int64_t stride, double* raw, Vector64 value) {
  const Vector64 one = Number64(1);
  const Vector64 least = Number64(AutoregressiveLayer::kMinBin);
  const double* heights = raw + bins * stride;
  const double* slopes = heights + bins * stride;
  const Vector64 width_scale = StartSoftmax(bins, stride, raw);
  const Vector64 height_scale = StartSoftmax(bins, stride, raw + bins * stride);
  const auto knot = [&](Vector64 before, int64_t j, const double* e, Vector64 scale) HWY_ATTR {
    return j + 1 == bins ? one : hn::Add(before, hn::MulAdd(scale, Load64(e + j * stride), least));
  };

  Bin bin;
  bin.x0 = bin.y0 = hn::Zero(Lanes64());
  Vector64 x = bin.x1 = knot(bin.x0, 0, raw, width_scale);
  Vector64 y = bin.y1 = knot(bin.y0, 0, heights, height_scale);
  Vector64 raw0 = Load64(slopes);
  Vector64 raw1 = Load64(slopes + stride);
  for (int64_t j = 1; j < bins; ++j) {
    const auto beyond = hn::Ge(value, kByX ? x : y);
    bin.x0 = hn::IfThenElse(beyond, x, bin.x0);
    bin.y0 = hn::IfThenElse(beyond, y, bin.y0);
    x = knot(x, j, raw, width_scale);
    y = knot(y, j, heights, height_scale);
    bin.x1 = hn::IfThenElse(beyond, x, bin.x1);
    bin.y1 = hn::IfThenElse(beyond, y, bin.y1);
    raw0 = hn::IfThenElse(beyond, Load64(slopes + j * stride), raw0);
    raw1 = hn::IfThenElse(beyond, Load64(slopes + (j + 1) * stride), raw1);
  }
  // Slope 1 for the raw number 0.
  const Vector64 offset = Number64(std::log(std::expm1(1 - AutoregressiveLayer::kMinSlope)));
  const Vector64 least_slope = Number64(AutoregressiveLayer::kMinSlope);
  bin.slope0 = hn::Add(Softplus(hn::Add(raw0, offset)), least_slope);
  bin.slope1 = hn::Add(Softplus(hn::Add(raw1, offset)), least_slope);
  bin.dx = hn::Sub(bin.x1, bin.x0);
  bin.dy = hn::Sub(bin.y1, bin.y0);
  bin.s = hn::Div(bin.dy, bin.dx);
  return bin;
}

// y in [0, 1] -> z, ladj += log dz/dy (eqs. 4 and 5). `raw` is overwritten.
HWY_INLINE void SplineForward(int64_t bins, int64_t count, int64_t stride, double* raw, double* y, double* ladj) {
  for (int64_t lane = 0; lane < count; lane += kLanes64) {
    const Vector64 x = Load64(y + lane);
    const Bin bin = FindBin<true>(bins, stride, raw + lane, x);
    const Vector64 xi = Clamp64(hn::Div(hn::Sub(x, bin.x0), bin.dx), 0, 1);
    const Vector64 eta = Clamp64(hn::Div(hn::Sub(bin.x1, x), bin.dx), 0, 1);
    const Vector64 product = hn::Mul(xi, eta);
    const Vector64 twice = hn::Add(bin.s, bin.s);
    const Vector64 denominator = hn::MulAdd(hn::Sub(hn::Add(bin.slope0, bin.slope1), twice), product, bin.s);
    const Vector64 numerator = hn::MulAdd(hn::Mul(bin.s, xi), xi, hn::Mul(bin.slope0, product));
    Vector64 slope = hn::MulAdd(twice, product, hn::Mul(hn::Mul(bin.slope0, eta), eta));
    slope = hn::MulAdd(hn::Mul(bin.slope1, xi), xi, slope);
    const Vector64 ratio = hn::Div(bin.s, denominator);
    Store64(Clamp64(hn::MulAdd(bin.dy, hn::Div(numerator, denominator), bin.y0), 0, 1), y + lane);
    Store64(hn::Add(Load64(ladj + lane), Log(hn::Mul(hn::Mul(ratio, ratio), slope))), ladj + lane);
  }
}

// z in [0, 1] -> y, solved from the end of the unit interval that is nearer: there 1 - z has lost its digits, and the
// place in the bin is counted from its upper end. `raw` is overwritten.
HWY_INLINE void SplineInverse(int64_t bins, int64_t count, int64_t stride, double* raw, double* z) {
  const Vector64 zero = hn::Zero(Lanes64());
  for (int64_t lane = 0; lane < count; lane += kLanes64) {
    const Vector64 value = Load64(z + lane);
    const Bin bin = FindBin<false>(bins, stride, raw + lane, value);
    const auto upper = hn::Gt(value, Number64(0.5));
    const Vector64 near = hn::IfThenElse(upper, bin.slope1, bin.slope0);
    const Vector64 distance = hn::IfThenElse(upper, hn::Sub(bin.y1, value), hn::Sub(value, bin.y0));
    const Vector64 offset = hn::IfThenElse(hn::Gt(distance, zero), distance, zero);
    const Vector64 twice = hn::Add(bin.s, bin.s);
    const Vector64 bend = hn::Sub(hn::Add(bin.slope0, bin.slope1), twice);
    const Vector64 a = hn::MulAdd(bin.dy, hn::Sub(bin.s, near), hn::Mul(offset, bend));
    const Vector64 b = hn::Sub(hn::Mul(bin.dy, near), hn::Mul(offset, bend));
    const Vector64 c = hn::Neg(hn::Mul(bin.s, offset));
    const Vector64 square = hn::NegMulAdd(hn::Mul(Number64(4), a), c, hn::Mul(b, b));
    const Vector64 root = hn::Sqrt(hn::IfThenElse(hn::Gt(square, zero), square, zero));
    const Vector64 place = Clamp64(hn::Div(hn::Add(c, c), hn::Neg(hn::Add(b, root))), 0, 1);
    const Vector64 y = hn::IfThenElse(upper, hn::NegMulAdd(bin.dx, place, bin.x1), hn::MulAdd(bin.dx, place, bin.x0));
    Store64(Clamp64(y, 0, 1), z + lane);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace creamery
HWY_AFTER_NAMESPACE();

#endif  // per target
