// Marginal statistics of a trained density against a prior, with honest errors.
// D_KL = E_P[log P - log pi], d_G = 2 Var_P[log P - log pi] (Handley & Lemos 2019, arXiv:1903.06682, eqs. 5 and 9).
//
// E_P[log P] comes from the samples, by cross-fitting: O, the mean of log q over rows by members that have not seen
// them, and I, by members that have. Near the best fit take the log-density apart into directions with independent
// noise: member = h (s + e), s the truth, e of variance v = 1 / rows, h in [0, 1] what training took up of it. Then
//   O - E_P[log P] = -sum ((1-h)^2 s^2 + h^2 v) / 2,   I - E_P[log P] = sum (v - (1-h)^2 (s^2 + v)) / 2,
// so half the gap (I - O) / 2 = sum h v / 2 measures what was fitted to noise, and the middle (I + O) / 2 is off by
// sum (h (1-h) v - (1-h)^2 s^2) / 2: by nothing where training took up all (h = 1, maximum likelihood) nor where it
// stopped at the best (h = s^2 / (s^2 + v)), by -s^2 / 2 where it learned nothing, as a family that cannot. The value
// is the middle. Its remaining error, against exact densities (tests/reports/error_bar_coverage), is 0.3 to 0.4 of half
// the gap wherever the family can describe the samples, so 0.4 of it is the approximation error. What a family cannot
// describe (h = 0) nearest neighbours see where rows are many for the dimension (misfit.h): KL(P || q) on unseen rows
// beyond half the gap, M say, of error e. The value is raised by M^5 / (M^4 + e^4), which is little for noise, and as
// much is added to the approximation error, in quadrature.
//
// The prior's part, E_P[log pi], is averaged over the same rows: both statistics are of f = log q - log pi, row by row.
// Rows scatter about the posterior, and log q and log pi with them; in f what they share cancels, in the extreme of a
// posterior that is the prior all of it. Averages of log pi over draws from q would not do: they carry what is wrong
// with q, at first order. (Nor help as a control variate, E_rows[f - g] + E_q[g]: a q fitted to the rows repeats their
// scatter.) Draws take the rows' place only where the rows are gone; E_q[g] is then wrong by up to
// sqrt(2 Var[g] KL(P || q)), to first order by Cauchy and Schwarz, which is added to the approximation error, the KL
// taken as half the gap, or what neighbours see, if that is more.
//
// Of a prior model log pi is the mean over its members, which have less noise than any of them. A fitted log-density
// is off from its own noise by -sum v / 2 on average over trainings, wherever it is asked: by its half gap, which is
// taken off D_KL. What its rows leave uncertain is a jackknife over its members.
//
// Var_P[f], likewise: the covariance of two members over rows, of which the members' own noise is not a part, half by
// pairs of which one has not seen the row, half by pairs that both have. Members share rows, two of four 2/3 of them,
// and with these some noise: C = (4/3) half the gap in the covariance, all there is where the posterior is the prior.
// Elsewhere products of noise and of the density's own slopes make up for it (measured), so the lesser of C^2 / Var and
// Var is taken off, and 3/4 C is an error. So are: 0.2 of the distance from the variance of O's terms, which is as
// noisy as one member; and sqrt(Var M / 2) for a misfit M that neighbours see (a family that cannot describe the rows
// is smoother: measured, a half to all of it). Kernels are too smooth for that: see DimensionalityOf.
//
// Where the prior vanishes on at most 1 % of the posterior, both statistics are of the posterior cut to where it does
// not, and say so.
#ifndef CREAMERY_MODELS_STATISTICS_MARGINAL_H_
#define CREAMERY_MODELS_STATISTICS_MARGINAL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "creamery/v1/dataset.pb.h"
#include "creamery/v1/statistics_service.pb.h"
#include "creamery/v1/warning.pb.h"
#include "models/estimator.h"
#include "proto/support/rows.h"
#include "proto/support/stop_token.h"

namespace creamery {

struct MarginalStatistics {
  v1::Estimate kl;
  v1::Estimate dimensionality;
  std::vector<v1::Warning> warnings;                 // of kl
  std::vector<v1::Warning> dimensionality_warnings;  // the same but for LARGE_ERROR
  std::vector<std::string> remarks;                  // of both: what is left out and how much
};

// The prior in the posterior model's parameter order: analytic (one per parameter), or a trained density whose
// parameters are the same ones in any order.
struct MarginalPrior {
  std::vector<v1::Prior> analytic;
  const Estimator* model = nullptr;  // must outlive the call
};

// The prior a request chose: given analytic ones, a chosen model, or, by default, what the signature declares: its
// prior_model if it names one, else the analytic priors of its parameters. `prior_model` is that model, loaded by the
// caller, or null. FAILED_PRECONDITION naming the parameters without a prior (never assumed uniform), or the prior
// model that was not loaded; INVALID_ARGUMENT for unknown names, bad numbers, or a prior model of other parameters.
absl::StatusOr<MarginalPrior> ChoosePrior(const v1::Signature& signature, const v1::PriorChoice& choice,
                                          const Estimator* prior_model);

// The rows a version was trained on, borrowed for the call; without them `missing` says why.
struct MarginalRows {
  const v1::Dataset* dataset = nullptr;
  const RowBlock* rows = nullptr;
  std::string missing;
};

// Whether rows make the answer better: not for the analytic priors that the version was trained with, whose statistics
// over the rows it carries, nor for uniform priors.
bool NeedsRows(const Estimator& model, const MarginalPrior& prior);

// Both statistics. From what the version carries if the prior is the analytic one it was trained with; else from
// `rows`, of which at most 20 000, evenly spaced, are used; without rows from `num_samples` draws with `seed`, which a
// remark says if it matters. The error of a prior model is part of the stated one if the prior has several members and
// held-out statistics (by a jackknife over its members); else PRIOR_IS_ESTIMATED says that it is not.
//
// PRIOR_DOES_NOT_COVER where the prior vanishes on some of the posterior, OUTSIDE_TRAINING_REGION where more than 0.1 %
// of it lies below the prior model's log_prob_floor, whose log-density is extrapolated there, NOT_DETERMINED besides if
// that is most of the posterior or of D_KL: each with a remark that names the share. The version's own warnings are
// passed on.
//
// FAILED_PRECONDITION if the model has no density, its version carries no held-out statistics, or the prior vanishes on
// more than 1 % of the posterior (the share is named).
absl::StatusOr<MarginalStatistics> ComputeMarginal(const Estimator& model, const MarginalPrior& prior,
                                                   const MarginalRows& rows, int64_t num_samples, uint64_t seed,
                                                   const StopToken& stop);
// The same without rows.
absl::StatusOr<MarginalStatistics> ComputeMarginal(const Estimator& model, const MarginalPrior& prior,
                                                   int64_t num_samples, uint64_t seed, const StopToken& stop);

}  // namespace creamery

#endif  // CREAMERY_MODELS_STATISTICS_MARGINAL_H_
