// Training and evaluation on a device of LibTorch. The processor stands for the device wherever that says enough; what
// only a GPU can show is skipped where there is none.
#include "models/training/device.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "models/densities/density_tree.h"
#include "models/families.h"
#include "models/plan/interpreter.h"
#include "models/random.h"
#include "models/training/device_epochs.h"
#include "models/training/device_log_prob.h"
#include "models/training/device_runtime.h"
#include "models/training/trainer.h"
#include "tests/models/training/training_samples.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr auto kAffine = AutoregressiveLayer::Kind::kAffine;
constexpr auto kSpline = AutoregressiveLayer::Kind::kSpline;

#define SKIP_WITHOUT_GPU() \
  if (GpuNames().empty()) GTEST_SKIP() << "LibTorch finds no GPU here: CUDA graphs and device memory are not tested"

TEST(DeviceTest, WhatPeopleAskForIsFoundAmongTheGpusHere) {
  const std::vector<std::string> gpus = {"Large", "Small"};
  ASSERT_OK_AND_ASSIGN(const TrainingDevice cpu, ChooseDevice("cpu", true, gpus));
  EXPECT_EQ(cpu.gpu, "");
  EXPECT_EQ(cpu.name, "cpu");
  ASSERT_OK_AND_ASSIGN(const TrainingDevice first, ChooseDevice("cuda", true, gpus));
  EXPECT_EQ(first.gpu, "cuda:0");
  EXPECT_TRUE(first.all_networks);
  EXPECT_EQ(first.name, "Large");
  ASSERT_OK_AND_ASSIGN(const TrainingDevice second, ChooseDevice("cuda:1", true, gpus));
  EXPECT_EQ(second.gpu, "cuda:1");
  EXPECT_EQ(second.name, "Small");
  ASSERT_OK_AND_ASSIGN(const TrainingDevice automatic, ChooseDevice("auto", true, gpus));
  EXPECT_EQ(automatic.gpu, "cuda:0");
  EXPECT_FALSE(automatic.all_networks);
  EXPECT_EQ(automatic.name, "Large");
  ASSERT_OK_AND_ASSIGN(const TrainingDevice none, ChooseDevice("auto", false, {}));
  EXPECT_EQ(none.gpu, "");
  EXPECT_EQ(none.name, "cpu");
}

