// The client library against a real server, a process of its own on loopback.
#include "client/cpp/client.h"

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <thread>

#include "client/cpp/connection.h"
#include "client/cpp/prior_text.h"
#include "client/cpp/spec_options.h"
#include "tests/client/cpp/server_process.h"
#include "tests/status_matchers.h"
#include "tests/support/scratch_directory.h"

namespace creamery {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Samples SixRows() {
  SampleArrays arrays;
  static const std::vector<double> theta = {.1, .9, .2, .8, .3, .7, .4, .6, .5, .5, .6, .4};
  static const std::vector<double> weight = {1, 2, 0, 1, 1, 1};
  static const std::vector<int64_t> chain = {1, 1, 1, 2, 2, 2};
  arrays.names = {"a", "b"};
  arrays.theta = theta;
  arrays.weight = weight;
  arrays.chain = chain;
  arrays.priors = *ParsePriors({"a~uniform(0,1)", "b~normal(0,1)"});
  arrays.log_evidence = *ParseLogEvidence("-3,.1");
  return *MakeSamples(arrays);
}

class ClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server_ = std::make_unique<ServerProcess>(folder_.path());
    ASSERT_NE(server_->address(), "") << "creamery-server did not start";
    client_ = std::make_unique<Client>(*Client::Connect(server_->address()));
  }
  ScratchDirectory folder_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<Client> client_;
};

TEST_F(ClientTest, AnUploadComesBackBitForBit) {
  const Samples samples = SixRows();
  ASSERT_OK_AND_ASSIGN(const v1::Dataset made, client_->UploadDataset("p/d", samples));
  EXPECT_EQ(made.name(), "projects/p/datasets/d");
  EXPECT_EQ(made.num_rows(), 6);
  EXPECT_EQ(made.row_kind(), v1::MCMC);
  ASSERT_OK_AND_ASSIGN(const Samples back, client_->DownloadDataset("p/d"));
  EXPECT_EQ(back.rows.theta, samples.rows.theta);
  EXPECT_EQ(back.rows.weight, samples.rows.weight);
  EXPECT_EQ(back.rows.chain, samples.rows.chain);
  EXPECT_EQ(back.schema.log_evidence().value(), -3);
  EXPECT_EQ(back.schema.parameters(1).prior().normal().stddev(), 1);
}

TEST_F(ClientTest, AnUploadOfSeveralChunksKeepsItsOrder) {
  SampleArrays arrays;
  std::vector<double> theta(300000);  // 2.4 MB
  for (size_t i = 0; i < theta.size(); ++i) theta[i] = static_cast<double>(i);
  arrays.names = {"a"};
  arrays.theta = theta;
  ASSERT_THAT(client_->UploadDataset("p/long", *MakeSamples(arrays)), IsOk());
  ASSERT_OK_AND_ASSIGN(const Samples back, client_->DownloadDataset("p/long"));
  EXPECT_TRUE(back.rows.theta == theta);
}

TEST_F(ClientTest, TheSameRequestIdUploadsOnce) {
  ASSERT_THAT(client_->UploadDataset("p/d", SixRows(), "night-17"), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Dataset again, client_->UploadDataset("p/d", SixRows(), "night-17"));
  EXPECT_EQ(again.num_rows(), 6);
  Samples other = SixRows();
  other.rows.theta[0] = .11;
  EXPECT_THAT(client_->UploadDataset("p/d", other, "night-17"), HasCode(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(client_->UploadDataset("p/d", SixRows()), HasCode(absl::StatusCode::kAlreadyExists));
}

TEST_F(ClientTest, AnUploadCompletesTheEmptyDatasetThatOneBeforeLeftBehind) {
  ASSERT_OK_AND_ASSIGN(const auto connection, Connection::Open(server_->address(), {}));
  ASSERT_THAT(client_->EnsureProject("p"), IsOk());
  v1::CreateDatasetRequest create;
  create.set_parent("projects/p");
  create.set_dataset_id("d");
  *create.mutable_dataset() = SixRows().schema;
  ASSERT_THAT(connection->Call(*connection->datasets, &v1::DatasetService::Stub::CreateDataset, create), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Dataset dataset, client_->UploadDataset("p/d", SixRows()));
  EXPECT_EQ(dataset.num_rows(), 6);
}

TEST_F(ClientTest, ABadRowIsNamedAndNothingIsLeftBehind) {
  Samples samples = SixRows();
  samples.rows.theta[7] = std::nan("");
  EXPECT_THAT(client_->UploadDataset("p/d", samples),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("row 3"), HasSubstr("(b)"))));
  samples = SixRows();
  samples.rows.weight[4] = -1;
  EXPECT_THAT(client_->UploadDataset("p/d", samples),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("weight")));
  EXPECT_THAT(client_->GetDataset("p/d"), HasCode(absl::StatusCode::kNotFound));
}

