// Artifacts of every released format still load and answer what they answered: of format 1 what this program did
// (tests/golden/make_artifacts.py), of format 2 what follows from the definitions (make_tree_artifacts.py).
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "models/families.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

class GoldenArtifactTest : public testing::TestWithParam<std::string> {};

TEST_P(GoldenArtifactTest, StillAnswersWhatItAnswered) {
  const std::string stem = std::string(CREAMERY_SOURCE_DIR) + "/tests/golden/" + GetParam();
  std::ostringstream bytes;
  bytes << std::ifstream(stem + ".safetensors", std::ios::binary).rdbuf();
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Estimator> estimator, LoadEstimator(bytes.str()));

  const nlohmann::json answers = nlohmann::json::parse(std::ifstream(stem + ".json"));
  const auto points = answers.at("theta").get<std::vector<std::vector<double>>>();
  ASSERT_EQ(points.size(), 7u);
  const std::unique_ptr<const Density> exact = estimator->density()->InDoublePrecision();
  for (size_t i = 0; i < points.size(); ++i) {
    double log_prob = std::numeric_limits<double>::quiet_NaN();
    double served = std::numeric_limits<double>::quiet_NaN();
    ASSERT_THAT(exact->LogProb(points[i], absl::MakeSpan(&log_prob, 1), StopToken()), IsOk());
    ASSERT_THAT(estimator->density()->LogProb(points[i], absl::MakeSpan(&served, 1), StopToken()), IsOk());
    const nlohmann::json& expected = answers.at("log_prob").at(i);
    if (expected.is_string()) {
      EXPECT_EQ(log_prob, -std::numeric_limits<double>::infinity()) << "point " << i;
      EXPECT_EQ(served, log_prob) << "point " << i;
    } else {
      // Another compiler may round exp and tanh in another way.
      EXPECT_NEAR(log_prob, expected.get<double>(), 1e-9) << "point " << i;
      EXPECT_NEAR(served, log_prob, 1e-5 * std::max(1.0, std::abs(log_prob))) << "point " << i;
    }
  }
  if (!answers.contains("u")) return;
  // The positions in the unit cube of the points inside, which are the first ones.
  const auto positions = answers.at("u").get<std::vector<std::vector<double>>>();
  ASSERT_EQ(positions.size(), 5u);
  for (size_t i = 0; i < positions.size(); ++i) {
    std::vector<double> u(points[i].size());
    std::vector<double> theta(points[i].size());
    ASSERT_THAT(exact->InversePriorTransform(points[i], absl::MakeSpan(u), StopToken()), IsOk());
    ASSERT_THAT(exact->PriorTransform(positions[i], absl::MakeSpan(theta), StopToken()), IsOk());
    for (size_t j = 0; j < u.size(); ++j) {
      EXPECT_NEAR(u[j], positions[i][j], 1e-12) << "point " << i << ", column " << j;
      EXPECT_NEAR(theta[j], points[i][j], 1e-8) << "point " << i << ", column " << j;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EveryFormat, GoldenArtifactTest,
                         testing::Values("maf.format1", "nsf.format1", "kde.format2", "piecewise.format2",
                                         "blocks.format2", "auto.format2"),
                         [](const auto& info) { return info.param.substr(0, info.param.find('.')); });

}  // namespace
}  // namespace creamery