TEST(DeviceTest, ADeviceThatIsNotHereIsRefusedWithWhatIs) {
  EXPECT_THAT(ChooseDevice("cuda", false, {}), StatusIs(absl::StatusCode::kFailedPrecondition,
                                                        AllOf(HasSubstr("without CUDA"), HasSubstr("--device=cpu"))));
  EXPECT_THAT(ChooseDevice("cuda", true, {}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("LibTorch finds no GPU")));
  EXPECT_THAT(ChooseDevice("cuda:2", true, {"Large", "Small"}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("cuda:0: Large, Small")));
  for (const char* word : {"", "gpu", "cuda:", "cuda:-1", "cuda:x", "cuda1", "CPU"}) {
    EXPECT_THAT(ChooseDevice(word, true, {"Large"}),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected auto, cpu, cuda or cuda:NUMBER")))
        << word;
  }
}

TEST(DeviceTest, AutoLeavesSmallNetworksToTheProcessor) {
  const TrainingDevice automatic{"cuda:0", false, "Large"};
  EXPECT_FALSE(UsesGpu(automatic, 21000, 128));  // the default maf of 6 parameters, 3 % of what is worthwhile
  EXPECT_TRUE(UsesGpu(automatic, 21000, 8192));
  EXPECT_TRUE(UsesGpu(automatic, 2000000, 128));
  EXPECT_TRUE(UsesGpu({"cuda:0", true, "Large"}, 1, 1));
  EXPECT_FALSE(UsesGpu(TrainingDevice(), 2000000, 8192));
}

// Rows of a leaning Gaussian of 3 parameters, in the box for splines.
LoopRows Rows(AutoregressiveLayer::Kind kind, int64_t n, uint64_t seed) {
  const RandomStream stream(seed, RandomPurpose::kSample);
  LoopRows rows;
  rows.y = at::empty({n, 3}, at::kFloat);
  rows.weight = at::empty({n}, at::kFloat);
  for (int64_t i = 0; i < n; ++i) {
    double lean = 0;
    for (int64_t j = 0; j < 3; ++j) {
      lean = stream.Normal(i, j) + 0.7 * lean;
      const double in_box = std::min(1.0, std::max(0.0, 0.5 + lean / 8));
      rows.y.data_ptr<float>()[i * 3 + j] = static_cast<float>(kind == kAffine ? lean : in_box);
    }
    rows.weight.data_ptr<float>()[i] = i % 2 == 0 ? 0.5f : 1.5f;
  }
  return rows;
}

class DeviceEpochsTest : public testing::TestWithParam<AutoregressiveLayer::Kind> {
 protected:
  static FlowShape Shape() { return {GetParam(), 3, 3, {16, 16}, GetParam() == kSpline ? 4 : 0}; }

  // `epochs` epochs of 300 rows from `state`; the held-out loss after them.
  double Run(const std::string& device, int epochs, MemberState& state) {
    LoopOptions options = options_;
    options.autograd_device = device;
    DeviceEpochs work(network_, train_, held_out_, options);
    std::vector<int64_t> order(300);
    std::iota(order.begin(), order.end(), 0);
    for (int epoch = 0; epoch < epochs; ++epoch) {
      std::rotate(order.begin(), order.begin() + 7 + epoch, order.end());
      const auto loss = work.Descend(order, StopToken(), state);
      EXPECT_THAT(loss, IsOk());
      state.train_loss = *loss;
    }
    const auto loss = work.HeldOutLoss(StopToken());
    EXPECT_THAT(loss, IsOk());
    recorded_ = work.recorded();
    return *loss;
  }
  MemberState Start() { return StartMember(network_, options_); }

  LoopOptions options_ = [] {
    LoopOptions options;
    options.batch_size = 64;  // four whole minibatches and one of 44
    options.clip_norm = 0.5;  // of use in most steps
    return options;
  }();
  FlowNetwork network_{Shape(), 5, 0};
  LoopRows train_ = Rows(GetParam(), 300, 1);
  LoopRows held_out_ = Rows(GetParam(), 100, 2);
  bool recorded_ = false;
};

// The step as the papers write it, in float64, from LibTorch's gradient alone.
TEST_P(DeviceEpochsTest, AnEpochIsTheStepsOfAdamWrittenOut) {
  MemberState state = Start();
  const double held_out_loss = Run("cpu", 1, state);

  const FlowNetwork& network = network_;
  const int64_t count = network.num_weights();
  at::Tensor w =
      at::from_blob(const_cast<float*>(network.initial_weights().data()), {count}, at::kFloat).to(at::kDouble);
  at::Tensor average = w.clone();
  at::Tensor m = at::zeros({count}, at::kDouble);
  at::Tensor v = at::zeros({count}, at::kDouble);
  const at::Tensor y = train_.y.to(at::kDouble);
  const at::Tensor weight = train_.weight.to(at::kDouble);
  double sum = 0;
  for (int64_t step = 1; step <= 5; ++step) {
    const int64_t begin = (step - 1) * 64;
    at::Tensor rows = at::arange(begin, std::min<int64_t>(begin + 64, 300), at::kLong);
    rows = (rows + 7).remainder(300);  // Run turns the order by 7
    const at::Tensor leaf = w.detach().clone().set_requires_grad(true);
    const at::Tensor loss = -(network.LogProb(leaf, y.index_select(0, rows)) * weight.index_select(0, rows)).mean();
    loss.backward();
    sum += loss.item<double>() * static_cast<double>(rows.size(0));
    const double norm = leaf.grad().norm().item<double>();
    const at::Tensor g = leaf.grad() * std::min(1.0, 0.5 / norm);
    const auto t = static_cast<double>(step);
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    const at::Tensor m_hat = m / (1 - std::pow(0.9, t));
    const at::Tensor v_hat = v / (1 - std::pow(0.999, t));
    w = w - 1e-3 * network.step_scale().to(at::kDouble) * m_hat / (v_hat.sqrt() + 1e-8);
    const double keep = std::min(1 - 1 / (5.0 * 5.0), (1 + t) / (10 + t));
    average = keep * average + (1 - keep) * w;
  }
  EXPECT_EQ(state.steps, 5);
  // float32 against float64: an entry of the gradient is off by about 1e-6 of the largest. Adam divides each entry by
  // its own size, so where an entry is itself that small its step, 1e-2 at most, is anyone's; a median is not.
  const at::Tensor got = at::from_blob(state.weights.data(), {count}, at::kFloat).to(at::kDouble);
  EXPECT_LT((got - w).abs().median().item<double>(), 1e-7);
  EXPECT_LT((got - w).abs().mean().item<double>(), 2e-5);
  const at::Tensor got_average = at::from_blob(state.average.data(), {count}, at::kFloat).to(at::kDouble);
  EXPECT_LT((got_average - average).abs().median().item<double>(), 1e-7);
  EXPECT_NEAR(state.train_loss, sum / 300, 1e-5);
  const at::Tensor held_out =
      (network.LogProb(average, held_out_.y.to(at::kDouble)) * held_out_.weight.to(at::kDouble)).mean();
  EXPECT_NEAR(held_out_loss, -held_out.item<double>(), 1e-4);
}

TEST_P(DeviceEpochsTest, EpochsGoOnFromAStateAsIfTheyHadNeverStopped) {
  MemberState whole = Start();
  const double loss = Run("cpu", 2, whole);
  // The second epoch by itself, from what the first left. Run turns the order anew: by 7, where the second epoch of a
  // run has 7 and 8 behind it.
  MemberState state = Start();
  LoopOptions options = options_;
  options.autograd_device = "cpu";
  double resumed_loss = 0;
  std::vector<int64_t> order(300);
  std::iota(order.begin(), order.end(), 0);
  for (int epoch = 0; epoch < 2; ++epoch) {
    std::rotate(order.begin(), order.begin() + 7 + epoch, order.end());
    DeviceEpochs work(network_, train_, held_out_, options);
    ASSERT_OK_AND_ASSIGN(state.train_loss, work.Descend(order, StopToken(), state));
    ASSERT_OK_AND_ASSIGN(resumed_loss, work.HeldOutLoss(StopToken()));
  }
  EXPECT_EQ(state.steps, 10);
  EXPECT_EQ(state.weights, whole.weights);
  EXPECT_EQ(state.average, whole.average);
  EXPECT_EQ(state.second_moment, whole.second_moment);
  EXPECT_EQ(resumed_loss, loss);
}

TEST_P(DeviceEpochsTest, AStopIsSeenBeforeAStepAndBeforeAnEvaluation) {
  options_.autograd_device = "cpu";
  DeviceEpochs work(network_, train_, held_out_, options_);
  StopSource source;
  source.RequestStop();
  MemberState state = Start();
  EXPECT_THAT(work.Descend(std::vector<int64_t>(300), source.token(), state), HasCode(absl::StatusCode::kCancelled));
  EXPECT_THAT(work.HeldOutLoss(source.token()), HasCode(absl::StatusCode::kCancelled));
}

TEST_P(DeviceEpochsTest, AGpuFollowsTheProcessor) {
  SKIP_WITHOUT_GPU();
  MemberState cpu = Start();
  MemberState gpu = Start();
  const double cpu_loss = Run("cpu", 3, cpu);
  const double gpu_loss = Run("cuda:0", 3, gpu);
  EXPECT_TRUE(recorded_) << "LibTorch could not record the step";
  EXPECT_EQ(gpu.steps, 15);
  // 15 steps of at most 1e-2: rounding has not grown yet.
  EXPECT_NEAR(gpu.train_loss, cpu.train_loss, 1e-3);
  EXPECT_NEAR(gpu_loss, cpu_loss, 1e-3);
}

TEST_P(DeviceEpochsTest, AGpuGivesTheSameBitsAgain) {
  SKIP_WITHOUT_GPU();
  MemberState once = Start();
  MemberState again = Start();
  EXPECT_EQ(Run("cuda:0", 3, once), Run("cuda:0", 3, again));
  EXPECT_EQ(once.weights, again.weights);
}

INSTANTIATE_TEST_SUITE_P(Kinds, DeviceEpochsTest, testing::Values(kAffine, kSpline),
                         [](const auto& info) { return info.param == kAffine ? "Affine" : "Spline"; });

TrainingInput BoxedInput(const std::string& family) {
  TrainingInput input = MakeInput({BoxParameter("a", 0, 1), FreeParameter("b"), HalfBoundedParameter("c", 0)}, 300,
                                  [](const auto& u, double* row) {
                                    row[0] = u(0) * u(0);
                                    row[1] = u(1) + row[0];
                                    row[2] = -std::log(u(2));
                                  });
  v1::EstimatorSpec& spec = *input.job.mutable_training()->mutable_spec();
  spec = SpecOf(family);
  spec.mutable_training()->set_members(2);
  spec.mutable_training()->set_max_epochs(6);
  return input;
}

class DeviceLogProbTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(const std::string artifact, Train(BoxedInput(GetParam()), {}));
    ASSERT_OK_AND_ASSIGN(const Safetensors file, Safetensors::Parse(artifact));
    ASSERT_OK_AND_ASSIGN(plan_, ReadPlan(file, MemberPrefix(0)));
    const RandomStream stream(4, RandomPurpose::kSample);
    std::vector<double> u(3 * 20000);  // more than one chunk
    for (size_t i = 0; i < u.size(); ++i) u[i] = stream.Uniform(i);
    theta_.resize(u.size());
    ASSERT_THAT(PlanInverse(plan_, u, absl::MakeSpan(theta_), StopToken()), IsOk());
    theta_[3 * 7] = -0.5;   // outside the box
    theta_[3 * 8 + 2] = 0;  // on the bound
    theta_[3 * 9 + 1] = std::numeric_limits<double>::infinity();
    expected_.resize(20000);
    ASSERT_THAT(PlanLogProb(plan_, theta_, absl::MakeSpan(expected_), StopToken()), IsOk());
  }

  void ExpectTheInterpretersAnswers(const std::string& device) {
    std::vector<double> got(20000);
    ASSERT_THAT(DeviceLogProb(plan_, device, theta_, absl::MakeSpan(got), StopToken()), IsOk());
    EXPECT_EQ(got[7], -std::numeric_limits<double>::infinity());
    for (size_t i = 0; i < got.size(); ++i) {
      if (std::isinf(expected_[i])) {
        ASSERT_EQ(got[i], expected_[i]) << i;
        continue;
      }
      // Both in float64, sums in other orders: a few hundred roundings of numbers of order one to a hundred.
      ASSERT_NEAR(got[i], expected_[i], 1e-10 * std::max(1.0, std::abs(expected_[i]))) << i;
    }
  }

  Plan plan_;
  std::vector<double> theta_;
  std::vector<double> expected_;
};

