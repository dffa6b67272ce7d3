// The instruction sets that vector kernels are compiled for. Included before <hwy/foreach_target.h>.
#ifndef CREAMERY_MODELS_SIMD_TARGETS_H_
#define CREAMERY_MODELS_SIMD_TARGETS_H_

// Processors without a fused multiply-add get the baseline; what lies between would only take time to compile.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)

#endif  // CREAMERY_MODELS_SIMD_TARGETS_H_
