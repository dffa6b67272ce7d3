// LogProbStream: order, errors that belong to their question, the version it stays with, bounds and ends.
#include "server/services/log_prob_stream.h"

#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/unknown_field_set.h"
#include "grpcpp/create_channel.h"
#include "models/random.h"
#include "proto/support/array.h"
#include "tests/server/gaussian_models.h"
#include "tests/server/test_server.h"

namespace creamery {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kModel[] = "projects/planck/models/normal";
constexpr auto kInvalid = static_cast<int>(absl::StatusCode::kInvalidArgument);

class LogProbStreamTest : public TestServer {
 protected:
  using Request = v1::LogProbStreamRequest;
  using Response = v1::LogProbStreamResponse;
  using Stream = std::unique_ptr<grpc::ClientReaderWriter<Request, Response>>;

  // a ~ N(1 + shift, 0.5) under the prior N(0, 2), b ~ N(-1, 2) under the prior N(0, 3); two members.
  static std::string Artifact(double shift = 0) {
    const std::vector<GaussianColumn> columns = {{"a", 1 + shift, 0.5, 2}, {"b", -1, 2, 3}};
    return GaussianArtifact(columns, GaussianDescription(columns), 0.3);
  }
  void StartWithModel() {
    StartServer();
    ASSERT_THAT(CreateProject("planck"), IsOk());
    ASSERT_THAT(Import(kModel, Artifact()), IsOk());
  }
  static v1::LogProbRequest Question(const std::vector<double>& theta) {
    v1::LogProbRequest question;
    *question.mutable_theta() = FromDoubles(theta, {static_cast<int64_t>(theta.size()) / 2, 2});
    return question;
  }
  static Request Ask(uint64_t id, const std::vector<double>& theta, const std::string& model = "") {
    Request request;
    request.set_id(id);
    *request.mutable_question() = Question(theta);
    request.mutable_question()->set_model(model);
    return request;
  }
  static Response Exchange(const Stream& stream, const Request& request) {
    Response response;
    EXPECT_TRUE(stream->Write(request));
    EXPECT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.id(), request.id());
    return response;
  }
  static absl::Status Finish(const Stream& stream) { return FromGrpc(stream->Finish()); }
  // The bytes of a unary answer from the first version.
  std::string Unary(v1::LogProbRequest question) {
    question.set_model(absl::StrCat(kModel, "/versions/1"));
    grpc::ClientContext context;
    v1::LogProbResponse response;
    EXPECT_THAT(FromGrpc(inference_->LogProb(&context, question, &response)), IsOk());
    return response.SerializeAsString();
  }
  static std::vector<double> Rows(int64_t n) {
    std::vector<double> theta(2 * n);
    const RandomStream random(1, RandomPurpose::kSample);
    for (size_t i = 0; i < theta.size(); ++i) theta[i] = random.Normal(i);
    return theta;
  }
  // A question of kInvalid whose message has `part`.
  static void ExpectInvalid(const Response& response, const std::string& part) {
    EXPECT_EQ(response.error().code(), kInvalid);
    EXPECT_THAT(response.error().message(), HasSubstr(part));
  }
};

TEST_F(LogProbStreamTest, RepliesComeInOrderWhateverTheirCost) {
  StartWithModel();
  const std::vector<double> theta = Rows(20000);
  grpc::ClientContext context;
  const Stream stream = inference_->LogProbStream(&context);
  constexpr int kQuestions = 1000;
  std::thread writer([&] {
    for (int i = 0; i < kQuestions; ++i) {  // every hundredth goes over the pool
      const int64_t rows = i % 100 == 50 ? 20000 : 1 + i % 3;
      Request request = Ask(7 * i, {theta.begin(), theta.begin() + 2 * rows}, i == 0 ? kModel : "");
      if (!stream->Write(request)) break;
    }
    stream->WritesDone();
  });
  Response response;
  for (int i = 0; i < kQuestions; ++i) {
    ASSERT_TRUE(stream->Read(&response));
    ASSERT_EQ(response.id(), 7u * i);
    ASSERT_EQ(response.answer().log_prob().shape(0), i % 100 == 50 ? 20000 : 1 + i % 3);
  }
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_THAT(Finish(stream), IsOk());
  writer.join();
}

