// The hand-written gradient against LibTorch's autograd in float64 and against central differences.
#include "models/training/fused_flow.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <numeric>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "models/random.h"
#include "models/training/flow_network.h"
#include "models/training/fused_kernels.h"

namespace creamery {
namespace {

constexpr auto kAffine = AutoregressiveLayer::Kind::kAffine;
constexpr auto kSpline = AutoregressiveLayer::Kind::kSpline;

struct Problem {
  FlowShape shape;
  int64_t rows = 100;
  float noise = 0.3f;  // of the weights, beside their initial values
};

void PrintTo(const Problem& problem, std::ostream* out) {
  const FlowShape& shape = problem.shape;
  *out << (shape.kind == kAffine ? "affine" : "spline") << " d=" << shape.d << " transforms=" << shape.transforms
       << " hidden=" << shape.hidden_units.size() << " bins=" << shape.bins << " rows=" << problem.rows;
}

// Of every weight: 1, or 0 if the masks forbid it.
std::vector<float> Allowed(const FlowNetwork& network) {
  std::vector<float> allowed;
  for (const AutoregressiveLayer& layer : network.ToLayers(std::vector<float>(network.num_weights(), 1.0f))) {
    for (const Linear& linear : layer.network) {
      allowed.insert(allowed.end(), linear.weight.begin(), linear.weight.end());
      allowed.insert(allowed.end(), linear.bias.begin(), linear.bias.end());
    }
  }
  return allowed;
}

// Away from zero everywhere.
std::vector<float> RandomWeights(const FlowNetwork& network, float noise) {
  const RandomStream stream(7, RandomPurpose::kInitialWeights);
  const std::vector<float> allowed = Allowed(network);
  std::vector<float> weights = network.initial_weights();
  for (size_t i = 0; i < weights.size(); ++i) weights[i] += allowed[i] * noise * static_cast<float>(stream.Normal(i));
  return weights;
}

struct Rows {
  std::vector<float> y;
  std::vector<float> weight;
  FusedRows Fused() const { return {y.data(), weight.data(), nullptr, static_cast<int64_t>(weight.size())}; }
};

Rows RandomRows(const FlowShape& shape, int64_t n) {
  const RandomStream stream(11, RandomPurpose::kSample);
  Rows rows;
  for (int64_t i = 0; i < n; ++i) {
    rows.weight.push_back(static_cast<float>(2 * stream.Uniform(i, 1000)));
    for (int64_t j = 0; j < shape.d; ++j) {
      rows.y.push_back(static_cast<float>(shape.kind == kAffine ? stream.Normal(i, j) : stream.Uniform(i, j)));
    }
  }
  return rows;
}

at::Tensor Doubles(const std::vector<float>& values) {
  return at::from_blob(const_cast<float*>(values.data()), {static_cast<int64_t>(values.size())}, at::kFloat)
      .to(at::kDouble);
}

at::Tensor ReferenceLoss(const FlowNetwork& network, const at::Tensor& weights, const Rows& rows) {
  const at::Tensor weight = Doubles(rows.weight).to(weights.scalar_type());
  const at::Tensor y = Doubles(rows.y).to(weights.scalar_type()).view({weight.size(0), -1});
  return -(network.LogProb(weights, y) * weight).mean();
}

struct LossAndGradient {
  double loss = 0;
  std::vector<double> gradient;
};

// In float64.
LossAndGradient Autograd(const FlowNetwork& network, const at::Tensor& weights, const Rows& rows) {
  at::Tensor leaf = weights.detach().clone().set_requires_grad(true);
  const at::Tensor loss = ReferenceLoss(network, leaf, rows);
  loss.backward();
  const at::Tensor gradient = leaf.grad().contiguous();
  return {loss.item<double>(), {gradient.data_ptr<double>(), gradient.data_ptr<double>() + gradient.numel()}};
}

// Each number off by up to half a unit of its last float32 digit, as if it had been rounded another way.
at::Tensor RoundedAnotherWay(const at::Tensor& values, uint32_t way) {
  const RandomStream stream(13, RandomPurpose::kStatistics);
  at::Tensor rounded = values.clone();
  double* numbers = rounded.data_ptr<double>();
  for (int64_t i = 0; i < rounded.numel(); ++i) numbers[i] *= 1 + (2 * stream.Uniform(i, way) - 1) * std::ldexp(1, -24);
  return rounded;
}

LossAndGradient Fused(const FlowNetwork& network, const std::vector<float>& weights, const Rows& rows) {
  const FusedFlow flow(network.layers());
  FusedFlow::Workspace workspace(flow);
  std::vector<float> gradient(network.num_weights(), 1.0f);
  const double loss = flow.LossAndGradient(weights, rows.Fused(), workspace, absl::MakeSpan(gradient));
  EXPECT_EQ(flow.Loss(weights, rows.Fused(), workspace), loss);
  return {loss, {gradient.begin(), gradient.end()}};
}

double Norm(const std::vector<double>& v) { return std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0)); }

