// What is wrong with a request for a joint analysis, and what it is told.
#include "models/statistics/joint_problem.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/models/statistics/exact_gaussian.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

std::unique_ptr<Estimator> Model(const std::string& name, const std::vector<std::string>& parameters,
                                 const std::vector<v1::Prior>& priors) {
  const int64_t d = static_cast<int64_t>(parameters.size());
  auto model = ExactModel({parameters, std::vector<double>(d, 0), Correlated(d, 0)}, priors);
  DescriptionOf(*model).set_name(name);
  return model;
}

const v1::Prior kBox = UniformPriorOf(-9, 9);

class JointProblemTest : public testing::Test {
 protected:
  absl::StatusOr<JointProblem> Make(const std::vector<const Estimator*>& models) {
    input_.models = models;
    return MakeJointProblem(input_);
  }
  JointInput input_;
};

TEST_F(JointProblemTest, OneModelOrOneTwiceIsRefused) {
  const auto a = Model("A", {"x"}, {kBox});
  const auto copy = Model("A", {"x"}, {kBox});
  EXPECT_THAT(Make({a.get()}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("1 models are given")));
  EXPECT_THAT(Make({a.get(), a.get()}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("A is listed twice; its data would count twice")));
  EXPECT_THAT(Make({a.get(), copy.get()}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("listed twice")));
}

TEST_F(JointProblemTest, TwoModelsOfOneDatasetAreRemarkedOn) {
  const auto a = Model("A", {"x"}, {kBox});
  const auto b = Model("B", {"x"}, {kBox});
  DescriptionOf(*a).mutable_training()->set_dataset_digest("abc");
  DescriptionOf(*b).mutable_training()->set_dataset_digest("abc");
  ASSERT_OK_AND_ASSIGN(const JointProblem problem, Make({a.get(), b.get()}));
  EXPECT_THAT(problem.remarks, Contains(HasSubstr("A and B were trained on the same dataset")));
}

TEST_F(JointProblemTest, ModelsThatShareNothingAreRefusedWithTheirParameters) {
  const auto a = Model("A", {"x", "y"}, {kBox, kBox});
  const auto b = Model("B", {"z"}, {kBox});
  EXPECT_THAT(Make({a.get(), b.get()}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("A shares no parameter"), HasSubstr("A has x, y; B has z"))));
}

TEST_F(JointProblemTest, UnequalPriorsAreRefusedWithBothNamed) {
  const auto a = Model("A", {"x"}, {kBox});
  const auto b = Model("B", {"x"}, {UniformPriorOf(-9, 10)});
  EXPECT_THAT(Make({a.get(), b.get()}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("the prior of x is uniform(-9, 9) in A and uniform(-9, 10) in B"),
                             HasSubstr("unequal priors are not multiplied"))));
  // Given with the request it is the caller's word, which the answer repeats.
  (*input_.prior.mutable_analytic()->mutable_priors())["x"] = kBox;
  ASSERT_OK_AND_ASSIGN(const JointProblem problem, Make({a.get(), b.get()}));
  EXPECT_THAT(problem.remarks, Contains(HasSubstr("is not the one declared with B, uniform(-9, 10)")));
}

TEST_F(JointProblemTest, ADerivedParameterWithoutAPriorIsNamed) {
  const auto a = Model("A", {"sigma8"}, {});
  const auto b = Model("B", {"sigma8"}, {});
  DescriptionOf(*a).mutable_signature()->mutable_parameters(0)->set_derived(true);
  EXPECT_THAT(Make({a.get(), b.get()}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("no prior for the shared parameter sigma8 in A, where it is derived"),
                             HasSubstr("train a model on samples of the prior"), HasSubstr("none is assumed"))));
}

