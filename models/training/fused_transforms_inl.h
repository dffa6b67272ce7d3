// The element-wise transforms of a tile of rows, forwards and backwards: transforms.h by hand. Included once per
// instruction set, hence no ordinary include guard.
#if defined(CREAMERY_MODELS_TRAINING_FUSED_TRANSFORMS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CREAMERY_MODELS_TRAINING_FUSED_TRANSFORMS_INL_H_
#undef CREAMERY_MODELS_TRAINING_FUSED_TRANSFORMS_INL_H_
#else
#define CREAMERY_MODELS_TRAINING_FUSED_TRANSFORMS_INL_H_
#endif

#include <cmath>

#include "models/plan/fused/math_inl.h"
#include "models/training/fused_layout.h"

HWY_BEFORE_NAMESPACE();
namespace creamery {
namespace HWY_NAMESPACE {

// z = (y - mu) exp(-alpha), ladj -= alpha. Leaves exp(-alpha) where alpha was.
HWY_INLINE void AffineForward(const float* y, float* raw, float* z, float* ladj) {
  for (int64_t lane = 0; lane < kTileRows; lane += kLanes) {
    float* alpha = raw + kTileRows + lane;
    const Vector a = Load(alpha);
    const Vector e = Exp(hn::Neg(a));
    Store(hn::Mul(hn::Sub(Load(y + lane), Load(raw + lane)), e), z + lane);
    Store(hn::Sub(Load(ladj + lane), a), ladj + lane);
    Store(e, alpha);
  }
}

// `scale` is minus the gradient of ladj. Leaves the gradients of mu and alpha in `raw`.
HWY_INLINE void AffineBackward(const float* z, const float* scale, const float* delta_z, float* raw, float* delta_y) {
  for (int64_t lane = 0; lane < kTileRows; lane += kLanes) {
    float* mu = raw + lane;
    float* alpha = raw + kTileRows + lane;
    const Vector g = Load(delta_z + lane);
    const Vector ge = hn::Mul(g, Load(alpha));
    Store(ge, delta_y + lane);
    Store(hn::Neg(ge), mu);
    Store(hn::NegMulAdd(g, Load(z + lane), Load(scale + lane)), alpha);
  }
}

// What the backward pass needs of the bin that a row lies in; one line each.
enum SplineLine { kBin, kBinWidth, kXEnd, kHeight, kYEnd, kSlope0, kSlope1, kSigmoid0, kSigmoid1 };

constexpr float kMinBin = static_cast<float>(AutoregressiveLayer::kMinBin);
constexpr float kMinSlope = static_cast<float>(AutoregressiveLayer::kMinSlope);

// raw[0..bins) -> softmax, in place.
HWY_INLINE void Softmax(int64_t bins, float* raw) {
  Vector most = Load(raw);
  for (int64_t j = 1; j < bins; ++j) {
    const Vector value = Load(raw + j * kTileRows);
    most = hn::IfThenElse(hn::Gt(value, most), value, most);
  }
  Vector sum = hn::Zero(Lanes());
  for (int64_t j = 0; j < bins; ++j) {
    const Vector e = Exp(hn::Sub(Load(raw + j * kTileRows), most));
    sum = hn::Add(sum, e);
    Store(e, raw + j * kTileRows);
  }
  const Vector inverse = hn::Div(Number(1), sum);
  for (int64_t j = 0; j < bins; ++j) Store(hn::Mul(Load(raw + j * kTileRows), inverse), raw + j * kTileRows);
}

// Of a bin: slopes at its ends, height over width, the place in it from 0 to 1 and what follows from them (Durkan et
// al. 2019, eqs. 4 and 5).
struct SplineBin {
  Vector width, height, slope0, slope1;
  Vector s, xi, rest, product;                      // s = height / width, rest = 1 - xi, product = xi rest
  Vector curve;                                     // slope0 + slope1 - 2 s
  Vector inverse_denominator, quotient, numerator;  // z = y_end - height + height quotient, ladj = log(s^2 N / D^2)