TEST_P(DeviceLogProbTest, TheProcessorAnswersAsTheInterpreter) { ExpectTheInterpretersAnswers("cpu"); }

TEST_P(DeviceLogProbTest, AGpuAnswersAsTheInterpreter) {
  SKIP_WITHOUT_GPU();
  ExpectTheInterpretersAnswers("cuda:0");
}

TEST_P(DeviceLogProbTest, AStopEndsIt) {
  StopSource source;
  source.RequestStop();
  std::vector<double> got(20000);
  EXPECT_THAT(DeviceLogProb(plan_, "cpu", theta_, absl::MakeSpan(got), source.token()),
              HasCode(absl::StatusCode::kCancelled));
}

INSTANTIATE_TEST_SUITE_P(Families, DeviceLogProbTest, testing::Values("maf", "nsf"),
                         [](const auto& info) { return info.param; });

// The processor in a GPU's place: every line of a training on a device runs but for CUDA's own.
const TrainingDevice kStandIn = {"cpu", true, "Stand-in"};

absl::StatusOr<v1::TrainingSummary> SummaryOf(const TrainingInput& input, const TrainingDevice& device) {
  TrainingHooks hooks;
  hooks.device = device;
  const auto artifact = Train(input, hooks);
  if (!artifact.ok()) return artifact.status();
  const auto model = LoadEstimator(*artifact);
  if (!model.ok()) return model.status();
  return (*model)->description().training();
}

