#include "models/plan/masks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace creamery {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// (d * outputs, inputs): number of paths through one hidden layer, from the masks alone.
std::vector<int> Paths(int64_t d, int64_t units, int64_t context, int64_t outputs) {
  const std::vector<int64_t> in = InputDegrees(d, context);
  const std::vector<int64_t> hidden = HiddenDegrees(d, units, context);
  const std::vector<uint8_t> first = HiddenMask(in, hidden);
  const std::vector<uint8_t> last = OutputMask(hidden, d, outputs);
  std::vector<int> paths(d * outputs * in.size(), 0);
  for (size_t o = 0; o < static_cast<size_t>(d * outputs); ++o) {
    for (size_t h = 0; h < hidden.size(); ++h) {
      for (size_t i = 0; i < in.size(); ++i)
        paths[o * in.size() + i] += last[o * hidden.size() + h] * first[h * in.size() + i];
    }
  }
  return paths;
}

TEST(MasksTest, HiddenDegreesAreSortedAndSpreadEvenly) {
  EXPECT_THAT(HiddenDegrees(4, 6, 0), ElementsAre(1, 1, 2, 2, 3, 3));
  EXPECT_THAT(HiddenDegrees(4, 8, 2), ElementsAre(0, 0, 1, 1, 2, 2, 3, 3));
  EXPECT_THAT(HiddenDegrees(1, 3, 0), IsEmpty());
  EXPECT_THAT(HiddenDegrees(1, 3, 2), ElementsAre(0, 0, 0));
}

TEST(MasksTest, PositionsSeeEarlierPositionsAndNoOthers) {
  const std::vector<int> paths = Paths(4, 9, 0, 2);
  for (int64_t output = 0; output < 8; ++output) {
    for (int64_t input = 0; input < 4; ++input) {
      EXPECT_EQ(paths[output * 4 + input] > 0, input < output / 2) << "output " << output << ", input " << input;
    }
  }
}

// Were the numbers of a position interleaved (all mu, then all alpha), row 1 would belong to position 1 and see input
// 0.
TEST(MasksTest, NumbersOfOnePositionLieTogether) {
  const std::vector<int> paths = Paths(2, 3, 0, 2);
  EXPECT_THAT(paths, ElementsAre(0, 0,    // mu of position 0
                                 0, 0,    // alpha of position 0
                                 3, 0,    // mu of position 1
                                 3, 0));  // alpha of position 1
}

TEST(MasksTest, EveryPositionSeesTheContextTheFirstIncluded) {
  for (const int64_t d : {1, 2, 5}) {
    const std::vector<int> paths = Paths(d, 6, 2, 2);
    for (int64_t output = 0; output < 2 * d; ++output) {
      EXPECT_GT(paths[output * (d + 2)], 0) << "d = " << d << ", output " << output;
      EXPECT_GT(paths[output * (d + 2) + 1], 0) << "d = " << d << ", output " << output;
      for (int64_t position = output / 2; position < d; ++position) {
        EXPECT_EQ(paths[output * (d + 2) + 2 + position], 0) << "d = " << d << ", output " << output;
      }
    }
  }
}

}  // namespace
}  // namespace creamery
