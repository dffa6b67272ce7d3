#include "models/plan/fused/base.h"

#include "models/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/plan/fused/base.cc"
#include <hwy/foreach_target.h>  // compiles this file once per instruction set
#include <hwy/highway.h>

#include <algorithm>
#include <limits>

#include "models/plan/fused/normal64_inl.h"
#include "models/plan/fused/transpose_inl.h"

HWY_BEFORE_NAMESPACE();
namespace creamery {
namespace HWY_NAMESPACE {

// Those in the tails are put aside and answered together.
void QuantileVectors(const double* p, int64_t count, double* x) {
  constexpr int64_t kAtOnce = 256;
  const Lanes64 lanes;
  const hn::RebindToSigned<Lanes64> indices;
  double tail[kAtOnce + kLanes64];
  int64_t place[kAtOnce + kLanes64];
  const auto position = [](Vector64 u) HWY_ATTR { return UnitPosition64{u, hn::Sub(Number64(1), u)}; };
  for (int64_t begin = 0; begin < count; begin += kAtOnce) {
    const int64_t end = std::min(begin + kAtOnce, count);
    int64_t tails = 0;
    for (int64_t i = begin; i < end; i += kLanes64) {
      const Vector64 u = LoadSome64(p + i, end - i);
      const QuantilePart64 part = StartQuantile(position(u));
      const Mask64 in_tail = hn::And(IsInTail(part), hn::FirstN(lanes, end - i));
      hn::CompressStore(hn::Iota(indices, i), hn::RebindMask(indices, in_tail), indices, place + tails);
      StoreSome64(CentralQuantile(part), end - i, x + i);
      tails += static_cast<int64_t>(hn::CompressStore(u, in_tail, lanes, tail + tails));
    }
    for (int64_t i = 0; i < tails; i += kLanes64) {
      double some[kLanes64];
      Store64(TailQuantile(StartQuantile(position(LoadSome64(tail + i, tails - i)))), some);
      for (int64_t k = 0; k < std::min(kLanes64, tails - i); ++k) x[place[i + k]] = some[k];
    }
  }
}

void CdfVectors(const double* x, int64_t count, double* p) {
  for (int64_t i = 0; i < count; i += kLanes64) {
    StoreSome64(NormalCdf(LoadSome64(x + i, count - i)).below, count - i, p + i);
  }
}

// Never 0 or 1.
HWY_INLINE void MoveInside(double* u, int64_t count) {
  for (int64_t i = 0; i < count; i += kLanes64) {
    const Vector64 inside = Clamp64(LoadSome64(u + i, count - i), std::numeric_limits<double>::min(), 1 - 0x1p-53);
    StoreSome64(inside, count - i, u + i);
  }
}

void FromUnit(const double* u, int64_t d, int64_t rows, int64_t stride, bool is_normal, double* z) {
  RowsToLines(u, d, rows, d, stride, stride, z);
  MoveInside(z, d * stride);
  if (is_normal) QuantileVectors(z, d * stride, z);
}

void ToUnit(double* z, int64_t d, int64_t rows, int64_t stride, bool is_normal, double* u) {
  if (is_normal) CdfVectors(z, d * stride, z);
  MoveInside(z, d * stride);
  if (stride == 1) {
    std::copy_n(z, d, u);
  } else {
    LinesToRows(z, stride, d, rows, d, u);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace creamery
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace creamery {

HWY_EXPORT(FromUnit);
HWY_EXPORT(ToUnit);
HWY_EXPORT(QuantileVectors);
HWY_EXPORT(CdfVectors);

void UnitToBase(const double* u, int64_t d, int64_t rows, int64_t stride, bool is_normal, double* z) {
  HWY_DYNAMIC_DISPATCH(FromUnit)(u, d, rows, stride, is_normal, z);
}

void BaseToUnit(double* z, int64_t d, int64_t rows, int64_t stride, bool is_normal, double* u) {
  HWY_DYNAMIC_DISPATCH(ToUnit)(z, d, rows, stride, is_normal, u);
}

void NormalQuantiles(const double* p, int64_t count, double* x) { HWY_DYNAMIC_DISPATCH(QuantileVectors)(p, count, x); }

void NormalCdfs(const double* x, int64_t count, double* p) { HWY_DYNAMIC_DISPATCH(CdfVectors)(x, count, p); }

}  // namespace creamery
#endif  // HWY_ONCE
