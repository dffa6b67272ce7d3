// Joint analyses of trained flows: Gaussians against closed form, and two experiments with non-Gaussian nuisances
// against the full joint analysis by brute force.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <functional>

#include "models/families.h"
#include "models/plan/column_map.h"
#include "models/random.h"
#include "models/statistics/joint.h"
#include "models/training/trainer.h"
#include "tests/models/statistics/exact_gaussian.h"
#include "tests/models/training/training_samples.h"
#include "tests/reports/trained_gaussian.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

// Two trained posteriors N(0, Sigma) of ten parameters, 10 000 rows each, pulled apart along one axis. Distances in
// standard deviations of the difference; 4 of either posterior's own are 4 / sqrt 2.
TEST(TrainedJointTest, GaussiansInTenDimensionsAreWithinThreeStatedErrors) {
  constexpr int64_t kDimensions = 10;
  constexpr double kHalfWidth = 40;
  const std::vector<double> covariance = Correlated(kDimensions, 0.5);
  std::vector<std::unique_ptr<Estimator>> trained;
  for (const uint64_t seed : {1, 2}) {
    ASSERT_OK_AND_ASSIGN(auto model, TrainGaussian("maf", covariance, kDimensions, 10000, seed));
    trained.push_back(std::move(model));
  }
  std::vector<std::string> names;
  for (int j = 0; j < kDimensions; ++j) names.push_back("p" + std::to_string(j));
  for (const double distance : {0.0, 1.0, 2.0, 4 / std::sqrt(2.0), 4.0}) {
    // A shift of the first parameter by 1 is sqrt((Sigma^-1)_00) = 1 / sqrt(0.75) standard deviations of one.
    std::vector<double> shift(kDimensions, 0);
    shift[0] = distance * std::sqrt(2.0) * std::sqrt(0.75);
    const std::vector<double> none(kDimensions, 0);
    const auto a = Move(*trained[0], none, kHalfWidth);
    const auto b = Move(*trained[1], shift, kHalfWidth);
    const JointTruth truth = TruthOf({{names, none, covariance}, {names, shift, covariance}}, names,
                                     std::vector<double>(kDimensions, std::log(2 * kHalfWidth)));
    const Estimator* models[] = {a.get(), b.get()};
    JointInput input;
    input.models = models;
    input.num_samples = 4000;
    ASSERT_OK_AND_ASSIGN(const JointResult result, ComputeJoint(input, nullptr, StopToken()));
    const v1::JointStatistics& s = result.head.statistics();
    const double error = s.log_r().value() - truth.log_r;
    std::printf("%.2f sigma: log R %+.3f, stated %.3f; I %+.3f, stated %.3f; d %+.2f, stated %.2f\n", distance, error,
                s.log_r().error(), s.information().value() - truth.information, s.information().error(),
                s.dimensionality().value() - truth.dimensionality, s.dimensionality().error());
    EXPECT_NEAR(s.log_r().value(), truth.log_r, 3 * s.log_r().error()) << distance;
    EXPECT_NEAR(s.information().value(), truth.information, 3 * s.information().error()) << distance;
    EXPECT_NEAR(s.dimensionality().value(), truth.dimensionality, 3 * s.dimensionality().error()) << distance;
    if (distance < 3) {
      EXPECT_NEAR(error, 0, 0.15) << distance;
    }
    EXPECT_LT(s.log_r().error(), distance < 3 ? 0.15 : 0.45) << distance;
    EXPECT_LT(result.head.k_hat(), 0.7);
  }
}

double LogNormal(double x, double mean, double sd) {
  return -0.5 * std::pow((x - mean) / sd, 2) - std::log(sd) - 0.5 * std::log(2 * M_PI);
}

// Shared a, b ~ U(-3, 3). Each experiment has a nuisance of its own that enters non-linearly.
double LogLikelihoodA(double a, double b, double n) {  // n ~ N(0, 1)
  return LogNormal(0.8, a + 0.6 * n + 0.4 * n * n, 0.3) + LogNormal(0.5, b * (1 + 0.3 * n), 0.25);
}
double LogLikelihoodB(double a, double b, double m) {  // m ~ U(-1, 1)
  return LogNormal(0.6, a * b + m * m * m, 0.3) + LogNormal(-0.1, a - b + 0.5 * m, 0.35);
}

// The likelihood of (a, b) with the nuisance integrated out by the trapezoidal rule.
double IntegratedA(double a, double b) {
  double sum = 0;
  for (int i = -60; i <= 60; ++i) {
    const double n = 0.1 * i;
    sum += 0.1 * std::exp(LogLikelihoodA(a, b, n) + LogNormal(n, 0, 1));
  }
  return sum;
}
double IntegratedB(double a, double b) {
  double sum = 0;
  for (int i = 0; i < 100; ++i) sum += 0.01 * std::exp(LogLikelihoodB(a, b, -1 + 0.02 * (i + 0.5)));
  return sum;
}

