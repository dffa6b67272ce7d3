// The transforms of autoregressive layers backwards, in float64, laid out as in transforms_inl.h. "Adjoint" of a
// quantity is the derivative of log p by it. Included once per instruction set, hence no ordinary include guard.
#if defined(CREAMERY_MODELS_PLAN_FUSED_BACKWARD_TRANSFORMS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CREAMERY_MODELS_PLAN_FUSED_BACKWARD_TRANSFORMS_INL_H_
#undef CREAMERY_MODELS_PLAN_FUSED_BACKWARD_TRANSFORMS_INL_H_
#else
#define CREAMERY_MODELS_PLAN_FUSED_BACKWARD_TRANSFORMS_INL_H_
#endif

#include "models/plan/fused/tile_inl.h"
#include "models/plan/fused/transforms_inl.h"

HWY_BEFORE_NAMESPACE();
namespace creamery {
namespace HWY_NAMESPACE {

// z = (y - mu) exp(-alpha), ladj = -alpha. adjoint: of z -> of y, but for what y does through the network.
template <typename T>
HWY_INLINE void AffineBackward(int64_t count, int64_t stride, const T* raw, const double* z, double* adjoint,
                               T* raw_adjoint) {
  for (int64_t lane = 0; lane < count; lane += kLanes64) {
    const Vector64 of_z = Load64(adjoint + lane);
    const Vector64 of_y = hn::Mul(of_z, Scale<T>(hn::Neg(LoadRaw(raw + stride + lane))));
    Store64(of_y, adjoint + lane);
    StoreInput(hn::Neg(of_y), raw_adjoint + lane);
    StoreInput(hn::NegMulAdd(of_z, Load64(z + lane), Number64(-1)), raw_adjoint + stride + lane);
  }
}

HWY_INLINE Vector64 SumOf(int64_t count, int64_t stride, const double* numbers) {
  Vector64 sum = hn::Zero(Lanes64());
  for (int64_t j = 0; j < count; ++j) sum = hn::Add(sum, Load64(numbers + j * stride));
  return sum;
}

// Of K knots made from `e`, exponentiated numbers, by a softmax: the adjoints of the two around bin `index` -> those of
// the numbers. The ends of the unit interval do not move.
HWY_INLINE void KnotsBackward(int64_t bins, int64_t stride, const double* e, Vector64 index, Vector64 lower,
                              Vector64 upper, double* raw_adjoint) {
  const Vector64 spread = Number64(1 - static_cast<double>(bins) * AutoregressiveLayer::kMinBin);
  const Vector64 zero = hn::Zero(Lanes64());
  const Mask64 is_last = hn::Eq(index, Number64(static_cast<double>(bins - 1)));
  // A share of the softmax moves the knots above its bin.
  const Vector64 of_bin = hn::Mul(hn::IfThenElse(is_last, zero, upper), spread);
  const Vector64 of_earlier = hn::MulAdd(hn::IfThenElse(hn::Eq(index, zero), zero, lower), spread, of_bin);
  const Vector64 inverse = hn::Div(Number64(1), SumOf(bins, stride, e));
  const auto share_adjoint = [&](int64_t j) HWY_ATTR {
    const Vector64 at = Number64(static_cast<double>(j));
    return hn::IfThenElse(hn::Gt(index, at), of_earlier, hn::IfThenElseZero(hn::Eq(index, at), of_bin));
  };
  Vector64 mean = zero;
  for (int64_t j = 0; j < bins; ++j) {
    mean = hn::MulAdd(hn::Mul(Load64(e + j * stride), inverse), share_adjoint(j), mean);
  }
  for (int64_t j = 0; j < bins; ++j) {
    const Vector64 share = hn::Mul(Load64(e + j * stride), inverse);
    Store64(hn::Mul(share, hn::Sub(share_adjoint(j), mean)), raw_adjoint + j * stride);
  }
}

// How many inner knots lie at or below `x`; `e` as above. The knots are those of FindBin, bit for bit.
HWY_INLINE Vector64 BinIndex(int64_t bins, int64_t stride, const double* e, Vector64 x) {
  const double spread = 1 - static_cast<double>(bins) * AutoregressiveLayer::kMinBin;
  const Vector64 scale = hn::Div(Number64(spread), SumOf(bins, stride, e));
  Vector64 knot = hn::Zero(Lanes64());
  Vector64 index = knot;
  for (int64_t j = 0; j + 1 < bins; ++j) {
    knot = hn::Add(knot, hn::MulAdd(scale, Load64(e + j * stride), Number64(AutoregressiveLayer::kMinBin)));
    index = hn::Add(index, hn::IfThenElseZero(hn::Ge(x, knot), Number64(1)));
  }
  return index;
}

// The adjoints of what a spline is made of, at x in a bin, from that of z; that of ladj is 1. See SplineAdjoint.
struct BinAdjoint {
  HWY_INLINE BinAdjoint(const Bin& bin, Vector64 at, Vector64 of_z) {
    const Vector64 one = Number64(1);
    const Vector64 xi = Clamp64(hn::Div(hn::Sub(at, bin.x0), bin.dx), 0, 1);
    const Vector64 eta = Clamp64(hn::Div(hn::Sub(bin.x1, at), bin.dx), 0, 1);
    const Vector64 product = hn::Mul(xi, eta);
    const Vector64 product2 = hn::Add(product, product);
    const Vector64 xi2 = hn::Mul(xi, xi);
    const Vector64 eta2 = hn::Mul(eta, eta);
    const Vector64 turn = hn::Sub(eta, xi);
    const Vector64 bend = hn::Sub(hn::Add(bin.slope0, bin.slope1), hn::Add(bin.s, bin.s));
    // z = y0 + dy numerator / denominator, ladj = 2 log s - 2 log denominator + log slope.
    const Vector64 numerator = hn::MulAdd(bin.s, xi2, hn::Mul(bin.slope0, product));
    const Vector64 denominator = hn::MulAdd(bend, product, bin.s);
    const Vector64 inverse = hn::Div(one, denominator);
    Vector64 slope = hn::MulAdd(bin.s, product2, hn::Mul(bin.slope0, eta2));
    slope = hn::MulAdd(bin.slope1, xi2, slope);

    const Vector64 quotient = hn::Mul(numerator, inverse);
    const Vector64 of_numerator = hn::Mul(hn::Mul(of_z, bin.dy), inverse);
    const Vector64 of_denominator = hn::Neg(hn::MulAdd(of_numerator, quotient, hn::Add(inverse, inverse)));
    const Vector64 of_slope = hn::Div(one, slope);
    Vector64 of_s = hn::Div(Number64(2), bin.s);
    of_s = hn::MulAdd(of_denominator, hn::Sub(one, product2), of_s);
    of_s = hn::MulAdd(of_numerator, xi2, of_s);
    of_s = hn::MulAdd(of_slope, product2, of_s);
    slope0 = hn::MulAdd(of_slope, eta2, hn::Mul(hn::Add(of_denominator, of_numerator), product));
    slope1 = hn::MulAdd(of_slope, xi2, hn::Mul(of_denominator, product));
    Vector64 of_xi = hn::Mul(of_denominator, hn::Mul(bend, turn));
    of_xi = hn::MulAdd(of_numerator, hn::MulAdd(hn::Add(bin.s, bin.s), xi, hn::Mul(bin.slope0, turn)), of_xi);
    Vector64 rise = hn::MulAdd(bin.slope1, xi, hn::Mul(bin.s, turn));
    rise = hn::NegMulAdd(bin.slope0, eta, rise);
    of_xi = hn::MulAdd(hn::Add(of_slope, of_slope), rise, of_xi);

    const Vector64 inverse_dx = hn::Div(one, bin.dx);
    x = hn::Mul(of_xi, inverse_dx);
    y1 = hn::MulAdd(of_s, inverse_dx, hn::Mul(of_z, quotient));
    y0 = hn::Sub(of_z, y1);
    x1 = hn::Neg(hn::Mul(hn::MulAdd(of_s, bin.s, hn::Mul(of_xi, xi)), inverse_dx));
    x0 = hn::Neg(hn::Add(x, x1));
  }

