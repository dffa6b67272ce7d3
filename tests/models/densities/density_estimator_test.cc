#include "models/densities/density_estimator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "models/families.h"
#include "models/plan/interpreter.h"
#include "tests/models/densities/random_tree.h"
#include "tests/models/plan/random_plan.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::HasSubstr;

v1::ModelVersion Description(v1::EstimatorSpec::FamilyCase family, int64_t d) {
  v1::ModelVersion description;
  if (family == v1::EstimatorSpec::kMaf) description.mutable_spec()->mutable_maf();
  if (family == v1::EstimatorSpec::kNsf) description.mutable_spec()->mutable_nsf();
  for (int64_t j = 0; j < d; ++j) description.mutable_signature()->add_parameters()->set_name("p" + std::to_string(j));
  description.mutable_training()->set_answering_member(1);
  return description;
}

std::string Artifact(v1::EstimatorSpec::FamilyCase family, int64_t d) {
  const auto kind =
      family == v1::EstimatorSpec::kMaf ? AutoregressiveLayer::Kind::kAffine : AutoregressiveLayer::Kind::kSpline;
  Safetensors artifact;
  WriteDescription(Description(family, d), artifact);
  WritePlan(RandomPlan(kind, d, 3), MemberPrefix(0), artifact);
  WritePlan(RandomPlan(kind, d, 4), MemberPrefix(1), artifact);
  return artifact.Serialize();
}

class DensityEstimatorTest : public ::testing::TestWithParam<v1::EstimatorSpec::FamilyCase> {};

TEST_P(DensityEstimatorTest, LoadsTheAnsweringMemberAndAnswersAsItsPlan) {
  ASSERT_OK_AND_ASSIGN(const auto loaded, LoadEstimator(Artifact(GetParam(), 3)));
  const auto kind =
      GetParam() == v1::EstimatorSpec::kMaf ? AutoregressiveLayer::Kind::kAffine : AutoregressiveLayer::Kind::kSpline;
  const Plan plan = RandomPlan(kind, 3, 4);
  const std::vector<double> theta = {0.1, 0.2, 0.3};
  std::vector<double> served(1);
  std::vector<double> exact(1);
  std::vector<double> expected(1);
  ASSERT_THAT(loaded->density()->LogProb(theta, absl::MakeSpan(served), StopToken()), IsOk());
  ASSERT_THAT(loaded->density()->InDoublePrecision()->LogProb(theta, absl::MakeSpan(exact), StopToken()), IsOk());
  ASSERT_THAT(PlanLogProb(plan, theta, absl::MakeSpan(expected), StopToken()), IsOk());
  EXPECT_EQ(exact, expected);
  EXPECT_NEAR(served[0], expected[0], 1e-5 * std::max(1.0, std::abs(expected[0])));
  EXPECT_EQ(loaded->density()->num_parameters(), 3);
  EXPECT_GT(loaded->memory_bytes(), 500);
  EXPECT_EQ(loaded->description().signature().parameters(2).name(), "p2");
}

TEST_P(DensityEstimatorTest, ALongerSampleBeginsWithTheShorterOneAndChunksDoNotMatter) {
  ASSERT_OK_AND_ASSIGN(const auto model, LoadEstimator(Artifact(GetParam(), 2)));
  std::vector<double> longer(4000);
  std::vector<double> shorter(2000);
  std::vector<double> later(400);
  ASSERT_THAT(Sample(*model->density(), 9, 0, absl::MakeSpan(longer), StopToken()), IsOk());
  ASSERT_THAT(Sample(*model->density(), 9, 0, absl::MakeSpan(shorter), StopToken()), IsOk());
  ASSERT_THAT(Sample(*model->density(), 9, 1733, absl::MakeSpan(later), StopToken()), IsOk());
  EXPECT_TRUE(std::equal(shorter.begin(), shorter.end(), longer.begin()));
  EXPECT_TRUE(std::equal(later.begin(), later.end(), longer.begin() + 2 * 1733));
  std::vector<double> other(2000);
  ASSERT_THAT(Sample(*model->density(), 10, 0, absl::MakeSpan(other), StopToken()), IsOk());
  EXPECT_NE(shorter, other);
}

