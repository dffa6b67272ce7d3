#include "server/server.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cmath>
#include <fstream>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "creamery/v1/statistics_service.grpc.pb.h"
#include "creamery/v1/worker_service.grpc.pb.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/security/credentials.h"
#include "proto/support/array.h"
#include "tests/server/test_server.h"

namespace creamery {
namespace {

using ::testing::HasSubstr;

constexpr char kModel[] = "projects/planck/models/wcdm";

class ServerTest : public TestServer {
 protected:
  absl::Status GetProject(v1::ProjectService::Stub& stub, const std::string& token = "") {
    grpc::ClientContext context;
    if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
    v1::GetProjectRequest request;
    request.set_name("projects/planck");
    v1::Project project;
    return FromGrpc(stub.GetProject(&context, request, &project));
  }
  void WriteTokens(const std::string& text, mode_t mode) {
    config_.set_token_file(directory_ / "tokens");
    std::ofstream(config_.token_file()) << text;
    ASSERT_EQ(chmod(config_.token_file().c_str(), mode), 0);
  }
  // grpc.health.v1.Health/Check without its generated code: 1 is SERVING, 2 NOT_SERVING.
  static int Health(const std::shared_ptr<grpc::Channel>& channel) {
    grpc::GenericStub stub(channel);
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    const grpc::Slice nothing;
    auto call = stub.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check", grpc::ByteBuffer(&nothing, 1), &queue);
    call->StartCall();
    grpc::ByteBuffer reply;
    grpc::Status status;
    call->Finish(&reply, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    grpc::Slice bytes;
    if (!status.ok() || !reply.DumpToSingleSlice(&bytes).ok() || bytes.size() != 2) return -1;
    return bytes.begin()[1];
  }
};

TEST_F(ServerTest, WithATokenFileATokenIsNeededAndNamesTheCreator) {
  WriteTokens("0123456789abcdef alice\nfedcba9876543210 node worker\n", 0600);
  StartServer();
  EXPECT_THAT(GetProject(*projects_), HasCode(absl::StatusCode::kUnauthenticated));
  EXPECT_THAT(GetProject(*projects_, "0123456789abcdeX"), HasCode(absl::StatusCode::kUnauthenticated));
  EXPECT_THAT(GetProject(*projects_, "fedcba9876543210"), HasCode(absl::StatusCode::kPermissionDenied));
  EXPECT_THAT(GetProject(*projects_, "0123456789abcdef"), HasCode(absl::StatusCode::kNotFound));
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer 0123456789abcdef");
  v1::CreateProjectRequest request;
  request.set_project_id("planck");
  v1::Project project;
  ASSERT_THAT(FromGrpc(projects_->CreateProject(&context, request, &project)), IsOk());
  EXPECT_EQ(project.creator(), "alice");
}

TEST_F(ServerTest, ATokenFileThatOthersMayReadIsRefused) {
  WriteTokens("0123456789abcdef alice\n", 0640);
  ASSERT_THAT(CompleteConfig(&config_), IsOk());
  EXPECT_THAT(Server::Start(config_), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("chmod 600")));
}

TEST_F(ServerTest, StreamsNeedTheTokenToo) {
  WriteTokens("0123456789abcdef alice\n", 0600);
  StartServer();
  EXPECT_THAT(Import(kModel, TestArtifact()), HasCode(absl::StatusCode::kUnauthenticated));
  grpc::ClientContext context;
  v1::SampleRequest request;
  auto reader = inference_->Sample(&context, request);
  v1::SampleResponse reply;
  EXPECT_FALSE(reader->Read(&reply));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(ServerTest, NobodyIsAWorkerWithoutAWorkersToken) {
  StartServer();
  const auto workers = v1::WorkerService::NewStub(channel_);
  grpc::ClientContext context;
  v1::LeaseResponse response;
  EXPECT_EQ(workers->Lease(&context, v1::LeaseRequest(), &response).error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(ServerTest, TheAddressIsOnePersonsAtATime) {
  StartServer();
  ServerConfig second = config_;
  second.set_data(directory_ / "other");
  second.set_listen(server_->address());
  ASSERT_THAT(CompleteConfig(&second), IsOk());
  EXPECT_THAT(Server::Start(second), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("the port is in use")));
  second.set_listen("127.0.0.1:0");
  second.set_data(config_.data());
  EXPECT_THAT(Server::Start(second), HasCode(absl::StatusCode::kFailedPrecondition));
}

TEST_F(ServerTest, ItAnswersOnItsPortAndDrains) {
  config_.set_port_file(directory_ / "port");
  StartServer();
  std::string address;
  std::ifstream(config_.port_file()) >> address;
  EXPECT_EQ(address, server_->address());
  const std::shared_ptr<grpc::Channel> channel = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  const auto projects = v1::ProjectService::NewStub(channel);
  EXPECT_THAT(GetProject(*projects), HasCode(absl::StatusCode::kNotFound));
  EXPECT_EQ(Health(channel), 1);  // SERVING
  server_->Drain();
  EXPECT_THAT(GetProject(*projects), HasCode(absl::StatusCode::kUnavailable));
}

TEST_F(ServerTest, CallsInFlightFinishDuringADrainAndHealthSaysNotServing) {
  config_.set_drain_notice_seconds(0.5);
  StartServer();
  ASSERT_THAT(CreateProject("planck"), IsOk());
  ASSERT_THAT(Import(kModel, TestArtifact()), IsOk());
  const std::shared_ptr<grpc::Channel> channel =
      grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
  ASSERT_EQ(Health(channel), 1);
  grpc::ClientContext context;
  v1::SampleRequest request;
  request.set_model(kModel);
  request.set_num_samples(1000000);
  auto reader = v1::InferenceService::NewStub(channel)->Sample(&context, request);
  v1::SampleResponse reply;
  ASSERT_TRUE(reader->Read(&reply));
  int64_t rows = reply.theta().shape(0);
  std::thread drain([this] { server_->Drain(); });
  int health = 1;
  for (int i = 0; i < 40 && health == 1; ++i) {
    absl::SleepFor(absl::Milliseconds(10));
    health = Health(channel);
  }
  EXPECT_EQ(health, 2);  // NOT_SERVING, and yet it answers
  while (reader->Read(&reply)) rows += reply.theta().shape(0);
  EXPECT_THAT(FromGrpc(reader->Finish()), IsOk());
  EXPECT_EQ(rows, 1000000);
  drain.join();
}

TEST_F(ServerTest, ADrainDoesNotWaitForeverForAStreamThatNobodyReads) {
  config_.set_drain_seconds(0.3);
  StartServer();
  ASSERT_THAT(CreateProject("planck"), IsOk());
  ASSERT_THAT(Import(kModel, TestArtifact()), IsOk());
  grpc::ClientContext context;
  v1::SampleRequest request;
  request.set_model(kModel);
  request.set_num_samples(1000000);
  auto reader =
      v1::InferenceService::NewStub(grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials()))
          ->Sample(&context, request);
  v1::SampleResponse reply;
  ASSERT_TRUE(reader->Read(&reply));
  const absl::Time start = absl::Now();
  server_->Drain();
  EXPECT_LT(absl::Now() - start, absl::Seconds(3));
  while (reader->Read(&reply)) {
  }
  EXPECT_FALSE(reader->Finish().ok());
}

TEST_F(ServerTest, AMessageAboveTheLimitIsRefusedWithTheLimit) {
  config_.set_max_message_mib(1);
  StartServer();
  grpc::ClientContext context;
  v1::LogProbRequest request;
  request.set_model(kModel);
  *request.mutable_theta() = FromDoubles(std::vector<double>(200000, 0.5), {100000, 2});
  v1::LogProbResponse response;
  EXPECT_THAT(FromGrpc(inference_->LogProb(&context, request, &response)),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("1048576")));
}

TEST_F(ServerTest, ReflectionNamesTheServices) {
  StartServer();
  // ServerReflectionRequest{list_services = ""} by hand: field 7, empty.
  grpc::GenericStub stub(channel_);
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  auto call = stub.PrepareCall(&context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  void* tag = nullptr;
  bool ok = false;
  call->StartCall(nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  grpc::Slice slice("\x3a\x00", 2);
  call->Write(grpc::ByteBuffer(&slice, 1), nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  grpc::ByteBuffer reply;
  call->Read(&reply, nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  grpc::Slice bytes;
  ASSERT_TRUE(reply.DumpToSingleSlice(&bytes).ok());
  EXPECT_THAT(std::string(reinterpret_cast<const char*>(bytes.begin()), bytes.size()),
              HasSubstr("creamery.v1.InferenceService"));
  context.TryCancel();
  grpc::Status status;
  call->Finish(&status, nullptr);
  queue.Next(&tag, &ok);
}

TEST_F(ServerTest, StatisticsComeWithTheirErrorAndTheSeed) {
  StartServer();
  ASSERT_THAT(CreateProject("planck"), IsOk());
  ASSERT_THAT(Import(kModel, TestArtifact()), IsOk());
  const auto statistics = v1::StatisticsService::NewStub(channel_);
  v1::MarginalKLRequest request;
  request.set_model(kModel);
  request.set_num_samples(1000);
  request.set_seed(3);
  v1::MarginalKLResponse response;
  {
    grpc::ClientContext context;
    ASSERT_THAT(FromGrpc(statistics->MarginalKL(&context, request, &response)), IsOk());
  }
  // The posterior is the prior. 1000 draws of log pi, which has variance 1/2, and the chain's 0.01.
  EXPECT_NEAR(response.kl().value(), 0, 5 * std::hypot(std::sqrt(0.5 / 1000), 0.01));
  const v1::Estimate& kl = response.kl();
  EXPECT_NEAR(kl.error(),
              std::hypot(std::hypot(kl.monte_carlo_error(), kl.chain_error()),
                         std::hypot(kl.approximation_error(), kl.member_error())),
              1e-12);
  EXPECT_EQ(response.seed(), 3U);
  EXPECT_EQ(response.model_version(), "projects/planck/models/wcdm/versions/1");
  v1::ModelDimensionalityRequest dimensionality;
  dimensionality.set_model(kModel);
  dimensionality.set_seed(3);
  v1::ModelDimensionalityResponse answer;
  {
    grpc::ClientContext context;
    ASSERT_THAT(FromGrpc(statistics->ModelDimensionality(&context, dimensionality, &answer)), IsOk());
  }
  // log P - log prior does not vary. log prior = -chi^2/2 of one degree has variance 1/2 and kurtosis 15.
  EXPECT_NEAR(answer.dimensionality().value(), 0, 5 * 2 * 0.5 * std::sqrt((15 - 1) / 10000.0));
  request.set_num_samples(99);
  {
    grpc::ClientContext context;
    EXPECT_THAT(FromGrpc(statistics->MarginalKL(&context, request, &response)),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("num_samples is 99")));
  }
  request.set_num_samples(100);
  request.mutable_prior()->set_model("projects/planck/models/none");
  grpc::ClientContext context;
  EXPECT_THAT(FromGrpc(statistics->MarginalKL(&context, request, &response)), HasCode(absl::StatusCode::kNotFound));
}

TEST_F(ServerTest, WithTlsAPlainClientGetsNothing) {
  const std::string key = directory_ / "key.pem";
  const std::string cert = directory_ / "cert.pem";
  const std::string command =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 "
      "-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout " +
      key + " -out " + cert + " >/dev/null 2>&1";
  if (std::system(command.c_str()) != 0) GTEST_SKIP() << "the openssl program is not here";
  WriteTokens("0123456789abcdef alice\n", 0600);
  config_.set_tls_cert(cert);
  config_.set_tls_key(key);
  StartServer();
  grpc::SslCredentialsOptions trust;
  std::ifstream file(cert);
  trust.pem_root_certs.assign(std::istreambuf_iterator<char>(file), {});
  const auto secure = v1::ProjectService::NewStub(grpc::CreateChannel(server_->address(), grpc::SslCredentials(trust)));
  EXPECT_THAT(GetProject(*secure, "0123456789abcdef"), HasCode(absl::StatusCode::kNotFound));
  const auto plain =
      v1::ProjectService::NewStub(grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials()));
  EXPECT_THAT(GetProject(*plain, "0123456789abcdef"), HasCode(absl::StatusCode::kUnavailable));
}

}  // namespace
}  // namespace creamery
