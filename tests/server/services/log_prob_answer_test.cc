// LogProb beyond the density: gradient, spread, a share of the prior, many threads; and its relatives.
#include "server/services/log_prob_answer.h"

#include <cmath>
#include <limits>
#include <vector>

#include "models/random.h"
#include "proto/support/array.h"
#include "tests/server/gaussian_models.h"
#include "tests/server/test_server.h"

namespace creamery {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kModel[] = "projects/planck/models/normal";
const double kLogSqrtTwoPi = 0.5 * std::log(2 * M_PI);

double LogNormal(double x, double mean, double stddev) {
  const double z = (x - mean) / stddev;
  return -0.5 * z * z - std::log(stddev) - kLogSqrtTwoPi;
}

// a ~ N(1, 0.5) under the prior N(0, 2), b ~ N(-1, 2) under the prior N(0, 3); the second member is shifted by 0.3.
class LogProbAnswerTest : public TestServer {
 protected:
  static std::vector<GaussianColumn> Columns() { return {{"a", 1, 0.5, 2}, {"b", -1, 2, 3}}; }

  void StartWithModel() {
    StartServer();
    ASSERT_THAT(CreateProject("planck"), IsOk());
    ASSERT_THAT(Import(kModel, GaussianArtifact(Columns(), GaussianDescription(Columns()), 0.3)), IsOk());
  }
  static v1::LogProbRequest Ask(const std::vector<double>& theta) {
    v1::LogProbRequest request;
    request.set_model(kModel);
    *request.mutable_theta() = FromDoubles(theta, {static_cast<int64_t>(theta.size()) / 2, 2});
    return request;
  }
  absl::StatusOr<v1::LogProbResponse> LogProb(const v1::LogProbRequest& request) {
    grpc::ClientContext context;
    v1::LogProbResponse response;
    const absl::Status status = FromGrpc(inference_->LogProb(&context, request, &response));
    if (!status.ok()) return status;
    return response;
  }
};

TEST_F(LogProbAnswerTest, TheGradientIsTheClosedFormInTheAskedColumns) {
  StartWithModel();
  v1::LogProbRequest request = Ask({0.5, 3, 1, -1});
  request.set_gradient(true);
  ASSERT_OK_AND_ASSIGN(const v1::LogProbResponse response, LogProb(request));
  ASSERT_OK_AND_ASSIGN(const std::vector<double> gradient, ToDoubles("gradient", response.gradient(), {2, 2}));
  EXPECT_NEAR(gradient[0], 2, 1e-12);   // -(0.5 - 1) / 0.25
  EXPECT_NEAR(gradient[1], -1, 1e-12);  // -(3 + 1) / 4
  EXPECT_NEAR(gradient[2], 0, 1e-12);
  ASSERT_OK_AND_ASSIGN(const std::vector<double> log_prob, ToDoubles("log_prob", response.log_prob(), {2}));
  EXPECT_NEAR(log_prob[0], LogNormal(0.5, 1, 0.5) + LogNormal(3, -1, 2), 1e-12);

  request = Ask({3, 0.5});
  request.set_gradient(true);
  request.add_columns("b");
  request.add_columns("a");
  ASSERT_OK_AND_ASSIGN(const v1::LogProbResponse swapped, LogProb(request));
  ASSERT_OK_AND_ASSIGN(const std::vector<double> in_order, ToDoubles("gradient", swapped.gradient(), {1, 2}));
  EXPECT_NEAR(in_order[0], -1, 1e-12);
  EXPECT_NEAR(in_order[1], 2, 1e-12);
}

TEST_F(LogProbAnswerTest, TheSpreadIsTheStandardDeviationOverMembers) {
  StartWithModel();
  v1::LogProbRequest request = Ask({0.5, 3});
  request.set_spread(true);
  ASSERT_OK_AND_ASSIGN(const v1::LogProbResponse response, LogProb(request));
  ASSERT_OK_AND_ASSIGN(const std::vector<double> spread, ToDoubles("spread", response.spread(), {1}));
  const double first = LogNormal(0.5, 1, 0.5) + LogNormal(3, -1, 2);
  const double second = LogNormal(0.5, 1.3, 0.5) + LogNormal(3, -0.7, 2);
  EXPECT_NEAR(spread[0], std::fabs(first - second) / std::sqrt(2), 1e-12);
}

TEST_F(LogProbAnswerTest, AShareOfThePriorIsMixedInAndItsTransformGoesThere) {
  StartWithModel();
  v1::LogProbRequest request = Ask({6, 3});
  request.set_prior_fraction(0.1);
  ASSERT_OK_AND_ASSIGN(const v1::LogProbResponse response, LogProb(request));
  ASSERT_OK_AND_ASSIGN(const std::vector<double> log_prob, ToDoubles("log_prob", response.log_prob(), {1}));
  const double q = std::exp(LogNormal(6, 1, 0.5) + LogNormal(3, -1, 2));
  const double prior = std::exp(LogNormal(6, 0, 2) + LogNormal(3, 0, 3));
  EXPECT_NEAR(log_prob[0], std::log(0.9 * q + 0.1 * prior), 1e-12);

  v1::PriorTransformRequest transform;
  transform.set_model(kModel);
  *transform.mutable_u() = FromDoubles({0.05, 0.5, 0.55, 0.5}, {2, 2});
  transform.set_prior_fraction(0.1);
  grpc::ClientContext context;
  v1::PriorTransformResponse mapped;
  ASSERT_THAT(FromGrpc(inference_->PriorTransform(&context, transform, &mapped)), IsOk());
  ASSERT_OK_AND_ASSIGN(const std::vector<double> theta, ToDoubles("theta", mapped.theta(), {2, 2}));
  EXPECT_NEAR(theta[0], 0, 1e-9);  // the middle of the prior's share, then of the model's
  EXPECT_NEAR(theta[1], 0, 1e-9);
  EXPECT_NEAR(theta[2], 1, 1e-9);
  EXPECT_NEAR(theta[3], -1, 1e-9);
}

TEST_F(LogProbAnswerTest, AShareOfThePriorNeedsAPriorOfEveryParameter) {
  StartServer();
  ASSERT_THAT(CreateProject("planck"), IsOk());
  ASSERT_THAT(Import(kModel, GaussianArtifact({{"a", 1, 0.5, 2}, {"b", -1, 2, 0}})), IsOk());
  v1::LogProbRequest request = Ask({6, 3});
  request.set_prior_fraction(0.1);
  EXPECT_THAT(LogProb(request), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("b")));
  for (const double bad : {-0.1, 1.0, std::nan("")}) {
    request.set_prior_fraction(bad);
    EXPECT_THAT(LogProb(request), HasCode(absl::StatusCode::kInvalidArgument));
  }
}

