#include "client/cpp/prior_text.h"

#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(PriorTextTest, ReadsTheThreeDensities) {
  ASSERT_OK_AND_ASSIGN(const auto priors,
                       ParsePriors({"a~uniform(0,1)", "b ~ normal( .7 , 2e-2 )", "c~LogUniform(1,100)"}));
  EXPECT_EQ(priors.at("a").uniform().upper(), 1);
  EXPECT_EQ(priors.at("b").normal().mean(), .7);
  EXPECT_EQ(priors.at("b").normal().stddev(), .02);
  EXPECT_EQ(priors.at("c").log_uniform().upper(), 100);
}

TEST(PriorTextTest, TextRoundTrips) {
  for (const std::string text : {"uniform(-1,1)", "normal(0.7,0.02)", "loguniform(0.1,10)"}) {
    ASSERT_OK_AND_ASSIGN(const v1::Prior prior, ParsePrior(text));
    EXPECT_EQ(PriorToText(prior), text);
  }
}

TEST(PriorTextTest, MistakesAreNamed) {
  EXPECT_THAT(ParsePriors({"uniform(0,1)"}), StatusIs(kInvalid, HasSubstr("'name~uniform(0,1)'")));
  EXPECT_THAT(ParsePriors({"~uniform(0,1)"}), HasCode(kInvalid));
  EXPECT_THAT(ParsePriors({"a~uniform(0,1)", "a~uniform(0,2)"}), StatusIs(kInvalid, HasSubstr("two priors")));
  EXPECT_THAT(ParsePrior("uniform(1,0)"), StatusIs(kInvalid, HasSubstr("lower one first")));
  EXPECT_THAT(ParsePrior("uniform(0,inf)"), HasCode(kInvalid));
  EXPECT_THAT(ParsePrior("uniform(0,1"), HasCode(kInvalid));
  EXPECT_THAT(ParsePrior("uniform(0)"), HasCode(kInvalid));
  EXPECT_THAT(ParsePrior(""), HasCode(kInvalid));
  EXPECT_THAT(ParsePrior("cauchy(0,1)"), StatusIs(kInvalid, HasSubstr("loguniform")));
  EXPECT_THAT(ParsePrior("normal(0,-1)"), StatusIs(kInvalid, HasSubstr("above 0")));
  EXPECT_THAT(ParsePrior("loguniform(0,1)"), StatusIs(kInvalid, HasSubstr("above 0")));
}

TEST(LogEvidenceTextTest, IsAValueAndItsError) {
  ASSERT_OK_AND_ASSIGN(const v1::LogEvidence evidence, ParseLogEvidence("-2.08, .2"));
  EXPECT_EQ(evidence.value(), -2.08);
  EXPECT_EQ(evidence.error(), .2);
  EXPECT_THAT(ParseLogEvidence("-2.08"), HasCode(kInvalid));
  EXPECT_THAT(ParseLogEvidence("-2.08,-1"), HasCode(kInvalid));
}

}  // namespace
}  // namespace creamery
