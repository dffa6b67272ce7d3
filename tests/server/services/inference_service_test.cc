#include <cmath>
#include <limits>
#include <vector>

#include "google/protobuf/unknown_field_set.h"
#include "models/families.h"
#include "models/plan/interpreter.h"
#include "proto/support/array.h"
#include "tests/server/test_server.h"

namespace creamery {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kModel[] = "projects/planck/models/wcdm";
// log N(-1; -1, 0.5) = -log(0.5 sqrt(2 pi)).
constexpr double kPeak = -0.22579135264472744;

class InferenceServiceTest : public TestServer {
 protected:
  void StartWithModel() {
    StartServer();
    ASSERT_THAT(CreateProject("planck"), IsOk());
    ASSERT_THAT(Import(kModel, TestArtifact()), IsOk());
  }
  static v1::LogProbRequest Ask(const std::vector<double>& theta) {
    v1::LogProbRequest request;
    request.set_model(kModel);
    *request.mutable_theta() = FromDoubles(theta, {static_cast<int64_t>(theta.size()) / 2, 2});
    return request;
  }
  absl::Status LogProb(const v1::LogProbRequest& request, v1::LogProbResponse* response) {
    grpc::ClientContext context;
    return FromGrpc(inference_->LogProb(&context, request, response));
  }
  absl::Status LogProb(const v1::LogProbRequest& request) {
    v1::LogProbResponse response;
    return LogProb(request, &response);
  }
  absl::Status Sample(const v1::SampleRequest& request, std::vector<double>* theta, int* messages = nullptr,
                      v1::SampleResponse* head = nullptr) {
    grpc::ClientContext context;
    auto reader = inference_->Sample(&context, request);
    v1::SampleResponse reply;
    for (int i = 0; reader->Read(&reply); ++i) {
      if (i == 0 && head != nullptr) *head = reply;
      if (messages != nullptr) *messages = i + 1;
      const absl::StatusOr<std::vector<double>> rows = ToDoubles("theta", reply.theta(), {-1, 2});
      if (!rows.ok()) return rows.status();
      theta->insert(theta->end(), rows->begin(), rows->end());
    }
    return FromGrpc(reader->Finish());
  }
};

TEST_F(InferenceServiceTest, LogProbIsTheClosedFormAndNamesTheVersion) {
  StartWithModel();
  v1::LogProbResponse response;
  ASSERT_THAT(LogProb(Ask({0.3, -1, 0.7, -0.5}), &response), IsOk());
  ASSERT_OK_AND_ASSIGN(const std::vector<double> log_prob, ToDoubles("log_prob", response.log_prob(), {2}));
  EXPECT_NEAR(log_prob[0], kPeak, 1e-9);
  EXPECT_NEAR(log_prob[1], kPeak - 0.5, 1e-9);
  EXPECT_EQ(response.model_version(), "projects/planck/models/wcdm/versions/1");
  EXPECT_EQ(response.warnings_size(), 0);
}

TEST_F(InferenceServiceTest, ColumnsComeInAnyOrderByName) {
  StartWithModel();
  v1::LogProbRequest request = Ask({-0.5, 0.7});
  request.add_columns("w0");
  request.add_columns("omegam");
  v1::LogProbResponse response;
  ASSERT_THAT(LogProb(request, &response), IsOk());
  ASSERT_OK_AND_ASSIGN(const std::vector<double> log_prob, ToDoubles("log_prob", response.log_prob(), {1}));
  EXPECT_NEAR(log_prob[0], kPeak - 0.5, 1e-9);
  request.set_columns(1, "omega_m");
  EXPECT_THAT(LogProb(request), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("omegam")));
}

TEST_F(InferenceServiceTest, WrongShapesAndNumbersSayWhatWasGivenAndExpected) {
  StartWithModel();
  v1::LogProbRequest request = Ask({});
  *request.mutable_theta() = FromDoubles({1, 2, 3, 4, 5, 6}, {2, 3});
  EXPECT_THAT(LogProb(request),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("theta has shape (2, 3), expected (n, 2)")));
  request.mutable_theta()->mutable_data()->pop_back();
  EXPECT_THAT(LogProb(request), HasCode(absl::StatusCode::kInvalidArgument));
  request.clear_theta();
  EXPECT_THAT(LogProb(request), HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(LogProb(Ask({0.1, -1, 0.2, std::nan("")})),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("row 1, column 1 (w0)")));
  EXPECT_THAT(LogProb(Ask({0.1, -1, std::numeric_limits<double>::infinity(), -1})),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("row 1")));
}