TEST_F(JointProblemTest, GivenPriorsAreCheckedByName) {
  const auto a = Model("A", {"x", "own"}, {kBox, kBox});
  const auto b = Model("B", {"x"}, {kBox});
  auto& priors = *input_.prior.mutable_analytic()->mutable_priors();
  priors["y"] = kBox;
  EXPECT_THAT(Make({a.get(), b.get()}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("given for y")));
  priors.clear();
  priors["own"] = kBox;
  EXPECT_THAT(Make({a.get(), b.get()}), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no prior for x")));
  priors["x"] = kBox;
  EXPECT_THAT(Make({a.get(), b.get()}), IsOk());
}

TEST_F(JointProblemTest, APriorModelIsOfTheSharedParameters) {
  const auto a = Model("A", {"x", "y"}, {});
  const auto b = Model("B", {"y", "x"}, {});
  const auto c = Model("C", {"x"}, {});
  const auto of_both = Model("prior", {"y", "x"}, {});
  const auto of_one = Model("prior", {"x"}, {});
  input_.prior_model = of_both.get();
  ASSERT_OK_AND_ASSIGN(const JointProblem problem, Make({a.get(), b.get()}));
  EXPECT_THAT(problem.prior_columns, testing::ElementsAre(1, 0));
  EXPECT_THAT(problem.warnings, Contains(v1::PRIOR_IS_ESTIMATED));
  EXPECT_THAT(Make({a.get(), b.get(), c.get()}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("y is in 2 of 3 models")));
  input_.prior_model = of_one.get();
  EXPECT_THAT(Make({a.get(), b.get()}), StatusIs(absl::StatusCode::kInvalidArgument,
                                                 HasSubstr("the prior's model is of x, but the models share")));
}

TEST_F(JointProblemTest, ANuisanceThatBothIntegratedOutIsRemarkedOn) {
  const auto a = Model("A", {"x"}, {kBox});
  const auto b = Model("B", {"x"}, {kBox});
  DescriptionOf(*a).mutable_signature()->add_marginalised("tau");
  DescriptionOf(*a).mutable_signature()->add_marginalised("A_planck");
  ASSERT_OK_AND_ASSIGN(JointProblem problem, Make({a.get(), b.get()}));
  EXPECT_THAT(problem.warnings, Not(Contains(v1::SHARED_NUISANCE)));
  DescriptionOf(*b).mutable_signature()->add_marginalised("tau");
  ASSERT_OK_AND_ASSIGN(problem, Make({a.get(), b.get()}));
  EXPECT_THAT(problem.warnings, Contains(v1::SHARED_NUISANCE));
  EXPECT_THAT(problem.remarks, Contains(HasSubstr("A and B have all marginalised tau")));
  const auto keeps = Model("C", {"x", "tau"}, {kBox, kBox});
  ASSERT_OK_AND_ASSIGN(problem, Make({a.get(), keeps.get()}));
  EXPECT_THAT(problem.remarks, Contains(HasSubstr("A has marginalised what C keeps, tau: if it is one quantity")));
}

TEST_F(JointProblemTest, ManyNuisancesAreOneSentence) {
  const auto a = Model("A", {"x"}, {kBox});
  const auto b = Model("B", {"x", "kept"}, {kBox, kBox});
  for (const char* name : {"tau", "A_planck", "calib", "kept"}) {
    DescriptionOf(*a).mutable_signature()->add_marginalised(name);
    if (std::string(name) != "kept") DescriptionOf(*b).mutable_signature()->add_marginalised(name);
  }
  ASSERT_OK_AND_ASSIGN(const JointProblem problem, Make({a.get(), b.get()}));
  EXPECT_THAT(problem.remarks,
              testing::ElementsAre("A and B have all marginalised A_planck, calib, tau; A has marginalised what B "
                                   "keeps, kept: if each is one quantity in nature, the models are not independent "
                                   "given the shared parameters; keep them among the parameters of each."));
}

// log R needs none, so there is nothing to warn of; a sum that lacks a part is remarked on.
TEST_F(JointProblemTest, EvidencesAreWantedOfAllOrOfNone) {
  const auto a = Model("A", {"x"}, {kBox});
  const auto b = Model("B", {"x"}, {kBox});
  ASSERT_OK_AND_ASSIGN(JointProblem problem, Make({a.get(), b.get()}));
  EXPECT_THAT(problem.warnings, Not(Contains(v1::NO_LOG_EVIDENCE)));
  EXPECT_THAT(problem.remarks, testing::IsEmpty());
  DescriptionOf(*a).mutable_log_evidence()->set_value(-1);
  ASSERT_OK_AND_ASSIGN(problem, Make({a.get(), b.get()}));
  EXPECT_THAT(problem.warnings, Not(Contains(v1::NO_LOG_EVIDENCE)));
  EXPECT_THAT(problem.remarks, Contains(HasSubstr("B carries no log-evidence. log R needs none")));
}

TEST_F(JointProblemTest, APriorThatDoesNotCoverThePosteriorIsSaid) {
  const auto a = Model("A", {"x"}, {UniformPriorOf(0, 9)});
  const auto b = Model("B", {"x"}, {UniformPriorOf(0, 9)});
  const std::vector<const Estimator*> models = {a.get(), b.get()};
  input_.models = models;
  ASSERT_OK_AND_ASSIGN(const JointResult result, ComputeJoint(input_, nullptr, StopToken()));
  EXPECT_THAT(result.head.warnings(), Contains(v1::PRIOR_DOES_NOT_COVER));
  (*input_.prior.mutable_analytic()->mutable_priors())["x"] = UniformPriorOf(6, 9);
  EXPECT_THAT(ComputeJoint(input_, nullptr, StopToken()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("does not cover the posterior")));
}

}  // namespace
}  // namespace creamery
