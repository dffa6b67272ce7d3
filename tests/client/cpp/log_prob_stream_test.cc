// Streams of log-densities through the client library and the command line, against a server in a process of its own.
#include "client/cpp/log_prob_stream.h"

#include <sys/wait.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cpp/client.h"
#include "client/cpp/readers/table.h"
#include "tests/client/cpp/server_process.h"
#include "tests/server/gaussian_models.h"
#include "tests/status_matchers.h"
#include "tests/support/scratch_directory.h"

namespace creamery {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class LogProbStreamTest : public ::testing::Test {
 protected:
  // a ~ N(0, 1), b ~ N(1, 2) under wide priors, two members.
  static std::string Artifact(double shift = 0) {
    const std::vector<GaussianColumn> columns = {{"a", shift, 1, 5}, {"b", 1, 2, 5}};
    return GaussianArtifact(columns, GaussianDescription(columns), 0.2);
  }
  void SetUp() override {
    StartServer("127.0.0.1:0");
    ASSERT_THAT(client_->EnsureProject("p"), IsOk());
    ASSERT_THAT(client_->ImportVersion("p/m", Artifact()), IsOk());
    model_ = std::make_unique<Model>(*client_->GetModel("p/m"));
  }
  void StartServer(const std::string& listen) {
    server_ = std::make_unique<ServerProcess>(folder_.path(), listen,
                                              std::vector<std::string>{"--local_workers=0", "--drain_seconds=0.5"});
    ASSERT_NE(server_->address(), "") << "creamery-server did not start";
    ClientOptions options;
    options.patience = absl::Seconds(5);
    client_ = std::make_unique<Client>(*Client::Connect(server_->address(), options));
  }
  // Row i is a function of i.
  static std::vector<double> Rows(int64_t n) {
    std::vector<double> theta(2 * n);
    for (size_t i = 0; i < theta.size(); ++i) theta[i] = 3 * std::sin(static_cast<double>(i));
    return theta;
  }
  // `creamery ARGUMENTS` through a shell; its exit code.
  int Run(const std::string& arguments) {
    const std::string command =
        absl::StrCat("cd ", folder_.path(), " && env -u CREAMERY_TOKEN_FILE -u CREAMERY_TLS_CA ", CREAMERY_BINARY_DIR,
                     "/bin/creamery --server=", server_->address(), " ", arguments, " >out 2>err");
    const int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string Read(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(folder_ / name).rdbuf();
    return text.str();
  }
  std::vector<std::string> Lines(const std::string& name) const {
    return absl::StrSplit(Read(name), '\n', absl::SkipEmpty());
  }

  ScratchDirectory folder_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<Model> model_;
};

TEST_F(LogProbStreamTest, QuestionsUnderWayComeBackInOrderWithTheirIdsAndTheBitsOfLogProb) {
  const std::vector<double> theta = Rows(1000);
  ASSERT_OK_AND_ASSIGN(const Answer all, model_->LogProb(theta));
  LogProbStream stream = model_->OpenLogProbStream();
  for (uint64_t i = 0; i < 1000; ++i) {  // more than the server holds: some answers are read on the way
    ASSERT_THAT(stream.Send({theta[2 * i], theta[2 * i + 1]}, 1000 - i), IsOk());
  }
  EXPECT_EQ(stream.pending(), 1000);
  LogProbStream::Reply reply;
  for (uint64_t i = 0; i < 1000; ++i) {
    ASSERT_THAT(stream.Receive(&reply), IsOk());
    ASSERT_THAT(reply.status, IsOk());
    ASSERT_EQ(reply.id, 1000 - i);
    ASSERT_THAT(reply.answer.values, ElementsAre(all.values[i]));
  }
  EXPECT_EQ(reply.answer.model_version, "projects/p/models/m/versions/1");
  EXPECT_THAT(stream.Receive(&reply), HasCode(absl::StatusCode::kFailedPrecondition));
}

TEST_F(LogProbStreamTest, LargeQuestionsNeverStopEachOther) {
  const std::vector<double> theta = Rows(60000);  // .9 MiB
  LogProbOptions options;
  options.gradient = true;
  options.spread = true;
  LogProbStream stream = model_->OpenLogProbStream({}, options);
  for (int i = 0; i < 20; ++i) ASSERT_THAT(stream.Send(theta), IsOk());
  LogProbStream::Reply reply;
  for (int i = 0; i < 20; ++i) {
    ASSERT_THAT(stream.Receive(&reply), IsOk());
    ASSERT_EQ(reply.answer.values.size(), 60000u);
    ASSERT_EQ(reply.answer.gradient.size(), 120000u);
    ASSERT_EQ(reply.answer.spread.size(), 60000u);
  }
}

TEST_F(LogProbStreamTest, AnErrorBelongsToItsQuestion) {
  LogProbStream stream = model_->OpenLogProbStream({"b", "a"});
  ASSERT_THAT(stream.Send({1, std::nan("")}, 1), IsOk());
  ASSERT_THAT(stream.Send({1, 0}, 2), IsOk());
  EXPECT_THAT(stream.Send({1, 0, 1}), HasCode(absl::StatusCode::kInvalidArgument));
  LogProbStream::Reply reply;
  ASSERT_THAT(stream.Receive(&reply), IsOk());
  EXPECT_EQ(reply.id, 1u);
  EXPECT_THAT(reply.status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("(a)")));
  EXPECT_THAT(reply.answer.values, IsEmpty());
  ASSERT_THAT(stream.Receive(&reply), IsOk());
  EXPECT_THAT(reply.status, IsOk());
  EXPECT_THAT(reply.answer.values, ElementsAre(model_->LogProb({0, 1})->values[0]));
}

TEST_F(LogProbStreamTest, ItStaysWithItsVersionOverARestartOfTheServer) {
  ASSERT_OK_AND_ASSIGN(const Answer before, model_->LogProb({0.5, 0.5}));
  LogProbStream stream = model_->OpenLogProbStream();
  LogProbStream::Reply reply;
  ASSERT_THAT(stream.Send({0.5, 0.5}), IsOk());
  ASSERT_THAT(stream.Receive(&reply), IsOk());
  ASSERT_THAT(client_->ImportVersion("p/m", Artifact(2)), IsOk());
  const std::string address = server_->address();
  server_.reset();
  StartServer(address);
  ASSERT_THAT(stream.Send({0.5, 0.5}, 7), IsOk());
  ASSERT_THAT(stream.Receive(&reply), IsOk());
  EXPECT_EQ(reply.id, 7u);
  EXPECT_EQ(reply.answer.values, before.values);
  EXPECT_EQ(reply.answer.model_version, "projects/p/models/m/versions/1");
}

TEST_F(LogProbStreamTest, AServerThatIsGoneEndsTheStreamAndAClientThatIsGoneHoldsNothing) {
  {
    LogProbStream left = model_->OpenLogProbStream();
    for (int i = 0; i < 100; ++i) ASSERT_THAT(left.Send(Rows(1000)), IsOk());
  }
  LogProbStream stream = model_->OpenLogProbStream();
  LogProbStream::Reply reply;
  ASSERT_THAT(stream.Send({0, 0}), IsOk());
  ASSERT_THAT(stream.Receive(&reply), IsOk());
  EXPECT_EQ(server_->Stop(), 0);
  ASSERT_THAT(stream.Send({0, 0}), IsOk());
  EXPECT_THAT(stream.Receive(&reply), HasCode(absl::StatusCode::kUnavailable));
  EXPECT_THAT(stream.Send({0, 0}), HasCode(absl::StatusCode::kUnavailable));
}

TEST_F(LogProbStreamTest, RowsWithoutEndHaveTheBitsOfLogProbAndErrorsEndThem) {
  const std::vector<double> theta = Rows(100003);
  LogProbOptions options;
  options.gradient = true;
  size_t next = 0;
  const auto source = [&](absl::Span<double> rows) -> absl::StatusOr<int64_t> {
    const size_t count = std::min<size_t>(2 * 777, theta.size() - next);  // fewer than would fit
    EXPECT_LE(count, rows.size());
    std::copy_n(theta.begin() + next, count, rows.begin());
    next += count;
    return static_cast<int64_t>(count);
  };
  std::vector<double> values, gradient;
  const auto sink = [&](const Answer& answer) {
    values.insert(values.end(), answer.values.begin(), answer.values.end());
    gradient.insert(gradient.end(), answer.gradient.begin(), answer.gradient.end());
    return absl::OkStatus();
  };
  ASSERT_THAT(model_->LogProbOfRows(source, sink, {"b", "a"}, options), IsOk());
  ASSERT_OK_AND_ASSIGN(const Answer all, model_->LogProb(theta, {"b", "a"}, options));
  EXPECT_TRUE(values == all.values);
  EXPECT_TRUE(gradient == all.gradient);

  next = 0;
  EXPECT_THAT(model_->LogProbOfRows(source, [](const Answer&) { return absl::AbortedError("enough"); }),
              HasCode(absl::StatusCode::kAborted));
  EXPECT_THAT(model_->LogProbOfRows([](absl::Span<double>) { return absl::DataLossError("a bad disk"); }, sink),
              HasCode(absl::StatusCode::kDataLoss));
  std::vector<double> bad = theta;
  bad[2 * 90000] = std::nan("");
  EXPECT_THAT(model_->LogProb(bad), StatusIs(absl::StatusCode::kInvalidArgument,
                                             AllOf(HasSubstr("of the rows from 81920 on"), HasSubstr("row 8080"))));
}

TEST_F(LogProbStreamTest, TheCommandLineReadsAndWritesRowsAsTheyCome) {
  const int64_t n = 50000;
  const std::vector<double> theta = Rows(n);
  std::string csv = "b,more,a\n";
  for (int64_t i = 0; i < n; ++i) absl::StrAppend(&csv, theta[2 * i + 1], ",9,", theta[2 * i], "\n");
  folder_.Write("rows.csv", csv);
  ASSERT_EQ(Run("log-prob p/m rows.csv"), 0) << Read("err");
  const std::vector<std::string> from_file = Lines("out");
  ASSERT_EQ(from_file.size(), static_cast<size_t>(n));
  ASSERT_EQ(Run("log-prob p/m - <rows.csv"), 0) << Read("err");
  EXPECT_EQ(Lines("out"), from_file);
  ASSERT_EQ(Run("log-prob p/m rows.csv --out=answer.npy"), 0) << Read("err");
  EXPECT_EQ(Read("out"), "");
  ASSERT_OK_AND_ASSIGN(const Table answer, ReadTable(folder_ / "answer.npy"));
  ASSERT_EQ(answer.num_rows, n);
  for (int64_t i = 0; i < n; i += 997) EXPECT_EQ(std::stod(from_file[i]), answer.columns[0].values[i]);

  // The answer as points again: a .npy file of one column, through standard input.
  ASSERT_EQ(Run("log-prob p/m - --precision=double --columns=a <answer.npy"), 1);
  EXPECT_THAT(Read("err"), HasSubstr("a, b"));
  ASSERT_EQ(Run("log-prob p/m rows.csv --gradient --spread --precision=double --out=answer.csv"), 0) << Read("err");
  const std::vector<std::string> table = Lines("answer.csv");
  ASSERT_EQ(table.size(), static_cast<size_t>(n) + 1);
  EXPECT_EQ(table[0], "log_prob,spread,d_a,d_b");

  std::ofstream((folder_ / "rows.csv"), std::ios::app) << "1,2\n";
  EXPECT_EQ(Run("log-prob p/m rows.csv --out=short.csv"), 1);
  EXPECT_THAT(Read("err"), HasSubstr("line 50002: 2 columns, expected 3"));
  EXPECT_EQ(Run("log-prob p/m rows.csv --precision=half"), 2);
  EXPECT_EQ(Run("log-prob p/m rows.csv --out=answer.txt"), 2);
  for (const auto& file : std::filesystem::directory_iterator(folder_.path())) {
    EXPECT_NE(file.path().filename(), "short.csv");
    EXPECT_NE(file.path().extension(), ".part");
  }
}

TEST_F(LogProbStreamTest, SmallQuestionsOfTheCommandLineAnswerAsBefore) {
  ASSERT_EQ(Run("log-prob p/m --theta=0,1 --theta=1,2 --json --gradient"), 0) << Read("err");
  EXPECT_THAT(Read("out"), AllOf(HasSubstr("\"log_prob\":[-2.5"), HasSubstr("\"gradient\":[")));
  ASSERT_EQ(Run("log-prob p/m --theta=0,1 --gradient"), 0) << Read("err");
  EXPECT_THAT(Lines("out"), ElementsAre("log_prob,d_a,d_b", StartsWith("-2.531")));
  ASSERT_EQ(Run("inverse-prior-transform p/m --theta=0,1 --precision=double"), 0) << Read("err");
  EXPECT_THAT(Lines("out"), ElementsAre("a,b", "0.5,0.5"));
}

}  // namespace
}  // namespace creamery
