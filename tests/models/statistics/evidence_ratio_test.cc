#include "models/statistics/evidence_ratio.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "tests/models/statistics/evidence_problem.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

v1::NamedEvidence Named(const std::string& method, double value, double error) {
  v1::NamedEvidence named;
  named.set_method(method);
  named.mutable_log_evidence()->set_value(value);
  named.mutable_log_evidence()->set_error(error);
  return named;
}

// Two models of the same data with chains: likelihoods of different width.
struct Sides {
  GaussianProblem above{2, 0.5, 0.3};
  GaussianProblem below{2, 0.5, 0.6};
  v1::Dataset above_dataset = above.dataset();
  v1::Dataset below_dataset = below.dataset();
  RowBlock above_rows = above.Rows(4000, 1);
  RowBlock below_rows = below.Rows(4000, 2);
  std::unique_ptr<FakeModel> above_model = MakeModel(above, 0.1, 1, 4000);
  std::unique_ptr<FakeModel> below_model = MakeModel(below, 0.1, 1, 4000);

  double truth() const { return above.log_z() - below.log_z(); }
  static void Declare(FakeModel& model, double value, double error) {
    model.mutable_description().mutable_log_evidence()->set_value(value);
    model.mutable_description().mutable_log_evidence()->set_error(error);
  }
  absl::StatusOr<v1::EvidenceRatioResponse> Compute(std::vector<v1::NamedEvidence> above_given = {},
                                                    std::vector<v1::NamedEvidence> below_given = {},
                                                    const StopToken& stop = StopToken()) const {
    EvidenceSide numerator;
    numerator.model = above_model.get();
    numerator.dataset = &above_dataset;
    numerator.rows = &above_rows;
    numerator.given = std::move(above_given);
    EvidenceSide denominator;
    denominator.model = below_model.get();
    denominator.dataset = &below_dataset;
    denominator.rows = &below_rows;
    denominator.given = std::move(below_given);
    return ComputeEvidenceRatio(numerator, denominator, 1, stop);
  }
};

std::vector<std::string> Methods(const v1::EvidenceRatioResponse& response) {
  std::vector<std::string> methods;
  for (const v1::EvidenceRatioEstimate& estimate : response.estimates()) {
    methods.push_back(estimate.numerator_method() + "/" + estimate.denominator_method());
  }
  return methods;
}

TEST(EvidenceRatioTest, AllPairsSideBySideTheSameMethodFirst) {
  Sides sides;
  Sides::Declare(*sides.above_model, sides.above.log_z() + 0.1, 0.2);
  Sides::Declare(*sides.below_model, sides.below.log_z() - 0.2, 0.2);
  ASSERT_OK_AND_ASSIGN(const v1::EvidenceRatioResponse response,
                       sides.Compute({Named("importance sampling", sides.above.log_z(), 0.01)}));
  EXPECT_THAT(Methods(response), ElementsAre("declared/declared", "harmonic mean/harmonic mean",
                                             "declared/harmonic mean", "harmonic mean/declared",
                                             "importance sampling/declared", "importance sampling/harmonic mean"));
  EXPECT_NEAR(response.estimates(0).log_ratio().value(), sides.truth() + 0.3, 1e-12);
  EXPECT_NEAR(response.estimates(0).log_ratio().error(), std::hypot(0.2, 0.2), 1e-12);
  const v1::Estimate& harmonic = response.estimates(1).log_ratio();
  EXPECT_NEAR(harmonic.value(), sides.truth(), 4 * harmonic.error());
  EXPECT_LT(harmonic.error(), 0.05);
  EXPECT_GT(harmonic.effective_size(), 1000);
  EXPECT_LT(response.largest_disagreement(), 3);
  EXPECT_TRUE(response.warnings().empty());
  EXPECT_TRUE(response.remarks().empty());
}

TEST(EvidenceRatioTest, EstimatesThatDisagreeAreFlagged) {
  Sides sides;
  Sides::Declare(*sides.above_model, sides.above.log_z() + 1, 0.1);
  Sides::Declare(*sides.below_model, sides.below.log_z(), 0.1);
  ASSERT_OK_AND_ASSIGN(const v1::EvidenceRatioResponse response, sides.Compute());
  EXPECT_NEAR(response.largest_disagreement(), 10, 2);
  EXPECT_THAT(response.warnings(), Contains(v1::ESTIMATES_DISAGREE));
  // A declared evidence with the sign of the wrong convention (log 1/Z) cannot hide either.
  Sides::Declare(*sides.above_model, -sides.above.log_z(), 0.1);
  ASSERT_OK_AND_ASSIGN(const v1::EvidenceRatioResponse inverted, sides.Compute());
  EXPECT_THAT(inverted.warnings(), Contains(v1::ESTIMATES_DISAGREE));
}

TEST(EvidenceRatioTest, SaysWhatCouldNotBeEstimatedAndWhy) {
  Sides sides;
  Sides::Declare(*sides.above_model, -1, 0.1);
  sides.below_model->mutable_description().mutable_signature()->add_marginalised("A_planck");
  ASSERT_OK_AND_ASSIGN(const v1::EvidenceRatioResponse response, sides.Compute());
  EXPECT_TRUE(response.estimates().empty());
  EXPECT_THAT(response.remarks(), ElementsAre(HasSubstr("denominator declares no log-evidence"),
                                              HasSubstr("No harmonic mean of the denominator: the harmonic mean needs"),
                                              HasSubstr("there is no ratio")));
  EXPECT_THAT(response.remarks(1), HasSubstr("A_planck"));
  EXPECT_THAT(response.warnings(), Contains(v1::NO_LOG_EVIDENCE));
  ASSERT_OK_AND_ASSIGN(const v1::EvidenceRatioResponse given, sides.Compute({}, {Named("nested sampling", -2, 0.1)}));
  EXPECT_THAT(Methods(given), ElementsAre("declared/nested sampling", "harmonic mean/nested sampling"));
}

TEST(EvidenceRatioTest, BadGivenEvidencesAndCancellationAreErrors) {
  const Sides sides;
  EXPECT_THAT(sides.Compute({Named("", 1, 1)}), HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(sides.Compute({}, {Named("a", NAN, 1)}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("denominator_evidences[0]")));
  EXPECT_THAT(sides.Compute({Named("a", 1, -1)}), HasCode(absl::StatusCode::kInvalidArgument));
  StopSource stop;
  stop.RequestStop();
  EXPECT_THAT(sides.Compute({}, {}, stop.token()), HasCode(absl::StatusCode::kCancelled));
}

}  // namespace
}  // namespace creamery
