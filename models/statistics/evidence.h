// What every estimate of an evidence Z = integral of L(theta) prior(theta) asks of a model and of what a client sends.
#ifndef CREAMERY_MODELS_STATISTICS_EVIDENCE_H_
#define CREAMERY_MODELS_STATISTICS_EVIDENCE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "creamery/v1/array.pb.h"
#include "creamery/v1/model.pb.h"
#include "creamery/v1/statistics_service.pb.h"
#include "models/estimator.h"
#include "models/statistics/marginal.h"
#include "proto/support/stop_token.h"

namespace creamery {

// The likelihood is a function of all sampled parameters, so its evidence needs a density of exactly these.
// FAILED_PRECONDITION naming the parameters that were marginalised or are derived, and what to do. `statistic` opens
// the message: "the evidence".
absl::Status CheckFullSpace(absl::string_view statistic, const v1::Signature& signature);

// Natural log of the prior at theta (n, d), columns in the order of `signature`; -inf outside its support.
absl::StatusOr<std::vector<double>> LogPriorAt(const MarginalPrior& prior, const v1::Signature& signature,
                                               absl::Span<const double> theta, const StopToken& stop);

// The density that importance sampling draws from, (1 - prior_fraction) model + prior_fraction prior. It borrows both.
absl::StatusOr<std::shared_ptr<const Density>> MakeProposal(const Estimator& model, const MarginalPrior& prior,
                                                            double prior_fraction);

// Statistics in rounds: points 0, 1, ... are a fixed stream, and each call brings the log-likelihoods of all points so
// far. Nothing is kept between calls.
struct RoundOptions {
  double target_effective_size = 0;
  int64_t max_points = 0;
  int64_t round_size = 0;  // 0: decided by NextRound
};

// The request's numbers with defaults for zeros. INVALID_ARGUMENT naming the option, what was given and its range.
absl::StatusOr<RoundOptions> ParseRounds(double target_effective_size, int64_t max_points, int64_t round_size);

// log_likelihood as numbers, none if the array is not there. INVALID_ARGUMENT naming the first row that is NaN or +inf,
// for a wrong shape, and for more than 10 million values.
absl::StatusOr<std::vector<double>> ParseLogLikelihood(const v1::Array& log_likelihood);

// Points of the next round after `n` that gave `effective_size`: as many as the target seems to need, at most as many
// as there are, 100000, what is left of max_points, and what fits into `max_bytes` with `bytes_per_point` each; 0 when
// done.
int64_t NextRound(const RoundOptions& options, int64_t n, double effective_size, int64_t bytes_per_point,
                  int64_t max_bytes);

// Adds FEW_EFFECTIVE_SAMPLES below 100, HEAVY_TAILED_WEIGHTS above k-hat 0.7.
std::vector<v1::Warning> WeightWarnings(double effective_size, double k_hat);

// Fills `error` with the root of the sum of the squares of the parts.
void SetTotalError(v1::Estimate& estimate);

}  // namespace creamery

#endif  // CREAMERY_MODELS_STATISTICS_EVIDENCE_H_
