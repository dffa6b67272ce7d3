// What the families decide from data: pieces, blocks, candidates; and what their versions say about it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "models/families.h"
#include "models/plan/column_map.h"
#include "models/training/trainer.h"
#include "tests/models/training/training_samples.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

// Two unit normals at -6 and 6 in the first column; the second is N(0, 1).
TrainingInput TwoModes(const std::string& family, int64_t n) {
  TrainingInput input = MakeInput({FreeParameter("a"), FreeParameter("b")}, n, [](const auto& u, double* row) {
    row[0] = (u(0) < 0.25 ? -6 : 6) + NormalQuantile(u(1));
    row[1] = NormalQuantile(u(2));
  });
  v1::EstimatorSpec& spec = *input.job.mutable_training()->mutable_spec();
  spec = SpecOf(family);
  spec.mutable_training()->set_members(2);
  spec.mutable_training()->set_max_epochs(30);
  return input;
}

absl::StatusOr<std::unique_ptr<Estimator>> TrainModel(const TrainingInput& input) {
  auto artifact = Train(input, {});
  if (!artifact.ok()) return artifact.status();
  return LoadEstimator(*artifact);
}

const v1::Candidate& Chosen(const Estimator& model) { return model.description().training().compared(0); }

TEST(PiecewiseTest, NumberOfPiecesIsChosenByHeldOutLikelihoodAndOneIsTried) {
  ASSERT_OK_AND_ASSIGN(const auto model, TrainModel(TwoModes("piecewise", 2000)));
  const auto& compared = model->description().training().compared();
  ASSERT_EQ(compared.size(), 4);
  EXPECT_TRUE(Chosen(*model).chosen());
  EXPECT_GE(Chosen(*model).spec().piecewise().pieces(), 2);
  // Truth: the entropy of the modes and two normals, 2.838 + H(1/4) = 3.400; one error of 1000 rows is 0.04.
  EXPECT_NEAR(-Chosen(*model).held_out_log_prob(), std::log(2 * M_PI * std::exp(1)) + 0.5623, 0.12);
  bool one = false;
  for (const v1::Candidate& candidate : compared) {
    EXPECT_LE(candidate.held_out_log_prob(), Chosen(*model).held_out_log_prob() + candidate.difference_error());
    one = one || candidate.spec().piecewise().pieces() == 1;
  }
  EXPECT_TRUE(one);
}

// The share of a piece is the weight of its rows and not their number.
TEST(PiecewiseTest, WeightsOfPiecesAreThoseOfTheRows) {
  TrainingInput input = TwoModes("piecewise", 1000);
  input.job.mutable_training()->mutable_spec()->mutable_piecewise()->set_pieces(2);
  input.dataset.set_has_weight(true);
  for (int64_t i = 0; i < 1000; ++i) input.rows.weight.push_back(input.rows.theta[2 * i] < 0 ? 9 : 1);
  ASSERT_OK_AND_ASSIGN(const auto model, TrainModel(input));
  double low = 0;
  double total = 0;
  for (int64_t i = 0; i < 1000; ++i) {
    total += input.rows.weight[i];
    if (input.rows.theta[2 * i] < 0) low += input.rows.weight[i];
  }
  std::vector<double> u(2 * 2000);
  for (int i = 0; i < 2000; ++i) {
    u[2 * i] = (i + 0.5) / 2000;
    u[2 * i + 1] = 0.5;
  }
  std::vector<double> theta(u.size());
  ASSERT_THAT(model->density()->PriorTransform(u, absl::MakeSpan(theta), StopToken()), IsOk());
  double drawn = 0;
  for (int i = 0; i < 2000; ++i) drawn += theta[2 * i] < 0 ? 1.0 / 2000 : 0;
  // 0.75 of the weight, 0.25 of the rows. A member sees 500 rows, three errors of their share are 0.075.
  EXPECT_NEAR(drawn, low / total, 0.075);
}

