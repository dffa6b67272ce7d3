// Arrays, digests, names and rows.
#include <cmath>
#include <limits>

#include "proto/support/array.h"
#include "proto/support/digest.h"
#include "proto/support/resource_names.h"
#include "proto/support/rows.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
const double kInf = std::numeric_limits<double>::infinity();

TEST(ArrayTest, NumbersRoundTripAndShapesAreShown) {
  const v1::Array array = FromDoubles({1, 2, 3, 4, 5, 6}, {2, 3});
  EXPECT_THAT(*ToDoubles("theta", array, {-1, 3}), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(ToDoubles("theta", array, {-1, 2}), StatusIs(kInvalid, "theta has shape (2, 3), expected (n, 2)"));
  EXPECT_THAT(*ToInt64s("chain", FromInt64s({7, 8}, {2}), {-1}), ElementsAre(7, 8));
  EXPECT_THAT(ToInt64s("chain", array, {2, 3}), StatusIs(kInvalid, HasSubstr("FLOAT64, expected INT64")));
  EXPECT_EQ(ShapeToString({}), "()");
  EXPECT_EQ(ShapeToString({4}), "(4,)");
}

TEST(ArrayTest, BytesMustFitTheShape) {
  v1::Array array = FromDoubles({1, 2}, {2});
  array.set_data("short");
  EXPECT_THAT(CheckArray("x", array), StatusIs(kInvalid, HasSubstr("x has 5 bytes, expected 16")));
  array.set_shape(0, -2);
  EXPECT_THAT(CheckArray("x", array), StatusIs(kInvalid, HasSubstr("negative")));
  array.set_shape(0, int64_t{1} << 62);
  EXPECT_THAT(CheckArray("x", array), StatusIs(kInvalid, HasSubstr("larger than memory")));
  array.clear_dtype();
  EXPECT_THAT(CheckArray("x", array), StatusIs(kInvalid, HasSubstr("DTYPE_UNSPECIFIED")));
  EXPECT_EQ(*CheckArray("x", FromDoubles({}, {0, 3})), 0);
}

TEST(ArrayTest, DoublesAreSeenWhereTheyLieAndOthersConverted) {
  const v1::Array array = FromDoubles({1, 2, 3, 4, 5, 6}, {3, 2});
  std::vector<double> storage;
  ASSERT_OK_AND_ASSIGN(const absl::Span<const double> seen, ViewDoubles("theta", array, {-1, 2}, &storage));
  EXPECT_THAT(seen, ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(static_cast<const void*>(seen.data()), array.data().data());
  EXPECT_THAT(storage, ElementsAre());
  EXPECT_THAT(ViewDoubles("theta", array, {-1, 3}, &storage),
              StatusIs(kInvalid, "theta has shape (3, 2), expected (n, 3)"));

  const float values[] = {0.5F, -1.5F};
  v1::Array single;
  single.set_dtype(v1::FLOAT32);
  single.add_shape(2);
  single.set_data(values, sizeof(values));
  ASSERT_OK_AND_ASSIGN(const absl::Span<const double> converted, ViewDoubles("x", single, {-1}, &storage));
  EXPECT_THAT(converted, ElementsAre(0.5, -1.5));
  single.mutable_data()->pop_back();
  EXPECT_THAT(ViewDoubles("x", single, {-1}, &storage), StatusIs(kInvalid, HasSubstr("7 bytes, expected 8")));
}

TEST(ArrayTest, DoublesAreWrittenInPlaceOverWhatWasThere) {
  for (const int64_t n : {0, 1, 2, 100}) {  // one number fits into the string itself
    v1::Array array = FromInt64s({7, 8, 9}, {3});
    const absl::Span<double> numbers = MutableDoubles({n, 1}, &array);
    ASSERT_EQ(static_cast<int64_t>(numbers.size()), n);
    for (int64_t i = 0; i < n; ++i) {
      EXPECT_EQ(numbers[i], 0);
      numbers[i] = 0.5 * static_cast<double>(i);
    }
    ASSERT_OK_AND_ASSIGN(const std::vector<double> read, ToDoubles("theta", array, {n, 1}));
    for (int64_t i = 0; i < n; ++i) EXPECT_EQ(read[i], 0.5 * static_cast<double>(i));
  }
}

TEST(ArrayTest, TheFirstBadNumberIsNamed) {
  EXPECT_THAT(CheckFinite("theta", {1, 2, 3, NAN}, 2, {"omegam", "w0"}, 16),
              StatusIs(kInvalid, HasSubstr("theta has nan in row 17, column 1 (w0)")));
  EXPECT_THAT(CheckFinite("theta", {1, 2}, 2), IsOk());
}

TEST(ArrayTest, ColumnsAreMatchedByName) {
  EXPECT_THAT(*MatchColumns({"b", "a"}, {"a", "b"}), ElementsAre(1, 0));
  EXPECT_THAT(*MatchColumns({}, {"a", "b"}), ElementsAre(0, 1));
  EXPECT_THAT(MatchColumns({"a", "c"}, {"a", "b"}),
              StatusIs(kInvalid, HasSubstr("'c' is not one of them; expected each of a, b")));
  EXPECT_THAT(MatchColumns({"a", "a"}, {"a", "b"}), StatusIs(kInvalid, HasSubstr("twice")));
  EXPECT_THAT(MatchColumns({"a"}, {"a", "b"}), StatusIs(kInvalid, HasSubstr("'b' is missing")));
}

TEST(DigestTest, AgreesWithFips180) {
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 sha;
  sha.Update("a");
  sha.Update("bc");
  EXPECT_EQ(sha.Finish(), Sha256Hex("abc"));
  EXPECT_TRUE(IsSha256Hex(Sha256Hex("")));
  EXPECT_FALSE(IsSha256Hex("../../etc/passwd"));
  EXPECT_EQ(RandomHex(16).size(), 32u);
  EXPECT_NE(RandomHex(16), RandomHex(16));
  EXPECT_TRUE(SecretsEqual("abc", "abc"));
  EXPECT_FALSE(SecretsEqual("abc", "abd"));
  EXPECT_FALSE(SecretsEqual("abc", "ab"));
}

TEST(ResourceNamesTest, NamesParseAndPrint) {
  EXPECT_EQ(DatasetName::Parse("projects/p/datasets/d")->ToString(), "projects/p/datasets/d");
  EXPECT_EQ(JobName::Parse("projects/p/jobs/j")->job, "j");
  EXPECT_EQ(VersionName::Parse("projects/p/models/m")->number, 0);
  EXPECT_EQ(VersionName::Parse("projects/p/models/m/versions/3")->number, 3);
  EXPECT_EQ(VersionName::Parse("projects/p/models/m/versions/best")->alias, "best");
  EXPECT_EQ(VersionName::Parse("projects/p/models/m/versions/latest")->ToString(), "projects/p/models/m");
  for (const char* bad :
       {"", "projects/", "projects/p/models", "projects/../models/m", "projects/p/models/m/versions/0",
        "projects/p/models/m/versions/-1", "projects/p/models/m/versions/3/x", "models/m",
        "projects/p/models/m/versions/01", "projects/p/models/m/versions/007", "projects/p/models/m/versions/+1",
        "projects/p/models/m/versions/ 1", "projects/p/models/m/versions/1 ", "projects/p/models/m/versions/1.0",
        "projects/p/models/m/versions/99999999999999999999"}) {
    EXPECT_THAT(VersionName::Parse(bad), HasCode(kInvalid)) << bad;
  }
  EXPECT_THAT(CheckId("model id", std::string(64, 'a')), HasCode(kInvalid));
  EXPECT_LT(VersionName::Parse("projects/" + std::string(7000, 'p')).status().message().size(), 300u);
  EXPECT_LT(ModelName::Parse("projects/p/models/" + std::string(7000, 'm')).status().message().size(), 400u);
  EXPECT_THAT(CheckId("model id", "_a"), StatusIs(kInvalid, HasSubstr("model id '_a'")));
}

TEST(ResourceNamesTest, WhatPeopleTypeBecomesWhatTravels) {
  EXPECT_EQ(ParseTypedVersion("planck/cosmo")->ToString(), "projects/planck/models/cosmo");
  EXPECT_EQ(ParseTypedVersion("planck/cosmo@3")->ToString(), "projects/planck/models/cosmo/versions/3");
  EXPECT_EQ(ParseTypedVersion("planck/cosmo@production")->alias, "production");
  EXPECT_EQ(ParseTypedVersion("projects/p/models/m/versions/2")->number, 2);
  EXPECT_EQ(ParseTypedDataset("planck/chain")->ToString(), "projects/planck/datasets/chain");
  EXPECT_THAT(ParseTypedVersion("planck"), HasCode(kInvalid));
  EXPECT_THAT(ParseTypedVersion("planck/cosmo@"), HasCode(kInvalid));
  EXPECT_THAT(ParseTypedDataset("planck/chain@3"), HasCode(kInvalid));
}

v1::Dataset Schema() {
  v1::Dataset schema;
  schema.set_row_kind(v1::MCMC);
  schema.add_parameters()->set_name("omegam");
  v1::Parameter* w0 = schema.add_parameters();
  w0->set_name("w0");
  w0->mutable_prior()->mutable_uniform()->set_lower(-3);
  w0->mutable_prior()->mutable_uniform()->set_upper(1);
  schema.set_has_weight(true);
  schema.set_has_chain(true);
  return schema;
}

TEST(RowsTest, SchemasAreChecked) {
  EXPECT_THAT(CheckSchema(Schema()), IsOk());
  EXPECT_THAT(CheckSchema(v1::Dataset()), StatusIs(kInvalid, HasSubstr("0 parameters")));
  v1::Dataset schema = Schema();
  schema.mutable_parameters(0)->set_name("w0");
  EXPECT_THAT(CheckSchema(schema), StatusIs(kInvalid, HasSubstr("two parameters are named 'w0'")));
  schema = Schema();
  schema.mutable_parameters(1)->mutable_prior()->mutable_uniform()->set_upper(-3);
  EXPECT_THAT(CheckSchema(schema), StatusIs(kInvalid, HasSubstr("uniform(-3, -3)")));
  schema = Schema();
  schema.set_row_kind(v1::NESTED_SAMPLING);
  EXPECT_THAT(CheckSchema(schema), StatusIs(kInvalid, HasSubstr("log_likelihood_birth")));
  schema = Schema();
  schema.mutable_log_evidence()->set_error(-1);
  EXPECT_THAT(CheckSchema(schema), StatusIs(kInvalid, HasSubstr("log_evidence")));
  schema = Schema();
  schema.mutable_parameters(0)->set_name("omega m");
  EXPECT_THAT(CheckSchema(schema), StatusIs(kInvalid, HasSubstr("white space")));
}

TEST(RowsTest, NamesOfParametersThatWereLeftAwayAreChecked) {
  v1::Dataset schema = Schema();
  schema.add_marginalised("A_planck");
  EXPECT_THAT(CheckSchema(schema), IsOk());
  schema.add_marginalised("A_planck");
  EXPECT_THAT(CheckSchema(schema), StatusIs(kInvalid, HasSubstr("marginalised has 'A_planck' twice")));
  schema.set_marginalised(1, "w0");
  EXPECT_THAT(CheckSchema(schema), StatusIs(kInvalid, HasSubstr("'w0', which is a parameter of its own")));
  schema.set_marginalised(1, "A planck");
  EXPECT_THAT(CheckSchema(schema), StatusIs(kInvalid, HasSubstr("white space")));
  schema.set_marginalised(1, "");
  EXPECT_THAT(CheckSchema(schema), StatusIs(kInvalid, HasSubstr("marginalised 1 has a name of 0 characters")));
  schema.clear_marginalised();
  for (int i = 0; i < 4097; ++i) schema.add_marginalised("n" + std::to_string(i));
  EXPECT_THAT(CheckSchema(schema), StatusIs(kInvalid, HasSubstr("4097 names, expected at most 4096")));
}

TEST(RowsTest, RowsRoundTripAndBadOnesAreNamed) {
  const v1::Dataset schema = Schema();
  RowBlock block{3, {1, 2, 3, 4, 5, 6}, {1, 0, 2}, {0, 0, 1}, {}, {}};
  const v1::Rows rows = MakeRows(schema, block, 1, 3);
  ASSERT_OK_AND_ASSIGN(const RowBlock read, ParseRows(schema, rows, 0));
  EXPECT_EQ(read.num_rows, 2);
  EXPECT_THAT(read.theta, ElementsAre(3, 4, 5, 6));
  EXPECT_THAT(read.weight, ElementsAre(0, 2));
  EXPECT_THAT(read.chain, ElementsAre(0, 1));

  v1::Rows bad = rows;
  bad.clear_weight();
  EXPECT_THAT(ParseRows(schema, bad, 0), StatusIs(kInvalid, HasSubstr("weight is missing")));
  bad = rows;
  *bad.mutable_weight() = FromDoubles({1, -1}, {2});
  EXPECT_THAT(ParseRows(schema, bad, 100), StatusIs(kInvalid, HasSubstr("weight is -1 in row 101")));
  bad = rows;
  *bad.mutable_theta() = FromDoubles({1, 2, NAN, 4}, {2, 2});
  EXPECT_THAT(ParseRows(schema, bad, 100), StatusIs(kInvalid, HasSubstr("row 101, column 0 (omegam)")));
  bad = rows;
  *bad.mutable_chain() = FromInt64s({1}, {1});
  EXPECT_THAT(ParseRows(schema, bad, 0), StatusIs(kInvalid, HasSubstr("chain has shape (1,), expected (2,)")));
  bad = rows;
  *bad.mutable_log_likelihood() = FromDoubles({1, 2}, {2});
  EXPECT_THAT(ParseRows(schema, bad, 0), StatusIs(kInvalid, HasSubstr("created without it")));
}

TEST(RowsTest, ALogLikelihoodMayBeMinusInfinityOnly) {
  v1::Dataset schema;
  schema.add_parameters()->set_name("x");
  schema.set_has_log_likelihood(true);
  v1::Rows rows;
  *rows.mutable_theta() = FromDoubles({1, 2}, {2, 1});
  *rows.mutable_log_likelihood() = FromDoubles({-kInf, 0}, {2});
  EXPECT_THAT(ParseRows(schema, rows, 0), IsOk());
  *rows.mutable_log_likelihood() = FromDoubles({0, kInf}, {2});
  EXPECT_THAT(ParseRows(schema, rows, 0), StatusIs(kInvalid, HasSubstr("inf in row 1")));
}

TEST(RowsTest, PriorsHaveTheirDensityAndBounds) {
  v1::Prior prior;
  prior.mutable_uniform()->set_lower(-3);
  prior.mutable_uniform()->set_upper(1);
  EXPECT_DOUBLE_EQ(LogPrior(prior, 0), -std::log(4.));
  EXPECT_EQ(LogPrior(prior, 2), -kInf);
  prior.mutable_normal()->set_mean(1);
  prior.mutable_normal()->set_stddev(2);
  EXPECT_DOUBLE_EQ(LogPrior(prior, 3), -.5 - std::log(2.) - .91893853320467274178);
  prior.mutable_log_uniform()->set_lower(1);
  prior.mutable_log_uniform()->set_upper(std::exp(2.));
  EXPECT_DOUBLE_EQ(LogPrior(prior, 4), -std::log(4.) - std::log(2.));
  EXPECT_EQ(BoundsOf(Schema().parameters(1)).lower, -3);
  EXPECT_EQ(BoundsOf(Schema().parameters(0)).upper, kInf);
}

}  // namespace
}  // namespace creamery