double Distance(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> difference = a;
  for (size_t i = 0; i < a.size(); ++i) difference[i] -= b[i];
  return Norm(difference);
}

std::vector<double> Part(const std::vector<double>& v, size_t begin, size_t count) {
  return {v.begin() + begin, v.begin() + begin + count};
}

// Root of the mean square of `distance` of some losses and gradients.
template <typename DistanceOf>
double Spread(const std::vector<LossAndGradient>& around, const DistanceOf& distance) {
  double sum = 0;
  for (const LossAndGradient& one : around) sum += std::pow(distance(one), 2);
  return std::sqrt(sum / static_cast<double>(around.size()));
}

// Against autograd in float64, each weight matrix and each bias by itself. Rough splines magnify rounding: what one
// other rounding of the weights does to the float64 loss and gradient is the yardstick. The longest sums have 50 terms,
// so arithmetic in float32 is off by some sqrt(50) of it, and by three times as much once in a few hundred cases.
void ExpectFusedIsRight(const FlowNetwork& network, const std::vector<float>& weights, const Rows& rows) {
  const double roundings = 3 * std::sqrt(50.0);
  const LossAndGradient fused = Fused(network, weights, rows);
  const LossAndGradient truth = Autograd(network, Doubles(weights), rows);
  std::vector<LossAndGradient> around;
  for (uint32_t way = 0; way < 4; ++way) {
    around.push_back(Autograd(network, RoundedAnotherWay(Doubles(weights), way), rows));
  }
  const double loss_spread = Spread(around, [&](const LossAndGradient& one) { return one.loss - truth.loss; });
  EXPECT_NEAR(fused.loss, truth.loss, roundings * loss_spread + 2e-6 * std::max(1.0, std::abs(truth.loss)));
  const double spread =
      Spread(around, [&](const LossAndGradient& one) { return Distance(one.gradient, truth.gradient); });
  EXPECT_LT(roundings * spread, 2e-3 * Norm(truth.gradient)) << "the problem tells nothing";
  size_t begin = 0;
  for (const AutoregressiveLayer& layer : network.ToLayers(weights)) {
    for (const Linear& linear : layer.network) {
      for (const size_t count : {linear.weight.size(), linear.bias.size()}) {
        const std::vector<double> part = Part(fused.gradient, begin, count);
        const std::vector<double> part_truth = Part(truth.gradient, begin, count);
        const double part_spread = Spread(
            around, [&](const LossAndGradient& one) { return Distance(Part(one.gradient, begin, count), part_truth); });
        const double tolerance = 1e-5 * Norm(part_truth) + 1e-6 * Norm(truth.gradient) + roundings * part_spread;
        EXPECT_LE(Distance(part, part_truth), tolerance) << "weights from " << begin;
        begin += count;
      }
    }
  }
  EXPECT_EQ(begin, fused.gradient.size());
  const std::vector<float> allowed = Allowed(network);
  for (size_t i = 0; i < allowed.size(); ++i) {
    EXPECT_TRUE(allowed[i] != 0 || fused.gradient[i] == 0) << "forbidden weight " << i;
  }
}

class FusedFlowTest : public testing::TestWithParam<Problem> {};

TEST_P(FusedFlowTest, LossAndGradientAreThoseOfAutograd) {
  const Problem& problem = GetParam();
  const FlowNetwork network(problem.shape, 3, 1);
  const std::vector<float> weights = RandomWeights(network, problem.noise);
  const Rows rows = RandomRows(problem.shape, problem.rows);
  ExpectFusedIsRight(network, weights, rows);
}

std::vector<Problem> Problems() {
  std::vector<Problem> problems;
  for (const int64_t d : {2, 3, 6}) {
    for (const std::vector<int64_t>& hidden : {std::vector<int64_t>{11}, {50, 50}, {16, 20, 9}}) {
      problems.push_back({{kAffine, d, 3, hidden, 0}, 100});
      problems.push_back({{kSpline, d, 3, hidden, 8}, 100});
    }
  }
  problems.push_back({{kAffine, 1, 2, {50}, 0}, 65});
  problems.push_back({{kSpline, 1, 2, {50}, 16}, 65});
  problems.push_back({{kAffine, 30, 2, {50, 50}, 0}, 70, 0.1f});
  problems.push_back({{kSpline, 30, 2, {40, 35}, 8}, 70, 0.1f});
  problems.push_back({{kSpline, 4, 2, {20}, 16}, 90});
  problems.push_back({{kSpline, 4, 2, {20}, 2}, 90});
  for (const int64_t rows : {1, 63, 64, 256, 300, 1024}) {
    problems.push_back({{kAffine, 5, 2, {20, 20}, 0}, rows});
    problems.push_back({{kSpline, 5, 2, {20, 20}, 8}, rows});
  }
  return problems;
}

