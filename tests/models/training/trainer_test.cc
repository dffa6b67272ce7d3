#include "models/training/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "models/densities/density_tree.h"
#include "models/families.h"
#include "models/plan/column_map.h"
#include "models/statistics/weights.h"
#include "tests/models/training/training_samples.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// A leaning box, a free and a half-bounded parameter: every kind of map is refitted on resume.
TrainingInput SmallInput(const std::string& family) {
  TrainingInput input = MakeInput({BoxParameter("a", 0, 1), FreeParameter("b"), HalfBoundedParameter("c", 0)}, 300,
                                  [](const auto& u, double* row) {
                                    row[0] = u(0) * u(0);
                                    row[1] = NormalQuantile(u(1)) + row[0];
                                    row[2] = -std::log(u(2));
                                  });
  v1::EstimatorSpec& spec = *input.job.mutable_training()->mutable_spec();
  spec = SpecOf(family);
  spec.mutable_training()->set_members(3);
  spec.mutable_training()->set_max_epochs(4);
  return input;
}

// Every tensor of an artifact, as a file without the description, which holds the time it took.
std::string TensorsOf(const std::string& artifact) {
  const auto file = Safetensors::Parse(artifact);
  EXPECT_THAT(file, IsOk());
  Safetensors copy;
  for (const std::string& name : file->names()) {
    const std::vector<int64_t> shape = *file->Shape(name);
    if (const auto doubles = file->Doubles(name, shape); doubles.ok()) {
      copy.Add(name, shape, absl::MakeConstSpan(*doubles));
    } else {
      copy.Add(name, shape, absl::MakeConstSpan(*file->Int64s(name, shape)));
    }
  }
  return copy.Serialize();
}

class ResumeTest : public testing::TestWithParam<std::string> {};

TEST_P(ResumeTest, EveryCheckpointLeadsToTheSameWeightsBitForBit) {
  const TrainingInput input = SmallInput(GetParam());
  std::vector<std::string> checkpoints;
  TrainingHooks hooks;
  hooks.checkpoint_due = [] { return true; };
  hooks.checkpoint = [&](std::string bytes) {
    checkpoints.push_back(std::move(bytes));
    return absl::OkStatus();
  };
  ASSERT_OK_AND_ASSIGN(const std::string whole, Train(input, hooks));
  const auto epochs_in_all = static_cast<int>(checkpoints.size());  // over all members, parts and candidates
  const std::string& family = GetParam();
  if (family == "maf" || family == "nsf") {
    EXPECT_EQ(epochs_in_all, 12);
  }
  if (family == "kde") {
    EXPECT_EQ(epochs_in_all, 0);  // nothing to train
  }
  // After the first epoch, on the way, before the last, and after it.
  for (const int at : {0, epochs_in_all / 3, 2 * epochs_in_all / 3, epochs_in_all - 1}) {
    if (at < 0 || at >= epochs_in_all) continue;
    TrainingHooks resumed;
    int epochs = 0;
    resumed.progress = [&](const v1::Progress& progress) { epochs += progress.members() > 0 ? 1 : 0; };
    resumed.resume_from = checkpoints[at];
    ASSERT_OK_AND_ASSIGN(const std::string artifact, Train(input, resumed));
    EXPECT_EQ(epochs, epochs_in_all - 1 - at);
    EXPECT_TRUE(TensorsOf(whole) == TensorsOf(artifact)) << "from checkpoint " << at;
  }
}

TEST_P(ResumeTest, ThreadsChangeNoBitResumedOrNot) {
  const TrainingInput input = SmallInput(GetParam());
  ASSERT_OK_AND_ASSIGN(const std::string alone, Train(input, {}));
  TrainingHooks hooks;
  hooks.threads = 4;
  std::vector<std::string> checkpoints;
  hooks.checkpoint_due = [] { return true; };
  hooks.checkpoint = [&](std::string bytes) {
    checkpoints.push_back(std::move(bytes));
    return absl::OkStatus();
  };
  ASSERT_OK_AND_ASSIGN(const std::string together, Train(input, hooks));
  EXPECT_TRUE(TensorsOf(alone) == TensorsOf(together));
  if (checkpoints.empty()) return;
  hooks.resume_from = checkpoints[checkpoints.size() / 2];
  ASSERT_OK_AND_ASSIGN(const std::string resumed, Train(input, hooks));
  EXPECT_TRUE(TensorsOf(alone) == TensorsOf(resumed));
}
INSTANTIATE_TEST_SUITE_P(Families, ResumeTest, testing::ValuesIn(TrainableFamilies()));

