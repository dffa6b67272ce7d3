// Artifacts of trees of densities that are damaged, cut or hostile: refused with a reason, never a crash.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>

#include "absl/strings/str_cat.h"
#include "models/densities/density_estimator.h"
#include "models/densities/density_tree.h"
#include "models/families.h"
#include "models/random.h"
#include "tests/models/densities/random_tree.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::HasSubstr;

// A mixture of a product (columns {1}, {0, 2}) of kernels, and kernels.
DensityTree Tree() {
  DensityTree product = MakeProduct({{1}, {0, 2}}, {RandomKernels(1, 3, 1), RandomKernels(2, 4, 2)});
  return MakeMixture({0.25, 0.75}, {std::move(product), RandomKernels(3, 5, 3)});
}

struct Damage {
  std::string message;
  std::function<void(DensityTree&)> apply;
};

std::vector<Damage> Damages() {
  return {
      {"weights that sum to 1.05", [](DensityTree& t) { t.weight[0] = 0.3; }},
      {"has the weight -0.25", [](DensityTree& t) { t.weight[0] = -0.25; }},
      {"has the weight nan", [](DensityTree& t) { t.weight[1] = NAN; }},
      {"has no weights", [](DensityTree& t) { t.weight.clear(); }},
      {"has 1 children, expected 2", [](DensityTree& t) { t.children.pop_back(); }},
      {"has child 1 of 2 columns, expected 3", [](DensityTree& t) { t.children[1] = RandomKernels(2, 5, 3); }},
      {"has column 1 twice", [](DensityTree& t) { t.children[0].columns[1][0] = 1; }},
      {"has column 3 twice or out of range", [](DensityTree& t) { t.children[0].columns[1][1] = 3; }},
      {"has column -1 twice or out of range", [](DensityTree& t) { t.children[0].columns[0][0] = -1; }},
      {"no columns for child 0", [](DensityTree& t) { t.children[0].columns[0].clear(); }},
      {"has child 0 of 1 columns, expected 2",
       [](DensityTree& t) { std::swap(t.children[0].columns[0], t.children[0].columns[1]); }},
      {"weights that sum to", [](DensityTree& t) { t.children[1].kernels.weight[0] *= 0.5; }},
      {"has the weight 0,", [](DensityTree& t) { t.children[1].kernels.weight[0] = 0; }},
      {"numbers for 5 centres of 3 columns", [](DensityTree& t) { t.children[1].kernels.centers.pop_back(); }},
      {"centre 1 out of reach", [](DensityTree& t) { t.children[1].kernels.centers[4] = INFINITY; }},
      {"centre 1 out of reach", [](DensityTree& t) { t.children[1].kernels.centers[4] = 1e300; }},
      {"not lower triangular", [](DensityTree& t) { t.children[1].kernels.cholesky[1] = 0.1; }},
      {"not lower triangular", [](DensityTree& t) { t.children[1].kernels.cholesky[4] = 0; }},
      {"not lower triangular", [](DensityTree& t) { t.children[1].kernels.cholesky[3] = NAN; }},
      {"covariance of the wrong shape", [](DensityTree& t) { t.children[1].kernels.cholesky.pop_back(); }},
      {"column 2 to the unit box",
       [](DensityTree& t) { t.children[1].kernels.columns[2].space = ColumnMap::Space::kUnit; }},
      {"scale that is not positive", [](DensityTree& t) { t.children[1].kernels.columns[0].scale = -1; }},
      {"of an unknown kind", [](DensityTree& t) { t.children[1].kind = static_cast<DensityTree::Kind>(4); }},
      {"plan: columns are missing", [](DensityTree& t) { t.children[1].kind = DensityTree::Kind::kFlow; }},
  };
}

class TreeDamageTest : public ::testing::TestWithParam<int> {};

TEST_P(TreeDamageTest, IsRefusedWithItsReason) {
  const Damage damage = Damages()[GetParam()];
  DensityTree tree = Tree();
  ASSERT_THAT(CheckDensityTree(tree), IsOk());
  damage.apply(tree);
  EXPECT_THAT(CheckDensityTree(tree), StatusIs(absl::StatusCode::kInternal, HasSubstr(damage.message)));
}

INSTANTIATE_TEST_SUITE_P(All, TreeDamageTest, ::testing::Range(0, 24));

