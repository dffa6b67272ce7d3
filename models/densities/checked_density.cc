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
constexpr double kLargest = std::numeric_limits<double>::max();

// The nearest number strictly between the bounds.
double MoveInside(const Bounds& bounds, double theta) {
  if (theta <= bounds.lower) return std::nextafter(bounds.lower, kInfinity);
  if (theta >= bounds.upper) return std::nextafter(bounds.upper, -kInfinity);
  return theta;
}

}  // namespace

CheckedDensity::CheckedDensity(std::shared_ptr<const Density> density, const v1::Signature& signature,
                               const std::string& version)
    : density_(std::move(density)), version_(version) {
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
  return CheckLogProb(theta, log_prob);
}

absl::Status CheckedDensity::CheckLogProb(absl::Span<const double> theta, absl::Span<double> log_prob) const {
  const int64_t d = num_parameters();
  for (size_t i = 0; i < theta.size(); ++i) {
    if (!IsInside(i, theta[i])) log_prob[i / d] = -kInfinity;
  }
  for (size_t row = 0; row < log_prob.size(); ++row) {
    if (!(log_prob[row] < kInfinity)) return NotANumber("log p", log_prob[row], row);
  }
  return absl::OkStatus();
}

absl::Status CheckedDensity::NotANumber(absl::string_view what, double value, size_t row) const {
  return absl::InternalError(absl::StrCat(version_.empty() ? "the density" : version_, " answers ", what, " = ", value,
                                          " in row ", row, ": its artifact is damaged, or the fault is ours"));
}

absl::Status CheckedDensity::LogProbGradient(absl::Span<const double> theta, absl::Span<double> log_prob,
                                             absl::Span<double> gradient, const StopToken& stop) const {
  const int64_t d = num_parameters();
  ABSL_RETURN_IF_ERROR(CheckFinite("theta", theta, d, names_));
  ABSL_RETURN_IF_ERROR(density_->LogProbGradient(theta, log_prob, gradient, stop));
  ABSL_RETURN_IF_ERROR(CheckLogProb(theta, log_prob));
  for (size_t i = 0; i < gradient.size(); ++i) {
    if (log_prob[i / d] == -kInfinity) {
      gradient[i] = 0;
    } else if (std::isnan(gradient[i])) {
      return NotANumber("a gradient", gradient[i], i / d);
    } else {
      gradient[i] = std::clamp(gradient[i], -kLargest, kLargest);
    }
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
  for (size_t i = 0; i < theta.size(); ++i) {
    if (!std::isfinite(theta[i])) return NotANumber(absl::StrCat("'", names_[i % d], "'"), theta[i], i / d);
    theta[i] = MoveInside(bounds_[i % d], theta[i]);
  }
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
  ABSL_RETURN_IF_ERROR(density_->InversePriorTransform(theta, u, stop));
  for (size_t i = 0; i < u.size(); ++i) {
    if (!(u[i] >= 0 && u[i] <= 1)) return NotANumber("u", u[i], i / d);
  }
  return absl::OkStatus();
}

absl::Status CheckedDensity::ContractedLogProb(absl::Span<const double> theta, double temperature,
                                               absl::Span<double> log_prob, const StopToken& stop) const {
  ABSL_RETURN_IF_ERROR(CheckFinite("theta", theta, num_parameters(), names_));
  ABSL_RETURN_IF_ERROR(density_->ContractedLogProb(theta, temperature, log_prob, stop));
  return CheckLogProb(theta, log_prob);
}

std::unique_ptr<const Density> CheckedDensity::InDoublePrecision() const {
  return absl::WrapUnique(new CheckedDensity(density_->InDoublePrecision(), bounds_, names_, version_));
}

}  // namespace creamery