TEST_F(ClientTest, AppendedColumnsAreMatchedByName) {
  ASSERT_THAT(client_->UploadDataset("p/d", SixRows()), IsOk());
  Samples swapped = SixRows();
  swapped.schema.mutable_parameters()->SwapElements(0, 1);
  ASSERT_OK_AND_ASSIGN(const v1::Dataset appended, client_->AppendRows("p/d", swapped, 6));
  EXPECT_EQ(appended.num_rows(), 12);
  EXPECT_EQ(appended.revision(), 2);
  ASSERT_OK_AND_ASSIGN(const Samples back, client_->DownloadDataset("p/d"));
  EXPECT_EQ(back.rows.theta[12], .9);
  EXPECT_THAT(client_->AppendRows("p/d", SixRows(), 6), HasCode(absl::StatusCode::kAborted));
  swapped.schema.mutable_parameters(0)->set_name("c");
  EXPECT_THAT(client_->AppendRows("p/d", swapped), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("a, b")));
  Samples unweighted = SixRows();
  unweighted.rows.weight.clear();
  CompleteSchema(unweighted);
  EXPECT_THAT(client_->AppendRows("p/d", unweighted),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("lack weight")));
}

TEST_F(ClientTest, ListsAndDeletes) {
  ASSERT_THAT(client_->UploadDataset("p/d", SixRows()), IsOk());
  ASSERT_THAT(client_->UploadDataset("p/e", SixRows()), IsOk());
  ASSERT_THAT(client_->DeleteDataset("p/d"), IsOk());
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::Dataset> left, client_->ListDatasets("p"));
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].name(), "projects/p/datasets/e");
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::Project> projects, client_->ListProjects());
  EXPECT_EQ(projects.size(), 1u);
}

