// Models, versions, aliases and labels.
#include "absl/strings/str_cat.h"
#include "proto/support/digest.h"
#include "tests/storage/registry_fixture.h"

namespace creamery {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::SizeIs;

class RegistryModelsTest : public RegistryFixture {
 protected:
  const ModelName cosmo_{"planck", "cosmo"};
};

TEST_F(RegistryModelsTest, VersionsCountUpAndNumbersAreNeverUsedAgain) {
  EXPECT_EQ(Import("a").name(), "projects/planck/models/cosmo/versions/1");
  EXPECT_EQ(Import("b").name(), "projects/planck/models/cosmo/versions/2");
  ASSERT_THAT(registry_->DeleteVersion(ada_, cosmo_, 2), IsOk());
  Reopen();
  EXPECT_EQ(registry_->GetModel(cosmo_)->latest_version(), 1);
  EXPECT_EQ(Import("c").name(), "projects/planck/models/cosmo/versions/3");
  ASSERT_THAT(registry_->DeleteVersion(ada_, cosmo_, 3), IsOk());
  ASSERT_THAT(registry_->DeleteVersion(ada_, cosmo_, 1), IsOk());
  EXPECT_EQ(registry_->GetModel(cosmo_)->latest_version(), 0);
  EXPECT_EQ(Import("d").name(), "projects/planck/models/cosmo/versions/4");
  EXPECT_THAT(registry_->GetVersion(cosmo_, 2), StatusIs(absl::StatusCode::kNotFound, HasSubstr("versions/2")));
  EXPECT_THAT(registry_->GetVersion({"planck", "none"}, 1), HasCode(absl::StatusCode::kNotFound));
  ExpectClean();
}

TEST_F(RegistryModelsTest, AliasesMoveUnderAnExpectation) {
  Import("a");
  Import("b");
  ASSERT_OK_AND_ASSIGN(const v1::Model model, registry_->SetAlias(ada_, cosmo_, "production", 1, 0));
  EXPECT_EQ(model.aliases().at("production"), 1);
  EXPECT_THAT(registry_->SetAlias(ada_, cosmo_, "production", 2, 0),
              StatusIs(absl::StatusCode::kAborted, HasSubstr("version 1, expected 0")));
  EXPECT_THAT(registry_->SetAlias(ada_, cosmo_, "production", 2, 1), IsOk());
  EXPECT_THAT(registry_->SetAlias(ada_, cosmo_, "production", 7, -1), HasCode(absl::StatusCode::kNotFound));
  EXPECT_THAT(registry_->SetAlias(ada_, cosmo_, "latest", 1, -1), HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(registry_->SetAlias(ada_, cosmo_, "3", 1, -1), HasCode(absl::StatusCode::kInvalidArgument));
  ASSERT_THAT(registry_->SetAlias(ada_, cosmo_, "older", 1, 0), IsOk());
  Reopen();
  ASSERT_OK_AND_ASSIGN(const std::vector<ModelHead> heads, registry_->ModelHeads());
  ASSERT_THAT(heads, SizeIs(1));
  EXPECT_EQ(heads[0].model, "projects/planck/models/cosmo");
  EXPECT_EQ(heads[0].latest_version, 2);
  EXPECT_THAT(heads[0].aliases, ElementsAre(Pair("older", 1), Pair("production", 2)));
}

TEST_F(RegistryModelsTest, AVersionUnderAnAliasIsNotDeleted) {
  Import("a");
  ASSERT_THAT(registry_->SetAlias(ada_, cosmo_, "production", 1, -1), IsOk());
  EXPECT_THAT(registry_->DeleteVersion(ada_, cosmo_, 1),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("'production'")));
  ASSERT_THAT(registry_->SetAlias(ada_, cosmo_, "production", 0, 1), IsOk());
  EXPECT_THAT(registry_->SetAlias(ada_, cosmo_, "production", 0, -1), HasCode(absl::StatusCode::kNotFound));
  EXPECT_THAT(registry_->DeleteVersion(ada_, cosmo_, 1), IsOk());
  EXPECT_THAT(registry_->DeleteVersion(ada_, cosmo_, 1), HasCode(absl::StatusCode::kNotFound));
}

TEST_F(RegistryModelsTest, LabelsAreReplacedAndLimited) {
  Import("a");
  ASSERT_THAT(registry_->UpdateLabels(ada_, cosmo_, {{"survey", "planck"}, {"year", "2018"}}), IsOk());
  ASSERT_THAT(registry_->UpdateLabels(ada_, cosmo_, {{"survey", "act"}}), IsOk());
  Reopen();
  ASSERT_OK_AND_ASSIGN(const v1::Model model, registry_->GetModel(cosmo_));
  ASSERT_EQ(model.labels_size(), 1);
  EXPECT_EQ(model.labels().at("survey"), "act");
  EXPECT_EQ(model.latest_version(), 1);
  EXPECT_EQ(model.creator(), "ada");
  EXPECT_THAT(registry_->UpdateLabels(ada_, cosmo_, {{std::string(64, 'k'), ""}}),
              HasCode(absl::StatusCode::kInvalidArgument));
  std::map<std::string, std::string> many;
  for (int i = 0; i < 65; ++i) many[absl::StrCat("k", i)] = "";
  EXPECT_THAT(registry_->UpdateLabels(ada_, cosmo_, many), HasCode(absl::StatusCode::kInvalidArgument));
}

TEST_F(RegistryModelsTest, ListsGoNewestVersionFirstAndModelsByName) {
  Import("a");
  Import("b");
  Import("c");
  ASSERT_THAT(registry_->ImportVersion(ada_, {"planck", "act"}, {}, PutBlob("d").digest), IsOk());
  ASSERT_OK_AND_ASSIGN(const Page<v1::ModelVersion> first, registry_->ListVersions(cosmo_, {2, ""}));
  ASSERT_THAT(first.items, SizeIs(2));
  EXPECT_EQ(first.items[0].name(), "projects/planck/models/cosmo/versions/3");
  ASSERT_OK_AND_ASSIGN(const Page<v1::ModelVersion> rest, registry_->ListVersions(cosmo_, {2, first.next_token}));
  ASSERT_THAT(rest.items, SizeIs(1));
  EXPECT_EQ(rest.items[0].name(), "projects/planck/models/cosmo/versions/1");
  ASSERT_OK_AND_ASSIGN(const Page<v1::Model> models, registry_->ListModels({"planck"}, {}));
  ASSERT_THAT(models.items, SizeIs(2));
  EXPECT_EQ(models.items[0].name(), "projects/planck/models/act");
}

TEST_F(RegistryModelsTest, ARepeatedImportMakesOneVersion) {
  const std::string artifact = PutBlob("a").digest;
  ASSERT_THAT(registry_->ImportVersion(Request("r", "x"), cosmo_, {}, artifact), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::ModelVersion again, registry_->ImportVersion(Request("r", "x"), cosmo_, {}, artifact));
  EXPECT_EQ(again.name(), "projects/planck/models/cosmo/versions/1");
  EXPECT_EQ(registry_->GetModel(cosmo_)->latest_version(), 1);
  EXPECT_THAT(registry_->ImportVersion(ada_, {"desi", "cosmo"}, {}, artifact), HasCode(absl::StatusCode::kNotFound));
  EXPECT_THAT(registry_->ImportVersion(ada_, cosmo_, {}, Sha256Hex("never stored")),
              HasCode(absl::StatusCode::kNotFound));
}

// Names of what a search finds, over pages of `size`; a page of one search has no token for another.
std::vector<std::string> Found(Registry& registry, const std::string& project, const ModelQuery& wanted, int size) {
  std::vector<std::string> names;
  PageRequest request = {size, ""};
  do {
    const Page<v1::Model> page = registry.ListModels({project}, wanted, request).value();
    for (const v1::Model& model : page.items) names.push_back(model.name());
    request.token = page.next_token;
  } while (!request.token.empty());
  return names;
}

TEST_F(RegistryModelsTest, SearchesByParameterFamilyAndLabelOverOneProjectOrAll) {
  ASSERT_THAT(registry_->CreateProject(ada_, {"desi"}, ""), IsOk());
  const auto import = [&](const ModelName& name, const std::string& parameter, bool nsf) {
    v1::ModelVersion version;
    version.mutable_signature()->add_parameters()->set_name(parameter);
    nsf ? void(version.mutable_spec()->mutable_nsf()) : void(version.mutable_spec()->mutable_maf());
    EXPECT_THAT(registry_->ImportVersion(ada_, name, version, PutBlob(name.model + parameter).digest), IsOk());
  };
  import({"planck", "a"}, "omegam", false);
  import({"planck", "b"}, "omegam", true);
  import({"planck", "c"}, "omegam", true);
  import({"planck", "c"}, "sigma8", true);  // the latest counts
  import({"desi", "a"}, "omegam", false);
  ASSERT_THAT(registry_->UpdateLabels(ada_, {"planck", "b"}, {{"survey", "planck"}, {"year", "2018"}}), IsOk());
  const std::string a = "projects/planck/models/a", b = "projects/planck/models/b", c = "projects/planck/models/c";
  for (const int size : {1, 2, 50}) {
    EXPECT_THAT(Found(*registry_, "planck", {}, size), ElementsAre(a, b, c));
    EXPECT_THAT(Found(*registry_, "planck", {"omegam", "", {}}, size), ElementsAre(a, b));
    EXPECT_THAT(Found(*registry_, "planck", {"", "nsf", {}}, size), ElementsAre(b, c));
    EXPECT_THAT(Found(*registry_, "planck", {"omegam", "nsf", {{"year", "2018"}}}, size), ElementsAre(b));
    EXPECT_THAT(Found(*registry_, "planck", {"", "", {{"year", "2019"}}}, size), SizeIs(0));
    EXPECT_THAT(Found(*registry_, "-", {"omegam", "", {}}, size), ElementsAre("projects/desi/models/a", a, b));
    EXPECT_THAT(Found(*registry_, "-", {}, size), ElementsAre("projects/desi/models/a", a, b, c));
  }
  EXPECT_THAT(registry_->ListModels({"none"}, {"omegam", "", {}}, {}), HasCode(absl::StatusCode::kNotFound));
}

TEST_F(RegistryModelsTest, APageOfOneSearchHasNoTokenForAnother) {
  for (const char* id : {"a", "b"}) {
    ASSERT_THAT(registry_->ImportVersion(ada_, {"planck", id}, {}, PutBlob(id).digest), IsOk());
    ASSERT_THAT(registry_->UpdateLabels(ada_, {"planck", id}, {{"k", "v"}}), IsOk());
  }
  ASSERT_OK_AND_ASSIGN(const Page<v1::Model> page, registry_->ListModels({"planck"}, {"", "", {{"k", "v"}}}, {1, ""}));
  ASSERT_FALSE(page.next_token.empty());
  for (const ModelQuery& other : {ModelQuery{}, ModelQuery{"k", "", {}}, ModelQuery{"", "", {{"k", "w"}}}}) {
    EXPECT_THAT(registry_->ListModels({"planck"}, other, {1, page.next_token}),
                HasCode(absl::StatusCode::kInvalidArgument));
  }
  EXPECT_THAT(registry_->ListModels({"-"}, {"", "", {{"k", "v"}}}, {1, page.next_token}),
              HasCode(absl::StatusCode::kInvalidArgument));
}

TEST_F(RegistryModelsTest, ASearchOfManyModelsLooksAtSomeOfThemAPage) {
  const std::string artifact = PutBlob("a").digest;
  for (int i = 0; i < 1100; ++i) {
    ASSERT_THAT(registry_->ImportVersion(ada_, {"planck", absl::StrCat("m", 10000 + i)}, {}, artifact), IsOk());
  }
  ASSERT_THAT(registry_->UpdateLabels(ada_, {"planck", "m11099"}, {{"k", "v"}}), IsOk());
  const ModelQuery wanted = {"", "", {{"k", "v"}}};
  ASSERT_OK_AND_ASSIGN(const Page<v1::Model> first, registry_->ListModels({"planck"}, wanted, {}));
  EXPECT_THAT(first.items, SizeIs(0));
  EXPECT_FALSE(first.next_token.empty());
  EXPECT_THAT(Found(*registry_, "planck", wanted, 50), ElementsAre("projects/planck/models/m11099"));
}

}  // namespace
}  // namespace creamery