TEST_F(InferenceServiceTest, WhatTheModelCannotDoIsRefused) {
  StartWithModel();
  v1::LogProbRequest request = Ask({0.1, -1});
  *request.mutable_x() = FromDoubles({1}, {1, 1});
  EXPECT_THAT(LogProb(request), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("takes no x")));
  request = Ask({0.1, -1});
  request.set_spread(true);  // of one member
  EXPECT_THAT(LogProb(request), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("at least two")));
  request = Ask({0.1, -1});
  request.set_prior_fraction(1);
  EXPECT_THAT(LogProb(request), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("prior_fraction")));
}

TEST_F(InferenceServiceTest, APrecisionThatDoesNotExistIsRefusedByEveryMethod) {
  StartWithModel();
  const auto refused = StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("precision is 3"));
  constexpr auto kUnknown = static_cast<v1::Precision>(3);
  v1::LogProbRequest log_prob = Ask({0.1, -1});
  log_prob.set_precision(kUnknown);
  EXPECT_THAT(LogProb(log_prob), refused);
  v1::SampleRequest sample;
  sample.set_model(kModel);
  sample.set_num_samples(5);
  sample.set_precision(kUnknown);
  std::vector<double> theta;
  EXPECT_THAT(Sample(sample, &theta), refused);
  v1::PriorTransformRequest transform;
  transform.set_model(kModel);
  *transform.mutable_u() = FromDoubles({0.25, 0.5}, {1, 2});
  transform.set_precision(kUnknown);
  v1::PriorTransformResponse transformed;
  grpc::ClientContext transform_context;
  EXPECT_THAT(FromGrpc(inference_->PriorTransform(&transform_context, transform, &transformed)), refused);
  v1::InversePriorTransformRequest inverse;
  inverse.set_model(kModel);
  *inverse.mutable_theta() = FromDoubles({0.25, 0.5}, {1, 2});
  inverse.set_precision(kUnknown);
  v1::InversePriorTransformResponse inverted;
  grpc::ClientContext inverse_context;
  EXPECT_THAT(FromGrpc(inference_->InversePriorTransform(&inverse_context, inverse, &inverted)), refused);
  v1::LogLikelihoodRequest likelihood;
  likelihood.set_model(kModel);
  *likelihood.mutable_theta() = FromDoubles({0.25, 0.5}, {1, 2});
  likelihood.set_precision(kUnknown);
  v1::LogLikelihoodResponse answer;
  grpc::ClientContext likelihood_context;
  EXPECT_THAT(FromGrpc(inference_->LogLikelihood(&likelihood_context, likelihood, &answer)), refused);
}

// omegam and w0 through one layer with a hidden unit, so that float32 and float64 networks differ.
Plan TestFlow() {
  AutoregressiveLayer layer;
  layer.order = {0, 1};
  layer.degrees = {{1}};
  layer.network = {{2, 1, {0.7F, 0}, {0.1F}}, {1, 4, {0, 0, 0.9F, -0.3F}, {0.2F, 0.1F, -0.4F, 0.3F}}};
  Plan plan;
  plan.columns.resize(2);
  plan.layers = {layer};
  return plan;
}