TEST(TreeTensorsTest, ATreeTooDeepIsRefusedInMemoryAndInAFile) {
  DensityTree tree = RandomKernels(1, 2, 1);
  for (int level = 2; level <= 8; ++level) tree = MakeMixture({1}, {tree});
  EXPECT_THAT(CheckDensityTree(tree), IsOk());
  tree = MakeMixture({1}, {tree});
  EXPECT_THAT(CheckDensityTree(tree), StatusIs(absl::StatusCode::kInternal, HasSubstr("deeper than 8")));
  Safetensors artifact;
  WriteDensityTree(tree, "member0/", artifact);
  EXPECT_THAT(ReadDensityTree(artifact, "member0/"), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("deeper than 8")));
}

TEST(TreeTensorsTest, TensorsThatAreMissingOrOfAWrongShapeAreNamed) {
  const auto refused = [](const std::function<void(Safetensors&)>& change, const std::string& message) {
    Safetensors artifact;
    WriteDensityTree(Tree(), "member0/", artifact);
    change(artifact);
    EXPECT_THAT(ReadDensityTree(artifact, "member0/"), StatusIs(absl::StatusCode::kDataLoss, HasSubstr(message)));
  };
  const std::vector<int64_t> four = {4};
  const std::vector<int64_t> numbers = {1, 2, 3};
  const std::vector<double> half = {0.5, 0.25, 0.25};
  refused([&](Safetensors& a) { a.Add("member0/kind", {1}, absl::MakeConstSpan(four)); }, "is 4, expected 0 to 3");
  refused([&](Safetensors& a) { a.Add("member0/kind", {3}, absl::MakeConstSpan(numbers)); }, "member0/kind");
  refused([&](Safetensors& a) { a.Add("member0/mixture/weight", {3}, absl::MakeConstSpan(half)); }, "member0/2/");
  refused([&](Safetensors& a) { a.Add("member0/mixture/weight", {3}, absl::MakeConstSpan(numbers)); },
          "member0/mixture/weight");
  refused([&](Safetensors& a) { a.Add("member0/0/product/sizes", {3}, absl::MakeConstSpan(numbers)); },
          "does not split the 3 columns");
  refused([&](Safetensors& a) { a.Add("member0/1/kernels/weight", {3}, absl::MakeConstSpan(half)); },
          "member0/1/kernels/centers");
  refused([&](Safetensors& a) { a.Add("member0/0/1/kernels/cholesky", {3}, absl::MakeConstSpan(half)); },
          "member0/0/1/kernels/cholesky");
  Safetensors empty;
  EXPECT_THAT(ReadDensityTree(empty, "member0/"),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("'member0/columns/kinds' is missing")));
}

std::string Artifact() {
  v1::ModelVersion description;
  description.mutable_spec()->mutable_auto_();
  for (int j = 0; j < 3; ++j) description.mutable_signature()->add_parameters()->set_name(absl::StrCat("p", j));
  Safetensors artifact;
  WriteDescription(description, artifact);
  WriteDensityTree(Tree(), MemberPrefix(0), artifact);
  return artifact.Serialize();
}

TEST(TreeTensorsTest, ACutArtifactIsDataLossWhereverItIsCut) {
  const std::string good = Artifact();
  ASSERT_THAT(LoadEstimator(good), IsOk());
  for (size_t size = 0; size < good.size(); size += 37) {
    EXPECT_THAT(LoadEstimator(good.substr(0, size)), HasCode(absl::StatusCode::kDataLoss)) << size;
  }
}

// A byte changed by chance may leave an artifact that can be read; then it must also answer.
TEST(TreeTensorsTest, AChangedByteNeverCrashesNorMakesNaN) {
  const std::string good = Artifact();
  const RandomStream random(6, RandomPurpose::kStatistics);
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = good;
    bytes[random.Bits(round, 0) % bytes.size()] = static_cast<char>(random.Bits(round, 1));
    const auto estimator = LoadEstimator(bytes);
    if (!estimator.ok()) {
      ++refused;
      continue;
    }
    std::vector<double> log_prob(2);
    std::vector<double> theta(6);
    const Density& density = *(*estimator)->density();
    if (density.num_parameters() != 3) continue;
    ASSERT_THAT(density.PriorTransform({0.1, 0.2, 0.3, 0.9, 0.8, 0.7}, absl::MakeSpan(theta), StopToken()), IsOk());
    ASSERT_THAT(density.LogProb(theta, absl::MakeSpan(log_prob), StopToken()), IsOk());
    EXPECT_FALSE(std::isnan(log_prob[0]) || std::isnan(log_prob[1])) << round;
  }
  EXPECT_GT(refused, 200);
}

}  // namespace
}  // namespace creamery