TEST(PiecewiseTest, APieceOfTooFewRowsIsRefusedWithTheNumber) {
  TrainingInput input = TwoModes("piecewise", 200);
  input.job.mutable_training()->mutable_spec()->mutable_piecewise()->set_pieces(10);
  EXPECT_THAT(Train(input, {}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("of 10 has n_eff = "), HasSubstr("at least 30 are needed: use fewer pieces"))));
  // Where the number is chosen, it is a candidate that failed.
  input.job.mutable_training()->mutable_spec()->mutable_piecewise()->clear_pieces();
  input.job.mutable_training()->mutable_spec()->mutable_piecewise()->set_max_pieces(6);
  ASSERT_OK_AND_ASSIGN(const auto model, TrainModel(input));
  const auto& compared = model->description().training().compared();
  EXPECT_THAT(compared.rbegin()->failure(), HasSubstr("use fewer pieces"));
  EXPECT_FALSE(compared.rbegin()->chosen());
}

// Three parameters in two blocks: the product of what is trained on each.
TEST(BlocksTest, FoundBlocksAreThoseOfTheData) {
  TrainingInput input =
      MakeInput({FreeParameter("a"), FreeParameter("b"), FreeParameter("c")}, 2000, [](const auto& u, double* row) {
        row[0] = NormalQuantile(u(0));
        row[1] = NormalQuantile(u(1));
        row[2] = 0.8 * row[0] + 0.6 * NormalQuantile(u(2));
      });
  *input.job.mutable_training()->mutable_spec() = SpecOf("blocks");
  input.job.mutable_training()->mutable_spec()->mutable_training()->set_members(2);
  ASSERT_OK_AND_ASSIGN(const std::string found, Train(input, {}));
  *input.job.mutable_training()->mutable_spec()->mutable_blocks()->add_blocks() = "c a";
  *input.job.mutable_training()->mutable_spec()->mutable_blocks()->add_blocks() = "b";
  ASSERT_OK_AND_ASSIGN(const std::string given, Train(input, {}));
  ASSERT_OK_AND_ASSIGN(const auto one, LoadEstimator(found));
  ASSERT_OK_AND_ASSIGN(const auto other, LoadEstimator(given));
  const std::vector<double> theta = {0, 0, 0, 1, -1, 0.5};
  std::vector<double> a(2);
  std::vector<double> b(2);
  ASSERT_THAT(one->density()->LogProb(theta, absl::MakeSpan(a), StopToken()), IsOk());
  ASSERT_THAT(other->density()->LogProb(theta, absl::MakeSpan(b), StopToken()), IsOk());
  EXPECT_EQ(a, b);
  const auto& held_out = one->description().training().held_out();
  EXPECT_NEAR(held_out.out_of_fold_log_prob(), -1.5 * std::log(2 * M_PI * std::exp(1)) - std::log(0.6), 0.1);
}

TEST(AutoTest, ComparesOnTheSameRowsKeepsTheBestAndAnswersWithTheMixture) {
  ASSERT_OK_AND_ASSIGN(const auto model, TrainModel(TwoModes("auto", 1000)));
  const v1::ModelVersion& description = model->description();
  EXPECT_EQ(description.spec().training().answer(), v1::MEMBER_MIXTURE);
  EXPECT_EQ(description.training().members_size(), 2);
  std::vector<std::string> families;
  for (const v1::Candidate& candidate : description.training().compared()) {
    EXPECT_EQ(candidate.chosen(), families.empty());
    families.emplace_back(candidate.spec().has_nsf()         ? "nsf"
                          : candidate.spec().has_maf()       ? "maf"
                          : candidate.spec().has_piecewise() ? "piecewise"
                                                             : "kde");
  }
  EXPECT_THAT(families, testing::IsSupersetOf({"nsf", "maf", "piecewise", "kde"}));
  // Two Gaussians far apart: one affine flow is no match.
  EXPECT_NE(families[0], "maf");
}

// The candidate that was kept is the same as if it had been asked for: no member is trained twice or otherwise.
TEST(AutoTest, TheKeptCandidateIsTrainedAsByItself) {
  TrainingInput input = TwoModes("auto", 600);
  input.job.mutable_training()->mutable_spec()->mutable_auto_()->add_candidates("nsf");
  input.job.mutable_training()->mutable_spec()->mutable_auto_()->add_candidates("kde");
  ASSERT_OK_AND_ASSIGN(const auto automatic, TrainModel(input));
  *input.job.mutable_training()->mutable_spec() = Chosen(*automatic).spec();
  ASSERT_OK_AND_ASSIGN(const auto alone, TrainModel(input));
  std::vector<double> a(1);
  std::vector<double> b(1);
  const std::vector<double> theta = {5, 0.5};
  for (int k = 0; k < 2; ++k) {
    ASSERT_THAT(automatic->members()[k]->LogProb(theta, absl::MakeSpan(a), StopToken()), IsOk());
    ASSERT_THAT(alone->members()[k]->LogProb(theta, absl::MakeSpan(b), StopToken()), IsOk());
    EXPECT_EQ(a, b);
  }
}