TEST_F(InferenceServiceTest, DoublePrecisionIsTheReferenceInEveryMethod) {
  StartServer();
  ASSERT_THAT(CreateProject("planck"), IsOk());
  const Plan plan = TestFlow();
  v1::ModelVersion description = TestDescription();
  for (v1::Parameter& parameter : *description.mutable_signature()->mutable_parameters()) {
    parameter.mutable_prior()->mutable_normal()->set_mean(0);
    parameter.mutable_prior()->mutable_normal()->set_stddev(1);
  }
  Safetensors artifact;
  WritePlan(plan, "member0/", artifact);
  WriteDescription(description, artifact);
  ASSERT_THAT(Import(kModel, artifact.Serialize()), IsOk());
  const std::vector<double> theta = {0.3, -1, 0.7, -0.5, -0.2, 0.1};
  std::vector<double> expected(3);
  ASSERT_THAT(PlanLogProb(plan, theta, absl::MakeSpan(expected), {}), IsOk());

  v1::LogProbRequest log_prob = Ask(theta);
  v1::LogProbResponse answer;
  ASSERT_THAT(LogProb(log_prob, &answer), IsOk());
  ASSERT_OK_AND_ASSIGN(const std::vector<double> single, ToDoubles("log_prob", answer.log_prob(), {3}));
  EXPECT_NE(single, expected);
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(single[i], expected[i], 1e-5 * std::fmax(1, std::fabs(expected[i])));
  log_prob.set_precision(v1::DOUBLE_PRECISION);
  ASSERT_THAT(LogProb(log_prob, &answer), IsOk());
  EXPECT_EQ(*ToDoubles("log_prob", answer.log_prob(), {3}), expected);

  v1::InversePriorTransformRequest inverse;
  inverse.set_model(kModel);
  *inverse.mutable_theta() = FromDoubles(theta, {3, 2});
  inverse.set_precision(v1::DOUBLE_PRECISION);
  v1::InversePriorTransformResponse unit;
  grpc::ClientContext inverse_context;
  ASSERT_THAT(FromGrpc(inference_->InversePriorTransform(&inverse_context, inverse, &unit)), IsOk());
  std::vector<double> u(6);
  ASSERT_THAT(PlanForward(plan, theta, absl::MakeSpan(u), {}), IsOk());
  EXPECT_EQ(*ToDoubles("u", unit.u(), {3, 2}), u);

  v1::PriorTransformRequest transform;
  transform.set_model(kModel);
  *transform.mutable_u() = FromDoubles(u, {3, 2});
  transform.set_precision(v1::DOUBLE_PRECISION);
  v1::PriorTransformResponse transformed;
  grpc::ClientContext transform_context;
  ASSERT_THAT(FromGrpc(inference_->PriorTransform(&transform_context, transform, &transformed)), IsOk());
  std::vector<double> back(6);
  ASSERT_THAT(PlanInverse(plan, u, absl::MakeSpan(back), {}), IsOk());
  EXPECT_EQ(*ToDoubles("theta", transformed.theta(), {3, 2}), back);

  v1::SampleRequest sample;
  sample.set_model(kModel);
  sample.set_num_samples(20);
  sample.set_seed(5);
  std::vector<double> in_single;
  std::vector<double> in_double;
  ASSERT_THAT(Sample(sample, &in_single), IsOk());
  sample.set_precision(v1::DOUBLE_PRECISION);
  ASSERT_THAT(Sample(sample, &in_double), IsOk());
  EXPECT_NE(in_single, in_double);
  for (size_t i = 0; i < in_double.size(); ++i) EXPECT_NEAR(in_single[i], in_double[i], 1e-4);

  v1::LogLikelihoodRequest likelihood;
  likelihood.set_model(kModel);
  *likelihood.mutable_theta() = FromDoubles(theta, {3, 2});
  likelihood.set_precision(v1::DOUBLE_PRECISION);
  v1::LogLikelihoodResponse of_data;
  grpc::ClientContext likelihood_context;
  ASSERT_THAT(FromGrpc(inference_->LogLikelihood(&likelihood_context, likelihood, &of_data)), IsOk());
  ASSERT_OK_AND_ASSIGN(const std::vector<double> values, ToDoubles("L", of_data.log_likelihood(), {3}));
  for (int i = 0; i < 3; ++i) {
    const double log_prior =
        -0.5 * (theta[2 * i] * theta[2 * i] + theta[2 * i + 1] * theta[2 * i + 1]) - std::log(2 * M_PI);
    EXPECT_NEAR(values[i], expected[i] - 7 - log_prior, 1e-13);
  }
}

TEST_F(InferenceServiceTest, AModelVersionOrAliasThatDoesNotExistIsNotFound) {
  StartWithModel();
  v1::LogProbRequest request = Ask({0.1, -1});
  request.set_model("projects/planck/models/other");
  EXPECT_THAT(LogProb(request), StatusIs(absl::StatusCode::kNotFound, HasSubstr("projects/planck/models/other")));
  request.set_model(std::string(kModel) + "/versions/7");
  EXPECT_THAT(LogProb(request), HasCode(absl::StatusCode::kNotFound));
  request.set_model(std::string(kModel) + "/versions/production");
  EXPECT_THAT(LogProb(request), StatusIs(absl::StatusCode::kNotFound, HasSubstr("no alias 'production'")));
  request.set_model("wcdm");
  EXPECT_THAT(LogProb(request), HasCode(absl::StatusCode::kInvalidArgument));
}