TEST(DeviceTrainingTest, ASummarySaysWhatItsNetworksRanOn) {
  ASSERT_OK_AND_ASSIGN(const v1::TrainingSummary none, SummaryOf(BoxedInput("maf"), TrainingDevice()));
  EXPECT_EQ(none.device(), "cpu");
  // `auto` with a GPU: it is not touched, for the network is small.
  ASSERT_OK_AND_ASSIGN(const v1::TrainingSummary small, SummaryOf(BoxedInput("maf"), {"cuda:0", false, "Large"}));
  EXPECT_EQ(small.device(), "cpu");
  EXPECT_EQ(small.members(0).held_out_loss(), none.members(0).held_out_loss());
  ASSERT_OK_AND_ASSIGN(const v1::TrainingSummary kernels, SummaryOf(BoxedInput("kde"), kStandIn));
  EXPECT_EQ(kernels.device(), "cpu");
}

class WholeDeviceTrainingTest : public testing::TestWithParam<std::string> {};

TEST_P(WholeDeviceTrainingTest, OnADeviceItIsAsGoodAndSaysWhereItRan) {
  ASSERT_OK_AND_ASSIGN(const v1::TrainingSummary there, SummaryOf(BoxedInput(GetParam()), kStandIn));
  ASSERT_OK_AND_ASSIGN(const v1::TrainingSummary here, SummaryOf(BoxedInput(GetParam()), TrainingDevice()));
  EXPECT_EQ(there.device(), "Stand-in");
  // A few dozen steps: rounding has not grown yet.
  EXPECT_NEAR(there.members(0).held_out_loss(), here.members(0).held_out_loss(), 1e-3);
  EXPECT_NEAR(there.members(1).train_loss(), here.members(1).train_loss(), 1e-3);
}

