#include "models/degenerate_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "models/random.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// A dataset of n rows; fill(u, row) writes d values.
struct Chain {
  v1::Dataset dataset;
  RowBlock rows;
};
Chain MakeChain(const std::vector<std::string>& names, int64_t n,
                const std::function<void(int64_t i, const std::function<double(int)>& u, double* row)>& fill) {
  Chain chain;
  chain.dataset.set_row_kind(v1::INDEPENDENT);
  for (const std::string& name : names) chain.dataset.add_parameters()->set_name(name);
  chain.rows.num_rows = n;
  chain.rows.theta.resize(n * names.size());
  const RandomStream stream(5, RandomPurpose::kSample);
  for (int64_t i = 0; i < n; ++i) {
    fill(
        i, [&](int j) { return stream.Normal(i, static_cast<uint32_t>(j)); }, &chain.rows.theta[i * names.size()]);
  }
  return chain;
}
absl::StatusOr<PreparedData> Prepare(const Chain& chain) { return PrepareData(chain.dataset, chain.rows, {}, 4, 0); }

TEST(DegenerateRowsTest, LinearCombinationsAreNamedWithWhatTheyAreOf) {
  for (const double scale : {1.0, 0x1p-660, 0x1p660}) {
    const Chain chain = MakeChain({"a", "b", "c", "d"}, 5000, [&](int64_t, const auto& u, double* row) {
      row[0] = scale * u(0);
      row[1] = 3 * u(1) - 5;
      row[2] = u(2);
      row[3] = 7 + 2 * row[0] / scale - row[2];
    });
    EXPECT_THAT(Prepare(chain), StatusIs(absl::StatusCode::kFailedPrecondition,
                                         HasSubstr("parameter 'd' is a linear combination of 'a' and 'c'")));
  }
}

TEST(DegenerateRowsTest, NarrowAndLargeIsNotDegenerate) {
  const Chain chain = MakeChain({"a", "b", "c"}, 3000, [](int64_t, const auto& u, double* row) {
    row[0] = 1e200 * u(0);
    row[1] = 1e-200 * u(1);
    row[2] = row[0] / 1e200 + 1e-4 * u(2);  // correlation 1 - 5e-9
  });
  EXPECT_THAT(Prepare(chain), IsOk());
}

// Rows whose first part is constant, as chains that were slow to start.
TEST(DegenerateRowsTest, APartOfTheRowsDoesNotDecide) {
  const Chain chain = MakeChain({"a", "b"}, 50000, [](int64_t i, const auto& u, double* row) {
    row[0] = u(0);
    row[1] = i % 25 == 0 ? row[0] : u(1);
  });
  EXPECT_THAT(Prepare(chain), IsOk());
}

TEST(DegenerateRowsTest, RowsThatRepeatBecomeOneWithTheirWeight) {
  Chain chain = MakeChain({"a", "b"}, 400, [](int64_t, const auto& u, double* row) {
    row[0] = u(0);
    row[1] = u(1);
  });
  chain.rows.weight.assign(400, 1);
  for (int i = 1; i <= 3; ++i) {  // row 0 four times
    chain.rows.theta[2 * i] = chain.rows.theta[0];
    chain.rows.theta[2 * i + 1] = chain.rows.theta[1];
  }
  ASSERT_OK_AND_ASSIGN(const PreparedData data, Prepare(chain));
  EXPECT_EQ(data.n(), 397);
  EXPECT_EQ(data.num_rows, 400);
  EXPECT_EQ(data.num_distinct, 397);
  EXPECT_DOUBLE_EQ(data.weight[0], 4 * data.weight[1]);
  EXPECT_THAT(std::vector<int64_t>(data.dataset_row.begin(), data.dataset_row.begin() + 3), ElementsAre(0, 4, 5));
  EXPECT_NEAR(data.effective_rows, 400.0 * 400 / (396 + 16), 1e-9);

  chain.dataset.set_row_kind(v1::MCMC);  // a rejected step repeats its row, and the order counts
  ASSERT_OK_AND_ASSIGN(const PreparedData mcmc, Prepare(chain));
  EXPECT_EQ(mcmc.n(), 400);
  EXPECT_EQ(mcmc.num_distinct, 397);
}

