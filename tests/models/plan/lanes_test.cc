#include "models/plan/lanes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "models/random.h"

namespace creamery {
namespace {

double TanhError(double x) { return std::abs(Tanh(x) - std::tanh(x)) / std::abs(std::tanh(x)); }

TEST(LanesTest, TanhIsThatOfTheLibraryToTheLastDigits) {
  for (int i = 0; i < 200000; ++i) EXPECT_LT(TanhError(-22.0 + 44.0 * (i + 0.5) / 200000), 6e-16) << i;
  for (double x = 1e-300; x < 1; x *= 1.01) EXPECT_LT(TanhError(x), 6e-16) << x;
}

TEST(LanesTest, TanhKeepsSignsEndsAndNaN) {
  EXPECT_EQ(Tanh(0.0), 0.0);
  EXPECT_TRUE(std::signbit(Tanh(-0.0)));
  EXPECT_EQ(Tanh(1e300), 1);
  EXPECT_EQ(Tanh(-std::numeric_limits<double>::infinity()), -1);
  EXPECT_TRUE(std::isnan(Tanh(std::numeric_limits<double>::quiet_NaN())));
}

TEST(LanesTest, SixteenRowsHaveTheBitsOfEachAlone) {
  const RandomStream stream(1, RandomPurpose::kSample);
  for (const int64_t count : {0, 1, 2, 7, 50}) {
    std::vector<float> weight(count + 1);
    std::vector<double> in((count + 1) * kWideLanes);
    for (size_t i = 0; i < weight.size(); ++i) weight[i] = static_cast<float>(stream.Normal(i, 1));
    for (size_t i = 0; i < in.size(); ++i) in[i] = stream.Normal(i, 2);
    double sums[kWideLanes];
    double tanhs[kWideLanes];
    Accumulate<kWideLanes>(0.3f, weight.data(), count, in.data(), sums);
    AccumulateTanh<kWideLanes>(0.3f, weight.data(), count, in.data(), tanhs);
    for (int b = 0; b < kWideLanes; ++b) {
      std::vector<double> row(count + 1);
      for (int64_t k = 0; k < count; ++k) row[k] = in[k * kWideLanes + b];
      double sum = 0;
      double tanh = 0;
      Accumulate<1>(0.3f, weight.data(), count, row.data(), &sum);
      AccumulateTanh<1>(0.3f, weight.data(), count, row.data(), &tanh);
      EXPECT_EQ(sums[b], sum);
      EXPECT_EQ(tanhs[b], tanh);
      double expected = 0.3f;
      for (int64_t k = 0; k < count; ++k) expected += static_cast<double>(weight[k]) * row[k];
      EXPECT_EQ(sum, expected);
    }
  }
}

}  // namespace
}  // namespace creamery
