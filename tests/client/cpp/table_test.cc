#include "client/cpp/readers/table.h"

#include "client/cpp/prior_text.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

Table ThreeColumns(bool named) {
  Table table;
  table.named = named;
  table.num_rows = 2;
  table.columns = {{"a", "", false, {1, 2}}, {"b", "\\beta", false, {3, 4}}, {"w", "", false, {.5, 1}}};
  return table;
}

TEST(SelectSamplesTest, AllColumnsAreParametersUnlessSomethingIsSaid) {
  ASSERT_OK_AND_ASSIGN(const Samples samples, SelectSamples(ThreeColumns(true), {}));
  EXPECT_EQ(samples.schema.parameters_size(), 3);
  EXPECT_THAT(samples.rows.theta, ElementsAre(1, 3, .5, 2, 4, 1));
  EXPECT_EQ(samples.schema.row_kind(), v1::INDEPENDENT);
  EXPECT_FALSE(samples.schema.has_weight());
}

TEST(SelectSamplesTest, ColumnsAreChosenInOrderAndWeightsTaken) {
  Selection selection;
  selection.columns = {"b", "a"};
  selection.weight = "w";
  ASSERT_OK_AND_ASSIGN(const Samples samples, SelectSamples(ThreeColumns(true), selection));
  EXPECT_EQ(samples.schema.parameters(0).name(), "b");
  EXPECT_EQ(samples.schema.parameters(0).label(), "\\beta");
  EXPECT_THAT(samples.rows.theta, ElementsAre(3, 1, 4, 2));
  EXPECT_THAT(samples.rows.weight, ElementsAre(.5, 1));
  EXPECT_TRUE(samples.schema.has_weight());
}

TEST(SelectSamplesTest, SampledParametersThatAreLeftAwayAreNamed) {
  Table table = ThreeColumns(true);
  table.columns.push_back({"S8", "S_8", true, {1, 1}});
  Selection selection;
  selection.columns = {"b"};
  selection.weight = "w";
  ASSERT_OK_AND_ASSIGN(Samples samples, SelectSamples(table, selection));
  EXPECT_EQ(samples.schema.marginalised_size(), 0);  // a .csv does not say which columns are parameters
  table.lists_parameters = true;
  ASSERT_OK_AND_ASSIGN(samples, SelectSamples(table, selection));
  EXPECT_THAT(samples.schema.marginalised(), ElementsAre("a"));
  table.schema.emplace().add_marginalised("tau");
  ASSERT_OK_AND_ASSIGN(samples, SelectSamples(table, selection));
  EXPECT_THAT(samples.schema.marginalised(), ElementsAre("tau", "a"));
}

TEST(SelectSamplesTest, AFileWithoutNamesIsNamed) {
  Selection selection;
  selection.columns = {"p", "q", "weights"};
  selection.weight = "weights";
  ASSERT_OK_AND_ASSIGN(const Samples samples, SelectSamples(ThreeColumns(false), selection));
  EXPECT_EQ(samples.schema.parameters_size(), 2);
  EXPECT_EQ(samples.schema.parameters(1).name(), "q");
  selection.columns = {"p", "q"};
  EXPECT_THAT(SelectSamples(ThreeColumns(false), selection), StatusIs(kInvalid, HasSubstr("3 columns without names")));
}

TEST(SelectSamplesTest, NamesThatDoNotTravelAreRefusedHere) {
  Selection selection;
  selection.columns = {"p", "om\xb5", "w"};
  EXPECT_THAT(SelectSamples(ThreeColumns(false), selection),
              StatusIs(kInvalid, HasSubstr("parameter 2: 'om\\xb5' is not UTF-8")));
}

TEST(SelectSamplesTest, WhatMayBeThePosteriorIsKeptOnRequestAlone) {
  Table table = ThreeColumns(true);
  table.minus_log_like = {10, 11};
  ASSERT_OK_AND_ASSIGN(const Samples without, SelectSamples(table, {}));
  EXPECT_FALSE(without.schema.has_log_likelihood());
  Selection selection;
  selection.keep_likelihood = true;
  ASSERT_OK_AND_ASSIGN(const Samples with, SelectSamples(table, selection));
  EXPECT_THAT(with.rows.log_likelihood, ElementsAre(-10, -11));
}

