#include "models/random.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace creamery {
namespace {

using ::testing::ElementsAre;

// Known answers of Random123's kat_vectors for philox4x32, 10 rounds.
TEST(PhiloxTest, GivesThePublishedKnownAnswers) {
  EXPECT_THAT(Philox({0, 0, 0, 0}, {0, 0}), ElementsAre(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
  EXPECT_THAT(Philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
              ElementsAre(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd));
  EXPECT_THAT(Philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
              ElementsAre(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1));
}

TEST(RandomStreamTest, NumbersDependOnEachOfSeedPurposeIndexAndSub) {
  const uint64_t bits = RandomStream(1, RandomPurpose::kSample).Bits(5, 6);
  EXPECT_EQ(bits, RandomStream(1, RandomPurpose::kSample).Bits(5, 6));
  EXPECT_NE(bits, RandomStream(2, RandomPurpose::kSample).Bits(5, 6));
  EXPECT_NE(bits, RandomStream(1 + (uint64_t{1} << 40), RandomPurpose::kSample).Bits(5, 6));
  EXPECT_NE(bits, RandomStream(1, RandomPurpose::kFold).Bits(5, 6));
  EXPECT_NE(bits, RandomStream(1, RandomPurpose::kSample).Bits(6, 6));
  EXPECT_NE(bits, RandomStream(1, RandomPurpose::kSample).Bits(5 + (uint64_t{1} << 40), 6));
  EXPECT_NE(bits, RandomStream(1, RandomPurpose::kSample).Bits(5, 7));
}

TEST(RandomStreamTest, UniformsInBulkHaveTheBitsOfEachAlone) {
  // A seed and rows that need more than 32 bits; rows shorter and longer than a vector.
  const RandomStream random(0x123456789abcdef0, RandomPurpose::kSample);
  for (const int64_t d : {1, 2, 3, 7, 8, 26}) {
    for (const uint64_t first : {uint64_t{0}, (uint64_t{1} << 32) - 3, uint64_t{1} << 63}) {
      std::vector<double> bulk(11 * d + 1, -1);
      random.Uniforms(first, 11, d, bulk.data());
      for (int64_t i = 0; i < 11; ++i) {
        for (int64_t j = 0; j < d; ++j) {
          EXPECT_EQ(bulk[i * d + j], random.Uniform(first + i, static_cast<uint32_t>(j))) << i << ", " << j;
        }
      }
      EXPECT_EQ(bulk.back(), -1);  // nothing beyond
    }
  }
}

TEST(RandomStreamTest, UniformsInBulkDoNotDependOnTheInstructionSet) {
  const RandomStream random(7, RandomPurpose::kSample);
  std::vector<double> best(50);
  random.Uniforms(3, 10, 5, best.data());
  for (const int64_t target : {int64_t{HWY_AVX2}, int64_t{HWY_STATIC_TARGET}}) {
    if ((hwy::SupportedTargets() & target) == 0) continue;
    hwy::SetSupportedTargetsForTest(target);
    std::vector<double> other(50);
    random.Uniforms(3, 10, 5, other.data());
    hwy::SetSupportedTargetsForTest(0);
    EXPECT_EQ(other, best);
  }
}

TEST(RandomStreamTest, NormalsHaveTheMomentsOfANormal) {
  const RandomStream random(11, RandomPurpose::kStatistics);
  const int n = 40000;
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < n; ++i) {
    const double x = random.Normal(i);
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / n, 0, 4 / std::sqrt(n));  // four standard errors
  EXPECT_NEAR(squares / n, 1, 4 * std::sqrt(2.0 / n));
}

TEST(RandomStreamTest, PermutationHoldsEveryNumberOnceAndFirstPlaceIsUniform) {
  const RandomStream random(3, RandomPurpose::kShuffle);
  int counts[5] = {};
  for (uint64_t index = 0; index < 10000; ++index) {
    std::vector<int64_t> permutation = random.Permutation(5, index);
    ++counts[permutation[0]];
    std::sort(permutation.begin(), permutation.end());
    ASSERT_THAT(permutation, ElementsAre(0, 1, 2, 3, 4));
  }
  for (const int count : counts) EXPECT_NEAR(count, 2000, 4 * std::sqrt(10000 * 0.2 * 0.8));
}

}  // namespace
}  // namespace creamery
