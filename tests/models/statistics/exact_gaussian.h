// Trained models whose truth is known: Gaussian posteriors as estimators, exact or fitted to a finite chain fold by
// fold as a training would be, and the closed forms of what their joint analysis is.
#ifndef CREAMERY_TESTS_MODELS_STATISTICS_EXACT_GAUSSIAN_H_
#define CREAMERY_TESTS_MODELS_STATISTICS_EXACT_GAUSSIAN_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/estimator.h"

namespace creamery {

v1::Prior UniformPriorOf(double lower, double upper);
v1::Prior NormalPriorOf(double mean, double stddev);

// N(mean, covariance) of named parameters. mean: (d), covariance: (d, d) row-major.
struct GaussianPosterior {
  std::vector<std::string> names;
  std::vector<double> mean;
  std::vector<double> covariance;

  int64_t d() const { return static_cast<int64_t>(names.size()); }
};

// A positive definite covariance of unit variances with correlation rho^|i - j|.
std::vector<double> Correlated(int64_t d, double rho, double scale = 1);

// One member, the posterior itself, with held-out statistics of a perfect training on `rows` independent rows.
std::unique_ptr<Estimator> ExactModel(const GaussianPosterior& posterior, const std::vector<v1::Prior>& priors,
                                      int64_t rows = 10000);

// One member, the equal mixture of posteriors of the same parameters.
std::unique_ptr<Estimator> ExactMixture(const std::vector<GaussianPosterior>& parts,
                                        const std::vector<v1::Prior>& priors);

// Four members: Gaussians fitted to `rows` independent draws with `seed`, each without its fold.
std::unique_ptr<Estimator> FittedModel(const GaussianPosterior& posterior, const std::vector<v1::Prior>& priors,
                                       int64_t rows, uint64_t seed);

// The description may be completed: names, evidences, what was marginalised.
v1::ModelVersion& DescriptionOf(Estimator& model);

// Closed forms for posteriors under one flat prior of log-density -log_volume[j] for parameter j of the union `names`,
// wide enough to hold all of them.
struct JointTruth {
  double log_r = 0;
  double joint_kl = 0;
  double information = 0;
  double dimensionality = 0;
  std::vector<double> mean;  // (d)
  std::vector<double> covariance;
};
JointTruth TruthOf(const std::vector<GaussianPosterior>& posteriors, const std::vector<std::string>& names,
                   const std::vector<double>& log_volume);

}  // namespace creamery

#endif  // CREAMERY_TESTS_MODELS_STATISTICS_EXACT_GAUSSIAN_H_
