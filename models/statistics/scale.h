// Numbers of any size, made fit for sums of squares: a power of two is taken out first. That changes no digit of what
// follows from them, and squares then neither overflow nor vanish.
#ifndef CREAMERY_MODELS_STATISTICS_SCALE_H_
#define CREAMERY_MODELS_STATISTICS_SCALE_H_

#include <vector>

#include "absl/types/span.h"

namespace creamery {

// e such that the largest magnitude among the finite `values` lies in [2^e, 2^(e+1)); 0 if it lies within 2^-200 and
// 2^200, where squares of squares need no care, or if all are zero.
int ScaleExponent(absl::Span<const double> values);
// The same of those with positive weight; `weight` (n), or empty: all.
int ScaleExponent(absl::Span<const double> values, absl::Span<const double> weight);

// values * 2^-exponent: exact but for what falls below the smallest number.
std::vector<double> TakeOut(int exponent, absl::Span<const double> values);

}  // namespace creamery

#endif  // CREAMERY_MODELS_STATISTICS_SCALE_H_
