#include "models/plan/fused/kernels.h"

#include "models/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/plan/fused/kernels.cc"
#include <hwy/foreach_target.h>  // compiles this file once per instruction set
#include <hwy/highway.h>

#include <algorithm>

#include "models/plan/fused/row_inl.h"
#include "models/plan/fused/tile_inl.h"

HWY_BEFORE_NAMESPACE();
namespace creamery {
namespace HWY_NAMESPACE {

template <typename T>
HWY_INLINE void ForwardOf(const PackedPlan<T>& plan, int64_t rows, KernelMemory<T>& memory) {
  if (rows == 1) return ForwardOneRow(plan, memory);
  if (rows == kTileOfFew) return ForwardRows<kTileOfFew>(plan, memory);
  ForwardRows<kTileOfMany>(plan, memory);
}

template <typename T>
HWY_INLINE void InverseOf(const PackedPlan<T>& plan, int64_t rows, KernelMemory<T>& memory) {
  if (rows == kTileOfFew) return InverseRows<kTileOfFew>(plan, memory);
  InverseRows<kTileOfMany>(plan, memory);
}

void ForwardFloat(const PackedPlan<float>& plan, int64_t rows, KernelMemory<float>& memory) {
  ForwardOf(plan, rows, memory);
}
void ForwardDouble(const PackedPlan<double>& plan, int64_t rows, KernelMemory<double>& memory) {
  ForwardOf(plan, rows, memory);
}
void InverseFloat(const PackedPlan<float>& plan, int64_t rows, KernelMemory<float>& memory) {
  InverseOf(plan, rows, memory);
}
void InverseDouble(const PackedPlan<double>& plan, int64_t rows, KernelMemory<double>& memory) {
  InverseOf(plan, rows, memory);
}

}  // namespace HWY_NAMESPACE
}  // namespace creamery
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace creamery {

HWY_EXPORT(ForwardFloat);
HWY_EXPORT(ForwardDouble);
HWY_EXPORT(InverseFloat);
HWY_EXPORT(InverseDouble);

void RunForward(const PackedPlan<float>& plan, int64_t rows, KernelMemory<float>& memory) {
  HWY_DYNAMIC_DISPATCH(ForwardFloat)(plan, rows, memory);
}
void RunForward(const PackedPlan<double>& plan, int64_t rows, KernelMemory<double>& memory) {
  HWY_DYNAMIC_DISPATCH(ForwardDouble)(plan, rows, memory);
}
void RunInverse(const PackedPlan<float>& plan, int64_t rows, KernelMemory<float>& memory) {
  HWY_DYNAMIC_DISPATCH(InverseFloat)(plan, rows, memory);
}
void RunInverse(const PackedPlan<double>& plan, int64_t rows, KernelMemory<double>& memory) {
  HWY_DYNAMIC_DISPATCH(InverseDouble)(plan, rows, memory);
}

}  // namespace creamery
#endif  // HWY_ONCE
