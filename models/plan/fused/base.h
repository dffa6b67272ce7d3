// The base of a plan: places in the unit cube, which users have row by row, and z, with rows in lanes.
#ifndef CREAMERY_MODELS_PLAN_FUSED_BASE_H_
#define CREAMERY_MODELS_PLAN_FUSED_BASE_H_

#include <cstdint>

namespace creamery {

// Tiles, as in column_maps.h. u: (rows, d), z: (d, stride); the normal base is N(0, I), the other one U(0, 1)^d. Places
// come to lie between the smallest normal number and 1 - 2^-53.
void UnitToBase(const double* u, int64_t d, int64_t rows, int64_t stride, bool is_normal, double* z);
// z is overwritten. With stride 1, one row.
void BaseToUnit(double* z, int64_t d, int64_t rows, int64_t stride, bool is_normal, double* u);

// Phi^-1 and Phi of `count` numbers, bit-identical whatever the count; in place if the arrays are the same. Phi^-1
// takes p nearer to 0 or 1 than the smallest normal number as that near.
void NormalQuantiles(const double* p, int64_t count, double* x);
void NormalCdfs(const double* x, int64_t count, double* p);

}  // namespace creamery

#endif  // CREAMERY_MODELS_PLAN_FUSED_BASE_H_