TEST_F(LogProbStreamTest, AnswersHaveTheBytesOfLogProb) {
  config_.set_threads(4);
  StartWithModel();
  grpc::ClientContext context;
  const Stream stream = inference_->LogProbStream(&context);
  uint64_t id = 1;
  for (const int64_t rows : {0, 1, 2, 17, 30000}) {
    for (int variant = 0; variant < 5; ++variant) {
      v1::LogProbRequest question = Question(Rows(rows));
      question.set_gradient(variant == 1 || variant == 4);
      question.set_spread(variant == 2 || variant == 4);
      question.set_prior_fraction(variant == 3 ? 0.25 : 0);
      if (variant == 4) {
        question.add_columns("b");
        question.add_columns("a");
        question.set_precision(v1::DOUBLE_PRECISION);
      }
      Request request;
      request.set_id(++id);
      *request.mutable_question() = question;
      request.mutable_question()->set_model(kModel);
      ASSERT_EQ(Exchange(stream, request).answer().SerializeAsString(), Unary(question)) << rows << " " << variant;
    }
  }
}

TEST_F(LogProbStreamTest, AnErrorBelongsToItsQuestion) {
  config_.set_max_rows(100);
  StartWithModel();
  grpc::ClientContext context;
  const Stream stream = inference_->LogProbStream(&context);
  Request wrong = Ask(1, {1, 2}, kModel);
  wrong.mutable_question()->mutable_theta()->set_shape(1, 3);
  ExpectInvalid(Exchange(stream, wrong), "theta has");
  ExpectInvalid(Exchange(stream, Ask(2, {1, std::nan("")})), "theta has nan in row 0, column 1 (b)");
  wrong = Ask(3, {1, 2});
  wrong.mutable_question()->add_columns("a");
  wrong.mutable_question()->add_columns("c");
  ExpectInvalid(Exchange(stream, wrong), "a, b");
  wrong = Ask(4, {1, 2});
  *wrong.mutable_question()->mutable_x() = FromDoubles({1}, {1, 1});
  ExpectInvalid(Exchange(stream, wrong), "unconditional");
  wrong = Ask(5, {1, 2});
  wrong.mutable_question()->set_prior_fraction(1);
  ExpectInvalid(Exchange(stream, wrong), "");
  const Response many = Exchange(stream, Ask(6, Rows(101)));
  EXPECT_EQ(many.error().code(), static_cast<int>(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(many.error().message(), HasSubstr("at most 100"));
  EXPECT_EQ(Exchange(stream, Ask(7, {1, 2})).answer().SerializeAsString(), Unary(Question({1, 2})));
  stream->WritesDone();
  EXPECT_THAT(Finish(stream), IsOk());
}

TEST_F(LogProbStreamTest, UnknownFieldsAreRefusedByNumberAtAnyDepth) {
  StartWithModel();
  grpc::ClientContext context;
  const Stream stream = inference_->LogProbStream(&context);
  Request request = Ask(1, {1, 2}, kModel);
  request.GetReflection()->MutableUnknownFields(&request)->AddVarint(17, 1);
  ExpectInvalid(Exchange(stream, request), "unknown field 17 in creamery.v1.LogProbStreamRequest");
  request = Ask(2, {1, 2}, kModel);
  v1::Array& theta = *request.mutable_question()->mutable_theta();
  theta.GetReflection()->MutableUnknownFields(&theta)->AddVarint(18, 1);
  ExpectInvalid(Exchange(stream, request), "unknown field 18 in creamery.v1.Array");
  EXPECT_TRUE(Exchange(stream, Ask(3, {1, 2}, kModel)).has_answer());
}

TEST_F(LogProbStreamTest, TheFirstQuestionNamesTheModelAndNoOtherIsAsked) {
  StartWithModel();
  ASSERT_THAT(Import("projects/planck/models/other", Artifact()), IsOk());
  grpc::ClientContext context;
  const Stream stream = inference_->LogProbStream(&context);
  ExpectInvalid(Exchange(stream, Ask(1, {1, 2})), "the first question of a stream names it");
  const Response missing = Exchange(stream, Ask(2, {1, 2}, "projects/planck/models/none"));
  EXPECT_EQ(missing.error().code(), static_cast<int>(absl::StatusCode::kNotFound));
  const std::string version = absl::StrCat(kModel, "/versions/1");
  EXPECT_EQ(Exchange(stream, Ask(3, {1, 2}, kModel)).answer().model_version(), version);
  EXPECT_TRUE(Exchange(stream, Ask(4, {1, 2})).has_answer());
  EXPECT_TRUE(Exchange(stream, Ask(5, {1, 2}, kModel)).has_answer());
  EXPECT_TRUE(Exchange(stream, Ask(6, {1, 2}, version)).has_answer());
  ExpectInvalid(Exchange(stream, Ask(7, {1, 2}, "projects/planck/models/other")), version);
  EXPECT_TRUE(Exchange(stream, Ask(8, {1, 2})).has_answer());
}

TEST_F(LogProbStreamTest, ItStaysWithItsVersionWhateverIsPublishedUntilThatIsDeleted) {
  StartWithModel();
  const auto point_alias = [&](int64_t version) {
    grpc::ClientContext context;
    v1::SetAliasRequest request;
    request.set_name(kModel);
    request.set_alias("production");
    request.set_version(version);
    v1::Model model;
    return FromGrpc(models_->SetAlias(&context, request, &model));
  };
  ASSERT_THAT(point_alias(1), IsOk());
  grpc::ClientContext latest_context, alias_context;
  const Stream latest = inference_->LogProbStream(&latest_context);
  const Stream alias = inference_->LogProbStream(&alias_context);
  const std::string before = Exchange(latest, Ask(1, {1, 2}, kModel)).answer().SerializeAsString();
  const std::string by_alias = absl::StrCat(kModel, "/versions/production");
  EXPECT_EQ(Exchange(alias, Ask(1, {1, 2}, by_alias)).answer().SerializeAsString(), before);

  ASSERT_THAT(Import(kModel, Artifact(2)), IsOk());
  ASSERT_THAT(point_alias(2), IsOk());
  EXPECT_EQ(Exchange(latest, Ask(2, {1, 2}, kModel)).answer().SerializeAsString(), before);
  EXPECT_EQ(Exchange(alias, Ask(2, {1, 2}, by_alias)).answer().SerializeAsString(), before);

  grpc::ClientContext context;
  v1::DeleteVersionRequest request;
  request.set_name(absl::StrCat(kModel, "/versions/1"));
  v1::DeleteVersionResponse deleted;
  ASSERT_THAT(FromGrpc(models_->DeleteVersion(&context, request, &deleted)), IsOk());
  constexpr auto kNotFound = static_cast<int>(absl::StatusCode::kNotFound);
  EXPECT_EQ(Exchange(latest, Ask(3, {1, 2})).error().code(), kNotFound);
  EXPECT_EQ(Exchange(latest, Ask(4, {1, 2}, kModel)).error().code(), kNotFound);
  EXPECT_EQ(Exchange(alias, Ask(3, {1, 2}, by_alias)).error().code(), kNotFound);

  grpc::ClientContext new_context;
  const Stream later = inference_->LogProbStream(&new_context);
  EXPECT_EQ(Exchange(later, Ask(1, {1, 2}, kModel)).answer().model_version(), absl::StrCat(kModel, "/versions/2"));
}

TEST_F(LogProbStreamTest, StreamsBetweenQuestionsHoldNoModelInMemory) {
  StartWithModel();
  grpc::ClientContext context;
  const Stream stream = inference_->LogProbStream(&context);
  const std::string before = Exchange(stream, Ask(1, {1, 2}, kModel)).answer().SerializeAsString();
  ModelCache& cache = server_->models().cache();
  const std::string version = absl::StrCat(kModel, "/versions/1");
  ASSERT_NE(cache.Peek(version), nullptr);
  cache.Forget(version);
  EXPECT_EQ(cache.bytes(), 0);
  EXPECT_EQ(Exchange(stream, Ask(2, {1, 2})).answer().SerializeAsString(), before);  // loaded again
}

TEST_F(LogProbStreamTest, ASlowReaderIsHeldBackAndLosesNothing) {
  StartWithModel();
  grpc::ClientContext context;
  const Stream stream = inference_->LogProbStream(&context);
  constexpr int kQuestions = 2000;
  std::atomic<int> written{0};
  std::thread writer([&] {
    for (int i = 0; i < kQuestions && stream->Write(Ask(i, {1, 2}, i == 0 ? kModel : "")); ++i) ++written;
    stream->WritesDone();
  });
  // A channel within the process has no buffers: what was written has been read by the server.
  while (written < internal::kQuestionsHeld) absl::SleepFor(absl::Milliseconds(1));
  absl::SleepFor(absl::Milliseconds(50));
  EXPECT_LE(written, internal::kQuestionsHeld + 2);  // a reply on its way, a question about to be read
  Response response;
  for (int i = 0; i < kQuestions; ++i) {
    ASSERT_TRUE(stream->Read(&response));
    ASSERT_EQ(response.id(), static_cast<uint64_t>(i));
    ASSERT_TRUE(response.has_answer());
  }
  writer.join();
  EXPECT_THAT(Finish(stream), IsOk());
}

TEST_F(LogProbStreamTest, LargeQuestionsAreHeldUpToABoundOfBytes) {
  StartWithModel();
  const std::vector<double> theta = Rows(65536);  // 1 MiB
  grpc::ClientContext context;
  const Stream stream = inference_->LogProbStream(&context);
  constexpr int kQuestions = 12;
  std::atomic<int> written{0};
  std::thread writer([&] {
    for (int i = 0; i < kQuestions && stream->Write(Ask(i, theta, i == 0 ? kModel : "")); ++i) ++written;
    stream->WritesDone();
  });
  while (written < 4) absl::SleepFor(absl::Milliseconds(1));
  absl::SleepFor(absl::Milliseconds(50));
  EXPECT_LE(written, 4 + 2);
  Response response;
  for (int i = 0; i < kQuestions; ++i) {
    ASSERT_TRUE(stream->Read(&response));
    ASSERT_EQ(response.answer().log_prob().shape(0), 65536);
  }
  writer.join();
  EXPECT_THAT(Finish(stream), IsOk());
}

TEST_F(LogProbStreamTest, AClientThatLeavesHoldsNothing) {
  config_.set_threads(1);
  StartWithModel();
  const std::vector<double> theta = Rows(60000);  // four of them are within what a server reads ahead
  for (int i = 0; i < 5; ++i) {
    grpc::ClientContext context;
    const Stream stream = inference_->LogProbStream(&context);
    EXPECT_TRUE(Exchange(stream, Ask(1, {1, 2}, kModel)).has_answer());
    Request costly = Ask(2, theta);
    costly.mutable_question()->set_gradient(true);
    for (int k = 0; k < i; ++k) ASSERT_TRUE(stream->Write(costly));
    context.TryCancel();
    EXPECT_THAT(Finish(stream), HasCode(absl::StatusCode::kCancelled));
  }
  // The one thread of the pool is free again.
  EXPECT_THAT(Unary(Question(theta)), Not(IsEmpty()));
  server_->Drain();
}

TEST_F(LogProbStreamTest, TheDeadlineOfTheCallEndsTheStream) {
  StartWithModel();
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Milliseconds(300)));
  const Stream stream = inference_->LogProbStream(&context);
  EXPECT_TRUE(Exchange(stream, Ask(1, {1, 2}, kModel)).has_answer());
  Response response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_THAT(Finish(stream), HasCode(absl::StatusCode::kDeadlineExceeded));
}

