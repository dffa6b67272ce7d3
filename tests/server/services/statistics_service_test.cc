// Statistics through a channel, against closed forms, and what is refused.
#include <algorithm>
#include <cmath>
#include <thread>
#include <vector>

#include "tests/server/statistics_fixture.h"

namespace creamery {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class StatisticsServiceTest : public StatisticsFixture {};

TEST_F(StatisticsServiceTest, MarginalKLTakesThePriorModelThatTheVersionWasTrainedWith) {
  StartWithProject();
  ImportGaussian("prior", {{"a", 0, 2, 0}});
  v1::ModelVersion version = GaussianDescription({{"a", 1, 0.5, 0}});
  version.mutable_signature()->set_prior_model(Name("prior") + "/versions/1");
  ASSERT_THAT(Import(Name("posterior"), GaussianArtifact({{"a", 1, 0.5, 0}}, version)), IsOk());
  v1::MarginalKLRequest request;
  request.set_model(Name("posterior"));
  ASSERT_OK_AND_ASSIGN(const v1::MarginalKLResponse response, MarginalKL(request));
  EXPECT_EQ(response.prior_model_version(), Name("prior") + "/versions/1");
  // KL(N(1, .5) || N(0, 2)) = log 4 + (.25 + 1) / 8 - 1/2.
  EXPECT_NEAR(response.kl().value(), std::log(4) + 1.25 / 8 - 0.5, 3 * response.kl().error());
  EXPECT_LT(response.kl().error(), 0.05);

  grpc::ClientContext context;
  v1::DeleteVersionRequest deletion;
  deletion.set_name(Name("prior") + "/versions/1");
  v1::DeleteVersionResponse nothing;
  ASSERT_THAT(FromGrpc(models_->DeleteVersion(&context, deletion, &nothing)), IsOk());
  EXPECT_THAT(MarginalKL(request), StatusIs(absl::StatusCode::kNotFound, HasSubstr("choose a prior in the request")));
  auto& analytic = *request.mutable_prior()->mutable_analytic()->mutable_priors();
  analytic["a"].mutable_normal()->set_stddev(2);
  EXPECT_THAT(MarginalKL(request), IsOk());
}

// The posterior's own rows scatter, log q with them; a prior that is the posterior scatters alike, and D_KL is 0 at
// once. Without the rows it is 0 within an error that says so.
TEST_F(StatisticsServiceTest, MarginalKLComparesAnotherPriorOverTheRowsOfTheTraining) {
  StartWithProject();
  MakeChain("chain", 2000);
  v1::MarginalKLRequest request;
  request.set_model(Name("chain"));
  (*request.mutable_prior()->mutable_analytic()->mutable_priors())["x"].mutable_normal()->set_stddev(1);
  ASSERT_OK_AND_ASSIGN(const v1::MarginalKLResponse by_rows, MarginalKL(request));
  EXPECT_NEAR(by_rows.kl().value(), 0, 1e-6);
  EXPECT_LT(by_rows.kl().error(), 1e-6);
  EXPECT_THAT(by_rows.remarks(), SizeIs(0));
  ASSERT_THAT(server_->registry().DeleteDataset({"ada", "", "", absl::Now()}, {"planck", "chain"}), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::MarginalKLResponse by_draws, MarginalKL(request));
  EXPECT_NEAR(by_draws.kl().value(), 0, 4 * by_draws.kl().error());
  EXPECT_GT(by_draws.kl().error(), 0.001);
  EXPECT_THAT(by_draws.remarks(), ElementsAre(HasSubstr("is not in this registry")));
}

TEST_F(StatisticsServiceTest, JointPosteriorIsTheClosedFormStatisticsFirst) {
  StartWithProject();
  ImportPair();
  ASSERT_OK_AND_ASSIGN(const Joint joint, JointPosterior(AskPair()));
  EXPECT_THAT(joint.head.columns(), ElementsAre("a", "b", "c"));
  EXPECT_THAT(joint.head.shared(), ElementsAre("a"));
  EXPECT_THAT(joint.head.model_versions(), ElementsAre(Name("first") + "/versions/1", Name("second") + "/versions/1"));
  EXPECT_EQ(joint.head.seed(), 5);
  EXPECT_FALSE(joint.head.has_samples());
  const v1::Estimate& log_r = joint.head.statistics().log_r();
  EXPECT_NEAR(log_r.value(), PairLogR(), 3 * log_r.error());
  EXPECT_LT(log_r.error(), 0.2);
  EXPECT_FALSE(joint.head.statistics().has_log_z());
  ASSERT_THAT(joint.weight, SizeIs(2000));
  ASSERT_THAT(joint.theta, SizeIs(6000));
  double sum = 0;
  double mean = 0;
  for (size_t i = 0; i < joint.weight.size(); ++i) {
    sum += joint.weight[i];
    mean += joint.weight[i] * joint.theta[3 * i];
  }
  EXPECT_NEAR(sum / 2000, 1, 1e-9);
  // The joint posterior of a has standard deviation 0.494.
  EXPECT_NEAR(mean / sum, PairMean(), 4 * 0.494 / std::sqrt(joint.head.effective_size()));
  ASSERT_OK_AND_ASSIGN(const Joint again, JointPosterior(AskPair()));
  EXPECT_EQ(again.theta, joint.theta);
}

TEST_F(StatisticsServiceTest, JointSamplesComeInMessagesOfAMebibyteOrNotAtAll) {
  StartWithProject();
  ImportPair();
  ASSERT_OK_AND_ASSIGN(const Joint many, JointPosterior(AskPair(40000)));  // 40000 rows of 5 numbers: 1.6 MB
  EXPECT_EQ(many.messages, 3);
  EXPECT_THAT(many.weight, SizeIs(40000));
  v1::JointPosteriorRequest request = AskPair();
  request.set_without_samples(true);
  ASSERT_OK_AND_ASSIGN(const Joint none, JointPosterior(request));
  EXPECT_EQ(none.messages, 1);
  EXPECT_THAT(none.head.columns(), SizeIs(3));
}

TEST_F(StatisticsServiceTest, WhatJointPosteriorCannotAnswerIsExplained) {
  StartWithProject();
  ImportPair();
  ImportGaussian("stranger", {{"z", 0, 1, 2}});
  ImportGaussian("no_prior", {{"a", 0, 1, 0}});
  ImportGaussian("other_prior", {{"a", 0, 1, 3}});
  v1::JointPosteriorRequest request;
  request.add_models(Name("first"));
  EXPECT_THAT(JointPosterior(request), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected 2 to 10000")));
  request.add_models(Name("stranger"));
  EXPECT_THAT(JointPosterior(request),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr(Name("first")), HasSubstr("has z"))));
  request.set_models(1, Name("no_prior"));
  EXPECT_THAT(JointPosterior(request), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("a")));
  request.set_models(1, Name("other_prior"));
  EXPECT_THAT(JointPosterior(request), HasCode(absl::StatusCode::kFailedPrecondition));
  request.set_models(1, Name("first"));
  EXPECT_THAT(JointPosterior(request), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("twice")));
  request.set_models(1, Name("nothing"));
  EXPECT_THAT(JointPosterior(request), HasCode(absl::StatusCode::kNotFound));
  request = AskPair(99);
  EXPECT_THAT(JointPosterior(request), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("num_samples is 99")));
  request = AskPair();
  request.set_max_evaluations(-1);
  EXPECT_THAT(JointPosterior(request), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("max_evaluations")));
}

