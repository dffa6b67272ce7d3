#include "models/families.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::Dataset Schema() {
  v1::Dataset schema;
  for (const char* name : {"free", "boxed", "positive"}) schema.add_parameters()->set_name(name);
  schema.mutable_parameters(1)->mutable_prior()->mutable_uniform()->set_lower(-1);
  schema.mutable_parameters(1)->mutable_prior()->mutable_uniform()->set_upper(1);
  schema.mutable_parameters(2)->set_lower(0);
  schema.set_num_rows(5000);
  return schema;
}

TEST(FamiliesTest, AreAllCasesOfTheSpecAndAnEmptySpecListsThem) {
  EXPECT_THAT(FamilyNames(), ElementsAre("maf", "nsf", "kde", "piecewise", "blocks", "auto"));
  EXPECT_THAT(FindFamily(v1::EstimatorSpec()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("maf, nsf, kde, piecewise, blocks, auto")));
  v1::EstimatorSpec spec;
  spec.mutable_nsf();
  ASSERT_OK_AND_ASSIGN(const Family* family, FindFamily(spec));
  EXPECT_EQ(family->name, "nsf");
}

TEST(CompleteSpecTest, WritesEveryDefault) {
  v1::EstimatorSpec spec;
  spec.mutable_maf();
  ASSERT_OK_AND_ASSIGN(const v1::EstimatorSpec maf, CompleteSpec(spec, Schema(), {}));
  EXPECT_EQ(maf.maf().transforms(), 6);
  EXPECT_THAT(maf.maf().hidden_units(), ElementsAre(50, 50));
  EXPECT_EQ(maf.training().members(), 4);
  EXPECT_TRUE(maf.training().has_seed());
  EXPECT_EQ(maf.training().learning_rate(), 1e-3);
  EXPECT_EQ(maf.training().batch_size(), 256);
  EXPECT_EQ(maf.training().max_epochs(), 300);
  EXPECT_EQ(maf.training().patience(), 20);
  EXPECT_EQ(maf.training().clip_norm(), 5);
  spec.mutable_nsf();
  ASSERT_OK_AND_ASSIGN(const v1::EstimatorSpec one, CompleteSpec(spec, Schema(), {"free"}));
  EXPECT_EQ(one.nsf().transforms(), 1);
  EXPECT_EQ(one.nsf().bins(), 16);
  ASSERT_OK_AND_ASSIGN(const v1::EstimatorSpec two, CompleteSpec(spec, Schema(), {"free", "boxed"}));
  EXPECT_EQ(two.nsf().transforms(), 3);
  EXPECT_EQ(two.nsf().bins(), 8);
}

TEST(CompleteSpecTest, KeepsWhatIsGivenAndNamesWhatIsOutOfRange) {
  v1::EstimatorSpec spec;
  spec.mutable_maf()->set_transforms(2);
  spec.mutable_training()->set_seed(7);
  ASSERT_OK_AND_ASSIGN(const v1::EstimatorSpec kept, CompleteSpec(spec, Schema(), {}));
  EXPECT_EQ(kept.maf().transforms(), 2);
  EXPECT_EQ(kept.training().seed(), 7);
  spec.mutable_maf()->set_transforms(65);
  EXPECT_THAT(CompleteSpec(spec, Schema(), {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("maf.transforms is 65, expected 1 to 64")));
  spec.mutable_maf()->set_transforms(6);
  spec.mutable_maf()->add_hidden_units(5000);
  EXPECT_THAT(CompleteSpec(spec, Schema(), {}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("5000")));
  spec.mutable_nsf()->set_bins(1);
  EXPECT_THAT(CompleteSpec(spec, Schema(), {}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("nsf.bins")));
  spec.mutable_maf();
  spec.mutable_training()->set_members(1);
  EXPECT_THAT(CompleteSpec(spec, Schema(), {}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("members")));
  spec.mutable_training()->set_members(2);
  spec.mutable_training()->set_learning_rate(NAN);
  EXPECT_THAT(CompleteSpec(spec, Schema(), {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("learning_rate is nan")));
}

TEST(CompleteSpecTest, ListsTheParametersForAnUnknownOne) {
  v1::EstimatorSpec spec;
  spec.mutable_maf();
  EXPECT_THAT(CompleteSpec(spec, Schema(), {"omegam"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("free, boxed, positive")));
  EXPECT_THAT(CompleteSpec(spec, Schema(), {"free", "free"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("twice")));
}

TEST(CompleteSpecTest, RefusesMapsThatTheBoundsCannotHave) {
  const auto check = [](const char* parameter, v1::ParameterMap map) {
    v1::EstimatorSpec spec;
    spec.mutable_maf();
    (*spec.mutable_parameter_maps())[parameter] = map;
    return CompleteSpec(spec, Schema(), {});
  };
  EXPECT_THAT(check("free", v1::UNBOUNDED), IsOk());
  EXPECT_THAT(check("free", v1::LOG), IsOk());
  EXPECT_THAT(check("boxed", v1::BOX_SPLINE), IsOk());
  EXPECT_THAT(check("positive", v1::HALF_BOUNDED), IsOk());
  EXPECT_THAT(check("free", v1::PROBIT),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'free' needs two bounds")));
  EXPECT_THAT(check("positive", v1::BOX_SPLINE), HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(check("boxed", v1::HALF_BOUNDED), HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(check("boxed", v1::LOG), HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(check("boxed", v1::UNBOUNDED), HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(check("omegam", v1::LOG), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("free, boxed")));
}

// Maps have no order of their own in memory: the description must not show that.
TEST(DescriptionTest, TheSameDescriptionIsTheSameText) {
  const std::vector<std::string> names = {"a", "b", "c", "d", "e", "f", "g"};
  std::string first;
  for (int round = 0; round < 2; ++round) {
    v1::ModelVersion description;
    description.mutable_signature()->add_parameters()->set_name("a");
    for (size_t i = 0; i < names.size(); ++i) {
      (*description.mutable_spec()->mutable_parameter_maps())[names[round == 0 ? i : names.size() - 1 - i]] = v1::LOG;
    }
    Safetensors artifact;
    WriteDescription(description, artifact);
    if (round == 0) first = artifact.metadata().at("description");
    EXPECT_EQ(artifact.metadata().at("description"), first);
    ASSERT_OK_AND_ASSIGN(const v1::ModelVersion read, ReadDescription(artifact));
    EXPECT_EQ(read.spec().parameter_maps().size(), 7);
  }
}

}  // namespace
}  // namespace creamery