TEST(TrainerTest, BadCheckpointsAreDataLoss) {
  TrainingInput input = SmallInput("maf");
  TrainingHooks hooks;
  hooks.resume_from = "not a checkpoint";
  EXPECT_THAT(Train(input, hooks), HasCode(absl::StatusCode::kDataLoss));
  std::string checkpoint;
  TrainingHooks writer;
  writer.checkpoint_due = [&] { return checkpoint.empty(); };
  writer.checkpoint = [&](std::string bytes) {
    checkpoint = std::move(bytes);
    return absl::OkStatus();
  };
  ASSERT_THAT(Train(input, writer), IsOk());
  hooks.resume_from = checkpoint;
  input.job.mutable_training()->mutable_spec()->mutable_training()->set_seed(1);
  EXPECT_THAT(Train(input, hooks), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("another training")));
}

TEST(TrainerTest, ServedWeightsAreThoseOfTheBestEpochAndNotOfTheLast) {
  TrainingInput input = SmallInput("maf");
  v1::TrainingOptions& options = *input.job.mutable_training()->mutable_spec()->mutable_training();
  options.set_members(2);
  options.set_learning_rate(0.01);  // overfits 150 rows within tens of epochs
  options.set_max_epochs(80);
  options.set_patience(80);
  std::vector<double> last(2);
  TrainingHooks hooks;
  hooks.progress = [&](const v1::Progress& progress) { last[progress.member()] = progress.held_out_loss(); };
  ASSERT_OK_AND_ASSIGN(const std::string artifact, Train(input, hooks));
  ASSERT_OK_AND_ASSIGN(const auto model, LoadEstimator(artifact));
  const v1::TrainingSummary& training = model->description().training();
  // Each member's held-out loss at its best epoch, averaged, is what the served plans say of the held-out rows.
  double best = 0;
  for (int k = 0; k < 2; ++k) {
    EXPECT_LT(training.members(k).best_epoch(), training.members(k).epochs());
    EXPECT_GT(last[k], training.members(k).held_out_loss() + 0.05);
    best += training.members(k).held_out_loss() / 2;
  }
  EXPECT_NEAR(-training.held_out().out_of_fold_log_prob(), best, 1e-4);
}

TEST(TrainerTest, DivergenceSaysWhereAndWhatToDo) {
  TrainingInput input = SmallInput("maf");
  input.job.mutable_training()->mutable_spec()->mutable_training()->set_learning_rate(1);
  input.job.mutable_training()->mutable_spec()->mutable_training()->set_clip_norm(1e30);
  input.job.mutable_training()->mutable_spec()->mutable_training()->set_max_epochs(300);
  EXPECT_THAT(Train(input, {}), StatusIs(absl::StatusCode::kFailedPrecondition,
                                         AllOf(HasSubstr("the loss diverged at epoch"), HasSubstr("learning_rate"))));
}

TEST(TrainerTest, UselessDataIsRefusedInWords) {
  TrainingInput input = SmallInput("maf");
  input.dataset.set_has_weight(true);
  input.rows.weight.assign(300, 0.0);
  EXPECT_THAT(Train(input, {}), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("all weights are zero")));
  input.rows.weight.assign(300, 1e-9);
  input.rows.weight[7] = input.rows.weight[8] = 1;
  EXPECT_THAT(Train(input, {}), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("n_eff = 2")));
}

TEST(TrainerTest, ConstantAndDependentParametersAreNamed) {
  TrainingInput input = MakeInput({FreeParameter("a"), FreeParameter("b")}, 100, [](const auto& u, double* row) {
    row[0] = u(0);
    row[1] = 3;
  });
  *input.job.mutable_training()->mutable_spec() = SpecOf("maf");
  EXPECT_THAT(Train(input, {}), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("'b' is constant")));
  for (int i = 0; i < 100; ++i) input.rows.theta[2 * i + 1] = 2 * input.rows.theta[2 * i];
  EXPECT_THAT(Train(input, {}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("'b' is a linear combination")));
}

// What every family must say in the same words; `auto` and the others made of flows come down to one check.
TEST(TrainerTest, DegenerateRowsAreRefusedAlikeByEveryFamily) {
  const TrainingInput combined =
      MakeInput({FreeParameter("a"), BoxParameter("b", -10, 10)}, 200, [](const auto& u, double* row) {
        row[0] = u(0);
        row[1] = 1 + 2 * u(0);
      });
  const TrainingInput repeated =
      MakeInput({FreeParameter("a"), FreeParameter("b")}, 1000, [i = 0](const auto&, double* row) mutable {
        row[0] = std::sin(i % 5);
        row[1] = std::cos(2 * (i++ % 5));
      });
  for (const std::string family : {"maf", "nsf", "kde", "piecewise", "blocks", "auto"}) {
    TrainingInput input = combined;
    *input.job.mutable_training()->mutable_spec() = SpecOf(family);
    EXPECT_THAT(Train(input, {}), StatusIs(absl::StatusCode::kFailedPrecondition,
                                           HasSubstr("parameter 'b' is a linear combination of 'a'")))
        << family;
    input = repeated;
    *input.job.mutable_training()->mutable_spec() = SpecOf(family);
    EXPECT_THAT(Train(input, {}),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("only 5 of 1000 rows differ")))
        << family;
  }
}