TEST(DegenerateRowsTest, FewDistinctRowsAreRefusedWithTheNumbers) {
  for (const v1::RowKind kind : {v1::INDEPENDENT, v1::MCMC}) {
    Chain chain = MakeChain({"a", "b"}, 1000, [](int64_t i, const auto&, double* row) {
      row[0] = std::sin(static_cast<double>(i % 5));
      row[1] = std::cos(static_cast<double>(i % 5) * 2);
    });
    chain.dataset.set_row_kind(kind);
    EXPECT_THAT(Prepare(chain), StatusIs(absl::StatusCode::kFailedPrecondition,
                                         AllOf(HasSubstr("only 5 of 1000 rows differ"), HasSubstr("at least 10"))));
  }
}

TEST(DegenerateRowsTest, AParameterOfFewValuesIsRefusedAndTheRowsOnItsBoundsAreCounted) {
  Chain chain = MakeChain({"a", "k"}, 1000, [](int64_t i, const auto& u, double* row) {
    row[0] = u(0);
    row[1] = static_cast<double>(i % 5);
  });
  EXPECT_THAT(Prepare(chain), StatusIs(absl::StatusCode::kFailedPrecondition,
                                       AllOf(HasSubstr("'k' takes only 5 values in 1000 rows"),
                                             HasSubstr("(0, 1, 2, 3, 4)"), Not(HasSubstr("left out")))));
  v1::UniformPrior& box = *chain.dataset.mutable_parameters(1)->mutable_prior()->mutable_uniform();
  box.set_lower(0);
  box.set_upper(4);
  EXPECT_THAT(Prepare(chain),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("'k' takes only 3 values in 600 rows"),
                             HasSubstr("400 of 1000 rows lie on or outside the bounds and were left out"),
                             HasSubstr("'k' on (0, 4): 400"))));
  for (int64_t i = 0; i < 1000; ++i) chain.rows.theta[2 * i + 1] = static_cast<double>(i % 3) * 2;
  EXPECT_THAT(Prepare(chain), StatusIs(absl::StatusCode::kFailedPrecondition,
                                       AllOf(HasSubstr("'k' is constant"), HasSubstr("have 2"),
                                             HasSubstr("667 of 1000 rows lie on or outside the bounds"))));
}

TEST(DegenerateRowsTest, RowsOutsideAreCountedAmongThoseWithWeight) {
  Chain chain = MakeChain({"a", "b"}, 200, [](int64_t, const auto& u, double* row) {
    row[0] = std::fabs(u(0));
    row[1] = u(1);
  });
  chain.dataset.mutable_parameters(0)->set_lower(0);
  chain.dataset.set_has_weight(true);
  chain.rows.weight.assign(200, 1);
  for (const int i : {3, 4, 5}) chain.rows.theta[2 * i] = 0;
  chain.rows.theta[2 * 6] = -1;
  chain.rows.weight[5] = 0;
  ASSERT_OK_AND_ASSIGN(const PreparedData data, Prepare(chain));
  EXPECT_EQ(data.num_outside, 3);
  EXPECT_EQ(data.num_dropped, 4);
  EXPECT_EQ(data.num_rows, 196);
}

TEST(DegenerateRowsTest, WeightsOfAnySizeAreTheSameWeights) {
  Chain chain = MakeChain({"a", "b"}, 200, [](int64_t, const auto& u, double* row) {
    row[0] = u(0);
    row[1] = u(1);
  });
  chain.dataset.set_has_weight(true);
  const RandomStream random(3, RandomPurpose::kStatistics);
  for (int i = 0; i < 200; ++i) chain.rows.weight.push_back(std::ldexp(std::floor(1 + 1000 * random.Uniform(i)), -10));
  ASSERT_OK_AND_ASSIGN(const PreparedData expected, Prepare(chain));
  for (const int exponent : {-1064, -1000, -600, -300, 300, 600, 1000, 1022}) {  // 2^-1074 is the smallest number
    Chain scaled = chain;
    for (double& w : scaled.rows.weight) w = std::ldexp(w, exponent);
    ASSERT_OK_AND_ASSIGN(const PreparedData data, Prepare(scaled));
    EXPECT_EQ(data.weight, expected.weight) << exponent;
    EXPECT_EQ(data.effective_rows, expected.effective_rows) << exponent;
  }
}

}  // namespace
}  // namespace creamery
