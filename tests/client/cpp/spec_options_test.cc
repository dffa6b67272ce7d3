#include "client/cpp/spec_options.h"

#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(SpecOptionsTest, FamiliesAreThoseOfTheContract) {
  const auto* families = v1::EstimatorSpec::descriptor()->FindOneofByName("family");
  ASSERT_EQ(static_cast<int>(FamilyNames().size()), families->field_count());
  EXPECT_THAT(FamilyNames(), AllOf(Contains("maf"), Contains("nsf")));
}

TEST(SpecOptionsTest, EveryFieldOfEveryFamilyIsAnOption) {
  for (const std::string& family : FamilyNames()) {
    const auto* message = v1::EstimatorSpec::descriptor()->FindFieldByName(family)->message_type();
    for (int i = 0; i < message->field_count(); ++i) {
      EXPECT_THAT(SpecOptionNames(family), Contains(HasSubstr(message->field(i)->name() + "=")));
    }
  }
  EXPECT_THAT(SpecOptionNames("maf"), Not(Contains(HasSubstr("bins="))));
  EXPECT_TRUE(SpecOptionNames("gan").empty());
}

TEST(SpecOptionsTest, SetsFamilyTrainingAndMaps) {
  ASSERT_OK_AND_ASSIGN(const v1::EstimatorSpec spec,
                       ParseSpec("maf", {"transforms=8", "hidden_units=64,32", "members=2", "learning_rate=5e-4",
                                         "seed=18446744073709551615", "map.omegam=probit"}));
  EXPECT_EQ(spec.maf().transforms(), 8);
  EXPECT_THAT(spec.maf().hidden_units(), ElementsAre(64, 32));
  EXPECT_EQ(spec.training().members(), 2);
  EXPECT_EQ(spec.training().learning_rate(), 5e-4);
  EXPECT_EQ(spec.training().seed(), 18446744073709551615u);
  EXPECT_EQ(spec.parameter_maps().at("omegam"), v1::PROBIT);
}

TEST(SpecOptionsTest, NothingSetLeavesEveryDefaultToTheServer) {
  ASSERT_OK_AND_ASSIGN(const v1::EstimatorSpec spec, ParseSpec("nsf", {}));
  EXPECT_TRUE(spec.has_nsf());
  EXPECT_FALSE(spec.nsf().has_bins());
  EXPECT_FALSE(spec.has_training());
}

TEST(SpecOptionsTest, UnknownOptionsAreRefusedListingTheRightOnes) {
  EXPECT_THAT(ParseSpec("maf", {"bins=8"}),
              StatusIs(kInvalid, AllOf(HasSubstr("no option 'bins'"), HasSubstr("transforms=INTEGER"),
                                       HasSubstr("max_epochs=INTEGER"), HasSubstr("map.PARAMETER=unbounded|probit"))));
  EXPECT_THAT(ParseSpec("gan", {}), StatusIs(kInvalid, AllOf(HasSubstr("maf"), HasSubstr("nsf"))));
}

TEST(SpecOptionsTest, WrongTypesAreRefused) {
  EXPECT_THAT(ParseSpec("maf", {"transforms=eight"}), StatusIs(kInvalid, HasSubstr("transforms=INTEGER")));
  EXPECT_THAT(ParseSpec("maf", {"transforms=8.5"}), HasCode(kInvalid));
  EXPECT_THAT(ParseSpec("maf", {"seed=-1"}), HasCode(kInvalid));
  EXPECT_THAT(ParseSpec("maf", {"hidden_units=50,"}), HasCode(kInvalid));
  EXPECT_THAT(ParseSpec("maf", {"learning_rate=nan"}), HasCode(kInvalid));
  EXPECT_THAT(ParseSpec("maf", {"transforms"}), StatusIs(kInvalid, HasSubstr("name=value")));
  EXPECT_THAT(ParseSpec("maf", {"map.a=cubic"}), StatusIs(kInvalid, HasSubstr("box_spline")));
  EXPECT_THAT(ParseSpec("maf", {"map.=probit"}), HasCode(kInvalid));
}

}  // namespace
}  // namespace creamery