TEST(AutoTest, TrialsAreFurtherSettingsOfTheBest) {
  TrainingInput input = TwoModes("auto", 600);
  v1::AutoSpec& automatic = *input.job.mutable_training()->mutable_spec()->mutable_auto_();
  automatic.add_candidates("nsf");
  automatic.set_trials(3);
  ASSERT_OK_AND_ASSIGN(const auto model, TrainModel(input));
  const auto& compared = model->description().training().compared();
  ASSERT_EQ(compared.size(), 4);
  for (int i = 1; i < 4; ++i) {
    EXPECT_TRUE(compared[i].spec().has_nsf());
    EXPECT_NE(compared[i].spec().SerializeAsString(), compared[0].spec().SerializeAsString());
  }
}

TEST(AutoTest, WhenAllCandidatesFailTheErrorSaysWhy) {
  TrainingInput input = TwoModes("auto", 600);
  v1::EstimatorSpec& spec = *input.job.mutable_training()->mutable_spec();
  spec.mutable_auto_()->add_candidates("maf");
  spec.mutable_training()->set_learning_rate(1);
  spec.mutable_training()->set_clip_norm(1e30);
  spec.mutable_training()->set_max_epochs(300);
  EXPECT_THAT(Train(input, {}),
              StatusIs(absl::StatusCode::kFailedPrecondition, AllOf(HasSubstr("no candidate could be trained"),
                                                                    HasSubstr("maf"), HasSubstr("the loss diverged"))));
}

// More rows than kernels: the same density, a little wider, since fewer kernels are wider: by (2000 / 500)^(1/6).
TEST(KdeTest, ResampledKernelsStandForAllRows) {
  TrainingInput input = TwoModes("kde", 4000);
  ASSERT_OK_AND_ASSIGN(const auto all, TrainModel(input));
  input.job.mutable_training()->mutable_spec()->mutable_kde()->set_kernels(500);
  ASSERT_OK_AND_ASSIGN(const auto few, TrainModel(input));
  EXPECT_LT(few->memory_bytes(), all->memory_bytes() / 2);
  EXPECT_NEAR(few->description().training().held_out().out_of_fold_log_prob(),
              all->description().training().held_out().out_of_fold_log_prob(), 0.2);
}

TEST(KdeTest, EveryMemberThatIsFittedIsProgress) {
  TrainingInput input = TwoModes("kde", 200);
  std::vector<std::string> stages;
  std::vector<double> fractions;
  TrainingHooks hooks;
  hooks.progress = [&](const v1::Progress& progress) {
    stages.push_back(progress.stage());
    fractions.push_back(progress.fraction());
  };
  ASSERT_THAT(Train(input, hooks), IsOk());
  EXPECT_THAT(stages, ElementsAre("member 1 of 2 fitted", "member 2 of 2 fitted"));
  EXPECT_THAT(fractions, ElementsAre(0.5, 1.0));
}

TEST(SignatureTest, NamesWhatWasMarginalisedAndThePriorModel) {
  TrainingInput input = TwoModes("kde", 100);
  v1::Parameter derived = FreeParameter("S8");
  derived.set_derived(true);
  *input.dataset.add_parameters() = derived;
  std::vector<double> theta;
  for (int i = 0; i < 100; ++i) {
    theta.insert(theta.end(), {input.rows.theta[2 * i], input.rows.theta[2 * i + 1], input.rows.theta[2 * i]});
  }
  input.rows.theta = theta;
  input.job.mutable_training()->add_parameters("b");
  input.job.mutable_training()->set_prior_model("projects/p/models/prior/versions/2");
  input.dataset.add_marginalised("A_planck");  // left away before the upload
  ASSERT_OK_AND_ASSIGN(const auto model, TrainModel(input));
  EXPECT_THAT(model->description().signature().marginalised(), ElementsAre("a", "A_planck"));
  EXPECT_EQ(model->description().signature().prior_model(), "projects/p/models/prior/versions/2");
}

}  // namespace
}  // namespace creamery
