// Who sees whom in a masked autoregressive network (Germain et al. 2015, arXiv:1502.03509), for training and checking
// alike.
//
// Inputs are the c context columns, then positions 0..d-1. The degree of an input or a hidden unit is the number of
// positions it is allowed to know: a context column has degree 0, position i has degree i + 1, a hidden unit of degree
// m knows the context and positions < m. Outputs of position i may know positions < i.
#ifndef CREAMERY_MODELS_PLAN_MASKS_H_
#define CREAMERY_MODELS_PLAN_MASKS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace creamery {

// Degrees of the inputs: `context_size` zeros, then 1..d.
std::vector<int64_t> InputDegrees(int64_t d, int64_t context_size);

// Degrees of `units` hidden units, non-decreasing and spread evenly over 1..d-1, or over 0..d-1 with a context: units
// of degree 0 see the context alone, so the first position depends on it. Empty for d = 1 without context, where no
// hidden unit can be of use: the network is then the output map alone, whose bias speaks.
std::vector<int64_t> HiddenDegrees(int64_t d, int64_t units, int64_t context_size);

// (out, in) row-major, 1 where hidden unit `out` may see `in`: out_degree >= in_degree.
std::vector<uint8_t> HiddenMask(absl::Span<const int64_t> in_degrees, absl::Span<const int64_t> out_degrees);

// (d * outputs_per_position, in) row-major; row r belongs to position r / outputs_per_position, so the numbers of one
// position lie together. 1 where position i may see `in`: in_degree <= i.
std::vector<uint8_t> OutputMask(absl::Span<const int64_t> in_degrees, int64_t d, int64_t outputs_per_position);

}  // namespace creamery

#endif  // CREAMERY_MODELS_PLAN_MASKS_H_