// The tensors of an artifact's members, without the description, which holds the time it took.
std::vector<double> WeightsOf(const std::string& artifact) {
  const auto file = Safetensors::Parse(artifact);
  EXPECT_THAT(file, IsOk());
  std::vector<double> all;
  for (const std::string& name : file->names()) {
    const auto values = file->Doubles(name, *file->Shape(name));
    if (values.ok()) all.insert(all.end(), values->begin(), values->end());
  }
  return all;
}

TEST_P(WholeDeviceTrainingTest, ACheckpointLeadsToTheSameWeightsBitForBit) {
  const TrainingInput input = BoxedInput(GetParam());
  std::vector<std::string> checkpoints;
  TrainingHooks hooks;
  hooks.device = kStandIn;
  hooks.checkpoint_due = [] { return true; };
  hooks.checkpoint = [&](std::string bytes) {
    checkpoints.push_back(std::move(bytes));
    return absl::OkStatus();
  };
  ASSERT_OK_AND_ASSIGN(const std::string whole, Train(input, hooks));
  ASSERT_EQ(checkpoints.size(), 12u);  // two members of six epochs
  for (const size_t at : {2, 8}) {
    TrainingHooks resumed;
    resumed.device = kStandIn;
    resumed.resume_from = checkpoints[at];
    ASSERT_OK_AND_ASSIGN(const std::string artifact, Train(input, resumed));
    EXPECT_EQ(WeightsOf(artifact), WeightsOf(whole)) << at;
  }
}

TEST_P(WholeDeviceTrainingTest, AGpuIsAsGoodAndSaysWhereItRan) {
  SKIP_WITHOUT_GPU();
  ASSERT_OK_AND_ASSIGN(const TrainingDevice gpu, FindTrainingDevice("cuda"));
  ASSERT_OK_AND_ASSIGN(const v1::TrainingSummary there, SummaryOf(BoxedInput(GetParam()), gpu));
  ASSERT_OK_AND_ASSIGN(const v1::TrainingSummary here, SummaryOf(BoxedInput(GetParam()), TrainingDevice()));
  EXPECT_EQ(there.device(), gpu.name);
  EXPECT_NEAR(there.members(0).held_out_loss(), here.members(0).held_out_loss(), 1e-3);
}

INSTANTIATE_TEST_SUITE_P(Families, WholeDeviceTrainingTest, testing::Values("maf", "nsf"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace creamery
