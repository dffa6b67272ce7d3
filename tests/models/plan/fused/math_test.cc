// The elementary functions of float32 vectors against the library's in float64.
#include "models/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/models/plan/fused/math_test.cc"
#include <hwy/foreach_target.h>  // compiles this file once per instruction set
#include <hwy/highway.h>

#include "models/plan/fused/math_inl.h"

HWY_BEFORE_NAMESPACE();
namespace creamery {
namespace HWY_NAMESPACE {

// Of `count` numbers, a multiple of 16.
void MathRows(int64_t count, const float* x, float* exp, float* log, float* tanh, float* softplus, float* sigmoid) {
  for (int64_t i = 0; i < count; i += kLanes) {
    const Lanes lanes;
    const Vector value = hn::LoadU(lanes, x + i);
    Vector derivative;
    hn::StoreU(Softplus(value, derivative), lanes, softplus + i);
    hn::StoreU(derivative, lanes, sigmoid + i);
    hn::StoreU(Exp(value), lanes, exp + i);
    hn::StoreU(Log(value), lanes, log + i);
    hn::StoreU(Tanh(value), lanes, tanh + i);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace creamery
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace creamery {
namespace {

HWY_EXPORT(MathRows);

struct Values {
  explicit Values(std::vector<float> numbers) : x(std::move(numbers)) {
    while (x.size() % 16 != 0) x.push_back(1);
    for (std::vector<float>* out : {&exp, &log, &tanh, &softplus, &sigmoid}) out->resize(x.size());
    HWY_DYNAMIC_DISPATCH(MathRows)
    (static_cast<int64_t>(x.size()), x.data(), exp.data(), log.data(), tanh.data(), softplus.data(), sigmoid.data());
  }
  std::vector<float> x, exp, log, tanh, softplus, sigmoid;
};

std::vector<float> Grid(double begin, double end, int count) {
  std::vector<float> values;
  for (int i = 0; i < count; ++i) values.push_back(static_cast<float>(begin + (end - begin) * i / (count - 1)));
  return values;
}

double RelativeError(double value, double truth) { return std::abs(value - truth) / std::abs(truth); }

TEST(MathTest, FunctionsOfOrdinaryNumbersAreExactToFloat32) {
  const Values of(Grid(-20, 20, 100001));
  for (size_t i = 0; i < of.x.size(); ++i) {
    const double x = of.x[i];
    EXPECT_LT(RelativeError(of.exp[i], std::exp(x)), 2e-7) << x;
    EXPECT_LT(RelativeError(of.softplus[i], std::log1p(std::exp(x))), 5e-7) << x;
    EXPECT_LT(RelativeError(of.sigmoid[i], 1 / (1 + std::exp(-x))), 5e-7) << x;
    EXPECT_LE(std::abs(of.tanh[i] - std::tanh(x)), 5e-7 * std::abs(std::tanh(x))) << x;
    EXPECT_LE(std::abs(of.tanh[i]), 1) << x;
  }
}

TEST(MathTest, LogarithmsOfAllMagnitudesAreExactToFloat32) {
  std::vector<float> x;
  for (const float exponent : Grid(-86, 86, 50001)) x.push_back(std::exp(exponent));
  for (const float near_one : Grid(0.999, 1.001, 1001)) x.push_back(near_one);
  const Values of(x);
  for (size_t i = 0; i < of.x.size(); ++i) {
    const double truth = std::log(static_cast<double>(of.x[i]));
    EXPECT_NEAR(of.log[i], truth, 2e-7 * std::abs(truth) + 1e-12) << of.x[i];
  }
}

TEST(MathTest, TheEndsOfTheRangeAreReached) {
  const Values of({0, -0.0f, -100, 100, 88, -87});
  EXPECT_EQ(of.tanh[0], 0);
  EXPECT_EQ(of.exp[0], 1);
  EXPECT_LT(of.exp[2], 1.3e-38);
  EXPECT_EQ(of.exp[3], std::numeric_limits<float>::infinity());
  EXPECT_LT(RelativeError(of.exp[4], std::exp(88.0)), 2e-7);
  EXPECT_LT(RelativeError(of.exp[5], std::exp(-87.0)), 2e-7);
  EXPECT_EQ(of.tanh[3], 1);
  EXPECT_EQ(of.softplus[3], 100);
  EXPECT_EQ(of.sigmoid[3], 1);
}

TEST(MathTest, NothingThatOverflowsComesOutFinite) {
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const Values of({kNaN, kInfinity, 0, -1});
  EXPECT_TRUE(std::isnan(of.exp[0]));
  EXPECT_TRUE(std::isnan(of.log[0]));
  EXPECT_TRUE(std::isnan(of.tanh[0]));
  EXPECT_TRUE(std::isnan(of.softplus[0]));
  EXPECT_EQ(of.exp[1], kInfinity);
  for (const int i : {1, 2, 3}) EXPECT_FALSE(std::isfinite(of.log[i])) << of.x[i];
}

}  // namespace
}  // namespace creamery
#endif  // HWY_ONCE
