// Limits of what a tree of densities may hold.
#ifndef CREAMERY_MODELS_DENSITIES_LIMITS_H_
#define CREAMERY_MODELS_DENSITIES_LIMITS_H_

#include <cstdint>

namespace creamery {

// Levels of a tree, its root included: members of `auto` need three. Bounds the recursion over a malformed artifact.
inline constexpr int64_t kMaxTreeDepth = 8;

// Whitened coordinates beyond this are at infinity: their squares may overflow.
inline constexpr double kFarAway = 1e150;

}  // namespace creamery

#endif  // CREAMERY_MODELS_DENSITIES_LIMITS_H_
