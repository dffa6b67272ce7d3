// Edits of a golden artifact's description, as somebody with an editor makes them: each is refused with the field's
// name.
#include "models/check_description.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <limits>
#include <sstream>
#include <string>

#include "models/families.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::HasSubstr;

Safetensors GoldenArtifact() {
  std::ostringstream bytes;
  bytes << std::ifstream(std::string(CREAMERY_SOURCE_DIR) + "/tests/golden/maf.format1.safetensors", std::ios::binary)
               .rdbuf();
  return *Safetensors::Parse(bytes.str());
}

struct Edit {
  std::string name;
  std::function<void(v1::ModelVersion&)> make;
  std::string message;
};

v1::HeldOutStatistics& HeldOut(v1::ModelVersion& version) { return *version.mutable_training()->mutable_held_out(); }
v1::Parameter& ParameterOf(v1::ModelVersion& version, int j) {
  return *version.mutable_signature()->mutable_parameters(j);
}

std::vector<Edit> Edits() {
  using Version = v1::ModelVersion;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  return {
      {"EmptyName", [](Version& v) { ParameterOf(v, 0).set_name(""); }, "parameter 0 has a name of 0 characters"},
      {"EqualNames", [](Version& v) { ParameterOf(v, 0).set_name("b"); }, "two parameters are named 'b'"},
      {"LongName", [](Version& v) { ParameterOf(v, 0).set_name(std::string(129, 'x')); }, "expected 1 to 128"},
      {"EscapeInName", [](Version& v) { ParameterOf(v, 0).set_name("\x1b[31ma"); }, "a control character"},
      {"DirectionInName", [](Version& v) { ParameterOf(v, 0).set_name("a\xe2\x80\xae"); }, "U+202E"},
      {"EscapeInUnit", [](Version& v) { ParameterOf(v, 0).set_unit("\x1b[2J"); }, "unit of 'a'"},
      {"EscapeInLabel", [](Version& v) { ParameterOf(v, 0).set_label("\x07"); }, "label of 'a'"},
      {"UpperBelowLower", [](Version& v) { ParameterOf(v, 2).set_upper(-1); }, "bounds of 'c' are 0 and -1"},
      {"UpperEqualsLower", [](Version& v) { ParameterOf(v, 2).set_upper(0); }, "bounds of 'c' are 0 and 0"},
      {"InfiniteBound", [](Version& v) { ParameterOf(v, 2).set_upper(HUGE_VAL); }, "bounds of 'c'"},
      {"PriorTurnedRound", [](Version& v) { ParameterOf(v, 1).mutable_prior()->mutable_uniform()->set_upper(-1); },
       "prior of 'b' is uniform(0, -1)"},
      {"PriorOfNoWidth", [](Version& v) { ParameterOf(v, 1).mutable_prior()->mutable_normal()->set_stddev(0); },
       "prior of 'b' is normal(0, 0)"},
      {"LogUniformFromZero", [](Version& v) { ParameterOf(v, 1).mutable_prior()->mutable_log_uniform()->set_upper(1); },
       "prior of 'b' is log_uniform(0, 1)"},
      {"NoParameters", [](Version& v) { v.mutable_signature()->clear_parameters(); }, "parameters"},
      {"UnknownAbility", [](Version& v) { v.mutable_signature()->add_abilities(static_cast<v1::Ability>(77)); },
       "signature.abilities"},
      {"Context", [](Version& v) { v.mutable_signature()->set_context_size(3); }, "signature.context_size is 3"},
      {"MarginalisedParameter", [](Version& v) { v.mutable_signature()->add_marginalised("a"); },
       "signature: marginalised has 'a', which is a parameter"},
      {"MarginalisedEscape", [](Version& v) { v.mutable_signature()->add_marginalised("\x1b"); },
       "signature: the name of marginalised 0"},
      {"PriorModel", [](Version& v) { v.mutable_signature()->set_prior_model("../m"); }, "signature.prior_model"},
      {"NoFamily", [](Version& v) { v.mutable_spec()->clear_maf(); }, "family"},
      {"HiddenUnits", [](Version& v) { v.mutable_spec()->mutable_maf()->set_hidden_units(0, -8); },
       "maf.hidden_units is -8"},
      {"LearningRate", [=](Version& v) { v.mutable_spec()->mutable_training()->set_learning_rate(nan); },
       "training.learning_rate is nan"},
      {"MapOfNobody", [](Version& v) { (*v.mutable_spec()->mutable_parameter_maps())["z"] = v1::LOG; },
       "parameter_maps: 'z'"},
      {"MembersOfSpec", [](Version& v) { v.mutable_spec()->mutable_training()->set_members(3); },
       "training.members is a list of 2, expected 3"},
      {"AnsweringMember", [](Version& v) { v.mutable_training()->set_answering_member(2); },
       "training.answering_member is 2, expected 0 to 1"},
      {"NegativeAnswering", [](Version& v) { v.mutable_training()->set_answering_member(-1); },
       "training.answering_member is -1"},
      {"Loss", [=](Version& v) { v.mutable_training()->mutable_members(1)->set_held_out_loss(nan); },
       "training.members[1].held_out_loss is nan"},
      {"BestEpoch", [](Version& v) { v.mutable_training()->mutable_members(0)->set_best_epoch(21); },
       "training.members[0].best_epoch is 21, expected 0 to 20"},
      {"NumRows", [](Version& v) { v.mutable_training()->set_num_rows(-1); }, "training.num_rows is -1"},
      {"RowsOutside", [](Version& v) { v.mutable_training()->set_num_rows_outside(5); }, "training.num_rows_outside"},
      {"DistinctRows", [](Version& v) { v.mutable_training()->set_num_distinct_rows(2001); },
       "training.num_distinct_rows is 2001, expected 0 to num_rows = 2000"},
      {"Digest", [](Version& v) { v.mutable_training()->set_dataset_digest("\x1b"); }, "training.dataset_digest"},
      {"RowKind", [](Version& v) { v.mutable_training()->set_row_kind(static_cast<v1::RowKind>(9)); },
       "training.row_kind is 9"},
      {"Misfit", [](Version& v) { HeldOut(v).set_misfit(1e308); }, "training.held_out.misfit is 1e+308"},
      {"NegativeVariance", [](Version& v) { HeldOut(v).set_log_prob_variance(-2); },
       "training.held_out.log_prob_variance is -2, expected a number from 0"},
      {"NegativeError", [](Version& v) { HeldOut(v).set_chain_error(-.1); }, "training.held_out.chain_error is -0.1"},
      {"NotANumber", [=](Version& v) { HeldOut(v).set_effective_size(nan); },
       "training.held_out.effective_size is nan"},
      {"InfiniteMean", [](Version& v) { HeldOut(v).set_out_of_fold_log_prob(-HUGE_VAL); },
       "training.held_out.out_of_fold_log_prob is -inf"},
      {"LogRatio", [](Version& v) { v.mutable_training()->mutable_held_out_log_ratio()->set_log_prob_variance(-1); },
       "training.held_out_log_ratio.log_prob_variance is -1"},
      {"Build", [](Version& v) { v.mutable_training()->set_build("\x1b]0;owned\x07"); }, "training.build"},
      {"Compared", [](Version& v) { v.mutable_training()->add_compared()->set_failure("\x1b"); },
       "training.compared[0].failure"},
      {"Warning", [](Version& v) { v.mutable_training()->add_warnings(static_cast<v1::Warning>(99)); },
       "training.warnings is a list with 99"},
      {"Evidence", [](Version& v) { v.mutable_log_evidence()->set_error(-1); }, "log_evidence is 0 with error -1"},
      {"InfiniteEvidence", [](Version& v) { v.mutable_log_evidence()->set_value(HUGE_VAL); }, "log_evidence is inf"},
  };
}

