#include "models/statistics/evidence.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/densities/mixture_density.h"
#include "models/densities/prior_density.h"
#include "models/densities/product_density.h"
#include "models/statistics/pareto.h"
#include "proto/support/array.h"
#include "proto/support/rows.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kDefaultTarget = 1000;
constexpr int64_t kDefaultMaxPoints = 100000;
constexpr int64_t kMostPoints = 10000000;
constexpr int64_t kLargestRound = 100000;
constexpr double kFewRows = 100;
// A round aims a little beyond the target, so that it is not missed by a hair for another round.
constexpr double kMargin = 1.05;
constexpr int64_t kSmallestRound = 16;

std::shared_ptr<const Density> Borrow(const Density& density) {
  return std::shared_ptr<const Density>(std::shared_ptr<const Density>(), &density);
}

// Where the parameters of the prior's model are among those of `signature`.
absl::StatusOr<std::vector<int64_t>> ColumnsOfPrior(const MarginalPrior& prior, const v1::Signature& signature) {
  std::vector<std::string> given;
  std::vector<std::string> wanted;
  for (const v1::Parameter& parameter : signature.parameters()) given.push_back(parameter.name());
  for (const v1::Parameter& parameter : prior.model->description().signature().parameters()) {
    wanted.push_back(parameter.name());
  }
  ABSL_ASSIGN_OR_RETURN(const std::vector<int> columns, MatchColumns(given, wanted));
  return std::vector<int64_t>(columns.begin(), columns.end());
}

}  // namespace

absl::Status CheckFullSpace(absl::string_view statistic, const v1::Signature& signature) {
  std::vector<std::string> derived;
  for (const v1::Parameter& parameter : signature.parameters()) {
    if (parameter.derived()) derived.push_back(parameter.name());
  }
  std::string lacks;
  if (signature.marginalised_size() > 0) {
    absl::StrAppend(&lacks, "; it has marginalised ", absl::StrJoin(signature.marginalised(), ", "));
  }
  if (!derived.empty()) absl::StrAppend(&lacks, "; it has the derived ", absl::StrJoin(derived, ", "));
  if (lacks.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(statistic, " needs a model of all sampled parameters and no others", lacks,
                   ": train a model of the same dataset with parameters set to its sampled ones, all of them"));
}

absl::StatusOr<std::vector<double>> LogPriorAt(const MarginalPrior& prior, const v1::Signature& signature,
                                               absl::Span<const double> theta, const StopToken& stop) {
  const int64_t d = signature.parameters_size();
  const auto n = static_cast<int64_t>(theta.size()) / d;
  std::vector<double> log_prior(n, 0);
  if (prior.model == nullptr) {
    if (static_cast<int64_t>(prior.analytic.size()) != d) {
      return absl::InternalError(absl::StrCat(prior.analytic.size(), " priors for ", d, " parameters"));
    }
    for (int64_t i = 0; i < n * d; ++i) log_prior[i / d] += LogPrior(prior.analytic[i % d], theta[i]);
    return log_prior;
  }
  ABSL_ASSIGN_OR_RETURN(const std::vector<int64_t> columns, ColumnsOfPrior(prior, signature));
  std::vector<double> reordered(theta.size());
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < d; ++j) reordered[i * d + j] = theta[i * d + columns[j]];
  }
  ABSL_RETURN_IF_ERROR(prior.model->density()->LogProb(reordered, absl::MakeSpan(log_prior), stop));
  return log_prior;
}

absl::StatusOr<std::shared_ptr<const Density>> MakeProposal(const Estimator& model, const MarginalPrior& prior,
                                                            double prior_fraction) {
  std::shared_ptr<const Density> density = Borrow(*model.density());
  if (prior_fraction == 0) return density;
  std::shared_ptr<const Density> of_prior;
  if (prior.model == nullptr) {
    of_prior = std::make_shared<PriorDensity>(prior.analytic);
  } else {
    // Its parameters may be in another order.
    ABSL_ASSIGN_OR_RETURN(const std::vector<int64_t> columns, ColumnsOfPrior(prior, model.description().signature()));
    of_prior =
        std::make_shared<ProductDensity>(std::vector<std::shared_ptr<const Density>>{Borrow(*prior.model->density())},
                                         std::vector<std::vector<int64_t>>{columns});
  }
  return std::make_shared<MixtureDensity>(std::vector<std::shared_ptr<const Density>>{of_prior, density},
                                          std::vector<double>{prior_fraction, 1 - prior_fraction});
}