  SplineBin(Vector y, const float* saved) {
    const Vector one = Number(1);
    width = Load(saved + kBinWidth * kTileRows);
    height = Load(saved + kHeight * kTileRows);
    slope0 = Load(saved + kSlope0 * kTileRows);
    slope1 = Load(saved + kSlope1 * kTileRows);
    s = hn::Div(height, width);
    xi = Clamp(hn::Add(hn::Div(hn::Sub(y, Load(saved + kXEnd * kTileRows)), width), one), 0, 1);
    rest = hn::Sub(one, xi);
    product = hn::Mul(xi, rest);
    const Vector twice = hn::Add(s, s);
    curve = hn::Sub(hn::Add(slope0, slope1), twice);
    inverse_denominator = hn::Div(one, hn::MulAdd(curve, product, s));
    quotient = hn::Mul(hn::MulAdd(hn::Mul(s, xi), xi, hn::Mul(slope0, product)), inverse_denominator);
    numerator = hn::MulAdd(hn::Mul(slope1, xi), xi, hn::MulAdd(twice, product, hn::Mul(hn::Mul(slope0, rest), rest)));
  }
};

// Leaves the softmax of widths and heights in `raw`, and the bin in `saved`.
HWY_INLINE void SplineForward(int64_t bins, const float* y_lines, float* raw_lines, float* saved_lines, float* z_lines,
                              float* ladj_lines) {
  const Vector share = Number(1 - static_cast<float>(bins) * kMinBin);
  const Vector slope_offset = Number(std::log(std::expm1(1 - static_cast<float>(AutoregressiveLayer::kMinSlope))));
  for (int64_t lane = 0; lane < kTileRows; lane += kLanes) {
    float* raw = raw_lines + lane;
    float* saved = saved_lines + lane;
    float* heights = raw + bins * kTileRows;
    const float* slopes = heights + bins * kTileRows;
    const Vector y = Load(y_lines + lane);
    Softmax(bins, raw);
    Softmax(bins, heights);

    // Bin j is the one while y lies beyond the end of bin j - 1.
    Vector bin = hn::Zero(Lanes());
    Vector width = hn::MulAdd(Load(raw), share, Number(kMinBin));
    Vector x_end = width;
    Vector height = hn::MulAdd(Load(heights), share, Number(kMinBin));
    Vector y_end = height;
    Vector raw0 = Load(slopes);
    Vector raw1 = Load(slopes + kTileRows);
    Vector x_sum = width;
    Vector y_sum = height;
    for (int64_t j = 1; j < bins; ++j) {
      const auto beyond = hn::Ge(y, x_sum);
      const Vector w = hn::MulAdd(Load(raw + j * kTileRows), share, Number(kMinBin));
      const Vector h = hn::MulAdd(Load(heights + j * kTileRows), share, Number(kMinBin));
      // The box's corner has no rounding: a row that lies there stays there, through narrow bins of many layers.
      x_sum = j + 1 < bins ? hn::Add(x_sum, w) : Number(1);
      y_sum = j + 1 < bins ? hn::Add(y_sum, h) : Number(1);
      bin = hn::IfThenElse(beyond, Number(static_cast<float>(j)), bin);
      width = hn::IfThenElse(beyond, w, width);
      x_end = hn::IfThenElse(beyond, x_sum, x_end);
      height = hn::IfThenElse(beyond, h, height);
      y_end = hn::IfThenElse(beyond, y_sum, y_end);
      raw0 = hn::IfThenElse(beyond, Load(slopes + j * kTileRows), raw0);
      raw1 = hn::IfThenElse(beyond, Load(slopes + (j + 1) * kTileRows), raw1);
    }
    Vector sigmoid0;
    Vector sigmoid1;
    const Vector slope0 = hn::Add(Softplus(hn::Add(raw0, slope_offset), sigmoid0), Number(kMinSlope));
    const Vector slope1 = hn::Add(Softplus(hn::Add(raw1, slope_offset), sigmoid1), Number(kMinSlope));
    const Vector keep[FusedLayer::kSavedLines] = {bin, width, x_end, height, y_end, slope0, slope1, sigmoid0, sigmoid1};
    for (int64_t k = 0; k < FusedLayer::kSavedLines; ++k) Store(keep[k], saved + k * kTileRows);

    const SplineBin at(y, saved);
    Store(hn::MulAdd(height, hn::Sub(at.quotient, Number(1)), y_end), z_lines + lane);
    const Vector slope = hn::Mul(at.s, at.inverse_denominator);
    const Vector ladj = Log(hn::Mul(hn::Mul(slope, slope), at.numerator));
    Store(hn::Add(Load(ladj_lines + lane), ladj), ladj_lines + lane);
  }
}

// softmax -> gradient of what it was taken of, in place, where bin `bin` has `delta_size`, and its end, the sum of the
// sizes up to it, has `delta_end`. What lies below, at and above the bin is summed apart: differences of these sums
// from 1 would be lost to rounding, at the last bin, whose end is fixed, all of it.
HWY_INLINE void SoftmaxBackward(int64_t bins, Vector bin, Vector delta_size, Vector delta_end, float* share_of_bin) {
  const Vector zero = hn::Zero(Lanes());
  Vector below = zero;
  Vector at = zero;
  Vector above = zero;
  for (int64_t j = 0; j < bins; ++j) {
    const Vector p = Load(share_of_bin + j * kTileRows);
    const Vector number = Number(static_cast<float>(j));
    below = hn::Add(below, hn::IfThenElse(hn::Gt(bin, number), p, zero));
    at = hn::IfThenElse(hn::Eq(bin, number), p, at);
    above = hn::Add(above, hn::IfThenElse(hn::Lt(bin, number), p, zero));
  }
  const Vector share = Number(1 - static_cast<float>(bins) * kMinBin);
  delta_size = hn::Mul(delta_size, share);
  delta_end = hn::Mul(delta_end, share);
  const Vector g_below = hn::NegMulAdd(delta_size, at, hn::Mul(delta_end, above));
  const Vector g_at = hn::MulAdd(delta_size, hn::Add(below, above), hn::Mul(delta_end, above));
  const Vector g_above = hn::Neg(hn::MulAdd(delta_size, at, hn::Mul(delta_end, hn::Add(below, at))));
  for (int64_t j = 0; j < bins; ++j) {
    float* p = share_of_bin + j * kTileRows;
    const Vector number = Number(static_cast<float>(j));
    const Vector g = hn::IfThenElse(hn::Gt(bin, number), g_below, hn::IfThenElse(hn::Eq(bin, number), g_at, g_above));
    Store(hn::Mul(Load(p), g), p);
  }
}

// `scale` is minus the gradient of ladj. Leaves the gradients of widths, heights and slopes in `raw`.
HWY_INLINE void SplineBackward(int64_t bins, const float* y_lines, const float* scale, const float* delta_z,
                               const float* saved_lines, float* raw_lines, float* delta_y) {
  const Vector one = Number(1);
  const Vector zero = hn::Zero(Lanes());
  for (int64_t lane = 0; lane < kTileRows; lane += kLanes) {
    float* raw = raw_lines + lane;
    const float* saved = saved_lines + lane;
    const SplineBin at(Load(y_lines + lane), saved);
    const Vector g_z = Load(delta_z + lane);
    const Vector g_ladj = hn::Neg(Load(scale + lane));
    const Vector g_ladj2 = hn::Add(g_ladj, g_ladj);
    const Vector inverse_width = hn::Div(one, at.width);

    // With q = quotient = n / D: z = y_end - h + h n / D, ladj = 2 log s - 2 log D + log N.
    const Vector g_n = hn::Mul(hn::Mul(g_z, at.height), at.inverse_denominator);
    const Vector g_d = hn::Neg(hn::MulAdd(g_n, at.quotient, hn::Mul(g_ladj2, at.inverse_denominator)));
    const Vector g_num = hn::Div(g_ladj, at.numerator);
    const Vector product2 = hn::Add(at.product, at.product);
    const Vector xi2 = hn::Mul(at.xi, at.xi);

    Vector g_s = hn::Div(g_ladj2, at.s);
    g_s = hn::MulAdd(g_n, xi2, g_s);
    g_s = hn::MulAdd(g_d, hn::Sub(one, product2), g_s);
    g_s = hn::MulAdd(g_num, product2, g_s);
    const Vector g_slope0 = hn::MulAdd(g_num, hn::Mul(at.rest, at.rest), hn::Mul(hn::Add(g_n, g_d), at.product));
    const Vector g_slope1 = hn::MulAdd(g_num, xi2, hn::Mul(g_d, at.product));
    Vector g_product = hn::Mul(g_n, at.slope0);
    g_product = hn::MulAdd(g_d, at.curve, g_product);
    g_product = hn::MulAdd(hn::Add(g_num, g_num), at.s, g_product);
    Vector g_xi = hn::Mul(hn::Mul(g_n, at.s), at.xi);
    g_xi = hn::MulAdd(g_num, hn::Sub(hn::Mul(at.slope1, at.xi), hn::Mul(at.slope0, at.rest)), g_xi);
    g_xi = hn::MulAdd(g_product, hn::Sub(at.rest, at.xi), hn::Add(g_xi, g_xi));

    // s = h / w and xi = (y - x_end) / w + 1.
    const Vector g_y = hn::Mul(g_xi, inverse_width);
    const Vector g_height = hn::MulAdd(g_s, inverse_width, hn::Mul(g_z, hn::Sub(at.quotient, one)));
    const Vector g_width = hn::Mul(hn::NegMulAdd(g_s, at.s, hn::Mul(g_xi, at.rest)), inverse_width);
    Store(g_y, delta_y + lane);

    const Vector bin = Load(saved + kBin * kTileRows);
    SoftmaxBackward(bins, bin, g_width, hn::Neg(g_y), raw);
    SoftmaxBackward(bins, bin, g_height, g_z, raw + bins * kTileRows);
    const Vector g_raw0 = hn::Mul(g_slope0, Load(saved + kSigmoid0 * kTileRows));
    const Vector g_raw1 = hn::Mul(g_slope1, Load(saved + kSigmoid1 * kTileRows));
    float* slopes = raw + 2 * bins * kTileRows;
    for (int64_t j = 0; j <= bins; ++j) {
      const auto is0 = hn::Eq(bin, Number(static_cast<float>(j)));
      const auto is1 = hn::Eq(bin, Number(static_cast<float>(j - 1)));
      Store(hn::IfThenElse(is0, g_raw0, hn::IfThenElse(is1, g_raw1, zero)), slopes + j * kTileRows);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace creamery
HWY_AFTER_NAMESPACE();

#endif  // per target
