#include "models/plan/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>

#include "models/plan/interpreter.h"
#include "tests/models/plan/random_plan.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using Kind = AutoregressiveLayer::Kind;
using ::testing::HasSubstr;

TEST(PlanTest, WrittenAndReadGivesTheSameBits) {
  for (const Kind kind : {Kind::kAffine, Kind::kSpline}) {
    for (const int64_t d : {1, 3}) {
      const Plan plan = RandomPlan(kind, d, 7);
      Safetensors artifact;
      WritePlan(plan, "member0/", artifact);
      ASSERT_OK_AND_ASSIGN(const Safetensors parsed, Safetensors::Parse(artifact.Serialize()));
      ASSERT_OK_AND_ASSIGN(const Plan read, ReadPlan(parsed, "member0/"));
      const std::vector<double> theta(d, 0.7);
      std::vector<double> first(1);
      std::vector<double> second(1);
      ASSERT_THAT(PlanLogProb(plan, theta, absl::MakeSpan(first), StopToken()), IsOk());
      ASSERT_THAT(PlanLogProb(read, theta, absl::MakeSpan(second), StopToken()), IsOk());
      EXPECT_EQ(first, second);
    }
  }
}

TEST(PlanTest, AMissingTensorIsNamed) {
  EXPECT_THAT(ReadPlan(Safetensors(), "member0/"),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("member0/columns/kinds")));
}

struct Damage {
  std::string message;
  Kind kind;
  std::function<void(Plan&)> apply;
};

class PlanDamageTest : public ::testing::TestWithParam<int> {};

std::vector<Damage> Damages() {
  return {
      {"weight that the mask forbids", Kind::kAffine, [](Plan& p) { p.layers[0].network[0].weight[2] = 1; }},
      {"weight that the mask forbids", Kind::kSpline, [](Plan& p) { p.layers[0].network.back().weight[0] = 1; }},
      {"weight that is not finite", Kind::kAffine, [](Plan& p) { p.layers[1].network[0].weight[0] = NAN; }},
      {"bias that is not finite", Kind::kAffine, [](Plan& p) { p.layers[1].network[1].bias[0] = INFINITY; }},
      {"not a permutation", Kind::kAffine, [](Plan& p) { p.layers[1].order[0] = p.layers[1].order[1]; }},
      {"order of the wrong length", Kind::kAffine, [](Plan& p) { p.layers[1].order.pop_back(); }},
      {"out of order", Kind::kAffine,
       [](Plan& p) { std::swap(p.layers[0].degrees[0].front(), p.layers[0].degrees[0].back()); }},
      {"has shape", Kind::kAffine, [](Plan& p) { p.layers[0].network[0].weight.pop_back(); }},
      {"of an unknown kind", Kind::kAffine, [](Plan& p) { p.layers[0].kind = static_cast<Kind>(7); }},
      {"share one base", Kind::kAffine, [](Plan& p) { p.layers[1] = RandomPlan(Kind::kSpline, 3, 1).layers[0]; }},
      {"knots that do not increase", Kind::kAffine, [](Plan& p) { p.columns[1].spline.x[1] = 0.9; }},
      {"slope that is not positive", Kind::kAffine, [](Plan& p) { p.columns[1].spline.slope[0] = 0; }},
      {"do not run from (0, 0) to (1, 1)", Kind::kAffine, [](Plan& p) { p.columns[1].spline.y[3] = 0.99; }},
      {"bounds the wrong way round", Kind::kSpline, [](Plan& p) { p.columns[0].upper = -5; }},
      {"infinite box", Kind::kSpline, [](Plan& p) { p.columns[0].upper = INFINITY; }},
      {"scale that is not positive", Kind::kAffine, [](Plan& p) { p.columns[0].scale = 0; }},
      {"number that is not finite", Kind::kAffine, [](Plan& p) { p.columns[0].shift = NAN; }},
      {"not lower triangular", Kind::kAffine, [](Plan& p) { p.whitening[1] = 1; }},
      {"diagonal that is not positive", Kind::kAffine, [](Plan& p) { p.whitening[0] = 0; }},
      {"must be mapped to the unit box", Kind::kSpline, [](Plan& p) { p.columns[0] = ColumnMap(); }},
      {"layers are missing", Kind::kSpline, [](Plan& p) { p.layers.clear(); }},
  };
}

TEST_P(PlanDamageTest, IsRefusedWithItsReason) {
  const Damage damage = Damages()[GetParam()];
  Plan plan = RandomPlan(damage.kind, 3, 7);
  ASSERT_THAT(CheckPlan(plan), IsOk());
  damage.apply(plan);
  EXPECT_THAT(CheckPlan(plan), StatusIs(absl::StatusCode::kInternal, HasSubstr(damage.message)));
}

INSTANTIATE_TEST_SUITE_P(All, PlanDamageTest, ::testing::Range(0, 21));

TEST(PlanTest, ADamagedArtifactIsDataLoss) {
  Plan plan = RandomPlan(Kind::kAffine, 3, 7);
  plan.layers[0].network[0].weight[2] = 1;
  Safetensors artifact;
  WritePlan(plan, "member2/", artifact);
  EXPECT_THAT(ReadPlan(artifact, "member2/"), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("mask forbids")));
}

}  // namespace
}  // namespace creamery
