// An experiment with non-Gaussian nuisances and its nested-sampling run, for joint analyses of known log R.
// u = M theta, theta in a box; datum j, 0 for one experiment and `shift` for the other, is u_j + sign g(a_j) + noise
// with g(a) = a / 2 + 0.3 (a^2 - 1) and a_j ~ N(0, 1): every u_j has a marginal likelihood with one steep side and one
// long one, and what both share, M, makes the marginals of theta correlated. Of opposite signs the steep sides face one
// another. Without nuisances the likelihood is normal and the truth a closed form.
#ifndef CREAMERY_TESTS_REPORTS_NESTED_EXPERIMENT_H_
#define CREAMERY_TESTS_REPORTS_NESTED_EXPERIMENT_H_

#include <cstdint>
#include <vector>

#include "models/training/trainer.h"

namespace creamery {

struct NestedExperiment {
  int64_t d = 3;
  bool nuisances = true;  // one by parameter, integrated out
  double shift = 0;
  double sign = 1;

  static constexpr double kHalfWidth = 10;  // of the prior's box, in theta

  int64_t sampled() const { return nuisances ? 2 * d : d; }
  double Noise(int64_t j) const { return 0.3 + 0.2 * static_cast<double>(j) / static_cast<double>(d); }
  // Of a point of the unit cube (sampled()), natural log but for a constant.
  double LogLikelihood(const double* cube) const;
  // The likelihood of u_j with its nuisance integrated out, but for a constant.
  double Marginal(int64_t j, double u) const;

  // A run of `live` points: each twentieth of them that dies is replaced by copies of others, moved 40 times within the
  // contour, until the live points hold 1e-4 of the evidence. Dead and live rows of theta alone, with what nested
  // sampling says of them, as input of a training of `family`, maf or nsf.
  TrainingInput Run(int64_t live, const std::string& family, uint64_t seed) const;
};

// log R of two experiments, by quadrature; exact as long as the box holds both posteriors.
double TrueLogR(const NestedExperiment& a, const NestedExperiment& b);
// The shift of b at which the closed form or quadrature of log R is `drop` below its largest value.
double ShiftForDrop(const NestedExperiment& a, const NestedExperiment& b, double drop);

}  // namespace creamery

#endif  // CREAMERY_TESTS_REPORTS_NESTED_EXPERIMENT_H_