TEST_P(DensityEstimatorTest, BadInputIsNamed) {
  ASSERT_OK_AND_ASSIGN(const auto model, LoadEstimator(Artifact(GetParam(), 2)));
  std::vector<double> out(2);
  EXPECT_THAT(model->density()->LogProb({0, 0, 0, NAN}, absl::MakeSpan(out), StopToken()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("p1")));
  EXPECT_THAT(model->density()->PriorTransform({0.5, 1.0}, absl::MakeSpan(out), StopToken()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("p1")));
  EXPECT_THAT(model->density()->LogProb({0, 0, 0}, absl::MakeSpan(out), StopToken()),
              HasCode(absl::StatusCode::kInvalidArgument));
}

INSTANTIATE_TEST_SUITE_P(Families, DensityEstimatorTest,
                         ::testing::Values(v1::EstimatorSpec::kMaf, v1::EstimatorSpec::kNsf));

TEST(DensityEstimatorBoundsTest, NothingLiesOnOrBeyondTheSignaturesBounds) {
  v1::ModelVersion description = Description(v1::EstimatorSpec::kMaf, 1);
  description.mutable_training()->set_answering_member(0);
  description.mutable_signature()->mutable_parameters(0)->set_lower(-0.1);
  description.mutable_signature()->mutable_parameters(0)->set_upper(0.1);
  ASSERT_OK_AND_ASSIGN(
      const auto model,
      DensityEstimator::Create(description, {FlowTree(RandomPlan(AutoregressiveLayer::Kind::kAffine, 1, 3))}));
  std::vector<double> log_prob(4);
  ASSERT_THAT(model->density()->LogProb({-0.2, -0.1, 0.1, 0.05}, absl::MakeSpan(log_prob), StopToken()), IsOk());
  EXPECT_EQ(log_prob[0], -INFINITY);
  EXPECT_EQ(log_prob[1], -INFINITY);
  EXPECT_EQ(log_prob[2], -INFINITY);
  EXPECT_TRUE(std::isfinite(log_prob[3]));
  std::vector<double> theta(2);
  ASSERT_THAT(model->density()->PriorTransform({1e-9, 1 - 1e-9}, absl::MakeSpan(theta), StopToken()), IsOk());
  EXPECT_GT(theta[0], -0.1);
  EXPECT_LT(theta[0], -0.0999);
  EXPECT_LT(theta[1], 0.1);
}

v1::ModelVersion TwoMembers() {
  v1::ModelVersion description = Description(v1::EstimatorSpec::kMaf, 2);
  description.mutable_training()->add_members();
  description.mutable_training()->add_members();
  description.mutable_signature()->mutable_parameters(1)->set_lower(-1);
  description.mutable_signature()->mutable_parameters(1)->set_upper(2);
  return description;
}

TEST(DensityEstimatorMembersTest, EveryMemberAnswersForItselfAndAllOfThemForTheMixture) {
  v1::ModelVersion description = TwoMembers();
  const std::vector<DensityTree> trees = {RandomKernels(2, 5, 1),
                                          FlowTree(RandomPlan(AutoregressiveLayer::Kind::kAffine, 2, 4))};
  ASSERT_OK_AND_ASSIGN(const auto best, DensityEstimator::Create(description, trees));
  description.mutable_spec()->mutable_training()->set_answer(v1::MEMBER_MIXTURE);
  ASSERT_OK_AND_ASSIGN(const auto mixture, DensityEstimator::Create(description, trees));
  ASSERT_EQ(mixture->members().size(), 2u);
  const std::vector<double> theta = {0.3, 0.5};
  const auto log_prob_of = [&](const Density& density) {
    double log_prob = 0;
    EXPECT_THAT(density.LogProb(theta, absl::MakeSpan(&log_prob, 1), StopToken()), IsOk());
    return log_prob;
  };
  const double first = log_prob_of(*mixture->members()[0]);
  const double second = log_prob_of(*mixture->members()[1]);
  EXPECT_NE(first, second);
  EXPECT_EQ(first, log_prob_of(*MakeDensity(trees[0])));
  EXPECT_EQ(log_prob_of(*best->density()), second);  // the answering member is 1
  EXPECT_NEAR(log_prob_of(*mixture->density()), std::log(0.5 * std::exp(first) + 0.5 * std::exp(second)), 1e-14);
  EXPECT_GT(best->memory_bytes(), trees[0].memory_bytes() + trees[1].memory_bytes());
}

