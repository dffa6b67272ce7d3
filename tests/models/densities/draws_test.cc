// Densities integrate to one, and uniform u give draws from them: also that the checks below see the defects they are
// made for.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "models/densities/density_tree.h"
#include "models/densities/kernel_density.h"
#include "models/densities/normal_mixture.h"
#include "models/plan/column_map.h"
#include "models/random.h"
#include "tests/models/densities/random_tree.h"
#include "tests/models/plan/random_plan.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

std::vector<double> LogProbOf(const Density& density, const std::vector<double>& theta) {
  std::vector<double> log_prob(theta.size() / density.num_parameters());
  EXPECT_THAT(density.LogProb(theta, absl::MakeSpan(log_prob), StopToken()), IsOk());
  return log_prob;
}

// Masses of `cells` equal cells of (low, high), by the midpoint rule with `steps` points in each.
std::vector<double> Masses(const Density& density, double low, double high, int cells, int steps) {
  const double width = (high - low) / (cells * steps);
  std::vector<double> theta(cells * steps);
  for (int i = 0; i < cells * steps; ++i) theta[i] = low + width * (i + 0.5);
  const std::vector<double> log_prob = LogProbOf(density, theta);
  std::vector<double> masses(cells);
  for (int i = 0; i < cells * steps; ++i) masses[i / steps] += std::exp(log_prob[i]) * width;
  return masses;
}

double Sum(const std::vector<double>& masses) {
  double sum = 0;
  for (const double mass : masses) sum += mass;
  return sum;
}

// The box that holds two columns of EveryKind but for 1e-6 of the mass.
constexpr double kLow[] = {-14, -1};
constexpr double kHigh[] = {14, 2};
constexpr int kCells[] = {140, 10};
constexpr int kSteps[] = {6, 40};

// Masses of the cells of that box, row-major.
std::vector<double> BoxMasses(const Density& density) {
  std::vector<double> masses(kCells[0] * kCells[1]);
  const double width0 = (kHigh[0] - kLow[0]) / (kCells[0] * kSteps[0]);
  const double width1 = (kHigh[1] - kLow[1]) / (kCells[1] * kSteps[1]);
  for (int i = 0; i < kCells[0] * kSteps[0]; ++i) {
    std::vector<double> theta;
    for (int j = 0; j < kCells[1] * kSteps[1]; ++j) {
      theta.push_back(kLow[0] + width0 * (i + 0.5));
      theta.push_back(kLow[1] + width1 * (j + 0.5));
    }
    const std::vector<double> log_prob = LogProbOf(density, theta);
    for (int j = 0; j < kCells[1] * kSteps[1]; ++j) {
      masses[i / kSteps[0] * kCells[1] + j / kSteps[1]] += std::exp(log_prob[j]) * width0 * width1;
    }
  }
  return masses;
}

std::vector<double> UniformRows(int64_t n, int64_t d) {
  const RandomStream random(77, RandomPurpose::kStatistics);
  std::vector<double> u;
  for (int64_t i = 0; i < n * d; ++i) u.push_back(random.Uniform(i));
  return u;
}

// (chi^2 - degrees of freedom) / its standard deviation, of two-dimensional draws in the cells of that box: below 5 but
// once in a million if they are draws of the density. Cells that expect fewer than ten are taken together.
double ChiSquareSigmas(const std::vector<double>& masses, const std::vector<double>& theta) {
  const double n = static_cast<double>(theta.size()) / 2;
  std::vector<double> counts(masses.size());
  double outside = 0;
  for (size_t i = 0; i < theta.size(); i += 2) {
    const double x = std::floor((theta[i] - kLow[0]) / (kHigh[0] - kLow[0]) * kCells[0]);
    const double y = std::floor((theta[i + 1] - kLow[1]) / (kHigh[1] - kLow[1]) * kCells[1]);
    if (x < 0 || x >= kCells[0] || y < 0 || y >= kCells[1]) {
      ++outside;
    } else {
      ++counts[static_cast<size_t>(x * kCells[1] + y)];
    }
  }
  double chi_square = 0;
  double terms = 0;
  double rest_expected = 0;
  double rest_count = outside;
  for (size_t c = 0; c < masses.size(); ++c) {
    if (n * masses[c] < 10) {
      rest_expected += n * masses[c];
      rest_count += counts[c];
      continue;
    }
    chi_square += (counts[c] - n * masses[c]) * (counts[c] - n * masses[c]) / (n * masses[c]);
    ++terms;
  }
  if (rest_expected > 10) {
    chi_square += (rest_count - rest_expected) * (rest_count - rest_expected) / rest_expected;
    ++terms;
  }
  return (chi_square - (terms - 1)) / std::sqrt(2 * (terms - 1));
}