TEST_F(StatisticsServiceTest, ABudgetThatEndsGivesAPartialAnswerThatSaysSo) {
  StartWithProject();
  ImportPair();
  v1::JointPosteriorRequest request = AskPair(20000);
  request.set_max_evaluations(30000);
  ASSERT_OK_AND_ASSIGN(const Joint joint, JointPosterior(request));
  EXPECT_THAT(joint.head.warnings(), Contains(v1::PARTIAL_RESULT));
  EXPECT_LT(joint.weight.size(), 20000U);
}

TEST_F(StatisticsServiceTest, ALongJointPosteriorObeysItsDeadlineAndLeavesSmallQuestionsAlone) {
  config_.set_threads(1);
  StartWithProject();
  ImportCrowd();
  const v1::JointPosteriorRequest request = AskCrowd();
  std::thread question(
      [&] { EXPECT_THAT(JointPosterior(request, absl::Seconds(2)), HasCode(absl::StatusCode::kDeadlineExceeded)); });
  absl::SleepFor(absl::Milliseconds(200));
  v1::LogProbRequest small;
  small.set_model(Name("first"));
  *small.mutable_theta() = FromDoubles(std::vector<double>(2 * 5000), {5000, 2});  // for a thread of the pool
  const absl::Time start = absl::Now();
  for (int i = 0; i < 10; ++i) {
    grpc::ClientContext context;
    v1::LogProbResponse response;
    EXPECT_THAT(FromGrpc(inference_->LogProb(&context, small, &response)), IsOk());
  }
  EXPECT_LT(absl::Now() - start, absl::Milliseconds(1500));  // behind it they would take 1.8 s
  question.join();
  // Its thread is free again.
  EXPECT_THAT(JointPosterior(AskPair()), IsOk());
}