TEST_F(LogProbAnswerTest, InversePriorTransformLeadsBack) {
  StartWithModel();
  v1::InversePriorTransformRequest request;
  request.set_model(kModel);
  *request.mutable_theta() = FromDoubles({-1, 1}, {1, 2});
  request.add_columns("b");
  request.add_columns("a");
  grpc::ClientContext context;
  v1::InversePriorTransformResponse response;
  ASSERT_THAT(FromGrpc(inference_->InversePriorTransform(&context, request, &response)), IsOk());
  ASSERT_OK_AND_ASSIGN(const std::vector<double> u, ToDoubles("u", response.u(), {1, 2}));
  EXPECT_NEAR(u[0], 0.5, 1e-9);
  EXPECT_NEAR(u[1], 0.5, 1e-9);
  EXPECT_EQ(response.model_version(), std::string(kModel) + "/versions/1");
  request.set_columns(0, "c");
  grpc::ClientContext again;
  EXPECT_THAT(FromGrpc(inference_->InversePriorTransform(&again, request, &response)),
              HasCode(absl::StatusCode::kInvalidArgument));
}

TEST_F(LogProbAnswerTest, ManyRowsOnManyThreadsHaveTheBitsOfOneRowAtATime) {
  config_.set_threads(4);
  StartWithModel();
  std::vector<double> theta(2 * 30000);
  const RandomStream random(1, RandomPurpose::kSample);
  for (size_t i = 0; i < theta.size(); ++i) theta[i] = random.Normal(i);
  v1::LogProbRequest request = Ask(theta);
  request.set_gradient(true);
  request.set_spread(true);
  ASSERT_OK_AND_ASSIGN(const v1::LogProbResponse all, LogProb(request));
  ASSERT_OK_AND_ASSIGN(const std::vector<double> log_prob, ToDoubles("log_prob", all.log_prob(), {30000}));
  ASSERT_OK_AND_ASSIGN(const std::vector<double> spread, ToDoubles("spread", all.spread(), {30000}));
  for (int64_t row = 0; row < 30000; row += 997) {
    v1::LogProbRequest one = Ask({theta[2 * row], theta[2 * row + 1]});
    one.set_spread(true);
    ASSERT_OK_AND_ASSIGN(const v1::LogProbResponse alone, LogProb(one));
    EXPECT_EQ(ToDoubles("log_prob", alone.log_prob(), {1}).value()[0], log_prob[row]);
    EXPECT_EQ(ToDoubles("spread", alone.spread(), {1}).value()[0], spread[row]);
  }
}

