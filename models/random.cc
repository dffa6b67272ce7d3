#include "models/random.h"

#include <numeric>
#include <utility>

#include "absl/numeric/int128.h"
#include "models/philox.h"
#include "models/plan/column_map.h"

namespace creamery {

std::array<uint32_t, 4> Philox(const std::array<uint32_t, 4>& counter, const std::array<uint32_t, 2>& key) {
  std::array<uint32_t, 4> c = counter;
  uint32_t k0 = key[0];
  uint32_t k1 = key[1];
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = PhiloxNumbers::kMultiplier0 * c[0];
    const uint64_t product1 = PhiloxNumbers::kMultiplier1 * c[2];
    c = {static_cast<uint32_t>(product1 >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(product1),
         static_cast<uint32_t>(product0 >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(product0)};
    k0 += PhiloxNumbers::kWeyl0;
    k1 += PhiloxNumbers::kWeyl1;
  }
  return c;
}

uint64_t RandomStream::Bits(uint64_t index, uint32_t sub) const {
  const std::array<uint32_t, 4> words =
      Philox({static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32), sub, static_cast<uint32_t>(purpose_)},
             {static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32)});
  return (static_cast<uint64_t>(words[1]) << 32) | words[0];
}

double RandomStream::Uniform(uint64_t index, uint32_t sub) const {
  // 52 bits, so that the half step added is exact and neither end can be reached by rounding.
  return (static_cast<double>(Bits(index, sub) >> 12) + 0.5) * 0x1p-52;
}

void RandomStream::Uniforms(uint64_t first, int64_t rows, int64_t d, double* out) const {
  PhiloxUniforms(seed_, static_cast<uint32_t>(purpose_), first, rows, d, out);
}

double RandomStream::Normal(uint64_t index, uint32_t sub) const { return NormalQuantile(Uniform(index, sub)); }

std::vector<int64_t> RandomStream::Permutation(int64_t n, uint64_t index) const {
  std::vector<int64_t> permutation(n);
  std::iota(permutation.begin(), permutation.end(), int64_t{0});
  for (int64_t i = n - 1; i > 0; --i) {
    // The high half of a 64 x 64 bit product: uniform over 0..i but for a bias of i / 2^64.
    const absl::uint128 product = absl::uint128(Bits(index, static_cast<uint32_t>(i))) * absl::uint128(i + 1);
    std::swap(permutation[i], permutation[absl::Uint128High64(product)]);
  }
  return permutation;
}

}  // namespace creamery
