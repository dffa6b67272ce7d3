// Whole trainings of one member with the fused step and with LibTorch's autograd.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "models/plan/column_map.h"
#include "models/random.h"
#include "models/training/training_loop.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

constexpr auto kAffine = AutoregressiveLayer::Kind::kAffine;
constexpr auto kSpline = AutoregressiveLayer::Kind::kSpline;

// A curved density of 3 parameters, in the box for splines.
LoopRows Banana(AutoregressiveLayer::Kind kind, int64_t n, uint64_t seed) {
  const RandomStream stream(seed, RandomPurpose::kSample);
  LoopRows rows;
  rows.y = at::empty({n, 3}, at::kFloat);
  rows.weight = at::ones({n}, at::kFloat);
  float* y = rows.y.data_ptr<float>();
  for (int64_t i = 0; i < n; ++i, y += 3) {
    const double a = stream.Normal(i, 0);
    const double values[3] = {a, 0.5 * a * a - 0.5 + 0.5 * stream.Normal(i, 1), stream.Normal(i, 2) - 0.5 * a};
    for (int j = 0; j < 3; ++j) {
      y[j] = static_cast<float>(kind == kAffine ? values[j] : std::clamp(0.5 + values[j] / 16, 0.0, 1.0));
    }
  }
  return rows;
}

class FusedTrainingTest : public testing::TestWithParam<AutoregressiveLayer::Kind> {
 protected:
  absl::StatusOr<MemberState> Train(const LoopOptions& options) {
    MemberState state = StartMember(network_, options);
    const absl::Status status = TrainMember(
        network_, train_, held_out_, options, StopToken(), [] { return absl::OkStatus(); }, state);
    if (!status.ok()) return status;
    return state;
  }

  // Minus the mean log density of rows, in float64, by the reference.
  double Loss(const MemberState& state, const LoopRows& rows) {
    const auto n = static_cast<int64_t>(state.best_weights.size());
    const at::Tensor weights = at::from_blob(const_cast<float*>(state.best_weights.data()), {n}, at::kFloat);
    return -network_.LogProb(weights.to(at::kDouble), rows.y.to(at::kDouble)).mean().item<double>();
  }

  FlowNetwork network_{{GetParam(), 3, 3, {32, 32}, GetParam() == kSpline ? 8 : 0}, 3, 0};
  LoopRows train_ = Banana(GetParam(), 1000, 1);
  LoopRows held_out_ = Banana(GetParam(), 300, 2);
};

TEST_P(FusedTrainingTest, FirstEpochsFollowTheReference) {
  LoopOptions options;
  options.max_epochs = 3;
  ASSERT_OK_AND_ASSIGN(const MemberState fused, Train(options));
  options.autograd_device = "cpu";
  ASSERT_OK_AND_ASSIGN(const MemberState eager, Train(options));
  // 12 steps of at most 1e-3: rounding has not grown yet.
  EXPECT_NEAR(fused.train_loss, eager.train_loss, 1e-4);
  EXPECT_NEAR(fused.held_out_loss, eager.held_out_loss, 1e-4);
  EXPECT_LT(fused.held_out_loss, fused.train_loss + 0.2);
}

TEST_P(FusedTrainingTest, TheEndIsAsGoodAsThatOfTheReference) {
  // The two paths part by rounding and end in places of their own, as two seeds do. Over some seeds, the mean
  // difference of what they reach on rows that neither has seen is no larger than its standard error explains.
  constexpr int kSeeds = 12;
  const LoopRows fresh = Banana(GetParam(), 3000, 3);
  double sum = 0;
  double squares = 0;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    LoopOptions options;
    options.max_epochs = 40;
    options.seed = seed;
    ASSERT_OK_AND_ASSIGN(const MemberState fused, Train(options));
    options.autograd_device = "cpu";
    ASSERT_OK_AND_ASSIGN(const MemberState eager, Train(options));
    const double difference = Loss(fused, fresh) - Loss(eager, fresh);
    sum += difference;
    squares += difference * difference;
  }
  const double mean = sum / kSeeds;
  const double error = std::sqrt((squares / kSeeds - mean * mean) / (kSeeds - 1));
  EXPECT_LT(error, 0.005) << "the seeds tell nothing";
  EXPECT_LT(std::abs(mean), 4 * error + 1e-4) << "error " << error;
}

TEST_P(FusedTrainingTest, TheSameInputsGiveTheSameBits) {
  LoopOptions options;
  options.max_epochs = 3;
  ASSERT_OK_AND_ASSIGN(const MemberState once, Train(options));
  ASSERT_OK_AND_ASSIGN(const MemberState again, Train(options));
  EXPECT_EQ(once.weights, again.weights);
  EXPECT_EQ(once.held_out_loss, again.held_out_loss);
}

TEST_P(FusedTrainingTest, DivergenceIsSeenInEitherLoss) {
  LoopOptions options;
  options.max_epochs = 1;
  const float bad = std::numeric_limits<float>::quiet_NaN();
  const LoopRows train = train_;
  train_.y = train.y.clone();
  train_.y.data_ptr<float>()[30] = bad;
  EXPECT_THAT(Train(options).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition, testing::HasSubstr("the training loss is not finite")));
  train_ = train;
  held_out_.y.data_ptr<float>()[30] = bad;
  EXPECT_THAT(Train(options).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition, testing::HasSubstr("the held-out loss is not finite")));
}

INSTANTIATE_TEST_SUITE_P(Kinds, FusedTrainingTest, testing::Values(kAffine, kSpline),
                         [](const auto& info) { return info.param == kAffine ? "Affine" : "Spline"; });

}  // namespace
}  // namespace creamery
