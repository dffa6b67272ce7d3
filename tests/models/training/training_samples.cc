#include "tests/models/training/training_samples.h"

#include <cstdlib>
#include <fstream>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "models/random.h"

namespace creamery {

v1::Parameter FreeParameter(const std::string& name) {
  v1::Parameter parameter;
  parameter.set_name(name);
  return parameter;
}

v1::Parameter BoxParameter(const std::string& name, double lower, double upper) {
  v1::Parameter parameter = FreeParameter(name);
  parameter.mutable_prior()->mutable_uniform()->set_lower(lower);
  parameter.mutable_prior()->mutable_uniform()->set_upper(upper);
  return parameter;
}

v1::Parameter HalfBoundedParameter(const std::string& name, double lower) {
  v1::Parameter parameter = FreeParameter(name);
  parameter.set_lower(lower);
  return parameter;
}

TrainingInput MakeInput(const std::vector<v1::Parameter>& parameters, int64_t n,
                        const std::function<void(const std::function<double(int)>& u, double* row)>& fill) {
  TrainingInput input;
  input.job.set_name("projects/p/jobs/1");
  input.dataset.set_name("projects/p/datasets/d");
  input.dataset.set_row_kind(v1::INDEPENDENT);
  for (const v1::Parameter& parameter : parameters) *input.dataset.add_parameters() = parameter;
  input.dataset.set_num_rows(n);
  input.rows.num_rows = n;
  input.rows.theta.resize(n * parameters.size());
  const RandomStream stream(17, RandomPurpose::kSample);
  for (int64_t i = 0; i < n; ++i) {
    fill([&](int j) { return stream.Uniform(i, static_cast<uint32_t>(j)); }, &input.rows.theta[i * parameters.size()]);
  }
  return input;
}

v1::EstimatorSpec SpecOf(const std::string& family) {
  v1::EstimatorSpec spec;
  spec.GetReflection()->MutableMessage(&spec, v1::EstimatorSpec::descriptor()->FindFieldByName(family));
  return spec;
}

TrainingInput PolyChordInput(const std::string& root, const std::vector<std::string>& parameters) {
  TrainingInput input;
  input.job.set_name("projects/p/jobs/1");
  for (const std::string& name : parameters) input.job.mutable_training()->add_parameters(name);
  input.dataset.set_row_kind(v1::NESTED_SAMPLING);
  input.dataset.set_has_log_likelihood(true);
  input.dataset.set_has_log_likelihood_birth(true);
  const double lower[] = {-1, -1, 0, 0, 2};
  const double upper[] = {1, 1, 1, 1, 4};
  for (int j = 0; j < 5; ++j) {
    *input.dataset.add_parameters() = BoxParameter(absl::StrCat("x", j), lower[j], upper[j]);
  }
  for (const char* file : {"_dead-birth.txt", "_phys_live-birth.txt"}) {
    std::ifstream stream(absl::StrCat(CREAMERY_SHARED_DATA, "/", root, file));
    std::string line;
    while (std::getline(stream, line)) {
      const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
      if (words.size() != 7) continue;
      std::vector<double> numbers;
      numbers.reserve(words.size());
      for (const std::string& word : words) numbers.push_back(std::strtod(word.c_str(), nullptr));
      input.rows.theta.insert(input.rows.theta.end(), numbers.begin(), numbers.begin() + 5);
      input.rows.log_likelihood.push_back(numbers[5]);
      input.rows.log_likelihood_birth.push_back(numbers[6]);
    }
  }
  input.rows.num_rows = static_cast<int64_t>(input.rows.log_likelihood.size());
  input.dataset.set_num_rows(input.rows.num_rows);
  return input;
}

}  // namespace creamery