INSTANTIATE_TEST_SUITE_P(Shapes, FusedFlowTest, testing::ValuesIn(Problems()));

class KindTest : public testing::TestWithParam<AutoregressiveLayer::Kind> {
 protected:
  FlowShape shape_{GetParam(), 4, 3, {24, 24}, GetParam() == kSpline ? 8 : 0};
};

TEST_P(KindTest, TheGradientIsTheSlopeOfTheLossInAnyDirection) {
  const FlowNetwork network(shape_, 3, 1);
  const std::vector<float> weights = RandomWeights(network, 0.3f);
  const Rows rows = RandomRows(shape_, 200);
  const LossAndGradient fused = Fused(network, weights, rows);
  const RandomStream stream(5, RandomPurpose::kStatistics);
  for (uint32_t direction = 0; direction < 10; ++direction) {
    std::vector<double> v(weights.size());
    double slope = 0;
    for (size_t i = 0; i < v.size(); ++i) {
      v[i] = stream.Normal(i, direction);
      slope += v[i] * fused.gradient[i];
    }
    const at::Tensor step = at::from_blob(v.data(), {static_cast<int64_t>(v.size())}, at::kDouble) * 1e-6;
    const double above = ReferenceLoss(network, Doubles(weights) + step, rows).item<double>();
    const double below = ReferenceLoss(network, Doubles(weights) - step, rows).item<double>();
    EXPECT_NEAR((above - below) / 2e-6, slope, 1e-4 * Norm(fused.gradient)) << direction;
  }
}

TEST_P(KindTest, WeightsOfZeroAreTheIdentity) {
  const FlowNetwork network(shape_, 3, 1);
  const std::vector<float> weights(network.num_weights(), 0.0f);
  const Rows rows = RandomRows(shape_, 100);
  ExpectFusedIsRight(network, weights, rows);
}

TEST_P(KindTest, RowsAreTakenByIndex) {
  const FlowNetwork network(shape_, 3, 1);
  const std::vector<float> weights = RandomWeights(network, 0.3f);
  const Rows rows = RandomRows(shape_, 200);
  std::vector<int64_t> index;
  Rows picked;
  for (int64_t i = 0; i < 90; ++i) {
    index.push_back((i * 37 + 5) % 200);
    picked.weight.push_back(rows.weight[index.back()]);
    for (int64_t j = 0; j < shape_.d; ++j) picked.y.push_back(rows.y[index.back() * shape_.d + j]);
  }
  const FusedFlow flow(network.layers());
  FusedFlow::Workspace workspace(flow);
  std::vector<float> by_index(network.num_weights());
  std::vector<float> direct(network.num_weights());
  const FusedRows indexed{rows.y.data(), rows.weight.data(), index.data(), 90};
  EXPECT_EQ(flow.LossAndGradient(weights, indexed, workspace, absl::MakeSpan(by_index)),
            flow.LossAndGradient(weights, picked.Fused(), workspace, absl::MakeSpan(direct)));
  EXPECT_EQ(by_index, direct);
}

// A step of a large network takes minutes; a stop that is asked for is seen before the next linear map of one tile.
TEST_P(KindTest, AStopThatIsAskedForLeavesTheStepAtOnce) {
  const FlowNetwork network(shape_, 3, 1);
  const std::vector<float> weights = RandomWeights(network, 0.3f);
  const Rows rows = RandomRows(shape_, 200);
  const FusedFlow flow(network.layers());
  FusedFlow::Workspace workspace(flow);
  std::vector<float> gradient(network.num_weights(), 1.0f);
  StopSource stop;
  stop.RequestStop();
  EXPECT_EQ(flow.LossAndGradient(weights, rows.Fused(), workspace, absl::MakeSpan(gradient), stop.token()), 0);
  EXPECT_THAT(gradient, testing::Each(0.0f));
  EXPECT_EQ(flow.Loss(weights, rows.Fused(), workspace, stop.token()), 0);

  // No map of a tile that has begun, either: its hidden units stay as they were.
  const FusedLayout layout(network.layers());
  std::unique_ptr<float, void (*)(void*)> tile(
      static_cast<float*>(std::aligned_alloc(64, layout.lines * kTileRows * sizeof(float))), &std::free);
  std::fill_n(tile.get(), layout.lines * kTileRows, 7.0f);
  FusedForward(layout, weights.data(), tile.get(), stop.token());
  EXPECT_EQ(tile.get()[layout.layers[0].raw * kTileRows], 7.0f);
  FusedBackward(layout, weights.data(), tile.get(), 1, gradient.data(), stop.token());
  EXPECT_THAT(gradient, testing::Each(0.0f));
  EXPECT_THAT(FlowNetwork(shape_, 3, 1, stop.token()).initial_weights(), testing::Each(0.0f));
}