absl::StatusOr<RoundOptions> ParseRounds(double target_effective_size, int64_t max_points, int64_t round_size) {
  RoundOptions options;
  options.target_effective_size = target_effective_size == 0 ? kDefaultTarget : target_effective_size;
  options.max_points = max_points == 0 ? kDefaultMaxPoints : max_points;
  options.round_size = round_size;
  if (!(options.target_effective_size > 0) || !std::isfinite(options.target_effective_size)) {
    return absl::InvalidArgumentError(
        absl::StrCat("target_effective_size is ", target_effective_size, ", expected a positive number"));
  }
  if (options.max_points < 1 || options.max_points > kMostPoints) {
    return absl::InvalidArgumentError(absl::StrCat("max_points is ", max_points, ", expected 1 to ", kMostPoints));
  }
  if (round_size < 0 || round_size > kLargestRound) {
    return absl::InvalidArgumentError(absl::StrCat("round_size is ", round_size, ", expected 1 to ", kLargestRound));
  }
  return options;
}

absl::StatusOr<std::vector<double>> ParseLogLikelihood(const v1::Array& log_likelihood) {
  std::vector<double> values;
  if (log_likelihood.dtype() == v1::DTYPE_UNSPECIFIED && log_likelihood.data().empty()) return values;
  ABSL_ASSIGN_OR_RETURN(values, ToDoubles("log_likelihood", log_likelihood, {-1}));
  if (static_cast<int64_t>(values.size()) > kMostPoints) {
    return absl::InvalidArgumentError(
        absl::StrCat("log_likelihood has ", values.size(), " values, expected at most ", kMostPoints));
  }
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] < HUGE_VAL) continue;
    return absl::InvalidArgumentError(absl::StrCat("log_likelihood is ", values[i], " in row ", i,
                                                   ", expected a number or -inf (a likelihood of zero)"));
  }
  return values;
}

int64_t NextRound(const RoundOptions& options, int64_t n, double effective_size, int64_t bytes_per_point,
                  int64_t max_bytes) {
  const int64_t left = options.max_points - n;
  if (left <= 0 || effective_size >= options.target_effective_size) return 0;
  const int64_t fits = std::max<int64_t>(1, max_bytes / bytes_per_point);
  const int64_t most = std::min({left, fits, kLargestRound});
  if (options.round_size > 0) return std::min(options.round_size, most);
  const double missing = options.target_effective_size - effective_size;
  // Without a point that counts nothing is known of the efficiency: double.
  const double per_point = effective_size > 0 ? effective_size / static_cast<double>(n) : (n > 0 ? 0 : 1);
  const double needed = per_point > 0 ? std::ceil(kMargin * missing / per_point) : HUGE_VAL;
  const double doubled = n > 0 ? static_cast<double>(std::max(n, kSmallestRound)) : HUGE_VAL;
  const double size =
      std::min({std::max(needed, static_cast<double>(kSmallestRound)), doubled, static_cast<double>(most)});
  return static_cast<int64_t>(size);
}

std::vector<v1::Warning> WeightWarnings(double effective_size, double k_hat) {
  std::vector<v1::Warning> warnings;
  if (effective_size < kFewRows) warnings.push_back(v1::FEW_EFFECTIVE_SAMPLES);
  if (k_hat > kLargestTrustedKHat) warnings.push_back(v1::HEAVY_TAILED_WEIGHTS);
  return warnings;
}

void SetTotalError(v1::Estimate& estimate) {
  estimate.set_error(std::sqrt(estimate.monte_carlo_error() * estimate.monte_carlo_error() +
                               estimate.chain_error() * estimate.chain_error() +
                               estimate.approximation_error() * estimate.approximation_error() +
                               estimate.member_error() * estimate.member_error()));
}

}  // namespace creamery
