// Questions over lines that stay open, as Model::LogProb asks them, against a server in a process of its own.
#include "client/cpp/lines.h"

#include <cmath>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cpp/client.h"
#include "tests/client/cpp/server_process.h"
#include "tests/server/gaussian_models.h"
#include "tests/status_matchers.h"
#include "tests/support/scratch_directory.h"

namespace creamery {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LinesTest : public ::testing::Test {
 protected:
  void SetUp() override { StartServer("127.0.0.1:0"); }
  void StartServer(const std::string& listen) {
    server_ = std::make_unique<ServerProcess>(folder_.path(), listen,
                                              std::vector<std::string>{"--local_workers=0", "--drain_seconds=0.5"});
    ASSERT_NE(server_->address(), "") << "creamery-server did not start";
  }
  Client Connect(absl::Duration timeout = absl::Minutes(1)) {
    ClientOptions options;
    options.timeout = timeout;
    options.patience = absl::Seconds(5);
    return *Client::Connect(server_->address(), options);
  }
  // a ~ N(mean, 1), b ~ N(1, 2), as a new version.
  static Model Import(const Client& client, double mean) {
    const std::vector<GaussianColumn> columns = {{"a", mean, 1, 5}, {"b", 1, 2, 5}};
    EXPECT_THAT(client.EnsureProject("p"), IsOk());
    EXPECT_THAT(client.ImportVersion("p/m", GaussianArtifact(columns, GaussianDescription(columns), 0)), IsOk());
    return *client.GetModel("p/m");
  }
  // log N(a; mean, 1) N(1; 1, 2).
  static double Expected(double a, double mean) {
    return -std::log(2 * M_PI) - std::log(2.) - (a - mean) * (a - mean) / 2;
  }
  static void ExpectAnswer(const Model& model, double a, double mean) {
    ASSERT_OK_AND_ASSIGN(const Answer answer, model.LogProb({a, 1}));
    EXPECT_NEAR(answer.values[0], Expected(a, mean), 1e-6);
    EXPECT_EQ(answer.model_version, model.version().name());
  }

  const ScratchDirectory folder_;
  std::unique_ptr<ServerProcess> server_;
};

TEST_F(LinesTest, AnErrorBelongsToItsQuestion) {
  const Client client = Connect();
  const Model model = Import(client, 0);
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(model.LogProb({std::nan(""), 1}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("nan")));
    ExpectAnswer(model, .5, 0);
    EXPECT_THAT(model.LogProb({1, 1}, {"a", "c"}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'c'")));
  }
}

TEST_F(LinesTest, QuestionsOfOneModelDifferInColumnsOptionsAndSize) {
  const Client client = Connect();
  const Model model = Import(client, 0);
  LogProbOptions gradient;
  gradient.gradient = true;
  for (int i = 0; i < 2; ++i) {
    ASSERT_OK_AND_ASSIGN(const Answer slopes, model.LogProb({1, .5}, {"b", "a"}, gradient));
    EXPECT_NEAR(slopes.values[0], Expected(.5, 0), 1e-6);
    EXPECT_THAT(slopes.gradient, ElementsAre(::testing::DoubleNear(0, 1e-6), ::testing::DoubleNear(-.5, 1e-6)));
    ExpectAnswer(model, 2, 0);
    ASSERT_OK_AND_ASSIGN(const Answer many, model.LogProb(std::vector<double>(20000, 1)));
    EXPECT_EQ(many.values.size(), 10000u);
  }
}

TEST_F(LinesTest, ThreadsAskAtTheSameTimeAndVersionsKeepApart) {
  const Client client = Connect();
  const std::vector<Model> models = {Import(client, 0), Import(client, 1)};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&models, i] {
      for (int k = 0; k < 100; ++k) ExpectAnswer(models[(i + k / 10) % 2], k * .01, (i + k / 10) % 2);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// A server takes 256 streams over one connection; another one would wait for ever.
TEST_F(LinesTest, MoreVersionsThanAServerTakesStreamsAreAskedOneAfterAnother) {
  const Client client = Connect(absl::Seconds(20));
  std::vector<Model> models;
  for (int i = 0; i < 260; ++i) models.push_back(Import(client, i));
  for (int i = 0; i < 260; ++i) ExpectAnswer(models[i], i + .5, i);
  for (int i = 0; i < 260; ++i) ExpectAnswer(models[i], i + .5, i);
}

TEST_F(LinesTest, ARestartOfTheServerIsNotNoticedAndItsEndIs) {
  const Client client = Connect();
  const Model model = Import(client, 0);
  ExpectAnswer(model, .5, 0);
  const std::string address = server_->address();
  EXPECT_EQ(server_->Stop(), 0);
  StartServer(address);
  ExpectAnswer(model, .5, 0);
  server_->Stop();
  EXPECT_THAT(model.LogProb({.5, 1}), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("no server answers")));
}

TEST_F(LinesTest, QuestionsGoOnWhenTheTimeOfTheFirstOneIsOver) {
  const Client client = Connect(absl::Seconds(1));
  const Model model = Import(client, 0);
  for (const absl::Time end = absl::Now() + absl::Seconds(1.6); absl::Now() < end;
       absl::SleepFor(absl::Milliseconds(50))) {
    ExpectAnswer(model, .5, 0);
  }
  absl::SleepFor(absl::Seconds(1.1));
  ExpectAnswer(model, .5, 0);
}

}  // namespace
}  // namespace creamery
