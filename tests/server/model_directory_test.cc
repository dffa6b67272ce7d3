#include "server/model_directory.h"

#include "tests/storage/registry_fixture.h"

namespace creamery {
namespace {

using ::testing::HasSubstr;

constexpr char kCosmo[] = "projects/planck/models/cosmo";

class ModelDirectoryTest : public RegistryFixture {};

TEST_F(ModelDirectoryTest, ANameIsTheLatestVersionAnAliasOrANumber) {
  Import("artifact");
  Import("artifact");
  ASSERT_THAT(registry_->SetAlias(ada_, {"planck", "cosmo"}, "production", 1, -1), IsOk());
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<ModelDirectory> directory, ModelDirectory::Load(*registry_));
  EXPECT_EQ(*directory->Resolve(kCosmo), "projects/planck/models/cosmo/versions/2");
  EXPECT_EQ(*directory->Resolve("projects/planck/models/cosmo/versions/latest"),
            "projects/planck/models/cosmo/versions/2");
  EXPECT_EQ(*directory->Resolve("projects/planck/models/cosmo/versions/production"),
            "projects/planck/models/cosmo/versions/1");
  EXPECT_EQ(*directory->Resolve("projects/planck/models/cosmo/versions/1"), "projects/planck/models/cosmo/versions/1");
  EXPECT_EQ(*directory->Resolve("projects/planck/models/cosmo/versions/7"),
            "projects/planck/models/cosmo/versions/7");  // numbers are not looked up here
}

TEST_F(ModelDirectoryTest, WhatIsNotThereOrNoNameSaysSo) {
  Import("artifact");
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<ModelDirectory> directory, ModelDirectory::Load(*registry_));
  EXPECT_THAT(directory->Resolve("projects/planck/models/lens"),
              StatusIs(absl::StatusCode::kNotFound, "there is no model projects/planck/models/lens"));
  EXPECT_THAT(directory->Resolve("projects/planck/models/lens/versions/3"),
              StatusIs(absl::StatusCode::kNotFound, "there is no model projects/planck/models/lens"));
  EXPECT_THAT(directory->Resolve("projects/planck/models/cosmo/versions/production"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("no alias 'production'; it has none")));
  for (const char* bad : {"", "cosmo", "planck/cosmo", "projects/planck/models/", "projects/planck/models/cosmo/",
                          "projects/planck/models/cosmo/versions", "projects/planck/models/cosmo/versions/",
                          "projects/planck/models/cosmo/versions/0", "projects/planck/models/cosmo/versions/01",
                          "projects/planck/models/cosmo/versions/+1", "projects/planck/models/cosmo/versions/ 1",
                          "projects/planck/models/cosmo/versions/1/2", "projects/planck/models/cosmo/version/1",
                          "projects/planck/models/cosmo/versions/99999999999999999999"}) {
    EXPECT_THAT(directory->Resolve(bad), HasCode(absl::StatusCode::kInvalidArgument)) << bad;
  }
}

TEST_F(ModelDirectoryTest, ChangesAreSeenAfterARefresh) {
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<ModelDirectory> directory, ModelDirectory::Load(*registry_));
  Import("artifact");
  EXPECT_THAT(directory->Resolve(kCosmo), HasCode(absl::StatusCode::kNotFound));
  ASSERT_THAT(directory->Refresh({"planck", "cosmo"}), IsOk());
  EXPECT_EQ(*directory->Resolve(kCosmo), "projects/planck/models/cosmo/versions/1");
  ASSERT_THAT(registry_->DeleteVersion(ada_, {"planck", "cosmo"}, 1), IsOk());
  ASSERT_THAT(directory->Refresh({"planck", "cosmo"}), IsOk());
  EXPECT_THAT(directory->Resolve(kCosmo), StatusIs(absl::StatusCode::kNotFound, HasSubstr("has no version")));
}

}  // namespace
}  // namespace creamery