class DrawsTest : public ::testing::TestWithParam<NamedTree> {};
class DrawsTest1 : public DrawsTest {};
class DrawsTest2 : public DrawsTest {};

TEST_P(DrawsTest1, IntegratesToOneAndDrawsFollowIt) {
  const std::unique_ptr<Density> density = MakeDensity(GetParam().tree);
  const int cells = 4000;
  const std::vector<double> masses = Masses(*density, -20, 20, cells, 5);
  EXPECT_NEAR(Sum(masses), 1, 1e-4);
  // Kolmogorov and Smirnov: sqrt(n) D < 1.95 in 999 of 1000 samples.
  const int64_t n = 20000;
  const std::vector<double> u = UniformRows(n, 1);
  std::vector<double> theta(n);
  ASSERT_THAT(density->PriorTransform(u, absl::MakeSpan(theta), StopToken()), IsOk());
  std::sort(theta.begin(), theta.end());
  double cumulative = 0;
  double distance = 0;
  for (int c = 0; c < cells; ++c) {
    cumulative += masses[c];
    const double edge = -20 + 40.0 * (c + 1) / cells;
    const auto below = std::upper_bound(theta.begin(), theta.end(), edge) - theta.begin();
    distance = std::max(distance, std::fabs(cumulative - static_cast<double>(below) / n));
  }
  EXPECT_LT(std::sqrt(static_cast<double>(n)) * distance, 1.95);
}

TEST_P(DrawsTest2, IntegratesToOneAndDrawsFollowIt) {
  const std::unique_ptr<Density> density = MakeDensity(GetParam().tree);
  const std::vector<double> masses = BoxMasses(*density);
  EXPECT_NEAR(Sum(masses), 1, 1e-3);
  const int64_t n = 20000;
  std::vector<double> theta(2 * n);
  ASSERT_THAT(density->PriorTransform(UniformRows(n, 2), absl::MakeSpan(theta), StopToken()), IsOk());
  EXPECT_LT(std::fabs(ChiSquareSigmas(masses, theta)), 5);
}

const auto kName = [](const auto& info) { return info.param.name; };
INSTANTIATE_TEST_SUITE_P(EveryKind, DrawsTest1, ::testing::ValuesIn(EveryKind(1)), kName);
INSTANTIATE_TEST_SUITE_P(EveryKind, DrawsTest2, ::testing::ValuesIn(EveryKind(2)), kName);

TEST(KernelBoundsTest, KernelsIntegrateToOneBetweenEveryKindOfBounds) {
  using Scale = ColumnMap::Scale;
  DensityTree tree = RandomKernels(1, 12, 3);
  ColumnMap box;
  box.space = ColumnMap::Space::kProbit;
  box.lower = -3;
  box.upper = 5;
  const auto integral = [&](const ColumnMap& map, double low, double high) {
    tree.kernels.columns[0] = map;
    EXPECT_THAT(CheckDensityTree(tree), IsOk());
    return Sum(Masses(*MakeDensity(tree), low, high, 1, 40000));
  };
  EXPECT_NEAR(integral(box, -3, 5), 1, 1e-4);
  EXPECT_NEAR(integral(box, -30, 50), 1, 1e-3);  // nothing outside
  box.spline = SteepKnots();
  EXPECT_NEAR(integral(box, -3, 5), 1, 1e-4);
  box.zoom_center = 2;
  box.zoom_scale = 0.5;
  EXPECT_NEAR(integral(box, -3, 5), 1, 1e-4);
  ColumnMap half;
  half.scale_of_t = Scale::kLogAbove;
  half.origin = 2;
  EXPECT_NEAR(integral(half, 2, 60), 1, 1e-4);
  half.scale_of_t = Scale::kLogBelow;
  EXPECT_NEAR(integral(half, -56, 2), 1, 1e-4);
}

