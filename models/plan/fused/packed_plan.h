// The layers of a plan as the kernels read them: built once when a density is made, immutable, shared by all threads.
//
// Two shapes read the same numbers, each in its own order, and give the same bits:
//   points in lanes  a tile: an array of m numbers per row is m lines, with a lane for each row; weights row by row
//   units in lanes   one row: an array of m numbers lies in lanes; weights column by column
// Every sum of a linear map starts from the bias and runs over the inputs in ascending order, one fused multiply-add
// each, in both shapes. Units lie in the order of their degrees, so what a unit sees is a prefix of the inputs.
//
// The state between layers is float64 and in the order of the columns; only the inputs of a network are in the order
// of its positions. Networks are float32 (T = float) where that is precise enough, or float64 (T = double): always for
// splines, where a rounding of 1e-7 in a raw number moves a knot by as much, which counts as 1e-7 / w next to a bin of
// width w.
#ifndef CREAMERY_MODELS_PLAN_FUSED_PACKED_PLAN_H_
#define CREAMERY_MODELS_PLAN_FUSED_PACKED_PLAN_H_

#include <cstdint>
#include <vector>

#include "models/plan/fused/aligned.h"
#include "models/plan/plan.h"

namespace creamery {

// Rows of a tile: of many rows, and of a few.
inline constexpr int kTileOfMany = 64;
inline constexpr int kTileOfFew = 16;

// A masked linear map with points in lanes, wherever its numbers lie. Borrowed.
template <typename T>
struct MaskedMap {
  int64_t in;
  const T* weight;      // (out, in); what the mask forbids is 0
  const T* bias;        // (out)
  const int64_t* seen;  // (out): unit o sees inputs [0, seen[o]); non-decreasing
};

template <typename T>
struct PackedMap {
  static constexpr int64_t kPerVector = kAlignment / sizeof(T);

  int64_t in = 0;
  int64_t out = 0;
  AlignedVector<T> weight;      // as in MaskedMap; behind the last, room for a vector to be loaded from any of them
  AlignedVector<T> bias;        // (out)
  std::vector<int64_t> seen;    // (out)
  std::vector<int64_t> viewer;  // (in): input i is seen by units [viewer[i], out); non-decreasing

  // Units in lanes. A hidden unit has the lane of its number; number k of column c, of the output map, has lane
  // k * padded_d + c. Lanes of nothing have weight and bias 0.
  int64_t lanes = 0;               // a multiple of kPerVector
  AlignedVector<T> lane_weight;    // (in, lanes)
  AlignedVector<T> lane_bias;      // (lanes)
  std::vector<int64_t> lane_seen;  // (lanes / kPerVector): the most that a lane of this vector sees

  MaskedMap<T> map() const { return {in, weight.data(), bias.data(), seen.data()}; }
};

template <typename T>
struct PackedLayer {
  AutoregressiveLayer::Kind kind = AutoregressiveLayer::Kind::kAffine;
  int64_t bins = 0;
  int64_t outputs = 0;                      // numbers per position
  std::vector<int64_t> order;               // (d): position i takes column order[i]
  std::vector<PackedMap<T>> network;        // hidden maps, then the output map
  std::vector<std::vector<int64_t>> known;  // known[h][i]: units of hidden layer h that positions < i determine
};

template <typename T>
struct PackedPlan {
  // `plan` has passed CheckPlan; for T = float it FitsFloat32.
  explicit PackedPlan(const Plan& plan);

  int64_t d = 0;
  int64_t padded_d = 0;   // d numbers of float64 in whole vectors
  bool is_normal = true;  // the base: N(0, I), or U(0, 1)^d
  std::vector<PackedLayer<T>> layers;
  int64_t most_hidden = 0;   // hidden units of a layer, all its hidden maps together
  int64_t most_lanes = 0;    // of a linear map
  int64_t most_outputs = 0;  // per position

  // y' = W y, empty for the identity.
  std::vector<double> whitening;          // (d, d)
  AlignedVector<double> whitening_lanes;  // (d, padded_d): column by column

  double constant = 0;  // of log p: log |det W| and the normal base's -d/2 log(2 pi)

  int64_t memory_bytes() const;
};

// Affine layers, whose sums over weights and inputs of up to kLargestInput stay within float32.
bool FitsFloat32(const Plan& plan);
inline constexpr double kLargestInput = 1e18;

}  // namespace creamery

#endif  // CREAMERY_MODELS_PLAN_FUSED_PACKED_PLAN_H_