TEST_F(StatisticsServiceTest, EvidenceByHarmonicMeanReadsTheChain) {
  StartWithProject();
  MakeChain("chain", 4000);
  v1::EvidenceRequest request;
  request.set_model(Name("chain"));
  request.mutable_harmonic_mean();
  request.set_seed(3);
  ASSERT_OK_AND_ASSIGN(const v1::EvidenceResponse response, Evidence(request));
  EXPECT_NEAR(response.log_z().value(), ChainLogZ(), 3 * response.log_z().error());
  EXPECT_LT(response.log_z().error(), 0.05);
  EXPECT_EQ(response.model_version(), Name("chain") + "/versions/1");
  EXPECT_TRUE(response.done());
}

TEST_F(StatisticsServiceTest, EvidenceSaysWhatItLacks) {
  StartWithProject();
  MakeChain("chain", 500);
  MakeChain("bare", 500, /*likelihood=*/false);
  ImportGaussian("imported", {{"x", 0, 1, 2}});
  v1::EvidenceRequest request;
  request.set_model(Name("chain"));
  EXPECT_THAT(Evidence(request), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("method is not set")));
  request.mutable_harmonic_mean()->set_temperature(1.5);
  EXPECT_THAT(Evidence(request), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("temperature is 1.5")));
  request.mutable_harmonic_mean()->clear_temperature();
  request.set_model(Name("bare"));
  EXPECT_THAT(Evidence(request),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("carries no log-likelihoods")));
  request.set_model(Name("imported"));
  EXPECT_THAT(Evidence(request),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("does not say which dataset")));
  ASSERT_THAT(server_->registry().DeleteDataset({"ada", "", "", absl::Now()}, {"planck", "chain"}), IsOk());
  request.set_model(Name("chain"));
  EXPECT_THAT(Evidence(request), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("upload it again")));
}

TEST_F(StatisticsServiceTest, EvidenceByImportanceSamplingGoesRoundByRound) {
  StartWithProject();
  MakeChain("chain", 500);
  v1::EvidenceRequest request;
  request.set_model(Name("chain"));
  request.set_seed(3);
  request.mutable_importance_sampling()->set_target_effective_size(1500);
  std::vector<double> log_likelihood;
  v1::EvidenceResponse response;
  for (int round = 0; round < 20; ++round) {
    ASSERT_OK_AND_ASSIGN(response, Evidence(request));
    if (response.done()) break;
    ASSERT_OK_AND_ASSIGN(const std::vector<double> x, ToDoubles("next_theta", response.next_theta(), {-1, 1}));
    for (const double value : x) log_likelihood.push_back(-0.5 * value * value);
    *request.mutable_importance_sampling()->mutable_log_likelihood() =
        FromDoubles(log_likelihood, {static_cast<int64_t>(log_likelihood.size())});
    request.set_model(response.model_version());
  }
  EXPECT_TRUE(response.done());
  EXPECT_GT(response.effective_size(), 1500);
  EXPECT_NEAR(response.log_z().value(), ChainLogZ(), 3 * response.log_z().error() + 1e-3);
  EXPECT_THAT(response.columns(), ElementsAre("x"));
}