TEST_F(LogProbAnswerTest, TheReplyLimitCountsWhatIsAskedFor) {
  config_.set_max_reply_bytes(32 * 100);
  StartWithModel();
  v1::LogProbRequest request = Ask(std::vector<double>(2 * 200));
  EXPECT_THAT(LogProb(request), IsOk());
  request.set_gradient(true);
  request.set_spread(true);
  EXPECT_THAT(LogProb(request), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("at most 100 rows")));
}

class LogLikelihoodAnswerTest : public LogProbAnswerTest {
 protected:
  void StartWithTwo() {
    StartServer();
    ASSERT_THAT(CreateProject("planck"), IsOk());
    v1::ModelVersion first = GaussianDescription({{"a", 1, 0.5, 2}});
    first.mutable_log_evidence()->set_value(-7);
    first.mutable_log_evidence()->set_error(0.3);
    ASSERT_THAT(Import(kModel, GaussianArtifact({{"a", 1, 0.5, 2}}, first)), IsOk());
    v1::ModelVersion second = GaussianDescription({{"b", -1, 2, 3}, {"a", 0, 1, 2}});
    second.mutable_log_evidence()->set_value(2);
    second.mutable_log_evidence()->set_error(0.4);
    ASSERT_THAT(Import(kOther, GaussianArtifact({{"b", -1, 2, 3}, {"a", 0, 1, 2}}, second)), IsOk());
  }
  absl::StatusOr<v1::LogLikelihoodResponse> LogLikelihood(const v1::LogLikelihoodRequest& request) {
    grpc::ClientContext context;
    v1::LogLikelihoodResponse response;
    const absl::Status status = FromGrpc(inference_->LogLikelihood(&context, request, &response));
    if (!status.ok()) return status;
    return response;
  }
  static constexpr char kOther[] = "projects/planck/models/other";
};