TEST_F(InferenceServiceTest, OutsideTheSupportIsAnAnswerWithAWarning) {
  StartWithModel();
  v1::LogProbResponse response;
  ASSERT_THAT(LogProb(Ask({1.5, -1, 0.5, 5}), &response), IsOk());
  ASSERT_OK_AND_ASSIGN(const std::vector<double> log_prob, ToDoubles("log_prob", response.log_prob(), {2}));
  EXPECT_EQ(log_prob[0], -std::numeric_limits<double>::infinity());
  EXPECT_NEAR(log_prob[1], kPeak - 72, 1e-9);  // 12 standard deviations, far below the floor of -5
  EXPECT_THAT(response.warnings(), ElementsAre(v1::OUTSIDE_TRAINING_REGION, v1::OUTSIDE_SUPPORT));
}

TEST_F(InferenceServiceTest, UnknownFieldsAreRefused) {
  StartWithModel();
  v1::LogProbRequest request = Ask({0.1, -1});
  request.GetReflection()->MutableUnknownFields(&request)->AddVarint(17, 1);
  EXPECT_THAT(LogProb(request), StatusIs(absl::StatusCode::kInvalidArgument,
                                         HasSubstr("unknown field 17 in creamery.v1.LogProbRequest")));
}

TEST_F(InferenceServiceTest, RowAndReplyLimitsAreInTheMessage) {
  config_.set_max_rows(1000);
  config_.set_max_reply_bytes(4096);
  StartWithModel();
  std::vector<double> theta(2 * 1001, 0.5);
  EXPECT_THAT(LogProb(Ask(theta)), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("at most 1000")));
  theta.resize(2 * 513);
  EXPECT_THAT(LogProb(Ask(theta)), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("exceed 4096 bytes")));
  theta.resize(2 * 512);
  EXPECT_THAT(LogProb(Ask(theta)), IsOk());
}

TEST_F(InferenceServiceTest, ADeadlineThatPassedStopsTheWork) {
  StartWithModel();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(2));
  const v1::LogProbRequest request = Ask(std::vector<double>(2 * 390000, 0.5));  // half a second of work and transport
  v1::LogProbResponse response;
  EXPECT_EQ(inference_->LogProb(&context, request, &response).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_THAT(LogProb(Ask({0.1, -1})), IsOk());
}

TEST_F(InferenceServiceTest, AStreamOfSamplesMayBeginAtAnyRowOfItsSeed) {
  StartWithModel();
  v1::SampleRequest request;
  request.set_model(kModel);
  request.set_num_samples(1000);
  request.set_seed(5);
  std::vector<double> all, tail;
  ASSERT_THAT(Sample(request, &all), IsOk());
  request.set_first_row(700);
  v1::SampleResponse head;
  ASSERT_THAT(Sample(request, &tail, nullptr, &head), IsOk());
  EXPECT_EQ(tail, std::vector<double>(all.begin() + 2 * 700, all.end()));
  EXPECT_EQ(head.seed(), 5u);
  EXPECT_EQ(head.columns_size(), 2);
  request.set_first_row(1000);
  EXPECT_THAT(Sample(request, &tail), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("first_row is 1000")));
  request.set_first_row(1);
  request.clear_seed();
  EXPECT_THAT(Sample(request, &tail), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("seed")));
}

TEST_F(InferenceServiceTest, SamplesDependOnSeedAndRowAlone) {
  StartWithModel();
  v1::SampleRequest request;
  request.set_model(kModel);
  request.set_num_samples(150000);  // three messages
  request.set_seed(7);
  std::vector<double> many;
  int messages = 0;
  v1::SampleResponse head;
  ASSERT_THAT(Sample(request, &many, &messages, &head), IsOk());
  EXPECT_EQ(messages, 3);
  EXPECT_EQ(head.seed(), 7U);
  EXPECT_EQ(head.model_version(), "projects/planck/models/wcdm/versions/1");
  EXPECT_THAT(head.columns(), ElementsAre("omegam", "w0"));
  ASSERT_EQ(many.size(), 300000U);
  request.set_num_samples(10);
  std::vector<double> few;
  ASSERT_THAT(Sample(request, &few), IsOk());
  EXPECT_EQ(few, std::vector<double>(many.begin(), many.begin() + 20));
  request.set_num_samples(140000);  // other chunks: with log_prob a message holds fewer rows
  request.set_log_prob(true);
  std::vector<double> other;
  ASSERT_THAT(Sample(request, &other), IsOk());
  EXPECT_EQ(other, std::vector<double>(many.begin(), many.begin() + 280000));
  double sum = 0;
  for (size_t i = 1; i < many.size(); i += 2) sum += many[i];
  EXPECT_NEAR(sum / 150000, -1, 5 * 0.5 / std::sqrt(150000.0));
}