TEST_F(LogProbStreamTest, ADrainingServerEndsStreamsThatWouldStayOpen) {
  config_.set_drain_seconds(3600);
  StartWithModel();
  // Over the network: a channel within the process breaks before what was sent last is read.
  const auto stub =
      v1::InferenceService::NewStub(grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  const Stream stream = stub->LogProbStream(&context);
  EXPECT_TRUE(Exchange(stream, Ask(1, {1, 2}, kModel)).has_answer());
  server_->Drain();
  Response response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_THAT(Finish(stream), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("shutting down")));
}

TEST_F(LogProbStreamTest, WithATokenFileAStreamNeedsAToken) {
  config_.set_token_file(directory_.Write("tokens", "0123456789abcdef alice\n"));
  StartServer();
  grpc::ClientContext without, with;
  const Stream refused = inference_->LogProbStream(&without);
  Response response;
  EXPECT_FALSE(refused->Read(&response));
  EXPECT_THAT(Finish(refused), HasCode(absl::StatusCode::kUnauthenticated));
  with.AddMetadata("authorization", "Bearer 0123456789abcdef");
  const Stream stream = inference_->LogProbStream(&with);
  EXPECT_EQ(Exchange(stream, Ask(1, {1, 2}, "projects/p/models/m")).error().code(),
            static_cast<int>(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace creamery
