#include "models/densities/checked_density.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "proto/support/array.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The nearest number strictly between the bounds.
double MoveInside(const Bounds& bounds, double theta) {
  if (theta <= bounds.lower) return std::nextafter(bounds.lower, kInfinity);
  if (theta >= bounds.upper) return std::nextafter(bounds.upper, -kInfinity);
  return theta;
}

}  // namespace

CheckedDensity::CheckedDensity(std::shared_ptr<const Density> density, const v1::Signature& signature)
    : density_(std::move(density)) {
  for (const v1::Parameter& parameter : signature.parameters()) {
    bounds_.push_back(BoundsOf(parameter));
    names_.push_back(parameter.name());
  }
}

absl::Status CheckedDensity::LogProb(absl::Span<const double> theta, absl::Span<double> log_prob,
                                     const StopToken& stop) const {
  const int64_t d = num_parameters();
  ABSL_RETURN_IF_ERROR(CheckFinite("theta", theta, d, names_));
  ABSL_RETURN_IF_ERROR(density_->LogProb(theta, log_prob, stop));
  for (size_t i = 0; i < theta.size(); ++i) {
    if (!IsInside(i, theta[i])) log_prob[i / d] = -kInfinity;
  }
  return absl::OkStatus();
}

absl::Status CheckedDensity::LogProbGradient(absl::Span<const double> theta, absl::Span<double> log_prob,
                                             absl::Span<double> gradient, const StopToken& stop) const {
  const int64_t d = num_parameters();
  ABSL_RETURN_IF_ERROR(CheckFinite("theta", theta, d, names_));
  ABSL_RETURN_IF_ERROR(density_->LogProbGradient(theta, log_prob, gradient, stop));
  for (size_t i = 0; i < theta.size(); ++i) {
    if (IsInside(i, theta[i])) continue;
    log_prob[i / d] = -kInfinity;
    std::fill_n(&gradient[i / d * d], d, 0.0);
  }
  return absl::OkStatus();
}

absl::Status CheckedDensity::PriorTransform(absl::Span<const double> u, absl::Span<double> theta,
                                            const StopToken& stop) const {
  const int64_t d = num_parameters();
  for (size_t i = 0; i < u.size(); ++i) {
    if (u[i] > 0 && u[i] < 1) continue;
    return absl::InvalidArgumentError(absl::StrCat("u has ", u[i], " in row ", i / d, ", column ", i % d, " (",
                                                   names_[i % d], "), expected numbers strictly between 0 and 1"));
  }
  ABSL_RETURN_IF_ERROR(density_->PriorTransform(u, theta, stop));
  for (size_t i = 0; i < theta.size(); ++i) theta[i] = MoveInside(bounds_[i % d], theta[i]);
  return absl::OkStatus();
}

absl::Status CheckedDensity::InversePriorTransform(absl::Span<const double> theta, absl::Span<double> u,
                                                   const StopToken& stop) const {
  const int64_t d = num_parameters();
  ABSL_RETURN_IF_ERROR(CheckFinite("theta", theta, d, names_));
  for (size_t i = 0; i < theta.size(); ++i) {
    if (IsInside(i, theta[i])) continue;
    const Bounds& bounds = bounds_[i % d];
    return absl::InvalidArgumentError(absl::StrCat("theta has ", theta[i], " in row ", i / d, ", column ", i % d, " (",
                                                   names_[i % d], "), expected numbers strictly between the bounds ",
                                                   bounds.lower, " and ", bounds.upper));
  }
  return density_->InversePriorTransform(theta, u, stop);
}

absl::Status CheckedDensity::ContractedLogProb(absl::Span<const double> theta, double temperature,
                                               absl::Span<double> log_prob, const StopToken& stop) const {
  ABSL_RETURN_IF_ERROR(CheckFinite("theta", theta, num_parameters(), names_));
  ABSL_RETURN_IF_ERROR(density_->ContractedLogProb(theta, temperature, log_prob, stop));
  for (size_t i = 0; i < theta.size(); ++i) {
    if (!IsInside(i, theta[i])) log_prob[i / num_parameters()] = -kInfinity;
  }
  return absl::OkStatus();
}

std::unique_ptr<const Density> CheckedDensity::InDoublePrecision() const {
  return absl::WrapUnique(new CheckedDensity(density_->InDoublePrecision(), bounds_, names_));
}

}  // namespace creamery
