#include "tests/models/statistics/evidence_problem.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "models/densities/contraction.h"
#include "models/plan/column_map.h"
#include "models/random.h"
#include "proto/support/array.h"

namespace creamery {
namespace {

double LogNormal(double x, double mean, double sd) {
  const double z = (x - mean) / sd;
  return -0.5 * z * z - std::log(sd) - 0.5 * std::log(2 * M_PI);
}

}  // namespace

double GaussianProblem::log_likelihood(const double* theta) const {
  double sum = 0;
  for (int64_t j = 0; j < d; ++j) sum += LogNormal(data, theta[j], sigma);
  return sum;
}

std::vector<double> GaussianProblem::log_likelihood(absl::Span<const double> theta) const {
  std::vector<double> values;
  for (size_t i = 0; i < theta.size(); i += d) values.push_back(log_likelihood(&theta[i]));
  return values;
}

double GaussianProblem::log_z() const {
  return static_cast<double>(d) * LogNormal(data, 0, std::sqrt(1 + sigma * sigma));
}

double GaussianProblem::posterior_sd() const { return 1 / std::sqrt(1 + 1 / (sigma * sigma)); }

double GaussianProblem::posterior_mean() const { return data / (sigma * sigma) * posterior_sd() * posterior_sd(); }

MarginalPrior GaussianProblem::prior() const {
  MarginalPrior prior;
  const v1::Dataset schema = dataset();
  for (const v1::Parameter& parameter : schema.parameters()) prior.analytic.push_back(parameter.prior());
  return prior;
}

v1::Dataset GaussianProblem::dataset() const {
  v1::Dataset dataset;
  dataset.set_name("projects/p/datasets/d");
  dataset.set_row_kind(v1::INDEPENDENT);
  dataset.set_has_log_likelihood(true);
  for (int64_t j = 0; j < d; ++j) {
    v1::Parameter& parameter = *dataset.add_parameters();
    parameter.set_name(absl::StrCat("p", j));
    parameter.mutable_prior()->mutable_normal()->set_mean(0);
    parameter.mutable_prior()->mutable_normal()->set_stddev(1);
  }
  return dataset;
}

RowBlock GaussianProblem::Rows(int64_t n, uint64_t seed) const {
  RowBlock rows;
  rows.num_rows = n;
  const RandomStream random(seed, RandomPurpose::kBootstrap);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < d; ++j) {
      rows.theta.push_back(posterior_mean() + posterior_sd() * random.Normal(i, static_cast<uint32_t>(j)));
    }
  }
  rows.log_likelihood = log_likelihood(rows.theta);
  return rows;
}

absl::Status NormalDensity::LogProb(absl::Span<const double> theta, absl::Span<double> log_prob,
                                    const StopToken& stop) const {
  for (size_t i = 0; i < log_prob.size(); ++i) {
    log_prob[i] = 0;
    for (int64_t j = 0; j < d_; ++j) log_prob[i] += LogNormal(theta[i * d_ + j], mean_, sd_);
  }
  return stop.Check();
}

absl::Status NormalDensity::PriorTransform(absl::Span<const double> u, absl::Span<double> theta,
                                           const StopToken& stop) const {
  for (size_t i = 0; i < u.size(); ++i) theta[i] = mean_ + sd_ * NormalQuantile(u[i]);
  return stop.Check();
}

absl::Status NormalDensity::LogProbGradient(absl::Span<const double>, absl::Span<double>, absl::Span<double>,
                                            const StopToken&) const {
  return absl::UnimplementedError("not needed here");
}

absl::Status NormalDensity::InversePriorTransform(absl::Span<const double> theta, absl::Span<double> u,
                                                  const StopToken& stop) const {
  for (size_t i = 0; i < u.size(); ++i) u[i] = 0.5 * std::erfc(-(theta[i] - mean_) / sd_ / std::sqrt(2.0));
  return stop.Check();
}

absl::Status NormalDensity::ContractedLogProb(absl::Span<const double> theta, double temperature,
                                              absl::Span<double> log_prob, const StopToken& stop) const {
  return ContractThroughTransform(*this, theta, temperature, log_prob, stop);
}

std::unique_ptr<FakeModel> MakeModel(const GaussianProblem& problem, double shift, double width, int64_t rows) {
  v1::ModelVersion description;
  description.mutable_spec()->mutable_training()->set_members(4);
  description.mutable_spec()->mutable_training()->set_seed(3);
  *description.mutable_signature()->mutable_parameters() = problem.dataset().parameters();
  description.mutable_training()->set_num_rows(rows);
  const double sd = problem.posterior_sd();
  return std::make_unique<FakeModel>(
      std::move(description),
      std::make_unique<NormalDensity>(problem.d, problem.posterior_mean() + shift * sd, width * sd));
}

v1::Array ToArray(const std::vector<double>& values) {
  return FromDoubles(values, {static_cast<int64_t>(values.size())});
}

std::vector<double> FromArray(const v1::Array& array) {
  const auto values = ToDoubles("array", array, std::vector<int64_t>(array.shape_size(), -1));
  return values.ok() ? *values : std::vector<double>();
}

}  // namespace creamery
