#include "models/densities/contraction.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <vector>

#include "models/densities/density_tree.h"
#include "models/densities/mixture_density.h"
#include "models/densities/product_density.h"
#include "tests/models/statistics/evidence_problem.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

std::vector<double> Contracted(const Density& density, const std::vector<double>& theta, double temperature) {
  std::vector<double> log_prob(theta.size() / density.num_parameters());
  EXPECT_THAT(density.ContractedLogProb(theta, temperature, absl::MakeSpan(log_prob), StopToken()), IsOk());
  return log_prob;
}

// Two kernels of unequal weight on the line.
DensityTree Kernels() {
  DensityTree tree;
  tree.kind = DensityTree::Kind::kKernels;
  tree.kernels.columns.resize(1);
  tree.kernels.centers = {-1, 2};
  tree.kernels.weight = {0.25, 0.75};
  tree.kernels.cholesky = {0.4};
  return tree;
}

std::shared_ptr<const Density> Mixture() {
  return std::make_shared<MixtureDensity>(
      std::vector<std::shared_ptr<const Density>>{std::make_shared<NormalDensity>(1, -2, 0.5),
                                                  std::make_shared<NormalDensity>(1, 1, 1)},
      std::vector<double>{0.3, 0.7});
}

double Integral(const Density& density, double temperature) {
  std::vector<double> theta;
  for (int i = 0; i < 40000; ++i) theta.push_back(-10 + 20 * (i + 0.5) / 40000);
  double sum = 0;
  for (const double v : Contracted(density, theta, temperature)) sum += std::exp(v) * 20 / 40000;
  return sum;
}

TEST(ContractionTest, ANormalDensityBecomesNarrowerByTheRootOfTheTemperature) {
  const NormalDensity wide(2, 1, 2);
  const NormalDensity narrow(2, 1, 2 * std::sqrt(0.8));
  const std::vector<double> theta = {0, 3, -2, 1.5, 5, 5};
  std::vector<double> expected(3);
  ASSERT_THAT(narrow.LogProb(theta, absl::MakeSpan(expected), StopToken()), IsOk());
  const std::vector<double> contracted = Contracted(wide, theta, 0.8);
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(contracted[i], expected[i], 1e-10);
}

TEST(ContractionTest, KernelsAndMixturesStayNormalised) {
  const auto kernels = MakeDensity(Kernels());
  for (const double temperature : {1.0, 0.8, 0.3}) {
    EXPECT_NEAR(Integral(*kernels, temperature), 1, 1e-6);
    EXPECT_NEAR(Integral(*Mixture(), temperature), 1, 1e-6);
  }
}

TEST(ContractionTest, AMixtureContractsEachOfItsComponents) {
  const NormalDensity left(1, -2, 0.5 * std::sqrt(0.5));
  const NormalDensity right(1, 1, std::sqrt(0.5));
  const std::vector<double> theta = {-2.3, 0, 1, 2};
  std::vector<double> a(4);
  std::vector<double> b(4);
  ASSERT_THAT(left.LogProb(theta, absl::MakeSpan(a), StopToken()), IsOk());
  ASSERT_THAT(right.LogProb(theta, absl::MakeSpan(b), StopToken()), IsOk());
  const std::vector<double> contracted = Contracted(*Mixture(), theta, 0.5);
  for (int i = 0; i < 4; ++i) {
    EXPECT_NEAR(contracted[i], std::log(0.3 * std::exp(a[i]) + 0.7 * std::exp(b[i])), 1e-10);
  }
}

TEST(ContractionTest, AProductContractsEachOfItsFactors) {
  const auto kernels = std::shared_ptr<const Density>(MakeDensity(Kernels()));
  const ProductDensity product({Mixture(), kernels}, {{1}, {0}});
  const double both = Contracted(product, {0.7, -1.2}, 0.6)[0];
  EXPECT_NEAR(both, Contracted(*kernels, {0.7}, 0.6)[0] + Contracted(*Mixture(), {-1.2}, 0.6)[0], 1e-12);
}

}  // namespace
}  // namespace creamery