// Parameters and weights in other units, powers of two apart: the same networks, and the same densities but for the
// units.
TEST(TrainerTest, TheScaleOfParametersAndWeightsDoesNotMatter) {
  const auto input_of = [](const std::string& family, double of_a, double of_b, double of_c, double of_weight) {
    TrainingInput input = MakeInput({FreeParameter("a"), FreeParameter("b"), BoxParameter("c", 0, of_c)}, 300,
                                    [&](const auto& u, double* row) {
                                      row[0] = of_a * (u(0) + u(1));
                                      row[1] = of_b * (u(0) * u(2) - 0.5);
                                      row[2] = of_c * (0.25 + 0.5 * u(3));
                                    });
    for (int i = 0; i < 300; ++i) input.rows.weight.push_back(of_weight * (1 + i % 3));
    input.dataset.set_has_weight(true);
    *input.job.mutable_training()->mutable_spec() = SpecOf(family);
    input.job.mutable_training()->mutable_spec()->mutable_training()->set_max_epochs(3);
    input.job.mutable_training()->mutable_spec()->mutable_training()->set_members(2);
    return input;
  };
  for (const std::string family : {"maf", "nsf", "kde", "blocks", "piecewise"}) {
    ASSERT_OK_AND_ASSIGN(const std::string plain_bytes, Train(input_of(family, 1, 1, 1, 1), {}));
    ASSERT_OK_AND_ASSIGN(const auto plain, LoadEstimator(plain_bytes));
    for (const double sign : {-1.0, 1.0}) {
      const double a = std::exp2(sign * 900), b = std::exp2(sign * -700), c = std::exp2(sign * 500);
      ASSERT_OK_AND_ASSIGN(const std::string bytes, Train(input_of(family, a, b, c, std::exp2(sign * -1000)), {}));
      ASSERT_OK_AND_ASSIGN(const auto model, LoadEstimator(bytes));
      const double shift = -sign * (900 - 700 + 500) * std::log(2.0);
      for (const double x : {-0.2, 0.3, 0.8}) {
        std::vector<double> expected(1), found(1), gradient(3);
        const std::vector<double> point = {2 * x, x - 0.5, 0.4 + 0.2 * x};
        const std::vector<double> scaled = {a * point[0], b * point[1], c * point[2]};
        ASSERT_THAT(plain->density()->LogProb(point, absl::MakeSpan(expected), StopToken()), IsOk());
        ASSERT_THAT(model->density()->LogProb(scaled, absl::MakeSpan(found), StopToken()), IsOk());
        EXPECT_NEAR(found[0] - shift, expected[0], 1e-6) << family << " " << sign;
        std::vector<double> slope(3);
        ASSERT_THAT(
            plain->density()->LogProbGradient(point, absl::MakeSpan(expected), absl::MakeSpan(slope), StopToken()),
            IsOk());
        ASSERT_THAT(
            model->density()->LogProbGradient(scaled, absl::MakeSpan(found), absl::MakeSpan(gradient), StopToken()),
            IsOk());
        const double unit[] = {a, b, c};
        for (int j = 0; j < 3; ++j) {
          EXPECT_NEAR(gradient[j] * unit[j], slope[j], 1e-4 * (1 + std::abs(slope[j]))) << family << " " << sign;
        }
      }
      std::vector<double> draws(30), scaled_draws(30);
      ASSERT_THAT(Sample(*plain->density(), 1, 0, absl::MakeSpan(draws), StopToken()), IsOk());
      ASSERT_THAT(Sample(*model->density(), 1, 0, absl::MakeSpan(scaled_draws), StopToken()), IsOk());
      for (int i = 0; i < 30; ++i) {
        const double unit = i % 3 == 0 ? a : i % 3 == 1 ? b : c;
        EXPECT_NEAR(scaled_draws[i] / unit, draws[i], 1e-6) << family << " " << sign;
      }
    }
  }
}

