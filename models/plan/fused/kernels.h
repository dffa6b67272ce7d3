// The layers of a packed plan at work, compiled for several instruction sets; the best that the processor has is taken
// when it runs. Every instruction set with a fused multiply-add gives the same bits, and so do both shapes.
#ifndef CREAMERY_MODELS_PLAN_FUSED_KERNELS_H_
#define CREAMERY_MODELS_PLAN_FUSED_KERNELS_H_

#include <cstdint>

#include "models/plan/fused/packed_plan.h"

namespace creamery {

// Memory that a kernel works in: for a tile of `rows` rows, or for one row (rows = 1), whose arrays are padded to whole
// vectors. It does not own it.
template <typename T>
struct KernelMemory {
  KernelMemory() = default;
  KernelMemory(const PackedPlan<T>& plan, int64_t rows, void* memory);
  // How many bytes, from a multiple of kAlignment.
  static int64_t Bytes(const PackedPlan<T>& plan, int64_t rows);

  double* state = nullptr;  // (d, rows) or (padded_d): y or z, column by column
  double* total = nullptr;  // (rows) or (1): see below
  double* ladj = nullptr;   // as state: sums over layers
  double* size = nullptr;   // (rows) or (padded_d): the largest size of the networks' inputs; NaN is larger than all
  T* input = nullptr;       // (d, rows) or (d), position by position
  T* hidden = nullptr;      // (most_hidden, rows) or (2, most_lanes)
  T* raw = nullptr;         // (max(4, most_outputs), rows) or (most_lanes)
};

// state: y, column maps applied, not yet whitened -> z of the base. total: log |det| of the column maps -> log
// p(theta); NaN where a row has left the range of the networks' numbers, and only the reference can say. For one row,
// state has 0 beyond d.
void RunForward(const PackedPlan<float>& plan, int64_t rows, KernelMemory<float>& memory);
void RunForward(const PackedPlan<double>& plan, int64_t rows, KernelMemory<double>& memory);

// state: z -> y; total: anything -> 0, or NaN as above. Position by position, each hidden unit computed once, when the
// last input it sees is known: the work of one forward pass.
void RunInverse(const PackedPlan<float>& plan, int64_t rows, KernelMemory<float>& memory);
void RunInverse(const PackedPlan<double>& plan, int64_t rows, KernelMemory<double>& memory);

}  // namespace creamery

#endif  // CREAMERY_MODELS_PLAN_FUSED_KERNELS_H_
