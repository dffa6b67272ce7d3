// Artifacts of every released format still load and answer what they answered (tests/golden/make_artifacts.py).
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
  for (size_t i = 0; i < points.size(); ++i) {
    double log_prob = std::numeric_limits<double>::quiet_NaN();
    ASSERT_THAT(estimator->density()->LogProb(points[i], absl::MakeSpan(&log_prob, 1), StopToken()), IsOk());
    const nlohmann::json& expected = answers.at("log_prob").at(i);
    if (expected.is_string()) {
      EXPECT_EQ(log_prob, -std::numeric_limits<double>::infinity()) << "point " << i;
    } else {
      // Another compiler may round exp and tanh in another way.
      EXPECT_NEAR(log_prob, expected.get<double>(), 1e-9) << "point " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EveryFormat, GoldenArtifactTest, testing::Values("maf.format1", "nsf.format1"),
                         [](const auto& info) { return info.param.substr(0, 3); });

}  // namespace
}  // namespace creamery
