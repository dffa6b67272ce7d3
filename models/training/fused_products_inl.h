// The masked linear maps of a tile of rows, forwards and backwards. Included once per instruction set, hence no
// ordinary include guard.
#if defined(CREAMERY_MODELS_TRAINING_FUSED_PRODUCTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CREAMERY_MODELS_TRAINING_FUSED_PRODUCTS_INL_H_
#undef CREAMERY_MODELS_TRAINING_FUSED_PRODUCTS_INL_H_
#else
#define CREAMERY_MODELS_TRAINING_FUSED_PRODUCTS_INL_H_
#endif

#include <algorithm>

#include "models/plan/fused/math_inl.h"
#include "models/plan/fused/products_inl.h"
#include "models/training/fused_layout.h"

HWY_BEFORE_NAMESPACE();
namespace creamery {
namespace HWY_NAMESPACE {

// Accumulators that stay in registers: kUnits units of a linear map times kWidth vectors of rows, or units times units
// where rows are summed over.
constexpr int kWidth = kManyRegisters ? 4 : 2;
constexpr int kSide = kManyRegisters ? 4 : 2;
constexpr int64_t kSumLanes = 16;  // rows are summed lane by lane, then over these lanes
constexpr int64_t kParts = kSumLanes / kLanes;
static_assert(kTileRows % (kWidth * kLanes) == 0 && kTileRows % kSumLanes == 0, "vectors divide a tile");

// out = weight in + bias, through tanh for hidden units.
template <bool kTanh>
HWY_INLINE void ForwardProduct(const FusedLinear& linear, const float* weights, const float* in, float* out) {
  const MaskedMap<float> map = {linear.in, weights + linear.weight, weights + linear.bias, linear.seen.data()};
  ForwardProduct<kTanh, kTileRows>(map, 0, linear.out, in, out);
}

// delta_in = weight^T delta_out, times 1 - hidden^2 where the inputs are hidden units, added to what is there where
// they are not.
template <bool kHidden>
HWY_INLINE void BackwardProduct(const FusedLinear& linear, const float* weights, const float* HWY_RESTRICT delta_out,
                                const float* HWY_RESTRICT hidden, float* HWY_RESTRICT delta_in) {
  for (int64_t i = 0; i < linear.in; i += kUnits) {
    const int64_t last = std::min(i + kUnits, linear.in) - 1;
    const int64_t viewer = linear.viewer[i];
    int64_t unit[kUnits];
    for (int u = 0; u < kUnits; ++u) unit[u] = std::min(i + u, last);
    for (int64_t lane = 0; lane < kTileRows; lane += kWidth * kLanes) {
      Vector sum[kUnits][kWidth];
      for (int u = 0; u < kUnits; ++u) {
        for (int v = 0; v < kWidth; ++v) sum[u][v] = hn::Zero(Lanes());
      }
      const float* y = delta_out + viewer * kTileRows + lane;
      const float* row = weights + linear.weight + viewer * linear.in;
      for (int64_t o = viewer; o < linear.out; ++o, y += kTileRows, row += linear.in) {
        Vector value[kWidth];
        for (int v = 0; v < kWidth; ++v) value[v] = Load(y + v * kLanes);
        for (int u = 0; u < kUnits; ++u) {
          const Vector w = Number(row[unit[u]]);
          for (int v = 0; v < kWidth; ++v) sum[u][v] = hn::MulAdd(w, value[v], sum[u][v]);
        }
      }
      for (int u = 0; u < kUnits && i + u <= last; ++u) {
        const int64_t at = unit[u] * kTileRows + lane;
        for (int v = 0; v < kWidth; ++v) {
          float* to = delta_in + at + v * kLanes;
          if (kHidden) {
            const Vector h = Load(hidden + at + v * kLanes);
            Store(hn::Mul(sum[u][v], hn::NegMulAdd(h, h, Number(1))), to);
          } else {
            Store(hn::Add(sum[u][v], Load(to)), to);
          }
        }
      }
    }
  }
}

// The sums over the lanes of four vectors of 16 lanes. 16 lanes become 4, number j being (j + j+8) + (j+4 + j+12),
// and these (0 + 2) + (1 + 3), whatever the width of a vector.
#if HWY_MAX_BYTES >= 32
using Four = hn::FixedTag<float, 4>;

HWY_INLINE hn::Vec<Four> Fold(const Vector (&sum)[kParts]) {
#if HWY_MAX_BYTES >= 64
  const hn::Half<Lanes> wide;
  const auto eight = hn::Add(hn::LowerHalf(wide, sum[0]), hn::UpperHalf(wide, sum[0]));
#else
  const auto eight = hn::Add(sum[0], sum[1]);
#endif
  const Four four;
  return hn::Add(hn::LowerHalf(four, eight), hn::UpperHalf(four, eight));
}

HWY_INLINE void StoreSums(const Vector (&v0)[kParts], const Vector (&v1)[kParts], const Vector (&v2)[kParts],
                          const Vector (&v3)[kParts], float* to) {
  const Four four;
  const auto a = Fold(v0);
  const auto b = Fold(v1);
  const auto c = Fold(v2);
  const auto d = Fold(v3);
  const auto ab = hn::Add(hn::InterleaveLower(four, a, b), hn::InterleaveUpper(four, a, b));
  const auto cd = hn::Add(hn::InterleaveLower(four, c, d), hn::InterleaveUpper(four, c, d));
  hn::StoreU(hn::Add(hn::ConcatLowerLower(four, cd, ab), hn::ConcatUpperUpper(four, cd, ab)), four, to);
}
#else
HWY_INLINE float SumLanes(const Vector (&sum)[kParts]) {
  HWY_ALIGN float lane[kSumLanes];
  for (int64_t p = 0; p < kParts; ++p) Store(sum[p], lane + p * kLanes);
  float four[4];
  for (int j = 0; j < 4; ++j) four[j] = (lane[j] + lane[j + 8]) + (lane[j + 4] + lane[j + 12]);
  return (four[0] + four[2]) + (four[1] + four[3]);
}

HWY_INLINE void StoreSums(const Vector (&v0)[kParts], const Vector (&v1)[kParts], const Vector (&v2)[kParts],
                          const Vector (&v3)[kParts], float* to) {
  to[0] = SumLanes(v0);
  to[1] = SumLanes(v1);
  to[2] = SumLanes(v2);
  to[3] = SumLanes(v3);
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
      float sums[kSide * kSide];
      for (int q = 0; q < kSide * kSide; q += 4) {
        StoreSums(sum[q / kSide][q % kSide], sum[(q + 1) / kSide][(q + 1) % kSide],
                  sum[(q + 2) / kSide][(q + 2) % kSide], sum[(q + 3) / kSide][(q + 3) % kSide], sums + q);
      }
      for (int64_t a = 0; o + a <= last; ++a) {
        float* row = gradient + linear.weight + (o + a) * linear.in;
        const int64_t end = std::min<int64_t>(i + kSide, linear.seen[o + a]);
        for (int64_t b = i; b < end; ++b) row[b] += sums[a * kSide + b - i];
      }
    }
  }
}

