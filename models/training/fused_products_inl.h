// The masked linear maps of a tile of rows, forwards and backwards. Included once per instruction set, hence no
// ordinary include guard.
#if defined(CREAMERY_MODELS_TRAINING_FUSED_PRODUCTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CREAMERY_MODELS_TRAINING_FUSED_PRODUCTS_INL_H_
#undef CREAMERY_MODELS_TRAINING_FUSED_PRODUCTS_INL_H_
#else
#define CREAMERY_MODELS_TRAINING_FUSED_PRODUCTS_INL_H_
#endif

#include <algorithm>

#include "models/plan/fused/backward_products_inl.h"
#include "models/plan/fused/math_inl.h"
#include "models/plan/fused/products_inl.h"
#include "models/training/fused_layout.h"

HWY_BEFORE_NAMESPACE();
namespace creamery {
namespace HWY_NAMESPACE {

// Where rows are summed over, sums of kSide units times kSide units stay in registers.
constexpr int kSide = kManyRegisters ? 4 : 2;
constexpr int64_t kSumLanes = 16;  // rows are summed lane by lane, then over these lanes
constexpr int64_t kParts = kSumLanes / kLanes;
static_assert(kTileRows % kSumLanes == 0, "vectors divide a tile");

// out = weight in + bias, through tanh for hidden units.
template <bool kTanh>
HWY_INLINE void ForwardProduct(const FusedLinear& linear, const float* weights, const float* in, float* out) {
  const MaskedMap<float> map = {linear.in, weights + linear.weight, weights + linear.bias, linear.seen.data()};
  ForwardProduct<kTanh, kTileRows>(map, 0, linear.out, in, out);
}

// delta_in = weight^T delta_out, times 1 - hidden^2 where the inputs are hidden units, added to what is there where
// they are not.
template <bool kHidden>
HWY_INLINE void BackwardProduct(const FusedLinear& linear, const float* weights, const float* delta_out,
                                const float* hidden, float* delta_in) {
  const MaskedAdjoint<float> map = {linear.in, linear.out, weights + linear.weight, linear.viewer.data()};
  BackwardProduct<kHidden ? Below::kHidden : Below::kInput, kTileRows>(map, delta_out, hidden, delta_in);
}

// Sums over 16 lanes, of several vectors at once. 16 lanes become 4, number j being (j + j+8) + (j+4 + j+12), and these
// (0 + 2) + (1 + 3), whatever the width of a vector. Number [a][b] goes to `to` [kSide a + b].
#if HWY_MAX_BYTES >= 64
HWY_INLINE void StoreSums(const Vector (&sum)[kSide][kSide][kParts], float* to) {
  const Lanes lanes;
  const hn::Repartition<double, Lanes> pairs;
  // The fourths of vector a hold what is left of [a][b], in the end the number itself.
  Vector four[kSide];
  for (int b = 0; b < kSide; ++b) {
    const Vector v0 = sum[0][b][0], v1 = sum[1][b][0], v2 = sum[2][b][0], v3 = sum[3][b][0];
    const Vector v02 = hn::Add(hn::ConcatLowerLower(lanes, v2, v0), hn::ConcatUpperUpper(lanes, v2, v0));
    const Vector v13 = hn::Add(hn::ConcatLowerLower(lanes, v3, v1), hn::ConcatUpperUpper(lanes, v3, v1));
    four[b] = hn::Add(hn::OddEvenBlocks(hn::SwapAdjacentBlocks(v13), v02),
                      hn::OddEvenBlocks(v13, hn::SwapAdjacentBlocks(v02)));
  }
  const Vector v01 =
      hn::Add(hn::InterleaveLower(lanes, four[0], four[1]), hn::InterleaveUpper(lanes, four[0], four[1]));
  const Vector v23 =
      hn::Add(hn::InterleaveLower(lanes, four[2], four[3]), hn::InterleaveUpper(lanes, four[2], four[3]));
  const auto p01 = hn::BitCast(pairs, v01);
  const auto p23 = hn::BitCast(pairs, v23);
  Store(hn::Add(hn::BitCast(lanes, hn::InterleaveLower(pairs, p01, p23)),
                hn::BitCast(lanes, hn::InterleaveUpper(pairs, p01, p23))),
        to);
}
#elif HWY_MAX_BYTES >= 32
HWY_INLINE void StoreSums(const Vector (&sum)[kSide][kSide][kParts], float* to) {
  const hn::FixedTag<float, 4> four;
  hn::Vec<decltype(four)> left[4];
  for (int q = 0; q < 4; ++q) {
    const Vector(&parts)[kParts] = sum[q / kSide][q % kSide];
    const Vector eight = hn::Add(parts[0], parts[1]);
    left[q] = hn::Add(hn::LowerHalf(four, eight), hn::UpperHalf(four, eight));
  }
  const auto v01 = hn::Add(hn::InterleaveLower(four, left[0], left[1]), hn::InterleaveUpper(four, left[0], left[1]));
  const auto v23 = hn::Add(hn::InterleaveLower(four, left[2], left[3]), hn::InterleaveUpper(four, left[2], left[3]));
  hn::Store(hn::Add(hn::ConcatLowerLower(four, v23, v01), hn::ConcatUpperUpper(four, v23, v01)), four, to);
}
#else
HWY_INLINE void StoreSums(const Vector (&sum)[kSide][kSide][kParts], float* to) {
  for (int q = 0; q < kSide * kSide; ++q) {
    HWY_ALIGN float lane[kSumLanes];
    for (int64_t p = 0; p < kParts; ++p) Store(sum[q / kSide][q % kSide][p], lane + p * kLanes);
    float four[4];
    for (int j = 0; j < 4; ++j) four[j] = (lane[j] + lane[j + 8]) + (lane[j + 4] + lane[j + 12]);
    to[q] = (four[0] + four[2]) + (four[1] + four[3]);
  }
}
#endif

// gradient += sum over rows of delta x input, for the entries that the mask allows. Tiles lie `stride` floats apart.
HWY_INLINE void WeightGradient(const FusedLinear& linear, const float* in, const float* delta, int64_t stride,
                               int64_t tiles, float* gradient) {
  for (int64_t o = 0; o < linear.out; o += kSide) {
    const int64_t last = std::min(o + kSide, linear.out) - 1;
    const int64_t seen = linear.seen[last];
    const float* y[kSide];
    for (int a = 0; a < kSide; ++a) y[a] = delta + std::min(o + a, last) * kTileRows;
    for (int64_t i = 0; i < seen; i += kSide) {
      const float* x[kSide];
      for (int b = 0; b < kSide; ++b) x[b] = in + std::min(i + b, seen - 1) * kTileRows;
      Vector sum[kSide][kSide][kParts];
      for (int a = 0; a < kSide; ++a) {
        for (int b = 0; b < kSide; ++b) {
          for (int64_t p = 0; p < kParts; ++p) sum[a][b][p] = hn::Zero(Lanes());
        }
      }
      for (int64_t tile = 0; tile < tiles; ++tile) {
        for (int64_t lane = tile * stride; lane < tile * stride + kTileRows; lane += kSumLanes) {
          for (int64_t p = 0; p < kParts; ++p) {
            Vector value[kSide];
            for (int b = 0; b < kSide; ++b) value[b] = Load(x[b] + lane + p * kLanes);
            for (int a = 0; a < kSide; ++a) {
              const Vector d = Load(y[a] + lane + p * kLanes);
              for (int b = 0; b < kSide; ++b) sum[a][b][p] = hn::MulAdd(d, value[b], sum[a][b][p]);
            }
          }
        }
      }
      HWY_ALIGN float sums[kSide * kSide];
      StoreSums(sum, sums);
      for (int64_t a = 0; o + a <= last; ++a) {
        float* row = gradient + linear.weight + (o + a) * linear.in + i;
        const int64_t allowed = std::min<int64_t>(kSide, linear.seen[o + a] - i);
        for (int64_t b = 0; b < allowed; ++b) row[b] += sums[a * kSide + b];
      }
    }
  }
}

// gradient += sum over rows of delta.
HWY_INLINE void BiasGradient(const FusedLinear& linear, const float* delta, int64_t stride, int64_t tiles,
                             float* gradient) {
  constexpr int64_t kSums = kSide * kSide;
  for (int64_t o = 0; o < linear.out; o += kSums) {
    const int64_t count = std::min(kSums, linear.out - o);
    Vector sum[kSide][kSide][kParts];
    for (int64_t a = 0; a < kSide; ++a) {  // kSide sums at a time, for none to wait for itself
      const float* y[kSide];
      for (int64_t b = 0; b < kSide; ++b) y[b] = delta + (o + std::min(a * kSide + b, count - 1)) * kTileRows;
      for (int64_t b = 0; b < kSide; ++b) {
        for (int64_t p = 0; p < kParts; ++p) sum[a][b][p] = hn::Zero(Lanes());
      }
      for (int64_t tile = 0; tile < tiles; ++tile) {
        for (int64_t lane = tile * stride; lane < tile * stride + kTileRows; lane += kSumLanes) {
          for (int64_t b = 0; b < kSide; ++b) {
            for (int64_t p = 0; p < kParts; ++p) sum[a][b][p] = hn::Add(sum[a][b][p], Load(y[b] + lane + p * kLanes));
          }
        }
      }
    }
    HWY_ALIGN float sums[kSums];
    StoreSums(sum, sums);
    for (int64_t q = 0; q < count; ++q) gradient[linear.bias + o + q] += sums[q];
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace creamery
HWY_AFTER_NAMESPACE();

#endif  // per target