TEST_F(LogLikelihoodAnswerTest, SumsOverModelsThatShareParametersInAnyOrder) {
  StartWithTwo();
  v1::LogLikelihoodRequest request;
  request.set_model(kModel);
  request.add_more_models(kOther);
  *request.mutable_theta() = FromDoubles({0.7, 0.4}, {1, 2});
  ASSERT_OK_AND_ASSIGN(const v1::LogLikelihoodResponse response, LogLikelihood(request));  // a, b: the union
  ASSERT_OK_AND_ASSIGN(const std::vector<double> values, ToDoubles("log_likelihood", response.log_likelihood(), {1}));
  const double first = LogNormal(0.7, 1, 0.5) - LogNormal(0.7, 0, 2);
  const double second = LogNormal(0.4, -1, 2) - LogNormal(0.4, 0, 3) + LogNormal(0.7, 0, 1) - LogNormal(0.7, 0, 2);
  EXPECT_NEAR(values[0], first - 7 + second + 2, 1e-12);
  EXPECT_NEAR(response.log_evidence_error(), 0.5, 1e-12);
  EXPECT_THAT(response.more_model_versions(), ElementsAre(std::string(kOther) + "/versions/1"));

  request.set_without_evidence(true);
  request.add_columns("b");
  request.add_columns("a");
  *request.mutable_theta() = FromDoubles({0.4, 0.7}, {1, 2});
  ASSERT_OK_AND_ASSIGN(const v1::LogLikelihoodResponse without, LogLikelihood(request));
  EXPECT_NEAR(ToDoubles("log_likelihood", without.log_likelihood(), {1}).value()[0], first + second, 1e-12);
  request.set_columns(0, "c");
  EXPECT_THAT(LogLikelihood(request), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("a, b")));
  request.set_more_models(0, "projects/planck/models/nothing");
  EXPECT_THAT(LogLikelihood(request), HasCode(absl::StatusCode::kNotFound));
}

TEST_F(LogLikelihoodAnswerTest, PointsFarFromTheSamplesAreWarnedOf) {
  StartWithTwo();
  v1::LogLikelihoodRequest request;
  request.set_model(kModel);
  *request.mutable_theta() = FromDoubles({5}, {1, 1});  // 8 standard deviations out
  ASSERT_OK_AND_ASSIGN(const v1::LogLikelihoodResponse response, LogLikelihood(request));
  EXPECT_THAT(response.warnings(), ElementsAre(v1::OUTSIDE_TRAINING_REGION));
}

TEST_F(LogLikelihoodAnswerTest, APopulationIsOneQuestionAndOneThatDoesNotFitSaysSo) {
  config_.set_cache_mib(1);
  StartWithTwo();
  v1::LogLikelihoodRequest request;
  request.set_model(kModel);
  request.set_without_evidence(true);
  *request.mutable_theta() = FromDoubles({0.5}, {1, 1});
  double expected = LogNormal(0.5, 1, 0.5) - LogNormal(0.5, 0, 2);
  for (int i = 0; i < 40; ++i) {
    const std::string name = "projects/planck/models/object" + std::to_string(i);
    const std::vector<GaussianColumn> columns{{"a", 0.02 * i, 1, 2}};
    ASSERT_THAT(Import(name, GaussianArtifact(columns)), IsOk());
    request.add_more_models(name);
    expected += LogNormal(0.5, 0.02 * i, 1) - LogNormal(0.5, 0, 2);
  }
  ASSERT_OK_AND_ASSIGN(const v1::LogLikelihoodResponse response, LogLikelihood(request));
  EXPECT_NEAR(ToDoubles("log_likelihood", response.log_likelihood(), {1}).value()[0], expected, 1e-10);
  // What was compared makes each version of this model take about a third of the server's memory for models.
  v1::ModelVersion large = GaussianDescription({{"a", 1, 0.5, 2}});
  for (int i = 0; i < 4000; ++i) large.mutable_training()->add_compared()->set_failure(std::string(60, 'x'));
  for (const char* version : {"/versions/1", "/versions/2", "/versions/3"}) {
    ASSERT_THAT(Import("projects/planck/models/large", GaussianArtifact({{"a", 1, 0.5, 2}}, large)), IsOk());
    request.add_more_models(std::string("projects/planck/models/large") + version);
  }
  EXPECT_THAT(LogLikelihood(request), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("cache_mib")));
}

TEST_F(LogLikelihoodAnswerTest, AModelWithoutEvidenceIsNamed) {
  StartWithTwo();
  ASSERT_THAT(Import("projects/planck/models/none", GaussianArtifact({{"a", 1, 0.5, 2}})), IsOk());
  v1::LogLikelihoodRequest request;
  request.set_model(kModel);
  request.add_more_models("projects/planck/models/none");
  *request.mutable_theta() = FromDoubles({1}, {1, 1});
  EXPECT_THAT(LogLikelihood(request),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("projects/planck/models/none/versions/1")));
}

}  // namespace
}  // namespace creamery