// One kernel in log(theta) is the log-normal density; with the Jacobian's sign turned it would be off by 2 log(theta).
TEST(KernelBoundsTest, TheJacobianHasItsSign) {
  DensityTree tree = RandomKernels(1, 1, 3);
  tree.kernels.centers = {0.5};
  tree.kernels.columns[0] = ColumnMap();
  tree.kernels.columns[0].scale_of_t = ColumnMap::Scale::kLogAbove;
  const double theta = 3;
  const double z = (std::log(theta) - 0.5) / 0.3;
  EXPECT_NEAR(LogProbOf(*MakeDensity(tree), {theta})[0],
              -0.5 * z * z - 0.5 * std::log(2 * M_PI) - std::log(0.3) - std::log(theta), 1e-13);
}

TEST(KernelDensityTest, OfOneKernelIsTheMultivariateNormal) {
  DensityTree tree = RandomKernels(2, 1, 3);
  tree.kernels.columns.assign(2, ColumnMap());
  tree.kernels.centers = {1, -1};
  tree.kernels.cholesky = {2, 0, 1, 0.5};  // covariance {4, 2; 2, 1.25}, determinant 1
  const std::unique_ptr<Density> density = MakeDensity(tree);
  // Precision {1.25, -2; -2, 4}: of (1, 1) from the centre 1.25 - 4 + 4 = 1.25.
  EXPECT_NEAR(LogProbOf(*density, {2, 0})[0], -std::log(2 * M_PI) - 0.625, 1e-13);
  std::vector<double> theta(2);
  ASSERT_THAT(density->PriorTransform({0.8, 0.3}, absl::MakeSpan(theta), StopToken()), IsOk());
  const double first = NormalQuantile(0.8);
  EXPECT_NEAR(theta[0], 1 + 2 * first, 1e-13);
  EXPECT_NEAR(theta[1], -1 + first + 0.5 * NormalQuantile(0.3), 1e-13);
}

// A published package solved every dimension with the kernels' first weights: draws of a product of marginals.
TEST(KernelDensityTest, WeightsFollowTheDimensionsAlreadyFixed) {
  const DensityTree tree = RandomKernels(2, 20, 4);
  const KernelPlan& plan = tree.kernels;
  const int64_t n = 20000;
  const std::vector<double> u = UniformRows(n, 2);
  std::vector<std::vector<double>> centers(2);
  for (size_t k = 0; k < plan.weight.size(); ++k) {
    double v[2];
    SolveTriangular(plan.cholesky, 2, &plan.centers[2 * k], v);
    for (int j = 0; j < 2; ++j) centers[j].push_back(v[j]);
  }
  std::vector<double> theta(2 * n);
  for (int64_t i = 0; i < n; ++i) {
    const double v0 = NormalMixtureQuantile(plan.weight, centers[0], u[2 * i]);
    const double v1 = NormalMixtureQuantile(plan.weight, centers[1], u[2 * i + 1]);
    theta[2 * i] = MapInverse(plan.columns[0], plan.cholesky[0] * v0);
    theta[2 * i + 1] = MapInverse(plan.columns[1], plan.cholesky[2] * v0 + plan.cholesky[3] * v1);
  }
  EXPECT_GT(ChiSquareSigmas(BoxMasses(*MakeDensity(tree)), theta), 100);
}

DensityTree NormalKernel(double mean, double sd) {
  DensityTree tree = RandomKernels(1, 1, 3);
  tree.kernels.columns[0] = ColumnMap();
  tree.kernels.centers = {mean};
  tree.kernels.cholesky = {sd};
  return tree;
}

