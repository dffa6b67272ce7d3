// Trainings whose right answer is known in closed form (issue: numbers it must show).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "models/families.h"
#include "models/plan/column_map.h"
#include "models/statistics/marginal.h"
#include "models/training/trainer.h"
#include "tests/models/training/training_samples.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

// Trains with `family` and computes D_KL and d_G against the declared priors. Prints what it took.
absl::StatusOr<MarginalStatistics> TrainAndCompute(TrainingInput input, const std::string& family) {
  *input.job.mutable_training()->mutable_spec() = SpecOf(family);
  const absl::Time began = absl::Now();
  double steps_per_second = 0;
  int epochs = 0;
  TrainingHooks hooks;
  hooks.progress = [&](const v1::Progress& progress) {
    steps_per_second = progress.steps_per_second();
    ++epochs;
  };
  auto artifact = Train(input, hooks);
  if (!artifact.ok()) return artifact.status();
  const double seconds = absl::ToDoubleSeconds(absl::Now() - began);
  auto model = LoadEstimator(*std::move(artifact));
  if (!model.ok()) return model.status();
  MarginalPrior prior;
  for (const v1::Parameter& parameter : (*model)->description().signature().parameters()) {
    prior.analytic.push_back(parameter.prior());
  }
  auto result = ComputeMarginal(**model, prior, 20000, 1, StopToken());
  if (result.ok()) {
    std::cout << family << ": " << input.rows.num_rows << " rows, " << seconds << " s, " << epochs << " epochs, "
              << steps_per_second << " steps/s; D_KL " << result->kl.value() << " +- " << result->kl.error() << ", d_G "
              << result->dimensionality.value() << " +- " << result->dimensionality.error() << std::endl;
  }
  return result;
}

// Symmetric triangle on (-1, 1) times U(0, 1).
TrainingInput Triangle() {
  return MakeInput({BoxParameter("a", -1, 1), BoxParameter("b", 0, 1)}, 10000, [](const auto& u, double* row) {
    row[0] = u(0) + u(1) - 1;
    row[1] = u(2);
  });
}

class TriangleTest : public testing::TestWithParam<std::string> {};

TEST_P(TriangleTest, TriangleTimesUniformHasTheExactInformation) {
  ASSERT_OK_AND_ASSIGN(const MarginalStatistics result, TrainAndCompute(Triangle(), GetParam()));
  EXPECT_NEAR(result.kl.value(), std::log(2) - 0.5, 0.02);
  EXPECT_NEAR(result.dimensionality.value(), 0.5, 0.1);
}
INSTANTIATE_TEST_SUITE_P(Families, TriangleTest, testing::Values("maf", "nsf"));

TEST(BimodalTest, SplineOfOneDimensionFindsBothModes) {
  const TrainingInput input = MakeInput({BoxParameter("a", -1, 1)}, 10000, [](const auto& u, double* row) {
    row[0] = (u(0) < 0.5 ? -0.5 : 0.5) + 0.05 * NormalQuantile(u(1));
  });
  ASSERT_OK_AND_ASSIGN(const MarginalStatistics result, TrainAndCompute(input, "nsf"));
  EXPECT_NEAR(result.kl.value(), 1.577, 0.03);
}

// The marginals of the two nested-sampling runs: exact values, caps on the stated error.
struct Marginal {
  const char* root;
  std::vector<std::string> parameters;
  const char* family;
  double kl;
  double largest_error;
};
void PrintTo(const Marginal& marginal, std::ostream* out) { *out << marginal.root << " " << marginal.parameters[0]; }

class PolyChordTest : public testing::TestWithParam<Marginal> {};

TEST_P(PolyChordTest, MarginalIsWithinThreeStatedErrorsOfTheExactValue) {
  const TrainingInput input = PolyChordInput(GetParam().root, GetParam().parameters);
  if (input.rows.num_rows == 0) GTEST_SKIP() << GetParam().root << " is not at hand";
  ASSERT_OK_AND_ASSIGN(const MarginalStatistics result, TrainAndCompute(input, GetParam().family));
  EXPECT_NEAR(result.kl.value(), GetParam().kl, 3 * result.kl.error());
  EXPECT_LE(result.kl.error(), GetParam().largest_error);
}

std::vector<Marginal> Marginals() {
  std::vector<Marginal> all;
  for (const char* root : {"polychord_box/pc", "polychord_box_250/pc_250"}) {
    all.push_back({root, {"x0", "x1"}, "maf", 3.9840, 0.10});
    all.push_back({root, {"x0", "x1"}, "nsf", 3.9840, 0.10});
    all.push_back({root, {"x0"}, "nsf", 1.5768, 0.06});
    all.push_back({root, {"x2"}, "nsf", 1.3026, 0.06});
    all.push_back({root, {"x3"}, "nsf", 0.0, 0.06});
    all.push_back({root, {"x4"}, "nsf", 0.1931, 0.06});
  }
  return all;
}
INSTANTIATE_TEST_SUITE_P(Marginals, PolyChordTest, testing::ValuesIn(Marginals()));

}  // namespace
}  // namespace creamery
