// log p and its gradient by reverse mode, through the layers of a packed plan; instruction sets as in kernels.h.
#ifndef CREAMERY_MODELS_PLAN_FUSED_GRADIENT_KERNELS_H_
#define CREAMERY_MODELS_PLAN_FUSED_GRADIENT_KERNELS_H_

#include <cstdint>

#include "models/plan/fused/kernels.h"
#include "models/plan/fused/packed_plan.h"

namespace creamery {

// Memory of a tile or of one row, as KernelMemory. It does not own it.
template <typename T>
struct GradientMemory {
  GradientMemory() = default;
  GradientMemory(const PackedPlan<T>& plan, int64_t rows, void* memory);
  static int64_t Bytes(const PackedPlan<T>& plan, int64_t rows);

  KernelMemory<T> forward;    // its raw and hidden numbers are not used
  double* adjoint = nullptr;  // as state: d log p / d state

  // What the forward pass leaves of each layer.
  double* State(int64_t layer) const { return states + layer * state_size; }  // before its transform
  T* Hidden(int64_t layer) const { return hidden + layer * hidden_size; }
  T* Raw(int64_t layer) const { return raw + layer * raw_size; }

  double* states = nullptr;
  T* hidden = nullptr;  // (most_hidden, rows), or most_lanes for every hidden map
  T* raw = nullptr;     // (d * most_outputs, rows) or (most_lanes)
  int64_t state_size = 0;
  int64_t hidden_size = 0;
  int64_t raw_size = 0;

  // What the backward pass hands down a network.
  T* raw_adjoint = nullptr;    // as raw
  T* row_adjoint = nullptr;    // (d * most_outputs), of one row: in the order of positions
  T* hidden_adjoint[2] = {};   // (most_hidden, rows) or (most_lanes)
  T* input_adjoint = nullptr;  // (d, rows) or (d), padded
};

// As RunForward: the same bits of log p. And adjoint: d log p / dy, of y as the column maps leave it. size: 0, or NaN
// for rows whose adjoint is not finite; with T = float that can be for want of range.
void RunGradient(const PackedPlan<float>& plan, int64_t rows, GradientMemory<float>& memory);
void RunGradient(const PackedPlan<double>& plan, int64_t rows, GradientMemory<double>& memory);

}  // namespace creamery

#endif  // CREAMERY_MODELS_PLAN_FUSED_GRADIENT_KERNELS_H_
