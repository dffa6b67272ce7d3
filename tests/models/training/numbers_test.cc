// Trainings whose right answer is known in closed form (issue: numbers it must show).
#include "absl/strings/numbers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "models/families.h"
#include "models/plan/column_map.h"
#include "models/random.h"
#include "models/statistics/importance_sampling.h"
#include "models/statistics/marginal.h"
#include "models/training/trainer.h"
#include "proto/support/array.h"
#include "tests/models/training/training_samples.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

// The family's defaults; "flows" is `auto` between maf and nsf, without blocks of independent parameters.
v1::EstimatorSpec SpecNamed(const std::string& family) {
  if (family != "flows") return SpecOf(family);
  v1::EstimatorSpec spec;
  spec.mutable_auto_()->add_candidates("maf");
  spec.mutable_auto_()->add_candidates("nsf");
  return spec;
}

// Trains with `family` and computes D_KL and d_G against the declared priors. Prints what it took.
absl::StatusOr<MarginalStatistics> TrainAndCompute(TrainingInput input, const std::string& family) {
  *input.job.mutable_training()->mutable_spec() = SpecNamed(family);
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

// The 10 000 reference rows of an observation of the benchmark, with `priors`; no rows if they are not at hand.
TrainingInput ReferenceRows(const std::string& task, int observation, const std::vector<v1::Parameter>& parameters) {
  TrainingInput input;
  input.job.set_name("projects/p/jobs/1");
  input.dataset.set_row_kind(v1::INDEPENDENT);
  for (const v1::Parameter& parameter : parameters) *input.dataset.add_parameters() = parameter;
  const std::string path = absl::StrCat(CREAMERY_SHARED_DATA, "/sbibm/", task, "/observation_", observation,
                                        "/reference_posterior_samples.csv.bz2");
  FILE* pipe = popen(absl::StrCat("bzip2 -dc '", path, "' 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) return input;
  char line[4096];
  while (std::fgets(line, sizeof line, pipe) != nullptr) {
    std::vector<double> row;
    for (const absl::string_view word : absl::StrSplit(absl::StripAsciiWhitespace(line), ',')) {
      double value;
      if (absl::SimpleAtod(word, &value)) row.push_back(value);
    }
    if (row.size() != parameters.size()) continue;  // the header
    input.rows.theta.insert(input.rows.theta.end(), row.begin(), row.end());
    ++input.rows.num_rows;
  }
  pclose(pipe);
  input.dataset.set_num_rows(input.rows.num_rows);
  return input;
}

std::vector<v1::Parameter> BenchmarkParameters(const std::string& task) {
  std::vector<v1::Parameter> parameters;
  for (int j = 0; j < (task == "two_moons" ? 2 : 10); ++j) {
    parameters.push_back(BoxParameter(absl::StrCat("theta", j), -1, 1));
    if (task != "gaussian_linear") continue;
    parameters.back().mutable_prior()->mutable_normal()->set_mean(0);
    parameters.back().mutable_prior()->mutable_normal()->set_stddev(std::sqrt(0.1));
  }
  return parameters;
}

// Closed forms; the largest relative deviation, and caps on the stated errors.
struct Reference {
  const char* task;
  int observation;
  const char* family;
  double kl, dimensionality;
  double kl_deviation, dimensionality_deviation;
  double kl_error, dimensionality_error;
};
void PrintTo(const Reference& reference, std::ostream* out) {
  *out << reference.task << " " << reference.observation << " " << reference.family;
}

class ReferenceTest : public testing::TestWithParam<Reference> {};

TEST_P(ReferenceTest, ReferenceRowsGiveTheClosedFormWithinThreeStatedErrors) {
  const Reference& reference = GetParam();
  const TrainingInput input = ReferenceRows(reference.task, reference.observation, BenchmarkParameters(reference.task));
  if (input.rows.num_rows == 0) GTEST_SKIP() << "no reference rows of " << reference.task << ", or no bzip2";
  ASSERT_EQ(input.rows.num_rows, 10000);
  ASSERT_OK_AND_ASSIGN(const MarginalStatistics result, TrainAndCompute(input, reference.family));
  EXPECT_NEAR(result.kl.value(), reference.kl, 3 * result.kl.error());
  EXPECT_NEAR(result.dimensionality.value(), reference.dimensionality, 3 * result.dimensionality.error());
  EXPECT_NEAR(result.kl.value(), reference.kl, reference.kl_deviation * reference.kl);
  EXPECT_NEAR(result.dimensionality.value(), reference.dimensionality,
              reference.dimensionality_deviation * reference.dimensionality);
  EXPECT_LE(result.kl.error(), reference.kl_error);
  EXPECT_LE(result.dimensionality.error(), reference.dimensionality_error);
}

INSTANTIATE_TEST_SUITE_P(
    Benchmark, ReferenceTest,
    testing::Values(Reference{"gaussian_linear_uniform", 1, "flows", 7.473738, 8.407298, 0.02, 0.05, 0.06, 0.4},
                    Reference{"gaussian_linear_uniform", 2, "flows", 7.422797, 9.140865, 0.02, 0.05, 0.06, 0.4},
                    Reference{"gaussian_linear_uniform", 3, "flows", 8.859614, 8.795960, 0.02, 0.05, 0.06, 0.4},
                    Reference{"gaussian_linear", 1, "flows", 4.429943, 9.428414, 0.02, 0.05, 0.06, 0.4},
                    Reference{"two_moons", 1, "nsf", 5.042312, 0.999890, 0.02, 0.2, 0.05, 0.2},
                    Reference{"two_moons", 1, "piecewise", 5.042312, 0.999890, 0.02, 0.2, 0.05, 0.2},
                    Reference{"two_moons", 1, "auto", 5.042312, 0.999890, 0.02, 0.2, 0.05, 0.2}));

// Six standard normals with correlation 0.6^|i - j|, cut by a box: three of them at or near their means.
struct CutGaussian {
  std::vector<double> lower = {-0.5, -5, -4, -5, -0.2, -5};
  std::vector<double> upper = {5, 4, 0.4, 5, 4, 5};

  // A draw of the uncut Gaussian; true if it lies in the box. z: its independent normals.
  bool Draw(const RandomStream& random, int64_t i, double* x, double* square) const {
    bool inside = true;
    *square = 0;
    for (int j = 0; j < 6; ++j) {
      const double z = random.Normal(i, j);
      *square += z * z;
      x[j] = j == 0 ? z : 0.6 * x[j - 1] + 0.8 * z;  // an autoregression has this correlation
      inside = inside && x[j] > lower[j] && x[j] < upper[j];
    }
    return inside;
  }
};

TEST(CutGaussianTest, SixCorrelatedParametersOnEdgesHaveTheTrueInformation) {
  const CutGaussian gaussian;
  // The truth: mass and moments of log P over two million draws, so to 0.002.
  const int64_t draws = 2000000;
  const RandomStream random(3, RandomPurpose::kStatistics);
  std::vector<v1::Parameter> parameters;
  double log_volume = 0;
  for (int j = 0; j < 6; ++j) {
    parameters.push_back(BoxParameter(absl::StrCat("x", j), gaussian.lower[j], gaussian.upper[j]));
    log_volume += std::log(gaussian.upper[j] - gaussian.lower[j]);
  }
  TrainingInput input = MakeInput(parameters, 10000, [](const auto&, double* row) { *row = 0; });
  double inside = 0;
  double sum = 0;
  double squares = 0;
  std::vector<double> x(6);
  for (int64_t i = 0; i < draws; ++i) {
    double square;
    if (!gaussian.Draw(random, i, x.data(), &square)) continue;
    // The first rows are the dataset: 10 000 of some 300 000.
    if (inside < 10000) std::copy(x.begin(), x.end(), input.rows.theta.begin() + static_cast<int64_t>(inside) * 6);
    inside += 1;
    sum += square / 2;
    squares += square * square / 4;
  }
  ASSERT_GT(inside, 100000);
  const double mean = sum / inside;
  const double log_norm = 6 * (0.5 * std::log(2 * M_PI) + std::log(0.8)) - std::log(0.8);
  const double kl = log_volume - mean - log_norm - std::log(inside / static_cast<double>(draws));
  const double dimensionality = 2 * (squares / inside - mean * mean);
  std::cout << "truth: D_KL " << kl << ", d_G " << dimensionality << ", mass " << inside / draws << std::endl;
  ASSERT_OK_AND_ASSIGN(const MarginalStatistics result, TrainAndCompute(input, "flows"));
  EXPECT_NEAR(result.kl.value(), kl, 3 * result.kl.error());
  EXPECT_NEAR(result.dimensionality.value(), dimensionality, 3 * result.dimensionality.error());
  EXPECT_NEAR(result.kl.value(), kl, 0.02 * kl);
  EXPECT_NEAR(result.dimensionality.value(), dimensionality, 0.05 * dimensionality);
  EXPECT_LE(result.kl.error(), 0.06);
  EXPECT_LE(result.dimensionality.error(), 0.4);
}

// Closed forms of log Z, the posterior's flow as the proposal; the benchmark's x ~ N(theta, 0.1 I).
struct BenchmarkEvidence {
  const char* task;
  double log_z;
};
void PrintTo(const BenchmarkEvidence& evidence, std::ostream* out) { *out << evidence.task; }

class BenchmarkEvidenceTest : public testing::TestWithParam<BenchmarkEvidence> {};

TEST_P(BenchmarkEvidenceTest, ImportanceSamplingFromTheTrainedFlowIsWithinThreeErrors) {
  const std::string task = GetParam().task;
  TrainingInput input = ReferenceRows(task, 1, BenchmarkParameters(task));
  if (input.rows.num_rows == 0) GTEST_SKIP() << "no reference rows of " << task << ", or no bzip2";
  std::ifstream file(absl::StrCat(CREAMERY_SHARED_DATA, "/sbibm/", task, "/observation_1/observation.csv"));
  std::string header;
  std::string line;
  std::getline(file, header);
  std::getline(file, line);
  std::vector<double> x;
  for (const absl::string_view word : absl::StrSplit(line, ',')) {
    x.push_back(std::strtod(std::string(word).c_str(), nullptr));
  }
  ASSERT_EQ(x.size(), 10);

  *input.job.mutable_training()->mutable_spec() = SpecNamed("flows");
  ASSERT_OK_AND_ASSIGN(const std::string artifact, Train(input, {}));
  ASSERT_OK_AND_ASSIGN(const auto model, LoadEstimator(artifact));
  ASSERT_OK_AND_ASSIGN(const MarginalPrior prior, ChoosePrior(model->description().signature(), {}, nullptr));
  v1::ImportanceSampling request;
  request.set_target_effective_size(5000);
  request.set_round_size(10000);
  std::vector<double> log_likelihood;
  v1::EvidenceResponse response;
  for (int round = 0; round < 5 && !response.done(); ++round) {
    if (!log_likelihood.empty()) {
      *request.mutable_log_likelihood() = FromDoubles(log_likelihood, {static_cast<int64_t>(log_likelihood.size())});
    }
    ASSERT_OK_AND_ASSIGN(response,
                         ImportanceSamplingEvidence(*model, prior, request, 1, int64_t{1} << 30, StopToken()));
    if (response.done()) break;
    ASSERT_OK_AND_ASSIGN(const std::vector<double> theta, ToDoubles("theta", response.next_theta(), {-1, 10}));
    for (size_t i = 0; i < theta.size(); i += 10) {
      double sum = -5 * std::log(2 * M_PI * 0.1);
      for (size_t j = 0; j < 10; ++j) sum -= (x[j] - theta[i + j]) * (x[j] - theta[i + j]) / 0.2;
      log_likelihood.push_back(sum);
    }
  }
  std::cout << task << ": log Z " << response.log_z().value() << " +- " << response.log_z().error() << ", "
            << log_likelihood.size() << " values, n_eff " << response.effective_size() << ", k-hat " << response.k_hat()
            << std::endl;
  EXPECT_TRUE(response.done());
  EXPECT_NEAR(response.log_z().value(), GetParam().log_z, 3 * response.log_z().error());
  EXPECT_LE(response.log_z().error(), 0.03);
}

INSTANTIATE_TEST_SUITE_P(Benchmark, BenchmarkEvidenceTest,
                         testing::Values(BenchmarkEvidence{"gaussian_linear", -8.070610},
                                         BenchmarkEvidence{"gaussian_linear_uniform", -9.776307}));

}  // namespace
}  // namespace creamery
