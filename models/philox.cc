#include "models/philox.h"

#include "models/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/philox.cc"
#include <hwy/foreach_target.h>  // compiles this file once per instruction set
#include <hwy/highway.h>

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace creamery {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Words = hn::CappedTag<uint64_t, 8>;  // 32 bits of a counter in each
using Word = hn::Vec<Words>;

HWY_INLINE Word Number(uint64_t value) { return hn::Set(Words(), value); }

// Of the low 32 bits of each.
HWY_INLINE Word Product(Word a, Word b) {
#if HWY_TARGET == HWY_SCALAR
  return hn::Set(Words(), (hn::GetLane(a) & 0xffffffff) * (hn::GetLane(b) & 0xffffffff));
#else
  const hn::Repartition<uint32_t, Words> halves;
  return hn::MulEven(hn::BitCast(halves, a), hn::BitCast(halves, b));
#endif
}

// The first two words of Philox, as RandomStream::Bits puts them together, of the counter (index, sub, purpose).
HWY_INLINE Word PhiloxBits(Word index, Word sub, uint32_t purpose, uint64_t seed) {
  // What lies above the low 32 bits of a word is of no use, and of no harm.
  Word c0 = index;
  Word c1 = hn::ShiftRight<32>(index);
  Word c2 = sub;
  Word c3 = Number(purpose);
  auto k0 = static_cast<uint32_t>(seed);
  auto k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const Word product0 = Product(c0, Number(PhiloxNumbers::kMultiplier0));
    const Word product1 = Product(c2, Number(PhiloxNumbers::kMultiplier1));
    c0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(product1), c1), Number(k0));
    c2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(product0), c3), Number(k1));
    c1 = product1;
    c3 = product0;
    k0 += PhiloxNumbers::kWeyl0;
    k1 += PhiloxNumbers::kWeyl1;
  }
  return hn::Or(hn::ShiftLeft<32>(c1), hn::And(c0, Number(0xffffffff)));
}

// As RandomStream::Uniform: the upper 52 bits behind those of 1 are a number in [1, 2).
HWY_INLINE hn::Vec<hn::Repartition<double, Words>> UniformOf(Word bits) {
  const hn::Repartition<double, Words> doubles;
  const auto above_one = hn::BitCast(doubles, hn::Or(hn::ShiftRight<12>(bits), Number(0x3ff0000000000000)));
  return hn::Add(hn::Sub(above_one, hn::Set(doubles, 1.0)), hn::Set(doubles, 0x1p-53));
}

void Fill(uint64_t seed, uint32_t purpose, uint64_t first, int64_t rows, int64_t d, double* out) {
  const hn::Repartition<double, Words> doubles;
  constexpr int64_t kLanes = hn::MaxLanes(Words());
  HWY_ALIGN uint64_t rows_of_lanes[kLanes];
  HWY_ALIGN uint64_t columns_of_lanes[kLanes];
  for (int64_t k = 0; k < kLanes; ++k) {
    rows_of_lanes[k] = first + k / d;
    columns_of_lanes[k] = k % d;
  }
  Word row = hn::Load(Words(), rows_of_lanes);
  Word column = hn::Load(Words(), columns_of_lanes);
  const Word last = Number(d - 1);
  for (int64_t i = 0; i < rows * d; i += kLanes) {
    const auto uniform = UniformOf(PhiloxBits(row, column, purpose, seed));
    if (i + kLanes <= rows * d) {
      hn::StoreU(uniform, doubles, out + i);
    } else {
      HWY_ALIGN double rest[kLanes];
      hn::Store(uniform, doubles, rest);
      std::copy_n(rest, rows * d - i, out + i);
    }
    // kLanes numbers further on: kLanes / d rows and kLanes % d columns, and a row more where the columns run over.
    column = hn::Add(column, Number(kLanes % d));
    const Word over = hn::VecFromMask(Words(), hn::Gt(column, last));  // all bits: minus one
    column = hn::Sub(column, hn::And(over, Number(d)));
    row = hn::Sub(hn::Add(row, Number(kLanes / d)), over);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace creamery
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace creamery {

HWY_EXPORT(Fill);

void PhiloxUniforms(uint64_t seed, uint32_t purpose, uint64_t first, int64_t rows, int64_t d, double* out) {
  HWY_DYNAMIC_DISPATCH(Fill)(seed, purpose, first, rows, d, out);
}

}  // namespace creamery
#endif  // HWY_ONCE