// gradient += sum over rows of delta.
HWY_INLINE void BiasGradient(const FusedLinear& linear, const float* delta, int64_t stride, int64_t tiles,
                             float* gradient) {
  for (int64_t o = 0; o < linear.out; o += 4) {
    const int64_t last = std::min<int64_t>(o + 4, linear.out) - 1;
    const float* y[4];
    for (int a = 0; a < 4; ++a) y[a] = delta + std::min(o + a, last) * kTileRows;
    Vector sum[4][kParts];
    for (int a = 0; a < 4; ++a) {
      for (int64_t p = 0; p < kParts; ++p) sum[a][p] = hn::Zero(Lanes());
    }
    for (int64_t tile = 0; tile < tiles; ++tile) {
      for (int64_t lane = tile * stride; lane < tile * stride + kTileRows; lane += kSumLanes) {
        for (int64_t p = 0; p < kParts; ++p) {
          for (int a = 0; a < 4; ++a) sum[a][p] = hn::Add(sum[a][p], Load(y[a] + lane + p * kLanes));
        }
      }
    }
    float sums[4];
    StoreSums(sum[0], sum[1], sum[2], sum[3], sums);
    for (int64_t a = 0; o + a <= last; ++a) gradient[linear.bias + o + a] += sums[a];
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace creamery
HWY_AFTER_NAMESPACE();

#endif  // per target
