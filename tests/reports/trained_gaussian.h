// A posterior trained from rows of a Gaussian, moved as a whole to where an experiment would have it: one training
// serves experiments at any distance from one another.
#ifndef CREAMERY_TESTS_REPORTS_TRAINED_GAUSSIAN_H_
#define CREAMERY_TESTS_REPORTS_TRAINED_GAUSSIAN_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/estimator.h"

namespace creamery {

// Trains `family`, maf or nsf, with otherwise default options on `rows` independent draws of N(0, covariance),
// covariance (d, d); parameters p0, p1, ... with uniform priors on [-15, 15].
absl::StatusOr<std::unique_ptr<Estimator>> TrainGaussian(const std::string& family,
                                                         const std::vector<double>& covariance, int64_t d, int64_t rows,
                                                         uint64_t seed, int32_t members = 4);

// Which density of a model answers a joint analysis.
enum class MovedDensity { kAllMembers, kBestMember, kMixture };

// `model`, which must outlive it, moved by `shift` (d), under uniform priors on [-half_width, half_width].
std::unique_ptr<Estimator> Move(const Estimator& model, const std::vector<double>& shift, double half_width,
                                MovedDensity which = MovedDensity::kAllMembers);

}  // namespace creamery

#endif  // CREAMERY_TESTS_REPORTS_TRAINED_GAUSSIAN_H_
