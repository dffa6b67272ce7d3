// From a suspiciousness to a tension in standard deviations (Handley & Lemos 2019, arXiv:1902.04029, section II C).
// Pure functions.
#ifndef CREAMERY_MODELS_STATISTICS_TENSION_H_
#define CREAMERY_MODELS_STATISTICS_TENSION_H_

#include <optional>

#include "creamery/v1/statistics_service.pb.h"

namespace creamery {

// log P(chi^2_dof > x), natural log, for real dof > 0; 0 for x <= 0, finite for every finite x. Relative error of the
// probability below 1e-12. The regularised incomplete gamma function Q(dof / 2, x / 2), by its series where
// x < dof + 2 and by its continued fraction elsewhere (Abramowitz & Stegun 1964, eqs. 6.5.29 and 6.5.31).
double LogChiSquaredSurvival(double x, double dof);

// The sigma >= 0 with log erfc(sigma / sqrt 2) = log_p: how many standard deviations of a normal, both tails, are as
// rare. log_p <= 0.
double SigmaOfLogP(double log_p);

struct Tension {
  double p_value = 0;  // P(chi^2_d > d - 2 log S); 0 below the smallest double, where sigma is still right
  double sigma = 0;
};
// Not defined, hence nothing, for d that is not positive.
std::optional<Tension> TensionOf(double log_suspiciousness, double dimensionality);

// Sets p_value, sigma, sigma_low and sigma_high from log_suspiciousness and dimensionality, which are taken as normal,
// of their stated errors and `correlation` in [-1, 1], where d is positive. The ends are quantiles of the sigma that
// follows: of what is below the estimate 68.27 % lies above sigma_low, and of what is above it 68.27 % lies below
// sigma_high. So the estimate lies between them, they hold 68.27 % in all, and where sigma is linear in log S and d
// they are one standard error away. Sets nothing if d is not positive.
void FillTension(v1::JointStatistics& statistics, double correlation = 0);

}  // namespace creamery

#endif  // CREAMERY_MODELS_STATISTICS_TENSION_H_