TEST(DensityEstimatorMembersTest, MembersCheckTheirRowsToo) {
  ASSERT_OK_AND_ASSIGN(const auto model,
                       DensityEstimator::Create(TwoMembers(), {RandomKernels(2, 5, 1), RandomKernels(2, 5, 2)}));
  double log_prob = 0;
  std::vector<double> gradient(2);
  const Density& member = *model->members()[0];
  EXPECT_THAT(member.LogProb({0, NAN}, absl::MakeSpan(&log_prob, 1), StopToken()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("p1")));
  ASSERT_THAT(member.LogProbGradient({0, 2}, absl::MakeSpan(&log_prob, 1), absl::MakeSpan(gradient), StopToken()),
              IsOk());
  EXPECT_EQ(log_prob, -INFINITY);
  EXPECT_EQ(gradient, std::vector<double>(2, 0));
  std::vector<double> place(4);
  EXPECT_THAT(member.InversePriorTransform({0, 0.5, 0, 2.5}, absl::MakeSpan(place), StopToken()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("2.5 in row 1, column 1 (p1)")));
}

TEST(DensityEstimatorMembersTest, AnAnsweringMemberThatIsNotThereIsRefused) {
  v1::ModelVersion description = TwoMembers();
  description.mutable_training()->set_answering_member(2);
  EXPECT_THAT(DensityEstimator::Create(description, {RandomKernels(2, 5, 1), RandomKernels(2, 5, 2)}),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("answering member is 2, expected one of 2")));
}

TEST(LoadEstimatorTest, RefusesWhatIsNotAnArtifact) {
  EXPECT_THAT(LoadEstimator("nonsense"), HasCode(absl::StatusCode::kDataLoss));
  const std::string good = Artifact(v1::EstimatorSpec::kMaf, 2);
  EXPECT_THAT(LoadEstimator(good.substr(0, good.size() - 8)), HasCode(absl::StatusCode::kDataLoss));

  Safetensors artifact;
  artifact.Add("x", {1}, absl::MakeConstSpan(std::vector<double>{1}));
  EXPECT_THAT(LoadEstimator(artifact.Serialize()), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("not an artifact")));
  v1::ModelVersion description = Description(v1::EstimatorSpec::kMaf, 2);
  WriteDescription(description, artifact);
  EXPECT_THAT(LoadEstimator(artifact.Serialize()), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("member0/")));
  artifact.SetMetadata("format_version", "3");
  EXPECT_THAT(LoadEstimator(artifact.Serialize()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("format version 3")));
  artifact.SetMetadata("format_version", "1");
  artifact.SetMetadata("description", "{");
  EXPECT_THAT(LoadEstimator(artifact.Serialize()), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("description")));

  WriteDescription(description, artifact);
  WritePlan(RandomPlan(AutoregressiveLayer::Kind::kAffine, 2, 3), "member0/", artifact);
  WritePlan(RandomPlan(AutoregressiveLayer::Kind::kAffine, 3, 3), "member1/", artifact);
  EXPECT_THAT(LoadEstimator(artifact.Serialize()),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("3 columns, the signature 2 parameters")));
}

}  // namespace
}  // namespace creamery
