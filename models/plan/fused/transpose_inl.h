// Between rows of numbers, as users send and get them, and lines with rows in lanes. Included once per instruction set,
// hence no ordinary include guard.
#if defined(CREAMERY_MODELS_PLAN_FUSED_TRANSPOSE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CREAMERY_MODELS_PLAN_FUSED_TRANSPOSE_INL_H_
#undef CREAMERY_MODELS_PLAN_FUSED_TRANSPOSE_INL_H_
#else
#define CREAMERY_MODELS_PLAN_FUSED_TRANSPOSE_INL_H_
#endif

#include <algorithm>

#include "models/plan/fused/math64_inl.h"

HWY_BEFORE_NAMESPACE();
namespace creamery {
namespace HWY_NAMESPACE {

// As many vectors as one has lanes: number j of vector i and number i of vector j change places. In squares of four
// numbers, of two and of one.
HWY_INLINE void Transpose(Vector64 (&v)[kLanes64]) {
#if HWY_TARGET != HWY_SCALAR  // which has no lanes to move between
  const Lanes64 lanes;
  if constexpr (kLanes64 >= 8) {
    for (int64_t i = 0; i < 4; ++i) {
      const Vector64 lower = hn::ConcatLowerLower(lanes, v[i + 4], v[i]);
      v[i + 4] = hn::ConcatUpperUpper(lanes, v[i + 4], v[i]);
      v[i] = lower;
    }
  }
  if constexpr (kLanes64 >= 4) {
    for (int64_t i = 0; i < kLanes64; i += (i % 4 == 1) ? 3 : 1) {
      const Vector64 lower = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(v[i + 2]), v[i]);
      v[i + 2] = hn::OddEvenBlocks(v[i + 2], hn::SwapAdjacentBlocks(v[i]));
      v[i] = lower;
    }
  }
  for (int64_t i = 0; i < kLanes64; i += 2) {
    const Vector64 lower = hn::InterleaveLower(lanes, v[i], v[i + 1]);
    v[i + 1] = hn::InterleaveUpper(lanes, v[i], v[i + 1]);
    v[i] = lower;
  }
#else
  (void)v;
#endif
}

// Calls run(row, rows, column, columns) for pieces of at most kRows x kColumns numbers, which they tell.
template <int64_t kRows, int64_t kColumns, typename Run>
HWY_INLINE void ForPieces(int64_t rows, int64_t columns, const Run& run) {
  for (int64_t row = 0; row < rows; row += kRows) {
    for (int64_t column = 0; column < columns; column += kColumns) {
      run(row, std::min(kRows, rows - row), column, std::min(kColumns, columns - column));
    }
  }
}

// `columns` numbers of each of (rows, d) -> (columns, stride), a line per column; the last row again in the rest of
// `padded` rows, a multiple of kLanes64.
HWY_INLINE void RowsToLines(const double* numbers, int64_t d, int64_t rows, int64_t columns, int64_t padded,
                            int64_t stride, double* lines) {
  ForPieces<kLanes64, kLanes64>(padded, columns, [&](int64_t i, int64_t, int64_t j, int64_t count) HWY_ATTR {
    Vector64 v[kLanes64];
    for (int64_t k = 0; k < kLanes64; ++k) v[k] = LoadSome64(numbers + std::min(i + k, rows - 1) * d + j, count);
    Transpose(v);
    for (int64_t k = 0; k < count; ++k) Store64(v[k], lines + (j + k) * stride + i);
  });
}

// And back; lines are as long as whole vectors.
HWY_INLINE void LinesToRows(const double* lines, int64_t stride, int64_t d, int64_t rows, int64_t columns,
                            double* numbers) {
  ForPieces<kLanes64, kLanes64>(rows, columns, [&](int64_t i, int64_t some, int64_t j, int64_t count) HWY_ATTR {
    Vector64 v[kLanes64];
    for (int64_t k = 0; k < kLanes64; ++k) v[k] = Load64(lines + (j + std::min(k, count - 1)) * stride + i);
    Transpose(v);
    for (int64_t k = 0; k < some; ++k) StoreSome64(v[k], count, numbers + (i + k) * d + j);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace creamery
HWY_AFTER_NAMESPACE();

#endif  // per target