TEST(SelectSamplesTest, BoundsOfAFileGiveWayToAGivenPrior) {
  Table table = ThreeColumns(true);
  table.columns[0].lower = 0;
  table.columns[1].upper = 9;
  Selection selection;
  ASSERT_OK_AND_ASSIGN(selection.priors, ParsePriors({"b~uniform(0,5)"}));
  ASSERT_OK_AND_ASSIGN(const Samples samples, SelectSamples(table, selection));
  EXPECT_EQ(samples.schema.parameters(0).lower(), 0);
  EXPECT_FALSE(samples.schema.parameters(0).has_upper());
  EXPECT_FALSE(samples.schema.parameters(1).has_upper());
}

TEST(SelectSamplesTest, AnUnknownColumnIsAnsweredWithTheRightNames) {
  Selection selection;
  selection.columns = {"omegam"};
  EXPECT_THAT(SelectSamples(ThreeColumns(true), selection),
              StatusIs(kInvalid, AllOf(HasSubstr("'omegam'"), HasSubstr("a, b, w"))));
  selection = {};
  selection.weight = "weight";
  EXPECT_THAT(SelectSamples(ThreeColumns(true), selection), StatusIs(kInvalid, HasSubstr("a, b, w")));
}

TEST(SelectSamplesTest, ChainsAreIntegersAndMakeRowsMcmc) {
  Selection selection;
  selection.chain = "a";
  ASSERT_OK_AND_ASSIGN(const Samples samples, SelectSamples(ThreeColumns(true), selection));
  EXPECT_THAT(samples.rows.chain, ElementsAre(1, 2));
  EXPECT_EQ(samples.schema.row_kind(), v1::MCMC);
  selection.chain = "w";
  EXPECT_THAT(SelectSamples(ThreeColumns(true), selection), StatusIs(kInvalid, HasSubstr("0.5 in row 0")));
}

TEST(SelectSamplesTest, PriorsGoToTheirParameters) {
  Selection selection;
  ASSERT_OK_AND_ASSIGN(selection.priors, ParsePriors({"b~uniform(0,5)"}));
  ASSERT_OK_AND_ASSIGN(const Samples samples, SelectSamples(ThreeColumns(true), selection));
  EXPECT_EQ(samples.schema.parameters(1).prior().uniform().upper(), 5);
  ASSERT_OK_AND_ASSIGN(selection.priors, ParsePriors({"h~uniform(0,5)"}));
  EXPECT_THAT(SelectSamples(ThreeColumns(true), selection), StatusIs(kInvalid, HasSubstr("a, b, w")));
}

TEST(SelectPointsTest, ChoosesTheModelsParametersByName) {
  ASSERT_OK_AND_ASSIGN(const Points points, SelectPoints(ThreeColumns(true), {"b", "a"}));
  EXPECT_THAT(points.theta, ElementsAre(3, 1, 4, 2));
  EXPECT_THAT(SelectPoints(ThreeColumns(true), {"c"}), StatusIs(kInvalid, HasSubstr("a, b, w")));
  EXPECT_THAT(SelectPoints(ThreeColumns(false), {"c"}), StatusIs(kInvalid, HasSubstr("3 columns without names")));
}

TEST(MakeSamplesTest, LengthsMustAgree) {
  SampleArrays arrays;
  const std::vector<double> theta = {1, 2, 3, 4};
  const std::vector<double> weight = {1, 2, 3};
  arrays.names = {"a", "b"};
  arrays.theta = theta;
  ASSERT_OK_AND_ASSIGN(const Samples samples, MakeSamples(arrays));
  EXPECT_EQ(samples.rows.num_rows, 2);
  arrays.weight = weight;
  EXPECT_THAT(MakeSamples(arrays), StatusIs(kInvalid, HasSubstr("weight has 3 rows, expected 2")));
  arrays.weight = {};
  arrays.names = {"a", "b", "c"};
  EXPECT_THAT(MakeSamples(arrays), StatusIs(kInvalid, HasSubstr("theta has 4 numbers")));
}

}  // namespace
}  // namespace creamery