TEST_P(KindTest, ThreadsWithWorkspacesOfTheirOwnFindTheSameBits) {
  const FlowNetwork network(shape_, 3, 1);
  const FusedFlow flow(network.layers());
  const std::vector<float> weights = RandomWeights(network, 0.3f);
  const Rows rows = RandomRows(shape_, 500);
  std::vector<std::vector<float>> gradients(4, std::vector<float>(network.num_weights()));
  std::vector<std::thread> threads;
  for (std::vector<float>& gradient : gradients) {
    threads.emplace_back([&] {
      FusedFlow::Workspace workspace(flow);
      for (int i = 0; i < 20; ++i) {
        flow.LossAndGradient(weights, rows.Fused(), workspace, absl::MakeSpan(gradient));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<float>& gradient : gradients) EXPECT_EQ(gradient, gradients[0]);
}

TEST_P(KindTest, OverflowIsSeenInTheLoss) {
  const FlowNetwork network(shape_, 3, 1);
  const Rows rows = RandomRows(shape_, 100);
  const FusedFlow flow(network.layers());
  FusedFlow::Workspace workspace(flow);
  std::vector<float> gradient(network.num_weights());
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const std::vector<float> weights(network.num_weights(), bad);
    EXPECT_FALSE(std::isfinite(flow.Loss(weights, rows.Fused(), workspace))) << bad;
    EXPECT_FALSE(std::isfinite(flow.LossAndGradient(weights, rows.Fused(), workspace, absl::MakeSpan(gradient))));
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, KindTest, testing::Values(kAffine, kSpline),
                         [](const auto& info) { return std::string(info.param == kAffine ? "Affine" : "Spline"); });

TEST(FusedSplineTest, RowsAtTheEndsOfTheBoxHaveTheGradientOfAutograd) {
  const FlowShape shape{kSpline, 3, 3, {20}, 8};
  const FlowNetwork network(shape, 3, 1);
  const std::vector<float> weights = RandomWeights(network, 0.3f);
  Rows rows;
  for (const float a : {0.0f, 0.5f, 1.0f}) {
    for (const float b : {0.0f, 0.3f, 1.0f}) {
      for (const float c : {0.0f, 1e-3f, 0.999f, 1.0f}) {
        rows.y.insert(rows.y.end(), {a, b, c});
        rows.weight.push_back(1);
      }
    }
  }
  ExpectFusedIsRight(network, weights, rows);
}

// Nothing magnifies the rounding of knots there: a corner is where every layer leaves it.
TEST(FusedSplineTest, EachCornerOfTheBoxIsExactThroughAllLayers) {
  const FlowShape shape{kSpline, 3, 3, {20}, 8};
  const FlowNetwork network(shape, 3, 1);
  const std::vector<float> weights = RandomWeights(network, 0.3f);
  for (int corner = 0; corner < 8; ++corner) {
    SCOPED_TRACE(corner);
    Rows rows;
    for (int j = 0; j < 3; ++j) rows.y.push_back(static_cast<float>(corner >> j & 1));
    rows.weight.push_back(1);
    ExpectFusedIsRight(network, weights, rows);
  }
}

TEST(FusedAffineTest, AFlowThatOverflowsHasAnInfiniteLoss) {
  const FlowShape shape{kAffine, 2, 1, {4}, 0};
  const FlowNetwork network(shape, 3, 1);
  const Rows rows = RandomRows(shape, 10);
  const FusedFlow flow(network.layers());
  FusedFlow::Workspace workspace(flow);
  std::vector<float> weights(network.num_weights(), 0.0f);
  for (const size_t alpha : {weights.size() - 1, weights.size() - 3}) weights[alpha] = -200;
  EXPECT_FALSE(std::isfinite(flow.Loss(weights, rows.Fused(), workspace)));
}

}  // namespace
}  // namespace creamery
