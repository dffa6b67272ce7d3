#include "models/training/clusters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "models/random.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;

// n rows N(mean, sd) each of `weight`, appended.
void Append(double mean, double sd, int n, double weight, std::vector<double>& y, std::vector<double>& weights) {
  const RandomStream stream(1, RandomPurpose::kSample);
  for (int i = 0; i < n; ++i) {
    y.push_back(mean + sd * stream.Normal(y.size()));
    weights.push_back(weight);
  }
}

// 900 rows at -10 that weigh nothing to speak of, 50 at 0 and 50 at 10 that weigh all: two clusters of weight. k-means
// that ignores weights puts one centre on the 900 and the other between the rest, at 5.
TEST(ClustersTest, RowsCountByTheirWeight) {
  std::vector<double> y;
  std::vector<double> weight;
  Append(-10, 0.1, 900, 1e-6, y, weight);
  Append(0, 0.1, 50, 1, y, weight);
  Append(10, 0.1, 50, 1, y, weight);
  ASSERT_OK_AND_ASSIGN(const Clusters weighted, FindClusters(y, 1, weight, 2, 0, StopToken()));
  EXPECT_THAT(weighted.center, ElementsAre(DoubleNear(0, 0.1), DoubleNear(10, 0.1)));
  const std::vector<double> equal(y.size(), 1.0);
  ASSERT_OK_AND_ASSIGN(const Clusters defective, FindClusters(y, 1, equal, 2, 0, StopToken()));
  EXPECT_THAT(defective.center, ElementsAre(DoubleNear(-10, 0.1), DoubleNear(5, 1)));
}

// The same rows and two well separated heavy clusters: 1 to within the clusters' width. Without weights the 900 rows
// rule, which lie in the middle of nowhere.
TEST(ClustersTest, SilhouetteCountsRowsByTheirWeight) {
  std::vector<double> y;
  std::vector<double> weight;
  Append(5, 2, 900, 1e-6, y, weight);
  Append(0, 0.01, 50, 1, y, weight);
  Append(10, 0.01, 50, 1, y, weight);
  ASSERT_OK_AND_ASSIGN(const Clusters clusters, FindClusters(y, 1, weight, 2, 0, StopToken()));
  EXPECT_GT(Silhouette(clusters, y, weight, 0), 0.99);
  EXPECT_LT(Silhouette(clusters, y, std::vector<double>(y.size(), 1.0), 0), 0.8);
}

// Points at 0, 1 and 10, 12 with equal weights, by hand: a = 1, 1, 2, 2 and b = 11, 10, 9.5, 11.5.
TEST(ClustersTest, SilhouetteEqualsTheOneByHand) {
  const std::vector<double> y = {0, 1, 10, 12};
  const std::vector<double> weight(4, 1.0);
  ASSERT_OK_AND_ASSIGN(const Clusters clusters, FindClusters(y, 1, weight, 2, 0, StopToken()));
  EXPECT_THAT(clusters.center, ElementsAre(0.5, 11));
  EXPECT_NEAR(Silhouette(clusters, y, weight, 0), (10 / 11.0 + 9 / 10.0 + 7.5 / 9.5 + 9.5 / 11.5) / 4, 1e-12);
}

TEST(ClustersTest, FourCornersAreFoundWhateverTheSeed) {
  std::vector<double> y;
  std::vector<double> weight;
  const RandomStream stream(2, RandomPurpose::kSample);
  for (int i = 0; i < 400; ++i) {
    y.push_back((i % 2 == 0 ? 0 : 10) + stream.Normal(i, 0));
    y.push_back((i % 4 < 2 ? 0 : 10) + stream.Normal(i, 1));
    weight.push_back(0.5 + stream.Uniform(i, 2));
  }
  for (uint64_t seed = 0; seed < 20; ++seed) {
    ASSERT_OK_AND_ASSIGN(const Clusters clusters, FindClusters(y, 2, weight, 4, seed, StopToken()));
    EXPECT_NEAR(clusters.spread, 2, 0.3);  // of two unit normals; a local optimum has 25 and more
  }
}

TEST(ClustersTest, FewerDistinctRowsThanClustersAreRefused) {
  const std::vector<double> y = {1, 1, 2, 2};
  EXPECT_THAT(FindClusters(y, 1, std::vector<double>(4, 1.0), 3, 0, StopToken()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("only 2 distinct rows for 3 clusters")));
}

TEST(ClustersTest, AStopEndsTheSearch) {
  StopSource source;
  source.RequestStop();
  EXPECT_THAT(FindClusters(std::vector<double>{1, 2, 3}, 1, std::vector<double>(3, 1.0), 2, 0, source.token()),
              HasCode(absl::StatusCode::kCancelled));
}

}  // namespace
}  // namespace creamery