TEST(MixtureDensityTest, PicksTheFirstChildWhoseCumulativeWeightExceedsTheFirstNumber) {
  const std::unique_ptr<Density> density =
      MakeDensity(MakeMixture({0.25, 0.5, 0.25}, {NormalKernel(-10, 1), NormalKernel(0, 2), NormalKernel(10, 3)}));
  const std::vector<double> u = {0.9, 0.1, 0.5, 0.2, 0.25, 0.75, 0.7};
  std::vector<double> theta(u.size());
  ASSERT_THAT(density->PriorTransform(u, absl::MakeSpan(theta), StopToken()), IsOk());
  // Row by row, in the order of the rows.
  EXPECT_NEAR(theta[0], 10 + 3 * NormalQuantile(0.6), 1e-12);
  EXPECT_NEAR(theta[1], -10 + NormalQuantile(0.4), 1e-12);
  EXPECT_NEAR(theta[2], 2 * NormalQuantile(0.5), 1e-12);
  EXPECT_NEAR(theta[3], -10 + NormalQuantile(0.8), 1e-12);
  EXPECT_LT(theta[4], -20);  // where the second child begins
  EXPECT_GT(theta[4], -100);
  EXPECT_LT(theta[5], -80);  // where the third does
  EXPECT_NEAR(theta[6], 2 * NormalQuantile(0.9), 1e-12);
  std::vector<double> again(u.size());
  ASSERT_THAT(density->PriorTransform(u, absl::MakeSpan(again), StopToken()), IsOk());
  EXPECT_EQ(theta, again);  // nothing is drawn
}

TEST(MixtureDensityTest, IsTheWeightedSumOfItsChildrenAndNotTheSumOfThem) {
  const DensityTree left = NormalKernel(-1, 1);
  const DensityTree right = NormalKernel(1, 2);
  const std::unique_ptr<Density> density = MakeDensity(MakeMixture({0.3, 0.7}, {left, right}));
  const double p = 0.3 * std::exp(NormalLogDensity(1.5)) + 0.7 / 2 * std::exp(NormalLogDensity(-0.25));
  EXPECT_NEAR(LogProbOf(*density, {0.5})[0], std::log(p), 1e-14);
  // Pieces added without their weights, as a published package did, hold as much mass as there are pieces.
  const double summed =
      Sum(Masses(*MakeDensity(left), -20, 20, 1, 4000)) + Sum(Masses(*MakeDensity(right), -20, 20, 1, 4000));
  EXPECT_NEAR(summed, 2, 1e-6);
  EXPECT_NEAR(Sum(Masses(*density, -20, 20, 1, 4000)), 1, 1e-6);
}

TEST(MixtureDensityTest, InvertsThroughTheMostProbableChild) {
  const std::unique_ptr<Density> density =
      MakeDensity(MakeMixture({0.25, 0.75}, {NormalKernel(-1, 1), NormalKernel(1, 1)}));
  std::vector<double> u(3);
  // Half way between -1 and 1 the heavier child; it loses to the other beyond -log(3) / 2.
  ASSERT_THAT(density->InversePriorTransform({0, -0.5, -0.6}, absl::MakeSpan(u), StopToken()), IsOk());
  EXPECT_NEAR(u[0], 0.25 + 0.75 * NormalCdf(-1), 1e-15);
  EXPECT_NEAR(u[1], 0.25 + 0.75 * NormalCdf(-1.5), 1e-15);
  EXPECT_NEAR(u[2], 0.25 * NormalCdf(0.4), 1e-15);
}

TEST(ProductDensityTest, MultipliesItsChildrenOverTheirColumns) {
  const std::unique_ptr<Density> density = MakeDensity(MakeProduct(
      {{2, 0}, {1}}, {MakeProduct({{0}, {1}}, {NormalKernel(3, 1), NormalKernel(1, 1)}), NormalKernel(2, 1)}));
  EXPECT_NEAR(LogProbOf(*density, {1, 2, 3})[0], 3 * NormalLogDensity(0), 1e-14);
  EXPECT_NEAR(LogProbOf(*density, {1, 2, 4})[0], 2 * NormalLogDensity(0) + NormalLogDensity(1), 1e-14);
  std::vector<double> theta(3);
  ASSERT_THAT(density->PriorTransform({0.1, 0.5, 0.9}, absl::MakeSpan(theta), StopToken()), IsOk());
  EXPECT_NEAR(theta[0], 1 + NormalQuantile(0.1), 1e-14);
  EXPECT_NEAR(theta[1], 2, 1e-14);
  EXPECT_NEAR(theta[2], 3 + NormalQuantile(0.9), 1e-14);
}

}  // namespace
}  // namespace creamery