TEST_F(InferenceServiceTest, ASeedThatWasNotGivenIsPickedAndTold) {
  StartWithModel();
  v1::SampleRequest request;
  request.set_model(kModel);
  request.set_num_samples(5);
  std::vector<double> first;
  v1::SampleResponse head;
  ASSERT_THAT(Sample(request, &first, nullptr, &head), IsOk());
  request.set_seed(head.seed());
  std::vector<double> again;
  ASSERT_THAT(Sample(request, &again), IsOk());
  EXPECT_EQ(first, again);
  request.set_num_samples(0);
  EXPECT_THAT(Sample(request, &again), HasCode(absl::StatusCode::kInvalidArgument));
  request.set_num_samples(1000001);
  EXPECT_THAT(Sample(request, &again), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("1000000")));
}

TEST_F(InferenceServiceTest, ACancelledSampleEndsAndTheServerGoesOn) {
  StartWithModel();
  v1::SampleRequest request;
  request.set_model(kModel);
  request.set_num_samples(1000000);
  grpc::ClientContext context;
  auto reader = inference_->Sample(&context, request);
  v1::SampleResponse reply;
  ASSERT_TRUE(reader->Read(&reply));
  context.TryCancel();
  while (reader->Read(&reply)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_THAT(LogProb(Ask({0.1, -1})), IsOk());
}

TEST_F(InferenceServiceTest, PriorTransformMapsTheOpenUnitSquare) {
  StartWithModel();
  v1::PriorTransformRequest request;
  request.set_model(kModel);
  *request.mutable_u() = FromDoubles({0.25, 0.5}, {1, 2});
  v1::PriorTransformResponse response;
  {
    grpc::ClientContext context;
    ASSERT_THAT(FromGrpc(inference_->PriorTransform(&context, request, &response)), IsOk());
  }
  ASSERT_OK_AND_ASSIGN(const std::vector<double> theta, ToDoubles("theta", response.theta(), {1, 2}));
  EXPECT_NEAR(theta[0], 0.25, 1e-9);
  EXPECT_NEAR(theta[1], -1, 1e-9);
  *request.mutable_u() = FromDoubles({0.25, 0.5, 0.5, 1}, {2, 2});
  grpc::ClientContext context;
  EXPECT_THAT(FromGrpc(inference_->PriorTransform(&context, request, &response)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("row 1, column 1")));
}

TEST_F(InferenceServiceTest, LogLikelihoodIsPosteriorTimesEvidenceOverPrior) {
  StartWithModel();
  v1::LogLikelihoodRequest request;
  request.set_model(kModel);
  *request.mutable_theta() = FromDoubles({0.3, -1, 1.5, -1}, {2, 2});
  v1::LogLikelihoodResponse response;
  grpc::ClientContext context;
  ASSERT_THAT(FromGrpc(inference_->LogLikelihood(&context, request, &response)), IsOk());
  ASSERT_OK_AND_ASSIGN(const std::vector<double> values, ToDoubles("L", response.log_likelihood(), {2}));
  EXPECT_NEAR(values[0], -7, 1e-9);  // the posterior is the prior, so L = Z
  EXPECT_EQ(values[1], -std::numeric_limits<double>::infinity());
  EXPECT_EQ(response.log_evidence_error(), 0.25);
  EXPECT_THAT(response.warnings(), ElementsAre(v1::OUTSIDE_SUPPORT));
}

TEST_F(InferenceServiceTest, ALoadedModelAnswersWithoutItsFileAndADamagedOneSaysSo) {
  StartWithModel();
  ASSERT_THAT(Import(kModel, TestArtifact(TestDescription(), 3)), IsOk());
  v1::LogProbRequest first = Ask({0.1, -1});
  first.set_model(std::string(kModel) + "/versions/1");
  ASSERT_THAT(LogProb(first), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::ModelVersion second, server_->registry().GetVersion({"planck", "wcdm"}, 2));
  // The files of both are gone; only the first is in memory.
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_ / "data/blobs")) {
    if (entry.is_regular_file()) std::filesystem::resize_file(entry.path(), 10);
  }
  EXPECT_THAT(LogProb(first), IsOk());
  EXPECT_THAT(LogProb(Ask({0.1, -1})),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("projects/planck/models/wcdm/versions/2")));
  EXPECT_THAT(LogProb(Ask({0.1, -1})), StatusIs(absl::StatusCode::kDataLoss, HasSubstr(second.artifact_digest())));
}

}  // namespace
}  // namespace creamery