// By a grid over (a, b): log Z, mean and standard deviation of both parameters.
struct BruteForce {
  double log_z = 0;
  double mean[2] = {0, 0};
  double sd[2] = {0, 0};
};
BruteForce Integrate(const std::function<double(double, double)>& likelihood) {
  constexpr int kCells = 240;
  BruteForce result;
  double z = 0;
  double sum[4] = {0, 0, 0, 0};
  for (int i = 0; i < kCells; ++i) {
    for (int j = 0; j < kCells; ++j) {
      const double at[2] = {-3 + 6 * (i + 0.5) / kCells, -3 + 6 * (j + 0.5) / kCells};
      const double l = likelihood(at[0], at[1]) / (kCells * kCells);  // times the prior's mass of a cell
      z += l;
      for (int k = 0; k < 2; ++k) {
        sum[k] += l * at[k];
        sum[2 + k] += l * at[k] * at[k];
      }
    }
  }
  result.log_z = std::log(z);
  for (int k = 0; k < 2; ++k) {
    result.mean[k] = sum[k] / z;
    result.sd[k] = std::sqrt(sum[2 + k] / z - result.mean[k] * result.mean[k]);
  }
  return result;
}

// Rejection sampling of the full posterior of (a, b, nuisance); the nuisance's column is left away before training.
TrainingInput Chain(const std::function<double(double, double, double)>& log_likelihood,
                    const std::function<double(double)>& nuisance, uint64_t seed, double log_z) {
  constexpr int64_t kRows = 10000;
  TrainingInput input;
  input.job.set_name("projects/p/jobs/1");
  *input.job.mutable_training()->mutable_spec() = SpecOf("nsf");
  input.dataset.set_name("projects/p/datasets/d");
  input.dataset.set_row_kind(v1::INDEPENDENT);
  *input.dataset.add_parameters() = BoxParameter("a", -3, 3);
  *input.dataset.add_parameters() = BoxParameter("b", -3, 3);
  input.dataset.mutable_log_evidence()->set_value(log_z);
  input.dataset.set_num_rows(kRows);
  input.rows.num_rows = kRows;
  const RandomStream random(seed, RandomPurpose::kSample);
  constexpr double kLargest = 1.1;  // above the maximum of either log-likelihood
  for (uint64_t i = 0; input.rows.theta.size() < 2 * kRows; ++i) {
    const double a = -3 + 6 * random.Uniform(i, 0);
    const double b = -3 + 6 * random.Uniform(i, 1);
    if (std::log(random.Uniform(i, 3)) >= log_likelihood(a, b, nuisance(random.Uniform(i, 2))) - kLargest) continue;
    input.rows.theta.push_back(a);
    input.rows.theta.push_back(b);
  }
  return input;
}

TEST(TrainedJointTest, NuisanceFreeJointAnalysisAgreesWithTheFullOneByBruteForce) {
  const BruteForce of_a = Integrate(IntegratedA);
  const BruteForce of_b = Integrate(IntegratedB);
  const BruteForce both = Integrate([](double a, double b) { return IntegratedA(a, b) * IntegratedB(a, b); });
  const TrainingInput chains[] = {Chain(
                                      LogLikelihoodA, [](double u) { return NormalQuantile(u); }, 1, of_a.log_z),
                                  Chain(
                                      LogLikelihoodB, [](double u) { return 2 * u - 1; }, 2, of_b.log_z)};
  std::vector<std::unique_ptr<Estimator>> owned;
  std::vector<const Estimator*> models;
  for (const TrainingInput& chain : chains) {
    ASSERT_OK_AND_ASSIGN(std::string artifact, Train(chain, TrainingHooks()));
    ASSERT_OK_AND_ASSIGN(auto model, LoadEstimator(std::move(artifact)));
    owned.push_back(std::move(model));
    models.push_back(owned.back().get());
  }
  JointInput input;
  input.models = models;
  ASSERT_OK_AND_ASSIGN(const JointResult result, ComputeJoint(input, nullptr, StopToken()));
  const v1::JointStatistics& s = result.head.statistics();
  std::printf("log Z_AB %.3f +- %.3f, brute force %.3f; log R %.3f, brute force %.3f; n_eff %.0f, k-hat %.2f\n",
              s.log_z().value(), s.log_z().error(), both.log_z, s.log_r().value(), both.log_z - of_a.log_z - of_b.log_z,
              result.head.effective_size(), result.head.k_hat());
  EXPECT_NEAR(s.log_z().value(), both.log_z, 3 * s.log_z().error());
  EXPECT_LT(s.log_z().error(), 0.15);
  EXPECT_LT(result.head.k_hat(), 0.7);
  for (int k = 0; k < 2; ++k) {
    double mean = 0;
    double square = 0;
    for (size_t i = 0; i < result.weight.size(); ++i) {
      const double w = result.weight[i] / static_cast<double>(result.weight.size());
      mean += w * result.theta[2 * i + k];
      square += w * result.theta[2 * i + k] * result.theta[2 * i + k];
    }
    const double sd = std::sqrt(square - mean * mean);
    std::printf("parameter %d: %.3f +- %.3f, brute force %.3f +- %.3f\n", k, mean, sd, both.mean[k], both.sd[k]);
    // 10 000 rows fix a mean to 1 % of a standard deviation; the flows in their overlap to a few times that.
    EXPECT_NEAR(mean, both.mean[k], 0.08 * both.sd[k]);
    EXPECT_NEAR(sd, both.sd[k], 0.08 * both.sd[k]);
  }
}

}  // namespace
}  // namespace creamery
