// The command against servers: one whose answers would steer a terminal, and a real one to search in.
#include <grpcpp/grpcpp.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cpp/client.h"
#include "creamery/v1/dataset_service.grpc.pb.h"
#include "creamery/v1/model_service.grpc.pb.h"
#include "creamery/v1/project_service.grpc.pb.h"
#include "creamery/v1/statistics_service.grpc.pb.h"
#include "tests/client/cpp/cli_fixture.h"
#include "tests/client/cpp/server_process.h"
#include "tests/server/test_artifact.h"

namespace creamery {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// A title for the window (C0), the same in one character (C1), a line that reads backwards, one that nobody sees, a
// tag and a line end.
constexpr char kHostile[] =
    "\x1b]0;owned\x07 \xc2\x9b"
    "2J \xe2\x80\xae"
    "evil \xe2\x80\x8b \xf3\xa0\x80\xa1 \n x";
constexpr char kEscaped[] = "\\u001b]0;owned\\u0007 \\u009b2J \\u202eevil \\u200b \\udb40\\udc21 \\u000a x";

class HostileModels final : public v1::ModelService::Service {
  grpc::Status GetModel(grpc::ServerContext*, const v1::GetModelRequest* request, v1::Model* model) override {
    if (request->name() == "projects/p/models/none") return grpc::Status(grpc::StatusCode::NOT_FOUND, kHostile);
    model->set_name("projects/p/models/m");
    (*model->mutable_labels())[kHostile] = kHostile;
    return grpc::Status::OK;
  }
  grpc::Status GetModelVersion(grpc::ServerContext*, const v1::GetModelVersionRequest*,
                               v1::ModelVersion* version) override {
    version->set_name("projects/p/models/m/versions/1");
    v1::Parameter& parameter = *version->mutable_signature()->add_parameters();
    parameter.set_name(kHostile);
    parameter.set_unit(kHostile);
    version->mutable_signature()->add_marginalised(kHostile);
    v1::TrainingSummary& training = *version->mutable_training();
    training.set_device(kHostile);
    training.set_num_rows(1000);
    training.set_num_rows_dropped(70);
    training.set_num_rows_outside(37);
    training.set_num_distinct_rows(12);
    training.mutable_held_out()->set_misfit(.25);
    training.mutable_held_out()->set_misfit_error(.125);
    training.mutable_held_out_log_ratio()->set_out_of_fold_log_prob(3.5);
    training.add_warnings(v1::ROWS_LEFT_OUT);
    training.add_warnings(v1::FEW_DISTINCT_ROWS);
    return grpc::Status::OK;
  }
};

class HostileDatasets final : public v1::DatasetService::Service {
  grpc::Status GetDataset(grpc::ServerContext*, const v1::GetDatasetRequest*, v1::Dataset* dataset) override {
    dataset->set_name("projects/p/datasets/d");
    dataset->add_parameters()->set_unit(kHostile);
    dataset->set_num_rows_outside(37);
    return grpc::Status::OK;
  }
};

class HostileStatistics final : public v1::StatisticsService::Service {
  grpc::Status MarginalKL(grpc::ServerContext*, const v1::MarginalKLRequest*, v1::MarginalKLResponse* kl) override {
    kl->add_warnings(v1::PRIOR_DOES_NOT_COVER);
    kl->add_remarks(kHostile);
    return grpc::Status::OK;
  }
};

class HostileServerTest : public CliFixture {
 protected:
  HostileServerTest() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&models_);
    builder.RegisterService(&datasets_);
    builder.RegisterService(&statistics_);
    server_ = builder.BuildAndStart();
    environment_ = absl::StrCat("CREAMERY_SERVER=127.0.0.1:", port);
  }
  // Runs the command; nothing it says may steer a terminal.
  Outcome Ask(const std::string& arguments) {
    const Outcome outcome = Run(arguments, environment_);
    for (const std::string& text : {outcome.out, outcome.err}) {
      for (const char* raw : {"\x1b", "\x07", "\xc2\x9b", "\xe2\x80\xae", "\xe2\x80\x8b", "\xf3\xa0\x80\xa1"}) {
        EXPECT_THAT(text, Not(HasSubstr(raw))) << arguments;
      }
    }
    return outcome;
  }

  HostileModels models_;
  HostileDatasets datasets_;
  HostileStatistics statistics_;
  std::unique_ptr<grpc::Server> server_;
  std::string environment_;
};

TEST_F(HostileServerTest, WhatWouldSteerATerminalIsEscaped) {
  EXPECT_THAT(Ask("models show p/m").out, HasSubstr(absl::StrCat("  ", kEscaped, ":", kEscaped)));
  EXPECT_THAT(Ask("models show p/none").err, HasSubstr(absl::StrCat("creamery: NOT_FOUND: ", kEscaped, "\n")));
  EXPECT_THAT(Ask("datasets show p/d").out, HasSubstr(absl::StrCat("[", kEscaped, "]")));
  EXPECT_THAT(Ask("kl p/m").err, HasSubstr(absl::StrCat("remark: ", kEscaped, "\n")));
  const std::string csv = folder_.Write("bad.csv", "a,b\n1,2\n3,\x1b]0;owned\x07\n");
  EXPECT_THAT(Ask("datasets upload p/d " + csv).err, HasSubstr("'\\x1b]0;owned\\x07'"));  // by the reader
}

TEST_F(HostileServerTest, JsonStaysTheSameText) {
  const nlohmann::json shown = nlohmann::json::parse(Ask("models show p/m --json").out);
  EXPECT_EQ(shown["model"]["labels"][kHostile], kHostile);
  EXPECT_EQ(shown["version"]["signature"]["parameters"][0]["unit"], kHostile);
  EXPECT_EQ(nlohmann::json::parse(Ask("kl p/m --json").out)["remarks"][0], kHostile);
}

