// The joint posterior of independent analyses that share parameters, any number of them, and whether they agree.
// Its density is prod_i P_i(theta_i) / prior^(k - 1), k models on each shared parameter: the prior enters once. The
// integral of that is R = Z_joint / prod Z_i, which needs no evidence (Handley & Lemos 2019, arXiv:1902.04029, eq. 11).
#ifndef CREAMERY_MODELS_STATISTICS_JOINT_H_
#define CREAMERY_MODELS_STATISTICS_JOINT_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "creamery/v1/statistics_service.pb.h"
#include "models/estimator.h"
#include "proto/support/stop_token.h"

namespace creamery {

// What is asked. Everything is borrowed for the call.
struct JointInput {
  absl::Span<const Estimator* const> models;  // at least two, each once
  v1::PriorChoice prior;                      // nothing chosen: the declared priors
  // The density of the prior of the shared parameters: the chosen one, or, with nothing chosen, the one that the
  // signatures of all models name (prior_model); null: analytic priors.
  const Estimator* prior_model = nullptr;
  int64_t num_samples = 10000;         // at least 100
  uint64_t seed = 0;                   // the answer is a function of it and of what is asked
  int64_t max_evaluations = 10000000;  // of one density (a model's, or one of its members') at one point, all counted
};

struct JointResult {
  // The first message but for `seed`, `model_versions`, `prior_model_version` and `samples`, which are the caller's.
  v1::JointPosteriorResponse head;
  // n weighted samples, n at most num_samples; columns as in `head`.
  std::vector<double> theta;        // (n, d)
  std::vector<double> weight;       // (n), mean 1
  std::vector<double> log_density;  // (n), natural log of the unnormalised joint density
};

// `done`: part of the work that is behind, 0 to 1, never falling.
using JointProgress = std::function<void(double done)>;

// The density of each model is the mean of its members' log-densities, tempered to held-out rows and normalised
// (joint_average.h): of the choices measured on flows trained from 10 000 rows in ten dimensions the one with the least
// error of log R at four sigma, 0.19, against 0.23 with the best member.
//
// Warnings that come with an answer: LITTLE_OVERLAP where fewer than 50 rows of a model, and fewer than a tenth of its
// effective rows, would be effective at the joint posterior (JointErrors::local_rows); NOT_DETERMINED where the error
// of log R exceeds one and zero is within two of it: then not even its sign is known. A remark says what would
// determine it.
//
// INVALID_ARGUMENT: fewer than two models, one listed twice, one that shares no parameter with another, a prior of an
// unknown or not of a shared parameter. FAILED_PRECONDITION: declared priors of a shared parameter that differ (both
// are named) or are missing, a model without density or held-out statistics, a posterior outside the prior, posteriors
// that exclude one another. What cannot be had beside log R is left out and said in `head.remarks`. A budget that ends
// gives fewer samples and PARTIAL_RESULT. CANCELLED or DEADLINE_EXCEEDED from `stop`.
absl::StatusOr<JointResult> ComputeJoint(const JointInput& input, const JointProgress& progress, const StopToken& stop);

}  // namespace creamery

#endif  // CREAMERY_MODELS_STATISTICS_JOINT_H_
