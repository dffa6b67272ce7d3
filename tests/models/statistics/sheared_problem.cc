#include "tests/models/statistics/sheared_problem.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "models/random.h"
#include "models/statistics/importance_sampling.h"
#include "proto/support/array.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kHalfWidth = 10;
constexpr int64_t kChains = 4;

}  // namespace

double ShearedProblem::Shear(int64_t j, double before) const {
  return slope * before + (j % 2 == 1 ? bend * (before * before - sigma * sigma) : 0);
}

std::vector<double> ShearedProblem::log_likelihood(absl::Span<const double> theta) const {
  std::vector<double> values(theta.size() / d, 0);
  for (size_t i = 0; i < theta.size(); ++i) {
    double x = theta[i];
    if (i % d > 0) x -= Shear(i % d, theta[i - 1]);
    const double z = (x - center) / sigma;
    values[i / d] -= 0.5 * z * z + std::log(sigma) + 0.5 * std::log(2 * M_PI);
  }
  return values;
}

double ShearedProblem::log_z() const { return -static_cast<double>(d) * std::log(2 * kHalfWidth); }

MarginalPrior ShearedProblem::prior() const {
  v1::Prior box;
  box.mutable_uniform()->set_lower(-kHalfWidth);
  box.mutable_uniform()->set_upper(kHalfWidth);
  MarginalPrior prior;
  prior.analytic.assign(d, box);
  return prior;
}

TrainingInput ShearedProblem::Input(int64_t n, const std::string& family, uint64_t seed, double rho) const {
  TrainingInput input;
  input.job.set_name("projects/p/jobs/1");
  input.dataset.set_name("projects/p/datasets/d");
  input.dataset.set_row_kind(v1::INDEPENDENT);
  input.dataset.set_has_log_likelihood(true);
  input.dataset.set_num_rows(n);
  const MarginalPrior box = prior();
  for (int64_t j = 0; j < d; ++j) {
    v1::Parameter& parameter = *input.dataset.add_parameters();
    parameter.set_name(absl::StrCat("p", j));
    *parameter.mutable_prior() = box.analytic[j];
  }
  input.rows.num_rows = n;
  const RandomStream random(seed, RandomPurpose::kBootstrap);
  std::vector<double> x(d);
  for (int64_t i = 0; i < n; ++i) {
    const bool first = rho == 0 || i % (n / kChains) == 0;
    for (int64_t j = 0; j < d; ++j) {
      const double fresh = random.Normal(i, static_cast<uint32_t>(j));
      x[j] = first ? fresh : rho * x[j] + std::sqrt(1 - rho * rho) * fresh;
      const double normal = center + sigma * x[j];
      input.rows.theta.push_back(j == 0 ? normal : normal + Shear(j, input.rows.theta.back()));
    }
    if (rho != 0) input.rows.chain.push_back(i / (n / kChains));
  }
  if (rho != 0) {
    input.dataset.set_row_kind(v1::MCMC);
    input.dataset.set_has_chain(true);
  }
  input.rows.log_likelihood = log_likelihood(input.rows.theta);
  v1::EstimatorSpec& spec = *input.job.mutable_training()->mutable_spec();
  if (family == "maf") {
    spec.mutable_maf();
  } else {
    spec.mutable_nsf();
  }
  return input;
}

MembersThatHaveSeen::MembersThatHaveSeen(const Estimator& model) : model_(model) {
  for (size_t k = 0; k < model.members().size(); ++k) {
    members_.push_back(model.members()[(k + 1) % model.members().size()]);
  }
}

absl::StatusOr<v1::EvidenceResponse> SampleEvidence(
    const Estimator& model, const MarginalPrior& prior, v1::ImportanceSampling request, uint64_t seed,
    const std::function<std::vector<double>(absl::Span<const double> theta)>& log_likelihood) {
  std::vector<double> values;
  for (int round = 0; round < 100; ++round) {
    *request.mutable_log_likelihood() = FromDoubles(values, {static_cast<int64_t>(values.size())});
    auto response = ImportanceSamplingEvidence(model, prior, request, seed, int64_t{1} << 30, StopToken());
    if (!response.ok() || response->done()) return response;
    ABSL_ASSIGN_OR_RETURN(const std::vector<double> theta, ToDoubles("theta", response->next_theta(), {-1, -1}));
    const std::vector<double> next = log_likelihood(theta);
    values.insert(values.end(), next.begin(), next.end());
  }
  return absl::InternalError("a hundred rounds and not done");
}

}  // namespace creamery