TEST_F(HostileServerTest, AVersionShowsWhatItsTrainingLeftOutAndItsReasonsForCare) {
  const Outcome shown = Ask("models show p/m");
  EXPECT_THAT(shown.out, HasSubstr("1000 rows, 12 of them distinct; 70 left out, 37 of them on or outside a bound"));
  EXPECT_THAT(shown.out, AllOf(HasSubstr("misfit 0.2500 +- 0.1250 nats"), HasSubstr("log q - log prior 3.5000")));
  EXPECT_THAT(shown.err, AllOf(HasSubstr("warning: rows on or outside"), HasSubstr("warning: most rows repeat")));
  EXPECT_THAT(Ask("datasets show p/d").out, HasSubstr("37 rows on or outside a bound"));
  EXPECT_THAT(Ask("kl p/m").err, HasSubstr("warning: the prior density is zero"));
}

class SearchTest : public CliFixture {
 protected:
  void SetUp() override {
    ASSERT_NE(server_.address(), "") << "creamery-server did not start";
    environment_ = "CREAMERY_SERVER=" + server_.address();
    const std::string artifact = folder_.Write("m.safetensors", TestArtifact());
    for (const char* model : {"desi/bao", "desi/sn", "planck/cmb"})
      Ask(absl::StrCat("models import ", model, " ", artifact));
    Ask("models label desi/sn survey=desi year=2024");
    const std::string csv = folder_.Write("rows.csv", "omegam,h\n.1,.7\n.2,.6\n");
    Ask("datasets upload planck/chain " + csv);
    Ask("datasets upload desi/chain " + csv + " --columns=omegam");
  }
  // What the command says; it has to succeed.
  std::string Ask(const std::string& arguments) {
    const Outcome outcome = Run(arguments, environment_);
    EXPECT_EQ(outcome.code, 0) << arguments << ": " << outcome.err;
    return outcome.out;
  }

  ServerProcess server_{folder_.path()};
  std::string environment_;
};

TEST_F(SearchTest, ListsCoverAllProjectsOrOneAndAreSearched) {
  EXPECT_EQ(Ask("models list"),
            "desi/bao  latest 1\ndesi/sn  latest 1  survey:desi  year:2024\nplanck/cmb  latest 1\n");
  EXPECT_EQ(Ask("models list planck"), "planck/cmb  latest 1\n");
  EXPECT_EQ(Ask("models list --project=planck"), "planck/cmb  latest 1\n");
  EXPECT_THAT(Ask("models list - --project=planck"), HasSubstr("desi/bao"));
  EXPECT_THAT(Ask("models list --parameter=w0 --family=maf --label survey=desi"),
              AllOf(HasSubstr("desi/sn"), Not(HasSubstr("planck"))));
  EXPECT_THAT(Ask("models list --label survey=desi --label year=2023"), IsEmpty());
  EXPECT_THAT(Ask("models list --parameter=sigma8"), IsEmpty());
  EXPECT_THAT(Ask("models list --family=nsf"), IsEmpty());
  EXPECT_THAT(Ask("datasets list --parameter=h"), AllOf(HasSubstr("planck/chain"), Not(HasSubstr("desi"))));
  EXPECT_THAT(Ask("datasets list"), AllOf(HasSubstr("planck/chain"), HasSubstr("desi/chain")));
  EXPECT_EQ(Run("models list --label survey", environment_).code, 2);
  EXPECT_THAT(Ask("models label desi/sn survey= year=2025"), "desi/sn  latest 1  year:2025\n");
}

TEST_F(SearchTest, ProjectsAreMadeListedAndShown) {
  EXPECT_EQ(Ask("projects create act --description 'lensing maps'"), "act  lensing maps\n");
  EXPECT_EQ(Run("projects create act", environment_).code, 1);
  EXPECT_EQ(Ask("projects list"), "act  lensing maps\ndesi\nplanck\n");
  EXPECT_THAT(Ask("projects show desi"), AllOf(HasSubstr("dataset desi/chain"), HasSubstr("model desi/sn")));
}

TEST_F(SearchTest, NamesWithoutASlashAreOfTheProjectThatIsSet) {
  Configure(absl::StrCat("server = \"", server_.address(), "\"\nproject = \"desi\"\n"));
  environment_ = "";
  EXPECT_THAT(Ask("models show bao"), HasSubstr("desi/bao@1"));
  EXPECT_THAT(Ask("models show bao@1"), HasSubstr("desi/bao@1"));
  EXPECT_THAT(Ask("models show planck/cmb"), HasSubstr("planck/cmb@1"));
  EXPECT_THAT(Ask("datasets show chain"), HasSubstr("desi/chain"));
  EXPECT_THAT(Ask("models show cmb --project=planck"), HasSubstr("planck/cmb@1"));
  EXPECT_THAT(Ask("models list"), Not(HasSubstr("planck")));
}

TEST_F(SearchTest, CompletionOffersTheServersNames) {
  EXPECT_EQ(Ask("__complete 'creamery kl '"), "desi/\nplanck/\n");
  EXPECT_EQ(Ask("__complete 'creamery kl desi/'"), "desi/bao\ndesi/sn\n");
  EXPECT_EQ(Ask("__complete 'creamery train desi/x --dataset=planck/'"), "--dataset=planck/chain\n");
  EXPECT_EQ(Ask("__complete 'creamery models list pl'"), "planck\n");
  EXPECT_EQ(Ask("__complete 'creamery --project=planck kl c'"), "cmb\n");
}

}  // namespace
}  // namespace creamery
