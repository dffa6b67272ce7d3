// The arithmetic of the fused training step, in float32, compiled for several instruction sets; the best that the
// processor has is taken when it runs. Sums are taken in an order that does not depend on the width of its vectors, so
// every instruction set with a fused multiply-add gives the same bits.
#ifndef CREAMERY_MODELS_TRAINING_FUSED_KERNELS_H_
#define CREAMERY_MODELS_TRAINING_FUSED_KERNELS_H_

#include <cstdint>

#include "models/training/fused_layout.h"
#include "proto/support/stop_token.h"

namespace creamery {

// The tile's input lines -> all activations, z and ladj. `weights`: flat, forbidden entries 0. Tiles are aligned to 64
// bytes. Looks at `stop` before every linear map, because a pass through a large network takes seconds: once it is
// asked for, what is in the tile means nothing.
void FusedForward(const FusedLayout& layout, const float* weights, float* tile, const StopToken& stop);

// After FusedForward on each of `count` tiles, `layout.lines * kTileRows` floats apart: adds to `gradient` the gradient
// of
//   sum over rows of scale * -log p(row)
// with respect to the weights; forbidden entries are not touched. Overwrites what FusedForward left in the tiles.
// `stop` as there.
void FusedBackward(const FusedLayout& layout, const float* weights, float* tiles, int64_t count, float* gradient,
                   const StopToken& stop);

// Square root of the sum of squares, summed in float64. Not finite if a value is not.
double FusedNorm(int64_t count, const float* values);

// One step of Adam (Kingma & Ba 2015, arXiv:1412.6980) with bias correction, and of the average of the weights.
struct FusedAdam {
  double learning_rate = 0;
  int64_t step = 1;           // from 1
  double gradient_scale = 1;  // what clipping multiplies the gradient with
  double average_part = 0;    // how far the average moves towards the new weights
};
// What a step changes: arrays of as many numbers as there are weights.
struct FusedState {
  float* weights = nullptr;
  float* first_moment = nullptr;
  float* second_moment = nullptr;
  float* average = nullptr;
};
// `step_scale`: how much longer than others each weight's steps are. A weight whose gradient is always 0 stays.
void FusedAdamStep(const FusedAdam& adam, const float* gradient, const float* step_scale, int64_t count,
                   const FusedState& state);

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_FUSED_KERNELS_H_
