// Averages of exp(value) over the rows of a chain, in log space, with the error that the kind of the rows implies: what
// the harmonic mean (values log phi - log L - log prior) and reweighting (log L_new - log L) are made of.
#ifndef CREAMERY_MODELS_STATISTICS_EVIDENCE_ERROR_H_
#define CREAMERY_MODELS_STATISTICS_EVIDENCE_ERROR_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "creamery/v1/dataset.pb.h"

namespace creamery {

// n rows of a chain, in the dataset's order. Spans are borrowed for the call.
struct ChainRows {
  v1::RowKind kind = v1::INDEPENDENT;
  absl::Span<const double> weight;        // (n), positive, any scale
  absl::Span<const int64_t> chain;        // (n), MCMC: id of the row's chain; empty: one chain
  absl::Span<const int64_t> dataset_row;  // (n): index in the next two, which NESTED_SAMPLING needs whole
  absl::Span<const double> log_likelihood;
  absl::Span<const double> log_likelihood_birth;
  uint64_t seed = 0;  // of the volume realisations
};

struct LogMeanExp {
  double log_mean = 0;        // log (sum w exp(value) / sum w), natural log
  double error = 0;           // standard error of log_mean, by the delta method
  double effective_size = 0;  // Kish's of w exp(value), times the share that the rows' correlation leaves of it
  double k_hat = 0;           // Pareto k-hat of w exp(value)
};

// Standard error of the weighted mean m of f = `value` (n), finite, over the rows. By kind: INDEPENDENT
// sqrt(sum w^2 (f - m)^2) / sum w; MCMC from the autocorrelation of w (f - m) within chains; NESTED_SAMPLING the
// standard deviation of the mean over 100 realisations of the prior volumes (Higson et al. 2018, arXiv:1704.03459) and
// the scatter of f between neighbours in likelihood, in quadrature. INTERNAL for arrays that do not fit together or
// numbers that are not finite.
absl::StatusOr<double> ErrorOfMean(absl::Span<const double> value, const ChainRows& rows);

// value: (n), natural logs; -inf counts as 0. The error is ErrorOfMean of exp(value) over its mean.
// FAILED_PRECONDITION if every value is -inf; INTERNAL for NaN or +inf and for arrays that do not fit together.
absl::StatusOr<LogMeanExp> AverageExponentials(absl::Span<const double> value, const ChainRows& rows);

// log sum exp of natural logs; -inf if all are, or there are none.
double LogSumExp(absl::Span<const double> value);

}  // namespace creamery

#endif  // CREAMERY_MODELS_STATISTICS_EVIDENCE_ERROR_H_
