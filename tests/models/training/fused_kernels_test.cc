// One step on every instruction set that this processor has, and Adam.
#include "models/training/fused_kernels.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>
#include <limits>
#include <vector>

#include "models/random.h"
#include "models/training/flow_network.h"
#include "models/training/fused_flow.h"

namespace creamery {
namespace {

constexpr auto kAffine = AutoregressiveLayer::Kind::kAffine;
constexpr auto kSpline = AutoregressiveLayer::Kind::kSpline;

// The weights in the order of FlowNetwork.
std::vector<float> Flat(const std::vector<AutoregressiveLayer>& layers) {
  std::vector<float> weights;
  for (const AutoregressiveLayer& layer : layers) {
    for (const Linear& linear : layer.network) {
      weights.insert(weights.end(), linear.weight.begin(), linear.weight.end());
      weights.insert(weights.end(), linear.bias.begin(), linear.bias.end());
    }
  }
  return weights;
}

// The gradient of a small flow on 150 rows, its norm, and the weights and their average after a step along it.
std::vector<float> Step(AutoregressiveLayer::Kind kind) {
  const FlowNetwork network({kind, 5, 3, {21, 18}, kind == kSpline ? 8 : 0}, 3, 1);
  const RandomStream stream(5, RandomPurpose::kStatistics);
  const auto size = static_cast<size_t>(network.num_weights());
  std::vector<float> weights = network.initial_weights();
  for (size_t i = 0; i < size; ++i) weights[i] += 0.2f * static_cast<float>(stream.Normal(i));
  weights = Flat(network.ToLayers(weights));
  std::vector<float> y;
  for (int i = 0; i < 150 * 5; ++i) y.push_back(static_cast<float>(stream.Uniform(i, 1)));
  const std::vector<float> weight(150, 1.0f);
  const FusedFlow flow(network.layers());
  FusedFlow::Workspace workspace(flow);
  std::vector<float> gradient(size);
  const double loss =
      flow.LossAndGradient(weights, {y.data(), weight.data(), nullptr, 150}, workspace, absl::MakeSpan(gradient));
  std::vector<float> first(size, 0.1f);
  std::vector<float> second(size, 0.1f);
  std::vector<float> average(size, 0.1f);
  const std::vector<float> step_scale(size, 1.0f);
  FusedAdam adam;
  adam.learning_rate = 1e-3;
  adam.average_part = 0.3;
  FusedAdamStep(adam, gradient.data(), step_scale.data(), network.num_weights(),
                {weights.data(), first.data(), second.data(), average.data()});
  std::vector<float> result = gradient;
  result.insert(result.end(), weights.begin(), weights.end());
  result.insert(result.end(), average.begin(), average.end());
  result.push_back(static_cast<float>(loss));
  result.push_back(static_cast<float>(FusedNorm(network.num_weights(), gradient.data())));
  return result;
}

std::vector<std::vector<float>> OnTargets(AutoregressiveLayer::Kind kind, const std::vector<int64_t>& targets) {
  std::vector<std::vector<float>> results;
  for (const int64_t target : targets) {
    hwy::SetSupportedTargetsForTest(target);
    results.push_back(Step(kind));
  }
  hwy::SetSupportedTargetsForTest(0);
  return results;
}

class TargetTest : public testing::TestWithParam<AutoregressiveLayer::Kind> {};

TEST_P(TargetTest, InstructionSetsWithAFusedMultiplyAddGiveTheSameBits) {
  if ((hwy::SupportedTargets() & HWY_AVX3) == 0) GTEST_SKIP() << "this processor has no AVX-512 to compare with AVX2";
  const std::vector<std::vector<float>> results = OnTargets(GetParam(), {HWY_AVX2, HWY_AVX3});
  EXPECT_EQ(results[0], results[1]);
}

TEST_P(TargetTest, TheBaselineGivesTheSameNumbersButForRounding) {
  const std::vector<float> best = Step(GetParam());
  const std::vector<float> baseline = OnTargets(GetParam(), {HWY_STATIC_TARGET})[0];
  double difference = 0;
  double norm = 0;
  for (size_t i = 0; i < best.size(); ++i) {
    difference += std::pow(static_cast<double>(best[i]) - baseline[i], 2);
    norm += std::pow(static_cast<double>(best[i]), 2);
  }
  EXPECT_LT(std::sqrt(difference / norm), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Kinds, TargetTest, testing::Values(kAffine, kSpline),
                         [](const auto& info) { return info.param == kAffine ? "Affine" : "Spline"; });

TEST(FusedAdamTest, StepsAreThoseOfTheFormulasInFloat64) {
  constexpr int64_t kCount = 37;  // not a multiple of any vector
  const RandomStream stream(9, RandomPurpose::kStatistics);
  std::vector<float> weights(kCount), first(kCount), second(kCount), step_scale(kCount), gradient(kCount);
  std::vector<float> average(kCount);
  std::vector<double> w(kCount), m(kCount), v(kCount), a(kCount);
  for (int64_t i = 0; i < kCount; ++i) {
    w[i] = weights[i] = static_cast<float>(stream.Normal(i, 0));
    step_scale[i] = i % 2 == 0 ? 1 : 10;
  }
  FusedAdam adam;
  adam.learning_rate = 0.01;
  adam.gradient_scale = 0.5;
  adam.average_part = 0.2;
  for (adam.step = 1; adam.step <= 20; ++adam.step) {
    const auto t = static_cast<double>(adam.step);
    for (int64_t i = 0; i < kCount; ++i) {
      gradient[i] = static_cast<float>(stream.Normal(i, static_cast<uint32_t>(adam.step)));
      const double g = 0.5 * gradient[i];
      m[i] = 0.9 * m[i] + 0.1 * g;
      v[i] = 0.999 * v[i] + 0.001 * g * g;
      w[i] -=
          0.01 * step_scale[i] * m[i] / (1 - std::pow(0.9, t)) / (std::sqrt(v[i] / (1 - std::pow(0.999, t))) + 1e-8);
      a[i] += 0.2 * (w[i] - a[i]);
    }
    FusedAdamStep(adam, gradient.data(), step_scale.data(), kCount,
                  {weights.data(), first.data(), second.data(), average.data()});
  }
  for (int64_t i = 0; i < kCount; ++i) {
    EXPECT_NEAR(weights[i], w[i], 2e-6 * step_scale[i]) << i;
    EXPECT_NEAR(average[i], a[i], 2e-6 * step_scale[i]) << i;
  }
}

TEST(FusedNormTest, EveryNumberCounts) {
  for (const int64_t count : {0, 1, 15, 16, 17, 64, 75}) {
    std::vector<float> values;
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) {
      values.push_back(static_cast<float>(std::ldexp(i % 2 == 0 ? 3 : -5, static_cast<int>(i % 7))));
      sum += values.back() * values.back();
    }
    EXPECT_EQ(FusedNorm(count, values.data()), std::sqrt(sum)) << count;
  }
  const float infinite[3] = {1, std::numeric_limits<float>::infinity(), 1};
  EXPECT_FALSE(std::isfinite(FusedNorm(3, infinite)));
}

}  // namespace
}  // namespace creamery
