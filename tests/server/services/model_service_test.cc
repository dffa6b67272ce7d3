#include "proto/support/array.h"
#include "tests/server/test_server.h"

namespace creamery {
namespace {

using ::testing::HasSubstr;

constexpr char kModel[] = "projects/planck/models/wcdm";

class ModelServiceTest : public TestServer {
 protected:
  void SetUp() override {
    StartServer();
    ASSERT_THAT(CreateProject("planck"), IsOk());
  }
  absl::Status SetAlias(const std::string& alias, int64_t version, int64_t expected = -1) {
    grpc::ClientContext context;
    v1::SetAliasRequest request;
    request.set_name(kModel);
    request.set_alias(alias);
    request.set_version(version);
    if (expected >= 0) request.set_expected_version(expected);
    v1::Model model;
    return FromGrpc(models_->SetAlias(&context, request, &model));
  }
  absl::Status DeleteVersion(const std::string& suffix) {
    grpc::ClientContext context;
    v1::DeleteVersionRequest request;
    request.set_name(kModel + suffix);
    v1::DeleteVersionResponse response;
    return FromGrpc(models_->DeleteVersion(&context, request, &response));
  }
  // The version that answers for a name, and its status.
  absl::StatusOr<std::string> WhoAnswers(const std::string& suffix) {
    grpc::ClientContext context;
    v1::LogProbRequest request;
    request.set_model(kModel + suffix);
    *request.mutable_theta() = FromDoubles({0.5, -1}, {1, 2});
    v1::LogProbResponse response;
    const absl::Status status = FromGrpc(inference_->LogProb(&context, request, &response));
    if (!status.ok()) return status;
    return response.model_version();
  }
  absl::Status Export(const std::string& suffix, std::string* bytes) {
    grpc::ClientContext context;
    v1::ExportVersionRequest request;
    request.set_name(kModel + suffix);
    auto reader = models_->ExportVersion(&context, request);
    v1::ExportVersionResponse reply;
    while (reader->Read(&reply)) *bytes += reply.chunk();
    return FromGrpc(reader->Finish());
  }
};

TEST_F(ModelServiceTest, AnExportedArtifactIsWhatWasImported) {
  const std::string artifact = TestArtifact();
  v1::ModelVersion version;
  ASSERT_THAT(Import(kModel, artifact, &version), IsOk());
  EXPECT_EQ(version.name(), "projects/planck/models/wcdm/versions/1");
  EXPECT_EQ(version.signature().parameters(1).name(), "w0");
  EXPECT_EQ(version.artifact_bytes(), static_cast<int64_t>(artifact.size()));
  EXPECT_EQ(version.creator(), "anonymous");
  std::string bytes;
  ASSERT_THAT(Export("", &bytes), IsOk());
  EXPECT_EQ(bytes, artifact);
}

TEST_F(ModelServiceTest, WhatIsNotAnArtifactIsRefusedAndLeavesNothing) {
  std::string artifact = TestArtifact();
  EXPECT_THAT(Import(kModel, "not safetensors at all"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not an artifact")));
  EXPECT_THAT(Import(kModel, artifact.substr(0, artifact.size() - 4)), HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Import(kModel, ""), HasCode(absl::StatusCode::kInvalidArgument));
  artifact[3] = '\x7f';  // the header claims 2 GiB
  EXPECT_THAT(Import(kModel, artifact), HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Import("projects/nobody/models/m", TestArtifact()), HasCode(absl::StatusCode::kNotFound));
  EXPECT_THAT(Import("nonsense", TestArtifact()), HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(server_->registry().GetModel({"planck", "wcdm"}), HasCode(absl::StatusCode::kNotFound));
  EXPECT_TRUE(std::filesystem::is_empty(directory_ / "data/blobs"));
}

// The table of edits is tests/models/check_description_test.cc.
TEST_F(ModelServiceTest, AnEditedDescriptionIsRefusedByItsField) {
  v1::ModelVersion description = TestDescription();
  description.mutable_training()->mutable_held_out()->set_misfit(1e308);
  EXPECT_THAT(Import(kModel, TestArtifact(description, 3)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("training.held_out.misfit is 1e+308")));
  description = TestDescription();
  description.mutable_signature()->mutable_parameters(0)->set_unit("\x1b[31m");
  EXPECT_THAT(Import(kModel, TestArtifact(description, 3)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("unit of")));
  EXPECT_THAT(server_->registry().GetModel({"planck", "wcdm"}), HasCode(absl::StatusCode::kNotFound));
}

// As a registry of an earlier program may hold one.
TEST_F(ModelServiceTest, AStoredArtifactWithABadDescriptionDoesNotLoad) {
  v1::ModelVersion description = TestDescription();
  description.mutable_training()->mutable_held_out()->set_log_prob_variance(-1);
  const Caller caller{"ada", "", "", absl::Now()};
  ASSERT_OK_AND_ASSIGN(const auto writer, server_->registry().blobs().NewBlob());
  ASSERT_THAT(writer->Append(TestArtifact(description, 3)), IsOk());
  ASSERT_OK_AND_ASSIGN(const BlobWriter::Committed blob, writer->Commit());
  ASSERT_THAT(server_->registry().ImportVersion(caller, {"planck", "wcdm"}, description, blob.digest), IsOk());
  server_.reset();
  StartServer();
  EXPECT_THAT(WhoAnswers(""), StatusIs(absl::StatusCode::kDataLoss,
                                       ::testing::AllOf(HasSubstr("projects/planck/models/wcdm/versions/1"),
                                                        HasSubstr("training.held_out.log_prob_variance is -1"))));
}

TEST_F(ModelServiceTest, ARepeatedImportIsTheSameVersionAndOtherContentIsRefused) {
  v1::ModelVersion first;
  v1::ModelVersion again;
  ASSERT_THAT(Import(kModel, TestArtifact(), &first, "once"), IsOk());
  ASSERT_THAT(Import(kModel, TestArtifact(), &again, "once", 77), IsOk());
  EXPECT_EQ(first.name(), again.name());
  EXPECT_THAT(Import(kModel, TestArtifact(TestDescription(), 3), nullptr, "once"),
              HasCode(absl::StatusCode::kAlreadyExists));
}

TEST_F(ModelServiceTest, LatestAliasesAndNumbersNameVersions) {
  ASSERT_THAT(Import(kModel, TestArtifact()), IsOk());
  ASSERT_THAT(Import(kModel, TestArtifact(TestDescription(), 3)), IsOk());
  EXPECT_EQ(*WhoAnswers(""), "projects/planck/models/wcdm/versions/2");
  EXPECT_EQ(*WhoAnswers("/versions/latest"), "projects/planck/models/wcdm/versions/2");
  EXPECT_EQ(*WhoAnswers("/versions/1"), "projects/planck/models/wcdm/versions/1");
  ASSERT_THAT(SetAlias("production", 1), IsOk());
  EXPECT_EQ(*WhoAnswers("/versions/production"), "projects/planck/models/wcdm/versions/1");
  EXPECT_THAT(SetAlias("production", 2, 2), HasCode(absl::StatusCode::kAborted));
  ASSERT_THAT(SetAlias("production", 2, 1), IsOk());
  EXPECT_EQ(*WhoAnswers("/versions/production"), "projects/planck/models/wcdm/versions/2");
  ASSERT_THAT(SetAlias("production", 0), IsOk());
  EXPECT_THAT(WhoAnswers("/versions/production"), HasCode(absl::StatusCode::kNotFound));
  EXPECT_THAT(SetAlias("latest", 1), HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(SetAlias("1st", 1), HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(SetAlias("production", 9), HasCode(absl::StatusCode::kNotFound));
}

TEST_F(ModelServiceTest, AliasesAndVersionsAreThereAfterARestart) {
  ASSERT_THAT(Import(kModel, TestArtifact()), IsOk());
  ASSERT_THAT(Import(kModel, TestArtifact(TestDescription(), 3)), IsOk());
  ASSERT_THAT(SetAlias("production", 1), IsOk());
  server_.reset();
  StartServer();
  EXPECT_EQ(*WhoAnswers("/versions/production"), "projects/planck/models/wcdm/versions/1");
  EXPECT_EQ(*WhoAnswers(""), "projects/planck/models/wcdm/versions/2");
}

TEST_F(ModelServiceTest, ADeletedVersionFinishesForThoseWhoHoldItAndIsNotFoundAfterwards) {
  ASSERT_THAT(Import(kModel, TestArtifact()), IsOk());
  ASSERT_THAT(Import(kModel, TestArtifact(TestDescription(), 3)), IsOk());
  ASSERT_THAT(WhoAnswers("/versions/1"), IsOk());
  grpc::ClientContext context;
  v1::SampleRequest request;
  request.set_model(std::string(kModel) + "/versions/1");
  request.set_num_samples(1000000);  // 16 messages, most of them still to be made
  auto reader = inference_->Sample(&context, request);
  v1::SampleResponse reply;
  ASSERT_TRUE(reader->Read(&reply));
  int64_t rows = reply.theta().shape(0);

  ASSERT_THAT(DeleteVersion("/versions/1"), IsOk());
  EXPECT_THAT(WhoAnswers("/versions/1"), HasCode(absl::StatusCode::kNotFound));
  EXPECT_EQ(*WhoAnswers(""), "projects/planck/models/wcdm/versions/2");
  while (reader->Read(&reply)) rows += reply.theta().shape(0);
  EXPECT_THAT(FromGrpc(reader->Finish()), IsOk());
  EXPECT_EQ(rows, 1000000);
  EXPECT_THAT(DeleteVersion("/versions/1"), HasCode(absl::StatusCode::kNotFound));
}

TEST_F(ModelServiceTest, ADeletedLatestVersionGivesWayToTheOneBefore) {
  ASSERT_THAT(Import(kModel, TestArtifact()), IsOk());
  ASSERT_THAT(Import(kModel, TestArtifact(TestDescription(), 3)), IsOk());
  ASSERT_THAT(DeleteVersion("/versions/2"), IsOk());
  EXPECT_EQ(*WhoAnswers(""), "projects/planck/models/wcdm/versions/1");
  v1::ModelVersion third;
  ASSERT_THAT(Import(kModel, TestArtifact(TestDescription(), 4), &third), IsOk());
  EXPECT_EQ(third.name(), "projects/planck/models/wcdm/versions/3");  // numbers are never used again
}

TEST_F(ModelServiceTest, AVersionWithAnAliasIsNotDeletedNorOneByAlias) {
  ASSERT_THAT(Import(kModel, TestArtifact()), IsOk());
  ASSERT_THAT(SetAlias("production", 1), IsOk());
  EXPECT_THAT(DeleteVersion("/versions/1"), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("production")));
  EXPECT_THAT(DeleteVersion("/versions/production"), HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(DeleteVersion(""), HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(WhoAnswers(""), IsOk());
}

TEST_F(ModelServiceTest, PagesAreCountedAndNegativeOnesRefused) {
  ASSERT_THAT(Import(kModel, TestArtifact()), IsOk());
  ASSERT_THAT(Import(kModel, TestArtifact(TestDescription(), 3)), IsOk());
  v1::ListVersionsRequest request;
  request.set_parent(kModel);
  request.set_page_size(1);
  v1::ListVersionsResponse response;
  {
    grpc::ClientContext context;
    ASSERT_THAT(FromGrpc(models_->ListVersions(&context, request, &response)), IsOk());
  }
  ASSERT_EQ(response.versions_size(), 1);
  EXPECT_EQ(response.versions(0).name(), "projects/planck/models/wcdm/versions/2");
  request.set_page_token(response.next_page_token());
  response.Clear();
  {
    grpc::ClientContext context;
    ASSERT_THAT(FromGrpc(models_->ListVersions(&context, request, &response)), IsOk());
  }
  ASSERT_EQ(response.versions_size(), 1);
  EXPECT_EQ(response.versions(0).name(), "projects/planck/models/wcdm/versions/1");
  EXPECT_EQ(response.next_page_token(), "");
  request.set_page_size(-1);
  grpc::ClientContext context;
  EXPECT_THAT(FromGrpc(models_->ListVersions(&context, request, &response)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("-1")));
}

TEST_F(ModelServiceTest, LabelsAreReplacedAndLimited) {
  ASSERT_THAT(Import(kModel, TestArtifact()), IsOk());
  v1::UpdateLabelsRequest request;
  request.set_name(kModel);
  (*request.mutable_labels())["survey"] = "desi";
  v1::Model model;
  {
    grpc::ClientContext context;
    ASSERT_THAT(FromGrpc(models_->UpdateLabels(&context, request, &model)), IsOk());
  }
  EXPECT_EQ(model.labels().at("survey"), "desi");
  (*request.mutable_labels())["survey"] = std::string(64, 'x');
  {
    grpc::ClientContext context;
    EXPECT_THAT(FromGrpc(models_->UpdateLabels(&context, request, &model)),
                HasCode(absl::StatusCode::kInvalidArgument));
  }
  request.clear_labels();
  for (int i = 0; i < 65; ++i) (*request.mutable_labels())[std::to_string(i)] = "";
  grpc::ClientContext context;
  EXPECT_THAT(FromGrpc(models_->UpdateLabels(&context, request, &model)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("65 labels")));
}

TEST_F(ModelServiceTest, ListsAreSearchedOverOneProjectOrAll) {
  ASSERT_THAT(CreateProject("desi"), IsOk());
  ASSERT_THAT(Import(kModel, TestArtifact()), IsOk());
  ASSERT_THAT(Import("projects/desi/models/bao", TestArtifact()), IsOk());
  const auto list = [&](const std::string& parent, const std::string& parameter, const std::string& family,
                        absl::Status* status = nullptr) {
    grpc::ClientContext context;
    v1::ListModelsRequest request;
    request.set_parent(parent);
    request.set_parameter(parameter);
    request.set_family(family);
    v1::ListModelsResponse response;
    const absl::Status answer = FromGrpc(models_->ListModels(&context, request, &response));
    if (status != nullptr) *status = answer;
    return response.models_size();
  };
  EXPECT_EQ(list("projects/-", "", ""), 2);
  EXPECT_EQ(list("projects/desi", "w0", "maf"), 1);
  EXPECT_EQ(list("projects/-", "w0", ""), 2);
  EXPECT_EQ(list("projects/-", "sigma8", ""), 0);
  EXPECT_EQ(list("projects/-", "", "nsf"), 0);
  absl::Status status;
  list("projects/-", "", "gan", &status);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("the families are maf, nsf")));
  list("projects/--", "", "", &status);
  EXPECT_THAT(status, HasCode(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace creamery
