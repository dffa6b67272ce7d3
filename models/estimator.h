// START HERE for models/: a trained, immutable object that answers questions, and what it may be able to answer.
// Estimators are const after loading and safe to use from any number of threads.
#ifndef CREAMERY_MODELS_ESTIMATOR_H_
#define CREAMERY_MODELS_ESTIMATOR_H_

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "creamery/v1/model.pb.h"
#include "proto/support/stop_token.h"

namespace creamery {

// The ability to answer as a normalised density p(theta) of d parameters, in their units.
// All arrays are row-major float64; n is given by the size of the outputs.
class Density {
 public:
  virtual ~Density() = default;

  virtual int64_t num_parameters() const = 0;

  // theta: (n, d), finite -> log_prob: (n,), natural log; -inf on or outside the support's bounds, never NaN.
  // Bit-identical whatever n is. CANCELLED or DEADLINE_EXCEEDED from `stop`.
  virtual absl::Status LogProb(absl::Span<const double> theta, absl::Span<double> log_prob,
                               const StopToken& stop) const = 0;

  // u: (n, d) in (0, 1) -> theta: (n, d). Uniform u give draws from p. Inside the support's bounds, always.
  virtual absl::Status PriorTransform(absl::Span<const double> u, absl::Span<double> theta,
                                      const StopToken& stop) const = 0;

  // theta: (n, d) -> log_prob: (n,), bit for bit as LogProb says, and gradient: (n, d) = d log_prob / d theta; zeros
  // where log_prob is -inf.
  virtual absl::Status LogProbGradient(absl::Span<const double> theta, absl::Span<double> log_prob,
                                       absl::Span<double> gradient, const StopToken& stop) const = 0;

  // theta: (n, d) inside the support -> u: (n, d) in (0, 1) with PriorTransform(u) = theta. Of a mixture, where several
  // u lead to one theta, the one in the component that is the most probable there. INVALID_ARGUMENT naming a row
  // outside the support.
  virtual absl::Status InversePriorTransform(absl::Span<const double> theta, absl::Span<double> u,
                                             const StopToken& stop) const = 0;

  // theta: (n, d) inside the support -> log_prob: (n,), natural log of the normalised density that follows when the
  // normal base z = Phi^-1(u) is contracted to N(0, temperature): it keeps away from p's tails. Temperature in (0, 1];
  // 1 gives LogProb. Mixtures contract each component. FAILED_PRECONDITION unless a density says how.
  virtual absl::Status ContractedLogProb(absl::Span<const double> theta, double temperature,
                                         absl::Span<double> log_prob, const StopToken& stop) const;

  // The same density with networks computed in float64, several times slower: what the faster answers are held
  // against. This density itself where it knows no other arithmetic. Cheap; this must outlive the answer.
  virtual std::unique_ptr<const Density> InDoublePrecision() const;

  // Bytes of memory it holds for speed, beside the numbers it was made of.
  virtual int64_t prepared_bytes() const { return 0; }
};

// A trained model in memory.
class Estimator {
 public:
  virtual ~Estimator() = default;

  virtual const v1::ModelVersion& description() const = 0;  // spec, signature, training, log_evidence
  // Bytes of memory this holds, for the server's cache.
  virtual int64_t memory_bytes() const = 0;

  // Each ability, or null. The pointer lives as long as the estimator.
  virtual const Density* density() const { return nullptr; }

  // Every trained member as a density of the same parameters, in order: what spreads and cross-fitted estimates are
  // made of. Member k has not seen the rows of fold k (AssignFolds). Empty for estimators that are not densities.
  virtual absl::Span<const Density* const> members() const { return {}; }
};

// Draws rows [first_row, first_row + n) of the stream of `seed`: row i is a function of (seed, i) alone.
// theta: (n, d).
absl::Status Sample(const Density& density, uint64_t seed, int64_t first_row, absl::Span<double> theta,
                    const StopToken& stop);

}  // namespace creamery

#endif  // CREAMERY_MODELS_ESTIMATOR_H_
