// Both clients read the same files alike: README.md says what a case holds.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "client/cpp/readers/table.h"
#include "tests/status_matchers.h"
#include "tests/support/scratch_directory.h"

namespace creamery {
namespace {

using nlohmann::json;
using ::testing::Contains;
using ::testing::HasSubstr;

std::vector<std::string> Cases() {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(CREAMERY_CONFORMANCE_CASES)) {
    if (entry.path().extension() == ".json") names.insert(entry.path().stem().string());
  }
  return {names.begin(), names.end()};
}

// One character per byte: below U+0100, two bytes of UTF-8 at most.
std::string BytesOf(const std::string& text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    bytes += byte < 0x80 ? text[i] : static_cast<char>((byte & 3) << 6 | (text[++i] & 0x3f));
  }
  return bytes;
}

double NumberOf(const json& number) {
  if (number.is_number()) return number.get<double>();
  if (number == "NaN") return std::numeric_limits<double>::quiet_NaN();
  return number == "Infinity" ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
}

void ExpectSame(const std::vector<double>& given, const json& expected, const std::string& what) {
  std::vector<double> numbers;
  for (const json& each : expected) {
    if (each.is_array()) {
      for (const json& cell : each) numbers.push_back(NumberOf(cell));
    } else {
      numbers.push_back(NumberOf(each));
    }
  }
  ASSERT_EQ(given.size(), numbers.size()) << what;
  for (size_t i = 0; i < given.size(); ++i) {
    EXPECT_TRUE(given[i] == numbers[i] || (std::isnan(given[i]) && std::isnan(numbers[i])))
        << what << "[" << i << "] is " << given[i] << ", expected " << numbers[i];
  }
}

absl::StatusOr<Samples> Read(const json& test, const std::string& path, std::vector<std::string>* notes) {
  absl::StatusOr<Table> table = ReadTable(path);
  if (!table.ok()) return table.status();
  *notes = table->notes;
  Selection selection;
  if (test.contains("columns") && !table->named) selection.columns = test["columns"].get<std::vector<std::string>>();
  selection.keep_likelihood = test.value("keep_likelihood", false);
  return SelectSamples(*std::move(table), selection);
}

void ExpectParameters(const v1::Dataset& schema, const json& expected) {
  ASSERT_EQ(schema.parameters_size(), static_cast<int>(expected["names"].size()));
  const json derived = expected.value("derived", json::array());
  for (int i = 0; i < schema.parameters_size(); ++i) {
    const v1::Parameter& parameter = schema.parameters(i);
    const std::string name = expected["names"][i];
    EXPECT_EQ(parameter.name(), name);
    EXPECT_EQ(parameter.label(), expected.value("labels", json::object()).value(name, "")) << name;
    EXPECT_EQ(parameter.derived(), std::find(derived.begin(), derived.end(), name) != derived.end()) << name;
    EXPECT_FALSE(parameter.has_prior()) << name;
    const json bounds = expected.value("bounds", json::object()).value(name, json::array({nullptr, nullptr}));
    const auto bound = [](bool has, double value) { return has ? json(value) : json(); };
    EXPECT_EQ(bound(parameter.has_lower(), parameter.lower()), bounds[0]) << name;
    EXPECT_EQ(bound(parameter.has_upper(), parameter.upper()), bounds[1]) << name;
  }
}

class ReadersConformanceTest : public ::testing::TestWithParam<std::string> {};

TEST_P(ReadersConformanceTest, FilesAreReadAsTheCaseSays) {
  std::ifstream file(CREAMERY_CONFORMANCE_CASES "/" + GetParam() + ".json");
  const json test = json::parse(file);
  ScratchDirectory folder;
  for (const auto& [name, content] : test["files"].items()) {
    std::filesystem::create_directories(std::filesystem::path(folder / name).parent_path());
    folder.Write(name, BytesOf(content));
  }
  const std::string read = test["read"];
  std::vector<std::string> notes;
  const absl::StatusOr<Samples> samples = Read(test, read == "." ? folder.path() : folder / read, &notes);

  const json error = test.contains("error") ? test["error"] : test.value("error_cpp", json());
  if (!error.is_null()) {
    const auto code = test.value("missing", false) ? absl::StatusCode::kNotFound : absl::StatusCode::kInvalidArgument;
    for (const std::string text : error) EXPECT_THAT(samples, StatusIs(code, HasSubstr(text)));
    return;
  }
  ASSERT_TRUE(samples.ok()) << samples.status();
  const json& expected = test["expected"];
  const v1::Dataset& schema = samples->schema;
  ExpectParameters(schema, expected);
  const std::string kind = expected["kind"];
  EXPECT_EQ(schema.row_kind(), kind == "mcmc" ? v1::MCMC : kind == "nested" ? v1::NESTED_SAMPLING : v1::INDEPENDENT);
  const RowBlock& rows = samples->rows;
  ExpectSame(rows.theta, expected["theta"], "theta");
  ExpectSame(rows.weight, expected.value("weight", json::array()), "weight");
  ExpectSame({rows.chain.begin(), rows.chain.end()}, expected.value("chain", json::array()), "chain");
  ExpectSame(rows.log_likelihood, expected.value("log_likelihood", json::array()), "log_likelihood");
  ExpectSame(rows.log_likelihood_birth, expected.value("log_likelihood_birth", json::array()), "log_likelihood_birth");
  ASSERT_EQ(schema.has_log_evidence(), expected.contains("log_evidence"));
  if (schema.has_log_evidence()) {
    EXPECT_NEAR(schema.log_evidence().value(), expected["log_evidence"][0].get<double>(), 1e-12);
    EXPECT_NEAR(schema.log_evidence().error(), expected["log_evidence"][1].get<double>(), 1e-12);
  }
  for (const char* key : {"notes", "notes_cpp"}) {
    for (const std::string text : test.value(key, json::array())) EXPECT_THAT(notes, Contains(HasSubstr(text)));
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, ReadersConformanceTest, ::testing::ValuesIn(Cases()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace creamery