TEST_F(StatisticsServiceTest, EvidenceRatioPutsEstimatesSideBySide) {
  StartWithProject();
  MakeChain("one", 3000);
  MakeChain("two", 2000);
  v1::EvidenceRatioRequest request;
  request.set_numerator(Name("one"));
  request.set_denominator(Name("two"));
  for (v1::NamedEvidence* given : {request.add_numerator_evidences(), request.add_denominator_evidences()}) {
    given->set_method("nested sampling");
    given->mutable_log_evidence()->set_value(ChainLogZ() + 1);  // wrong
    given->mutable_log_evidence()->set_error(0.01);
  }
  grpc::ClientContext context;
  v1::EvidenceRatioResponse response;
  ASSERT_THAT(FromGrpc(statistics_->EvidenceRatio(&context, request, &response)), IsOk());
  ASSERT_THAT(response.estimates(), SizeIs(4));
  EXPECT_EQ(response.estimates(0).numerator_method(), response.estimates(0).denominator_method());
  EXPECT_GT(response.largest_disagreement(), 3);
  EXPECT_THAT(response.warnings(), Contains(v1::ESTIMATES_DISAGREE));
  EXPECT_THAT(response.model_versions(), ElementsAre(Name("one") + "/versions/1", Name("two") + "/versions/1"));
  for (const v1::EvidenceRatioEstimate& estimate : response.estimates()) {
    if (estimate.numerator_method() != estimate.denominator_method()) continue;
    EXPECT_NEAR(estimate.log_ratio().value(), 0, 3 * estimate.log_ratio().error() + 1e-9);
  }
}

class ReweightTest : public StatisticsServiceTest {
 protected:
  absl::StatusOr<v1::ReweightResponse> Reweight(const v1::ReweightRequest& request) {
    grpc::ClientContext context;
    v1::ReweightResponse response;
    const absl::Status status = FromGrpc(statistics_->Reweight(&context, request, &response));
    if (!status.ok()) return status;
    return response;
  }
};

TEST_F(ReweightTest, FromOneLikelihoodToAnotherInRounds) {
  StartWithProject();
  MakeChain("chain", 3000);
  v1::ReweightRequest request;
  request.set_model(Name("chain"));
  request.set_seed(2);
  request.set_target_effective_size(1000);
  std::vector<double> log_likelihood;
  std::vector<double> points;
  v1::ReweightResponse response;
  for (int round = 0; round < 20; ++round) {
    ASSERT_OK_AND_ASSIGN(response, Reweight(request));
    if (response.done()) break;
    ASSERT_OK_AND_ASSIGN(const std::vector<double> x, ToDoubles("next_theta", response.next_theta(), {-1, 1}));
    for (const double value : x) {  // the new posterior is N(0.5, 1)
      points.push_back(value);
      log_likelihood.push_back(-0.5 * (value - 0.5) * (value - 0.5));
    }
    *request.mutable_log_likelihood() = FromDoubles(log_likelihood, {static_cast<int64_t>(log_likelihood.size())});
  }
  EXPECT_TRUE(response.done());
  EXPECT_GT(response.effective_size(), 1000);
  ASSERT_OK_AND_ASSIGN(const std::vector<double> log_weight, ToDoubles("log_weight", response.log_weight(), {-1}));
  ASSERT_EQ(log_weight.size(), points.size());
  double sum = 0;
  double mean = 0;
  for (size_t i = 0; i < points.size(); ++i) {
    sum += std::exp(log_weight[i]);
    mean += std::exp(log_weight[i]) * points[i];
  }
  EXPECT_NEAR(mean / sum, 0.5, 4 / std::sqrt(response.effective_size()));
  EXPECT_NEAR(response.log_evidence_ratio().value(), 0, 4 * response.log_evidence_ratio().error());
}

TEST_F(ReweightTest, PointsOfAChainThatIsGoneAreNotReplacedInSilence) {
  StartWithProject();
  MakeChain("chain", 500);
  ASSERT_THAT(server_->registry().DeleteDataset({"ada", "", "", absl::Now()}, {"planck", "chain"}), IsOk());
  v1::ReweightRequest request;
  request.set_model(Name("chain"));
  EXPECT_THAT(Reweight(request), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("chain_points 0")));
  request.set_chain_points(0);
  EXPECT_THAT(Reweight(request), IsOk());
  *request.mutable_log_likelihood() = FromDoubles({1, std::nan("")}, {2});
  EXPECT_THAT(Reweight(request), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("row 1")));
}

}  // namespace
}  // namespace creamery
