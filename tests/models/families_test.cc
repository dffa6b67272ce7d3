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

TEST(CompleteSpecTest, ATailIsRefusedAndNotLeftOutInSilence) {
  v1::EstimatorSpec spec;
  spec.mutable_maf();
  spec.mutable_tail();
  EXPECT_THAT(CompleteSpec(spec, Schema(), {}),
              StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("tail: this program does not learn tails yet")));
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

TEST(CompleteSpecTest, WritesTheDefaultsOfKernelsPiecesBlocksAndAutoButNotWhatTheDataDecide) {
  v1::EstimatorSpec spec;
  spec.mutable_kde();
  ASSERT_OK_AND_ASSIGN(const v1::EstimatorSpec kde, CompleteSpec(spec, Schema(), {}));
  EXPECT_EQ(kde.kde().bandwidth(), 1);
  EXPECT_EQ(kde.kde().kernels(), 10000);
  EXPECT_EQ(kde.training().answer(), v1::BEST_MEMBER);
  spec.mutable_piecewise();
  ASSERT_OK_AND_ASSIGN(const v1::EstimatorSpec pieces, CompleteSpec(spec, Schema(), {}));
  EXPECT_EQ(pieces.piecewise().family(), "maf");
  EXPECT_EQ(pieces.piecewise().max_pieces(), 4);
  EXPECT_EQ(pieces.piecewise().transforms(), 6);
  EXPECT_FALSE(pieces.piecewise().has_pieces());
  EXPECT_FALSE(pieces.piecewise().has_bins());
  EXPECT_THAT(pieces.piecewise().hidden_units(), ElementsAre());
  spec.mutable_piecewise()->set_family("nsf");
  spec.mutable_piecewise()->set_pieces(3);
  ASSERT_OK_AND_ASSIGN(const v1::EstimatorSpec three, CompleteSpec(spec, Schema(), {}));
  EXPECT_FALSE(three.piecewise().has_max_pieces());
  EXPECT_EQ(three.piecewise().transforms(), 3);
  EXPECT_EQ(three.piecewise().bins(), 8);
  spec.mutable_blocks();
  ASSERT_OK_AND_ASSIGN(const v1::EstimatorSpec blocks, CompleteSpec(spec, Schema(), {}));
  EXPECT_EQ(blocks.blocks().dependence(), 0.02);
  EXPECT_EQ(blocks.blocks().family(), "maf");
  EXPECT_THAT(blocks.blocks().hidden_units(), ElementsAre(50, 50));
  EXPECT_FALSE(blocks.blocks().has_transforms());
  EXPECT_EQ(blocks.blocks().blocks_size(), 0);
  spec.mutable_auto_();
  ASSERT_OK_AND_ASSIGN(v1::EstimatorSpec automatic, CompleteSpec(spec, Schema(), {}));
  EXPECT_EQ(automatic.auto_().trials(), 0);
  EXPECT_TRUE(automatic.auto_().has_trials());
  EXPECT_EQ(automatic.auto_().candidates_size(), 0);
  EXPECT_EQ(automatic.training().answer(), v1::MEMBER_MIXTURE);
  spec.mutable_training()->set_answer(v1::BEST_MEMBER);
  ASSERT_OK_AND_ASSIGN(automatic, CompleteSpec(spec, Schema(), {}));
  EXPECT_EQ(automatic.training().answer(), v1::BEST_MEMBER);
}

// A complete spec is complete: completing it again changes nothing.
TEST(CompleteSpecTest, IsIdempotent) {
  for (const char* family : {"maf", "nsf", "kde", "piecewise", "blocks", "auto"}) {
    v1::EstimatorSpec spec;
    const auto* field = v1::EstimatorSpec::descriptor()->FindFieldByName(family);
    spec.GetReflection()->MutableMessage(&spec, field);
    ASSERT_OK_AND_ASSIGN(const v1::EstimatorSpec once, CompleteSpec(spec, Schema(), {}));
    ASSERT_OK_AND_ASSIGN(const v1::EstimatorSpec twice, CompleteSpec(once, Schema(), {}));
    EXPECT_EQ(once.SerializeAsString(), twice.SerializeAsString()) << family;
  }
}

TEST(CompleteSpecTest, NamesOptionsOfTheNewFamiliesThatAreOutOfRange) {
  const auto refused = [](const v1::EstimatorSpec& spec, const char* message) {
    EXPECT_THAT(CompleteSpec(spec, Schema(), {}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(message)));
  };
  v1::EstimatorSpec spec;
  spec.mutable_kde()->set_bandwidth(0.001);
  refused(spec, "kde.bandwidth is 0.001, expected a number from 0.01 to 100");
  spec.mutable_kde()->set_bandwidth(NAN);
  refused(spec, "kde.bandwidth is nan");
  spec.mutable_kde()->set_bandwidth(1);
  spec.mutable_kde()->set_kernels(9);
  refused(spec, "kde.kernels is 9, expected 10 to 1000000");
  spec.mutable_piecewise()->set_pieces(65);
  refused(spec, "piecewise.pieces is 65, expected 1 to 64");
  spec.mutable_piecewise()->clear_pieces();
  spec.mutable_piecewise()->set_max_pieces(17);
  refused(spec, "piecewise.max_pieces is 17, expected 1 to 16");
  spec.mutable_piecewise()->set_max_pieces(2);
  spec.mutable_piecewise()->set_family("kde");
  refused(spec, "piecewise.family is 'kde', expected 'maf' or 'nsf'");
  spec.mutable_piecewise()->set_family("maf");
  spec.mutable_piecewise()->set_bins(8);
  refused(spec, "piecewise.bins is given");
  spec.mutable_blocks()->set_dependence(0);
  refused(spec, "blocks.dependence is 0, expected a positive number");
  spec.mutable_auto_()->add_candidates("mfa");
  refused(spec, "auto.candidates: 'mfa' is not a family to compare; those are maf, nsf, kde, piecewise, blocks");
  spec.mutable_auto_()->set_candidates(0, "auto");
  refused(spec, "'auto' is not a family to compare");
  spec.mutable_auto_()->set_candidates(0, "maf");
  spec.mutable_auto_()->add_candidates("maf");
  refused(spec, "auto.candidates: 'maf' is given twice");
  spec.mutable_auto_()->mutable_candidates()->RemoveLast();
  spec.mutable_auto_()->set_trials(101);
  refused(spec, "auto.trials is 101, expected 0 to 100");
  spec.mutable_auto_()->set_trials(0);
  spec.mutable_training()->set_answer(static_cast<v1::Answer>(7));
  refused(spec, "training.answer is 7");
}

TEST(CompleteSpecTest, BlocksPartitionTheParameters) {
  const auto check = [](const std::vector<std::string>& blocks) {
    v1::EstimatorSpec spec;
    for (const std::string& block : blocks) spec.mutable_blocks()->add_blocks(block);
    return CompleteSpec(spec, Schema(), {});
  };
  ASSERT_OK_AND_ASSIGN(const v1::EstimatorSpec given, check({"positive  free", "boxed"}));
  EXPECT_FALSE(given.blocks().has_dependence());
  EXPECT_THAT(check({"free", "boxed"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'positive' is in no block")));
  EXPECT_THAT(check({"free boxed", "positive free"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'free' is in block 0 and again in block 1")));
  EXPECT_THAT(check({"free boxed positive omegam"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'omegam' is not one of the model's parameters")));
  EXPECT_THAT(check({"free boxed positive", " "}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("block 1 is empty")));
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