TEST_F(ClientTest, WhatIsNotThereIsNotFound) {
  EXPECT_THAT(client_->GetDataset("p/none"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("none")));
  EXPECT_THAT(client_->GetModel("p/none@3"), HasCode(absl::StatusCode::kNotFound));
  EXPECT_THAT(client_->GetJob("p/none"), HasCode(absl::StatusCode::kNotFound));
  EXPECT_THAT(client_->GetModel("p"), HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(client_->DeleteVersion("p/m"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("p/m")));
}

TEST_F(ClientTest, WaitingGoesOnOverARestartOfTheServer) {
  ASSERT_THAT(client_->UploadDataset("p/d", SixRows()), IsOk());
  ASSERT_OK_AND_ASSIGN(const Job job, client_->Train({"p/m", "p/d", *ParseSpec("maf", {})}));
  std::atomic<int> words{0};
  absl::StatusOr<v1::Job> ended;
  std::thread waiter([&] { ended = job.Wait([&](const v1::Job&) { ++words; }); });
  while (words == 0) absl::SleepFor(absl::Milliseconds(10));
  const std::string address = server_->address();
  EXPECT_EQ(server_->Stop(), 0);
  server_ = std::make_unique<ServerProcess>(folder_.path(), address);
  EXPECT_EQ(server_->address(), address);
  EXPECT_THAT(job.Cancel(), IsOk());
  waiter.join();
  ASSERT_THAT(ended, IsOk());
  EXPECT_EQ(ended->state(), v1::CANCELLED);
  EXPECT_THAT(job.Result(), HasCode(absl::StatusCode::kCancelled));
}

TEST(ClientTokenTest, ATokenOpensTheDoor) {
  ScratchDirectory folder;
  const std::string tokens = folder.Write("tokens", "# token principal\ns3cret-of-alice-0123456789abcdef alice\n");
  ServerProcess server(folder.path(), "127.0.0.1:0", {"--local_workers=0", "--token_file=" + tokens});
  ASSERT_NE(server.address(), "");
  EXPECT_THAT(Client::Connect(server.address())->ListProjects(), HasCode(absl::StatusCode::kUnauthenticated));
  ClientOptions options;
  options.token = "wrong";
  EXPECT_THAT(Client::Connect(server.address(), options)->ListProjects(), HasCode(absl::StatusCode::kUnauthenticated));
  options.token = "";
  options.token_file = tokens;
  EXPECT_THAT(Client::Connect(server.address(), options)->ListProjects(), IsOk());
}

TEST(ClientTokenTest, TlsWithACertificateFile) {
  ScratchDirectory folder;
  const std::string make =
      "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext "
      "subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout " +
      (folder / "key.pem") + " -out " + (folder / "cert.pem") + " 2>/dev/null";
  if (std::system(make.c_str()) != 0) GTEST_SKIP() << "no openssl command to make a certificate with";
  ServerProcess server(folder.path(), "127.0.0.1:0",
                       {"--local_workers=0", "--tls_cert=" + (folder / "cert.pem"), "--tls_key=" + (folder / "key.pem"),
                        "--token_file=" + folder.Write("tokens", "s3cret-0123456789 alice\n")});
  ASSERT_NE(server.address(), "");
  ClientOptions options;
  options.token = "s3cret-0123456789";
  options.tls_ca = (folder / "cert.pem");
  EXPECT_THAT(Client::Connect(server.address(), options)->ListProjects(), IsOk());
  options.tls_ca = "";
  EXPECT_THAT(Client::Connect(server.address(), options)->ListProjects(), HasCode(absl::StatusCode::kUnavailable));
}

// The whole path: upload, train on a local worker, ask, export, import.
TEST(ClientTrainingTest, ATrainedDensityAnswersAndComesBackFromItsArtifact) {
  if (!std::filesystem::exists(CREAMERY_BINARY_DIR "/bin/creamery-worker")) {
    GTEST_SKIP() << "creamery-worker is not built (option CREAMERY_TRAINING)";
  }
  ScratchDirectory folder;
  ServerProcess server(folder.path(), "127.0.0.1:0", {"--local_workers=1"});
  ASSERT_NE(server.address(), "");
  ASSERT_OK_AND_ASSIGN(const Client client, Client::Connect(server.address()));
  SampleArrays arrays;
  std::vector<double> theta;
  for (int i = 0; i < 400; ++i) {  // a Halton sequence: even on the unit square
    for (int base : {2, 3}) {
      double fraction = 1, value = 0;
      for (int n = i + 1; n > 0; n /= base) fraction /= base, value += fraction * (n % base);
      theta.push_back(value);
    }
  }
  arrays.names = {"a", "b"};
  arrays.theta = theta;
  arrays.priors = *ParsePriors({"a~uniform(0,1)", "b~uniform(0,1)"});
  arrays.log_evidence = *ParseLogEvidence("-1,.1");
  ASSERT_THAT(client.UploadDataset("p/d", *MakeSamples(arrays)), IsOk());
  const v1::EstimatorSpec spec = *ParseSpec("nsf", {"members=2", "max_epochs=5", "hidden_units=8", "transforms=1"});
  ASSERT_OK_AND_ASSIGN(const Job job, client.Train({"p/m", "p/d", spec}));
  ASSERT_OK_AND_ASSIGN(const Model model, job.Result());
  EXPECT_EQ(model.version().name(), "projects/p/models/m/versions/1");
  EXPECT_THAT(model.parameters(), ElementsAre("a", "b"));

  ASSERT_OK_AND_ASSIGN(const Answer inside, model.LogProb({.2, .7}));
  ASSERT_OK_AND_ASSIGN(const Answer swapped, model.LogProb({.7, .2}, {"b", "a"}));
  EXPECT_EQ(inside.values, swapped.values);
  ASSERT_OK_AND_ASSIGN(const Answer outside, model.LogProb({2, .7}));
  EXPECT_EQ(outside.values[0], -std::numeric_limits<double>::infinity());
  EXPECT_THAT(outside.warnings, ::testing::Contains(v1::OUTSIDE_SUPPORT));
  ASSERT_OK_AND_ASSIGN(const Answer likelihood, model.LogLikelihood({.2, .7}));
  EXPECT_NEAR(likelihood.values[0], inside.values[0] - 1, 1e-12);  // log P + log Z - log prior, prior 1
  ASSERT_OK_AND_ASSIGN(const Answer mapped, model.PriorTransform({.5, .5}));
  EXPECT_EQ(mapped.values.size(), 2u);
  ASSERT_OK_AND_ASSIGN(const Draws draws, model.Sample(100, 7, true));
  ASSERT_OK_AND_ASSIGN(const Draws more, model.Sample(200, 7));
  EXPECT_EQ(draws.seed, 7u);
  EXPECT_TRUE(std::equal(draws.theta.begin(), draws.theta.end(), more.theta.begin()));
  ASSERT_OK_AND_ASSIGN(const v1::MarginalKLResponse kl, model.Kl());
  EXPECT_GT(kl.kl().error(), 0);
  EXPECT_THAT(model.Dimensionality(), IsOk());

  std::ostringstream artifact;
  ASSERT_THAT(client.ExportVersion("p/m", artifact), IsOk());
  ASSERT_THAT(client.ImportVersion("p/copy", artifact.str()), IsOk());
  ASSERT_THAT(client.SetAlias("p/copy", "production", 1), IsOk());
  ASSERT_OK_AND_ASSIGN(const Model copy, client.GetModel("p/copy@production"));
  ASSERT_OK_AND_ASSIGN(const Answer same, copy.LogProb({.2, .7}));
  EXPECT_EQ(same.values, inside.values);
}

}  // namespace
}  // namespace creamery
