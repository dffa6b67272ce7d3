// Marginal statistics of a trained density against a prior, with honest errors.
// D_KL = E_P[log P - log pi], d_G = 2 Var_P[log P - log pi] (Handley & Lemos 2019, arXiv:1903.06682, eqs. 5 and 9).
//
// E_P[log P] comes from the samples, by cross-fitting: members that saw a row overestimate it, members that did not
// underestimate it, so the estimate is the middle and half the gap the approximation error. The prior's part is
// averaged over draws from the density.
#ifndef CREAMERY_MODELS_STATISTICS_MARGINAL_H_
#define CREAMERY_MODELS_STATISTICS_MARGINAL_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "creamery/v1/statistics_service.pb.h"
#include "creamery/v1/warning.pb.h"
#include "models/estimator.h"
#include "proto/support/stop_token.h"

namespace creamery {

struct MarginalStatistics {
  v1::Estimate kl;
  v1::Estimate dimensionality;
  std::vector<v1::Warning> warnings;                 // of kl
  std::vector<v1::Warning> dimensionality_warnings;  // the same but for LARGE_ERROR
};

// The prior in the posterior model's parameter order: analytic (one per parameter), or a trained density whose
// parameters are the same ones in any order.
struct MarginalPrior {
  std::vector<v1::Prior> analytic;
  const Estimator* model = nullptr;  // must outlive the call
};

// The prior a request chose: the declared one, given analytic ones, or `prior_model` (null unless a model was chosen).
// FAILED_PRECONDITION naming the parameters without a prior (never assumed uniform); INVALID_ARGUMENT for unknown
// names, bad numbers, or a prior model of other parameters.
absl::StatusOr<MarginalPrior> ChoosePrior(const v1::Signature& signature, const v1::PriorChoice& choice,
                                          const Estimator* prior_model);

// Both statistics from `num_samples` draws with `seed`. FAILED_PRECONDITION if the model has no density or its version
// carries no held-out statistics.
absl::StatusOr<MarginalStatistics> ComputeMarginal(const Estimator& model, const MarginalPrior& prior,
                                                   int64_t num_samples, uint64_t seed, const StopToken& stop);

}  // namespace creamery

#endif  // CREAMERY_MODELS_STATISTICS_MARGINAL_H_
