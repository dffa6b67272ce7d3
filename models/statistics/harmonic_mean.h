// The evidence from a chain and its log-likelihoods alone: the learnt harmonic mean (McEwen et al. 2021,
// arXiv:2111.12720, eq. 15; with flows whose base is contracted, Polanska et al. 2024, arXiv:2405.05969).
//   1/Z = E_P[phi(theta) / (L(theta) prior(theta))]   for any normalised phi that stays inside the posterior.
// For a row of fold k, phi is member k, which has not seen the row: seen rows would bias 1/Z upwards.
#ifndef CREAMERY_MODELS_STATISTICS_HARMONIC_MEAN_H_
#define CREAMERY_MODELS_STATISTICS_HARMONIC_MEAN_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "creamery/v1/dataset.pb.h"
#include "creamery/v1/statistics_service.pb.h"
#include "models/data_preparation.h"
#include "models/estimator.h"
#include "models/statistics/marginal.h"
#include "proto/support/rows.h"
#include "proto/support/stop_token.h"

namespace creamery {

// The estimate from the rows that the model was trained on. Fills all of the answer but the versions; there are no
// rounds, so next_theta is empty and done is set.
//   chain_error          of the mean of the terms, by the kind of the rows (AverageExponentials)
//   approximation_error  of phi's own noise, which the folds share: how members differ at the same rows
//   member_error         what the folds' own estimates scatter beyond the chain's error
// What no part covers: a member's training stopped at the epoch that suits its own fold best, so it has seen a little
// of it, which lowers log Z by a few tenths of the stated error, by up to one of it for a few short Markov chains
// (measured: tests/reports/evidence_report.cc).
//
// FAILED_PRECONDITION if the model is not of all sampled parameters, its members cannot be contracted, the dataset is
// not the one it was trained on, the chain has no log-likelihoods, or rows with weight have a likelihood or prior of
// zero (more than 1 % of the weight for the prior; less is left out with PRIOR_DOES_NOT_COVER). INVALID_ARGUMENT for a
// temperature out of (0, 1].
absl::StatusOr<v1::EvidenceResponse> HarmonicMeanEvidence(const Estimator& model, const MarginalPrior& prior,
                                                          const v1::Dataset& dataset, const RowBlock& rows,
                                                          const v1::HarmonicMean& request, uint64_t seed,
                                                          const StopToken& stop);

// The rows and folds of the training of `model`, from the version's own spec. FAILED_PRECONDITION if there is another
// number of rows than were trained on, or another digest.
absl::StatusOr<PreparedData> TrainingRows(const Estimator& model, const v1::Dataset& dataset, const RowBlock& rows);

}  // namespace creamery

#endif  // CREAMERY_MODELS_STATISTICS_HARMONIC_MEAN_H_
