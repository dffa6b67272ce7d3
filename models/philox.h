// The inside of RandomStream: Philox4x32-10 (Salmon et al. 2011, doi:10.1145/2063384.2063405), many numbers at a time.
#ifndef CREAMERY_MODELS_PHILOX_H_
#define CREAMERY_MODELS_PHILOX_H_

#include <cstdint>

namespace creamery {

struct PhiloxNumbers {
  static constexpr uint64_t kMultiplier0 = 0xD2511F53;
  static constexpr uint64_t kMultiplier1 = 0xCD9E8D57;
  static constexpr uint32_t kWeyl0 = 0x9E3779B9;
  static constexpr uint32_t kWeyl1 = 0xBB67AE85;
};

// See RandomStream::Uniforms.
void PhiloxUniforms(uint64_t seed, uint32_t purpose, uint64_t first, int64_t rows, int64_t d, double* out);

}  // namespace creamery

#endif  // CREAMERY_MODELS_PHILOX_H_