TEST(TrainerTest, ATrainingSaysWhatItLeftOut) {
  TrainingInput input = MakeInput({FreeParameter("a"), BoxParameter("b", 0, 1)}, 400, [](const auto& u, double* row) {
    row[0] = u(0);
    row[1] = u(1) < 0.25 ? 0 : u(2);
  });
  *input.job.mutable_training()->mutable_spec() = SpecOf("maf");
  input.job.mutable_training()->mutable_spec()->mutable_training()->set_max_epochs(2);
  ASSERT_OK_AND_ASSIGN(const std::string artifact, Train(input, {}));
  ASSERT_OK_AND_ASSIGN(const auto model, LoadEstimator(artifact));
  const v1::TrainingSummary& training = model->description().training();
  EXPECT_GT(training.num_rows_outside(), 60);
  EXPECT_EQ(training.num_rows_outside(), training.num_rows_dropped());
  EXPECT_EQ(training.num_rows() + training.num_rows_outside(), 400);
  EXPECT_EQ(training.num_distinct_rows(), training.num_rows());
  ASSERT_FALSE(training.warnings().empty());
  EXPECT_EQ(training.warnings(0), v1::ROWS_LEFT_OUT);
}

TEST(TrainerTest, UnknownParametersListTheRightOnes) {
  TrainingInput input = SmallInput("maf");
  input.job.mutable_training()->add_parameters("sigma8");
  EXPECT_THAT(Train(input, {}),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("sigma8"), HasSubstr("a, b, c"))));
}

// Appends a MontePython chain without its burn-in, by that program's own rule: rows before the first whose -log L comes
// within 3 of the chain's lowest.
void AppendChain(int chain, TrainingInput& input) {
  std::ifstream stream(absl::StrCat(CREAMERY_SHARED_DATA, "/planck_montepython/2019-01-24_200000__", chain, ".txt"));
  std::vector<std::vector<double>> rows;
  double lowest = std::numeric_limits<double>::infinity();
  std::string line;
  while (std::getline(stream, line)) {
    if (line.empty() || line[0] == '#') continue;
    std::vector<double> row;
    for (const absl::string_view word : absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty())) {
      row.push_back(std::strtod(std::string(word).c_str(), nullptr));
    }
    lowest = std::min(lowest, row[1]);
    rows.push_back(row);
  }
  bool arrived = false;
  for (const std::vector<double>& row : rows) {
    arrived = arrived || row[1] < lowest + 3;
    if (!arrived) continue;
    input.rows.theta.insert(input.rows.theta.end(), row.begin() + 2, row.begin() + 8);
    input.rows.weight.push_back(row[0]);
    input.rows.chain.push_back(chain);
  }
}

// Six cosmological parameters of 21 sampled ones, from two chains.
TEST(TrainerTest, PlanckChainTrainsWithBlockFolds) {
  TrainingInput input;
  input.dataset.set_row_kind(v1::MCMC);
  input.dataset.set_has_weight(true);
  input.dataset.set_has_chain(true);
  for (const char* name : {"omega_b", "omega_cdm", "theta_s", "ln_A_s", "n_s", "tau_reio"}) {
    *input.dataset.add_parameters() = FreeParameter(name);
  }
  input.dataset.mutable_parameters(5)->set_lower(0.04);
  for (const int chain : {1, 2}) AppendChain(chain, input);
  input.rows.num_rows = static_cast<int64_t>(input.rows.weight.size());
  if (input.rows.num_rows == 0) GTEST_SKIP() << "the Planck chains are not at hand";
  ASSERT_EQ(input.rows.num_rows, 3998 - 298 - 342);
  *input.job.mutable_training()->mutable_spec() = SpecOf("maf");
  ASSERT_OK_AND_ASSIGN(const std::string artifact, Train(input, {}));
  ASSERT_OK_AND_ASSIGN(const auto model, LoadEstimator(artifact));
  const v1::HeldOutStatistics& held_out = model->description().training().held_out();
  // Neighbours in a chain resemble each other: Kish's size is several times too large.
  EXPECT_LT(held_out.effective_size(), held_out.kish_size() / 3);
  EXPECT_GT(held_out.effective_size(), 30);
  EXPECT_GT(held_out.in_sample_log_prob(), held_out.out_of_fold_log_prob());
  // What it says of blocks it has not seen beats the best product of six Gaussians by more than three errors: the
  // correlations are learnt, not the rows.
  double product = 0;
  for (int j = 0; j < 6; ++j) {
    std::vector<double> column;
    for (int64_t i = 0; i < input.rows.num_rows; ++i) column.push_back(input.rows.theta[6 * i + j]);
    product -= 0.5 * std::log(2 * M_PI * std::exp(1) * Moments(column, input.rows.weight).variance);
  }
  EXPECT_GT(held_out.out_of_fold_log_prob(), product + 3 * held_out.chain_error());
}

}  // namespace
}  // namespace creamery