  Vector64 x, x0, x1, y0, y1, slope0, slope1;
};

// y in [0, 1]. adjoint: of z -> of y, but for what y does through the network. `raw` is overwritten.
HWY_INLINE void SplineBackward(int64_t bins, int64_t count, int64_t stride, double* raw, const double* y,
                               double* adjoint, double* raw_adjoint) {
  const Vector64 least = Number64(AutoregressiveLayer::kMinSlope);
  for (int64_t lane = 0; lane < count; lane += kLanes64) {
    const Vector64 x = Load64(y + lane);
    const Bin bin = FindBin<true>(bins, stride, raw + lane, x);  // leaves widths and heights exponentiated
    const Vector64 index = BinIndex(bins, stride, raw + lane, x);
    const BinAdjoint of(bin, x, Load64(adjoint + lane));
    Store64(of.x, adjoint + lane);
    double* to = raw_adjoint + lane;
    KnotsBackward(bins, stride, raw + lane, index, of.x0, of.x1, to);
    KnotsBackward(bins, stride, raw + bins * stride + lane, index, of.y0, of.y1, to + bins * stride);
    // softplus' = 1 - exp(-softplus)
    const auto of_raw = [&](Vector64 of_slope, Vector64 slope)
                            HWY_ATTR { return hn::Mul(of_slope, hn::Sub(Number64(1), Exp(hn::Sub(least, slope)))); };
    const Vector64 of_raw0 = of_raw(of.slope0, bin.slope0);
    const Vector64 of_raw1 = of_raw(of.slope1, bin.slope1);
    for (int64_t j = 0; j <= bins; ++j) {
      const Mask64 is0 = hn::Eq(index, Number64(static_cast<double>(j)));
      const Mask64 is1 = hn::Eq(index, Number64(static_cast<double>(j - 1)));
      Store64(hn::IfThenElse(is0, of_raw0, hn::IfThenElseZero(is1, of_raw1)), to + (2 * bins + j) * stride);
    }
  }
}

// y, z: before and after the transform. `raw` may be overwritten.
template <typename T>
HWY_INLINE void TransformBackward(const PackedLayer<T>& layer, int64_t count, T* raw, const double* y, const double* z,
                                  double* adjoint, T* raw_adjoint) {
  if constexpr (std::is_same_v<T, double>) {
    if (layer.kind == AutoregressiveLayer::Kind::kSpline) {
      return SplineBackward(layer.bins, count, count, raw, y, adjoint, raw_adjoint);
    }
  }
  AffineBackward(count, count, raw, z, adjoint, raw_adjoint);
}

}  // namespace HWY_NAMESPACE
}  // namespace creamery
HWY_AFTER_NAMESPACE();

#endif  // per target
