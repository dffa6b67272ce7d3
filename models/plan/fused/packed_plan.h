// The layers of a plan as the kernels read them: built once when a density is made, immutable, shared by all threads.
//
// Two shapes read the same numbers, each in its own order, and give the same bits:
//   points in lanes  an array of m numbers per row is m lines of kRows numbers, a lane for each row; weights row by row
//   units in lanes   one row at a time, an array of m numbers lies in lanes; weights column by column
// Every sum of a linear map starts from the bias and runs over the inputs in ascending order, one fused multiply-add
// each, in both shapes. Units lie in the order of their degrees, so what a unit sees is a prefix of the inputs.
//
// T is float, or double where splines need it (see PackedPlan). The state between layers is float64 and in the order of
// the columns; only the inputs of a network are in the order of its positions.
#ifndef CREAMERY_MODELS_PLAN_FUSED_PACKED_PLAN_H_
#define CREAMERY_MODELS_PLAN_FUSED_PACKED_PLAN_H_

#include <cstdint>
#include <vector>

#include "models/plan/fused/aligned.h"
#include "models/plan/plan.h"

namespace creamery {

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
  int64_t in = 0;
  int64_t out = 0;
  AlignedVector<T> weight;    // as in MaskedMap
  AlignedVector<T> bias;      // (out)
  std::vector<int64_t> seen;  // (out)

  // Units in lanes. A hidden unit has the lane of its number; number k of column c, of the output map, has lane
  // k * padded_d + c.
  int64_t lanes = 0;             // whole vectors
  AlignedVector<T> lane_weight;  // (in, lanes)
  AlignedVector<T> lane_bias;    // (lanes)

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
  // `plan` has passed CheckPlan.
  explicit PackedPlan(const Plan& plan);

  int64_t d = 0;
  int64_t padded_d = 0;    // d numbers of float64 in whole vectors
  bool is_normal = true;   // the base: N(0, I), or U(0, 1)^d
  int64_t most_units = 0;  // of a hidden layer or an input, at least
  std::vector<PackedLayer<T>> layers;

  // y' = W y, empty for the identity; and log |det W|.
  std::vector<double> whitening;          // (d, d)
  AlignedVector<double> whitening_lanes;  // (d, padded_d): column by column
  double log_det_whitening = 0;

  int64_t memory_bytes() const;
};

// Whether sums over weights and inputs of up to kLargestInput stay within float32, whatever the inputs.
bool FitsFloat32(const Plan& plan);
inline constexpr double kLargestInput = 1e18;

}  // namespace creamery

#endif  // CREAMERY_MODELS_PLAN_FUSED_PACKED_PLAN_H_
