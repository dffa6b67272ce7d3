// Counter-based random numbers: number `index` of stream (seed, purpose) is a pure function of the three, so results do
// not depend on threads, chunks or order. Philox4x32-10 (Salmon et al. 2011, doi:10.1145/2063384.2063405).
#ifndef CREAMERY_MODELS_RANDOM_H_
#define CREAMERY_MODELS_RANDOM_H_

#include <array>
#include <cstdint>
#include <vector>

namespace creamery {

// What numbers are for; streams of different purposes are independent.
enum class RandomPurpose : uint32_t {
  kSample = 1,
  kFold = 2,
  kInitialWeights = 3,
  kShuffle = 4,
  kStatistics = 5,
  kVolumes = 6,
  kBootstrap = 7,
  kClusters = 8,
  kKernels = 9,
  kTrials = 10,
};

// Philox4x32-10 of a 128-bit counter and a 64-bit key.
std::array<uint32_t, 4> Philox(const std::array<uint32_t, 4>& counter, const std::array<uint32_t, 2>& key);

// Stateless: each call is independent of every other. Thread-safe.
class RandomStream {
 public:
  RandomStream(uint64_t seed, RandomPurpose purpose) : seed_(seed), purpose_(purpose) {}

  // 64 uniform bits; `index` and `sub` count freely (e.g. row and column).
  uint64_t Bits(uint64_t index, uint32_t sub = 0) const;
  // Uniform in the open interval (0, 1): multiples of 2^-52, shifted by half a step.
  double Uniform(uint64_t index, uint32_t sub = 0) const;
  // Standard normal, by inversion.
  double Normal(uint64_t index, uint32_t sub = 0) const;
  // Uniform(first + i, j) for i < rows, j < d, the same bits, some six times faster. out: (rows, d).
  void Uniforms(uint64_t first, int64_t rows, int64_t d, double* out) const;
  // A permutation of 0..n-1; `index` tells permutations apart.
  std::vector<int64_t> Permutation(int64_t n, uint64_t index) const;

 private:
  uint64_t seed_;
  RandomPurpose purpose_;
};

}  // namespace creamery

#endif  // CREAMERY_MODELS_RANDOM_H_
