// A density with the names and bounds of its parameters: checks what comes in, keeps what goes out inside, and lets no
// number out that is none: INTERNAL naming the version and the row instead.
#ifndef CREAMERY_MODELS_DENSITIES_CHECKED_DENSITY_H_
#define CREAMERY_MODELS_DENSITIES_CHECKED_DENSITY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "creamery/v1/model.pb.h"
#include "models/estimator.h"
#include "proto/support/rows.h"

namespace creamery {

// Immutable; safe to use from any number of threads.
class CheckedDensity final : public Density {
 public:
  // `density` has the parameters of `signature`. `version`: its name, for messages, or empty.
  CheckedDensity(std::shared_ptr<const Density> density, const v1::Signature& signature,
                 const std::string& version = "");

  int64_t num_parameters() const override { return density_->num_parameters(); }
  // INVALID_ARGUMENT naming the row for NaN or infinity in theta. -inf on or outside the signature's bounds.
  absl::Status LogProb(absl::Span<const double> theta, absl::Span<double> log_prob,
                       const StopToken& stop) const override;
  // INVALID_ARGUMENT naming the row for u not in (0, 1). theta lies strictly inside the signature's bounds.
  absl::Status PriorTransform(absl::Span<const double> u, absl::Span<double> theta,
                              const StopToken& stop) const override;
  // A slope beyond the largest number is given as that one.
  absl::Status LogProbGradient(absl::Span<const double> theta, absl::Span<double> log_prob, absl::Span<double> gradient,
                               const StopToken& stop) const override;
  // INVALID_ARGUMENT naming the row for theta on or outside the bounds.
  absl::Status InversePriorTransform(absl::Span<const double> theta, absl::Span<double> u,
                                     const StopToken& stop) const override;
  absl::Status ContractedLogProb(absl::Span<const double> theta, double temperature, absl::Span<double> log_prob,
                                 const StopToken& stop) const override;
  std::unique_ptr<const Density> InDoublePrecision() const override;
  int64_t prepared_bytes() const override { return density_->prepared_bytes(); }

 private:
  CheckedDensity(std::shared_ptr<const Density> density, std::vector<Bounds> bounds, std::vector<std::string> names,
                 std::string version)
      : density_(std::move(density)),
        bounds_(std::move(bounds)),
        names_(std::move(names)),
        version_(std::move(version)) {}

  bool IsInside(size_t number, double theta) const {
    const Bounds& bounds = bounds_[number % bounds_.size()];
    return theta > bounds.lower && theta < bounds.upper;
  }

  // -inf where theta is not inside; INTERNAL for NaN and +inf elsewhere.
  absl::Status CheckLogProb(absl::Span<const double> theta, absl::Span<double> log_prob) const;
  absl::Status NotANumber(absl::string_view what, double value, size_t row) const;

  const std::shared_ptr<const Density> density_;
  std::vector<Bounds> bounds_;
  std::vector<std::string> names_;
  std::string version_;
};

}  // namespace creamery

#endif  // CREAMERY_MODELS_DENSITIES_CHECKED_DENSITY_H_
