// How a flow's weights and a tile of rows lie in memory, for the fused training step. Plain numbers, no LibTorch.
//
// Rows are worked on in tiles of kTileRows, a lane each: an array of m numbers per row is m lines of kTileRows floats.
// Since hidden units lie in the order of their degrees, what an output of a linear map sees is a prefix of its inputs,
// and who sees an input is a suffix of the outputs; work outside of both is skipped.
#ifndef CREAMERY_MODELS_TRAINING_FUSED_LAYOUT_H_
#define CREAMERY_MODELS_TRAINING_FUSED_LAYOUT_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "models/plan/plan.h"

namespace creamery {

constexpr int64_t kTileRows = 64;

struct FusedLinear {
  int64_t in = 0;
  int64_t out = 0;
  int64_t weight = 0;           // where its (out, in) weights begin in the flat weights
  int64_t bias = 0;             // and its biases
  std::vector<int64_t> seen;    // (out): output o sees inputs [0, seen[o]); non-decreasing
  std::vector<int64_t> viewer;  // (in): input i is seen by outputs [viewer[i], out); non-decreasing
};

// Lines are counted from the beginning of a tile.
struct FusedLayer {
  // What the backward pass needs of a spline, per position: see fused_transforms_inl.h.
  static constexpr int64_t kSavedLines = 9;

  AutoregressiveLayer::Kind kind = AutoregressiveLayer::Kind::kAffine;
  int64_t bins = 0;
  int64_t outputs = 0;               // of the network, per position
  std::vector<FusedLinear> network;  // hidden maps, then the output map
  std::vector<int64_t> next;         // position i becomes position next[i] of the next layer, or column next[i] of z
  int64_t input = 0;                 // d lines, by position
  std::vector<int64_t> hidden;       // first line of each hidden layer
  int64_t raw = 0;                   // d * outputs lines; the backward pass leaves their gradient here
  int64_t saved = 0;                 // d * kSavedLines of a spline
  int64_t output = 0;                // d lines: input of the next layer, or z by columns
};

struct FusedLayout {
  // Shapes, orders and degrees of `layers` count, their numbers do not. All have the same d and kind.
  explicit FusedLayout(absl::Span<const AutoregressiveLayer> layers);

  int64_t d = 0;
  int64_t num_weights = 0;
  std::vector<FusedLayer> layers;
  std::vector<int64_t> first;  // column of position i of the first layer
  int64_t ladj = 0;            // 1 line: log |det dz/dy| of each row
  int64_t scale = 0;           // 1 line: weight of each row over the number of rows of the minibatch
  int64_t deltas = 0;          // gradients of hidden layers, one after the other; each layer reuses them
  int64_t delta_input = 0;     // d lines: gradient of a layer's input
  int64_t delta_output = 0;    // d lines: and of its output
  int64_t lines = 0;           // of a tile
};

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_FUSED_LAYOUT_H_