class EditedDescriptionTest : public testing::TestWithParam<Edit> {};

TEST_P(EditedDescriptionTest, IsRefusedByNameAndDoesNotLoad) {
  Safetensors artifact = GoldenArtifact();
  ASSERT_OK_AND_ASSIGN(v1::ModelVersion description, ReadDescription(artifact));
  ASSERT_THAT(CheckDescription(description, TextOrigin::kArriving), IsOk());
  GetParam().make(description);
  EXPECT_THAT(CheckDescription(description, TextOrigin::kArriving),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(GetParam().message)));
  WriteDescription(description, artifact);
  EXPECT_THAT(LoadEstimator(artifact.Serialize()),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr(GetParam().message)));
}

// Rules of text grew stricter after versions were published whose labels break them.
TEST(StoredDescriptionTest, TextThatNoLongerMayArriveStillLoads) {
  Safetensors artifact = GoldenArtifact();
  ASSERT_OK_AND_ASSIGN(v1::ModelVersion description, ReadDescription(artifact));
  description.mutable_signature()->mutable_parameters(0)->set_label("\tau");
  WriteDescription(description, artifact);
  EXPECT_THAT(LoadEstimator(artifact.Serialize()).status(), HasCode(absl::StatusCode::kDataLoss));
  EXPECT_THAT(LoadEstimator(artifact.Serialize(), "projects/p/models/m/versions/1").status(), IsOk());
}

TEST(ArrivingArtifactTest, ABoxThatIsNotThatOfTheMapsIsRefused) {
  Safetensors artifact = GoldenArtifact();
  ASSERT_OK_AND_ASSIGN(v1::ModelVersion description, ReadDescription(artifact));
  v1::Parameter& parameter = *description.mutable_signature()->mutable_parameters(0);
  parameter.clear_prior();
  parameter.set_lower(1e6);
  parameter.set_upper(2e6);
  WriteDescription(description, artifact);
  EXPECT_THAT(LoadEstimator(artifact.Serialize()).status(),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("outside the bounds that the signature declares")));
}

INSTANTIATE_TEST_SUITE_P(Golden, EditedDescriptionTest, testing::ValuesIn(Edits()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace creamery
