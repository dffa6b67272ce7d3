#include "models/data_preparation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/models/training/training_samples.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using testing::ElementsAre;

TEST(AssignFoldsTest, IndependentRowsAreDealtOutEvenly) {
  const std::vector<int64_t> fold = AssignFolds(v1::INDEPENDENT, 103, {}, 4, 0);
  EXPECT_EQ(std::count(fold.begin(), fold.end(), 0), 26);
  EXPECT_EQ(std::count(fold.begin(), fold.end(), 3), 25);
  EXPECT_FALSE(std::is_sorted(fold.begin(), fold.end()));
  EXPECT_NE(fold, AssignFolds(v1::INDEPENDENT, 103, {}, 4, 1));
}

TEST(AssignFoldsTest, FewChainsAreCutIntoContiguousBlocks) {
  EXPECT_THAT(AssignFolds(v1::MCMC, 8, {}, 4, 0), ElementsAre(0, 0, 1, 1, 2, 2, 3, 3));
  const std::vector<int64_t> chain = {7, 7, 7, 7, 9, 9, 9, 9};
  EXPECT_THAT(AssignFolds(v1::MCMC, 8, chain, 4, 0), ElementsAre(0, 1, 2, 3, 1, 2, 3, 0));
}

TEST(AssignFoldsTest, ManyChainsStayWhole) {
  const std::vector<int64_t> chain = {1, 1, 2, 2, 2, 3, 4, 4};
  EXPECT_THAT(AssignFolds(v1::MCMC, 8, chain, 2, 0), ElementsAre(1, 1, 0, 0, 0, 0, 1, 1));
}

TEST(PrepareDataTest, DropsAndCountsRowsWithoutWeightOrOutsideTheBounds) {
  TrainingInput input = MakeInput({FreeParameter("a"), BoxParameter("b", 0, 1)}, 40, [](const auto& u, double* row) {
    row[0] = u(0);
    row[1] = u(1);
  });
  input.rows.weight.assign(40, 2.0);
  input.rows.weight[3] = 0;
  input.rows.theta[2 * 5 + 1] = 1;    // at the bound the density is zero
  input.rows.theta[2 * 6 + 1] = 1.5;  // beyond it
  ASSERT_OK_AND_ASSIGN(const PreparedData data, PrepareData(input.dataset, input.rows, {"b", "a"}, 4, 0));
  EXPECT_EQ(data.n(), 37);
  EXPECT_EQ(data.num_dropped, 3);
  EXPECT_THAT(std::vector<int64_t>(data.dataset_row.begin(), data.dataset_row.begin() + 5), ElementsAre(0, 1, 2, 4, 7));
  EXPECT_EQ(data.parameters[0].name(), "b");
  EXPECT_EQ(data.theta[1], input.rows.theta[0]);
  EXPECT_EQ(data.weight[0], 1);
}

}  // namespace
}  // namespace creamery
