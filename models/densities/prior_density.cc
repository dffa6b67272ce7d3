#include "models/densities/prior_density.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/densities/checked_density.h"
#include "models/densities/mixture_density.h"
#include "models/plan/column_map.h"
#include "models/plan/row_status.h"
#include "proto/support/rows.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kRowsPerCheck = 1024;

double SlopeOf(const v1::Prior& prior, double theta) {
  if (prior.has_normal()) {
    return (prior.normal().mean() - theta) / (prior.normal().stddev() * prior.normal().stddev());
  }
  return prior.has_log_uniform() ? -1 / theta : 0;
}

double Quantile(const v1::Prior& prior, const Bounds& bounds, double u) {
  if (prior.has_normal()) return prior.normal().mean() + prior.normal().stddev() * NormalQuantile(u);
  double theta = bounds.lower + u * (bounds.upper - bounds.lower);
  if (prior.has_log_uniform()) {
    theta = std::exp(std::log(bounds.lower) + u * (std::log(bounds.upper) - std::log(bounds.lower)));
  }
  return std::clamp(theta, std::nextafter(bounds.lower, kInfinity), std::nextafter(bounds.upper, -kInfinity));
}

double Cdf(const v1::Prior& prior, const Bounds& bounds, double theta) {
  double u = 0;
  if (prior.has_normal()) {
    u = NormalCdf((theta - prior.normal().mean()) / prior.normal().stddev());
  } else {
    u = prior.has_log_uniform()
            ? (std::log(theta) - std::log(bounds.lower)) / (std::log(bounds.upper) - std::log(bounds.lower))
            : (theta - bounds.lower) / (bounds.upper - bounds.lower);
  }
  return std::clamp(u, std::numeric_limits<double>::min(), 1 - 0x1p-53);
}

bool IsInside(const Bounds& bounds, double theta) { return theta > bounds.lower && theta < bounds.upper; }

}  // namespace

PriorDensity::PriorDensity(std::vector<v1::Prior> priors) : priors_(std::move(priors)) {
  for (const v1::Prior& prior : priors_) {
    v1::Parameter parameter;
    *parameter.mutable_prior() = prior;
    bounds_.push_back(BoundsOf(parameter));
  }
}

absl::Status PriorDensity::LogProb(absl::Span<const double> theta, absl::Span<double> log_prob,
                                   const StopToken& stop) const {
  const int64_t d = num_parameters();
  const int64_t n = static_cast<int64_t>(log_prob.size());
  ABSL_RETURN_IF_ERROR(CheckRowShape("theta", theta.size(), n, d));
  for (int64_t i = 0; i < n; ++i) {
    if (i % kRowsPerCheck == 0) ABSL_RETURN_IF_ERROR(stop.Check());
    log_prob[i] = 0;
    for (int64_t j = 0; j < d; ++j) {
      const double value = theta[i * d + j];
      log_prob[i] += IsInside(bounds_[j], value) ? LogPrior(priors_[j], value) : -kInfinity;
    }
  }
  return absl::OkStatus();
}

absl::Status PriorDensity::LogProbGradient(absl::Span<const double> theta, absl::Span<double> log_prob,
                                           absl::Span<double> gradient, const StopToken& stop) const {
  const int64_t d = num_parameters();
  ABSL_RETURN_IF_ERROR(LogProb(theta, log_prob, stop));
  ABSL_RETURN_IF_ERROR(CheckRowShape("gradient", gradient.size(), static_cast<int64_t>(log_prob.size()), d));
  for (size_t i = 0; i < gradient.size(); ++i) {
    gradient[i] = log_prob[i / d] == -kInfinity ? 0 : SlopeOf(priors_[i % d], theta[i]);
  }
  return absl::OkStatus();
}

absl::Status PriorDensity::PriorTransform(absl::Span<const double> u, absl::Span<double> theta,
                                          const StopToken& stop) const {
  const int64_t d = num_parameters();
  ABSL_RETURN_IF_ERROR(CheckRowShape("u", u.size(), static_cast<int64_t>(theta.size()) / d, d));
  for (size_t i = 0; i < u.size(); ++i) {
    if (i % kRowsPerCheck == 0) ABSL_RETURN_IF_ERROR(stop.Check());
    theta[i] = Quantile(priors_[i % d], bounds_[i % d], u[i]);
  }
  return absl::OkStatus();
}

absl::Status PriorDensity::InversePriorTransform(absl::Span<const double> theta, absl::Span<double> u,
                                                 const StopToken& stop) const {
  const int64_t d = num_parameters();
  ABSL_RETURN_IF_ERROR(CheckRowShape("theta", theta.size(), static_cast<int64_t>(u.size()) / d, d));
  for (size_t i = 0; i < theta.size(); ++i) {
    if (i % kRowsPerCheck == 0) ABSL_RETURN_IF_ERROR(stop.Check());
    if (!IsInside(bounds_[i % d], theta[i])) return OutsideSupport(static_cast<int64_t>(i) / d);
    u[i] = Cdf(priors_[i % d], bounds_[i % d], theta[i]);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Density>> MakePriorDensity(const v1::Signature& signature) {
  std::vector<v1::Prior> priors;
  std::vector<std::string> missing;
  for (const v1::Parameter& parameter : signature.parameters()) {
    if (parameter.prior().density_case() == v1::Prior::DENSITY_NOT_SET) missing.push_back(parameter.name());
    priors.push_back(parameter.prior());
  }
  if (missing.empty()) return std::make_unique<PriorDensity>(std::move(priors));
  return absl::FailedPreconditionError(
      absl::StrCat("no analytic prior for ", absl::StrJoin(missing, ", "), ": declare one with the dataset"));
}

absl::StatusOr<std::unique_ptr<Density>> MixWithPrior(const Density& density, const v1::Signature& signature,
                                                      double fraction) {
  if (!(fraction >= 0 && fraction < 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("prior_fraction is ", fraction, ", expected a number from 0 to below 1"));
  }
  // Borrowed: the caller keeps it alive.
  const std::shared_ptr<const Density> borrowed(std::shared_ptr<const Density>(), &density);
  if (fraction == 0) return std::make_unique<CheckedDensity>(borrowed, signature);
  ABSL_ASSIGN_OR_RETURN(std::unique_ptr<Density> prior, MakePriorDensity(signature));
  auto mixture =
      std::make_shared<MixtureDensity>(std::vector<std::shared_ptr<const Density>>{std::move(prior), borrowed},
                                       std::vector<double>{fraction, 1 - fraction});
  return std::make_unique<CheckedDensity>(std::move(mixture), signature);
}

}  // namespace creamery
