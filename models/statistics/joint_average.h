// One density from the members of a model, with less noise than any of them:
//   log P = t mean_m log P_m - log_norm.
// Members were trained on the same rows but for a fold, so their errors in the tails, where the joint posteriors of
// disagreeing experiments lie, are largely independent. The geometric mean averages them; a mixture would keep the
// heaviest tail, the best member has all of its own noise.
//
// The temperature t undoes over-training: a flow that has adapted to its rows is narrower than the posterior, by the
// same part in every direction, so that in d dimensions the information is too large by d times that. Held-out rows
// tell: t is where the average's own E_P[mean_m log P_m] is what members say of rows they have not seen, which is the
// largest held-out likelihood in the family P^t (cf. Guo et al. 2017, arXiv:1706.04599, section 4.2).
#ifndef CREAMERY_MODELS_STATISTICS_JOINT_AVERAGE_H_
#define CREAMERY_MODELS_STATISTICS_JOINT_AVERAGE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace creamery {

struct MemberAverage {
  double temperature = 1;
  double log_norm = 0;
  double log_norm_error = 0;     // of a finite number of draws
  double temperature_error = 0;  // likewise
  double mean_log_prob = 0;      // E_P[mean_m log P_m]

  // At row i of member (members, n), natural logs; -inf if one of them is.
  double LogProb(const std::vector<double>& member, size_t members, size_t n, size_t i) const;
};

// n draws from the equal mixture of the members. Spans are borrowed for the call.
struct AverageInput {
  int64_t members = 1;
  absl::Span<const double> member;  // (members, n): log P_m at the draws
  // (n): what has mean 0 over draws and goes with log P: |z|^2 / 2 - d / 2 of the normal numbers z they were made of.
  // Averages are freed of what they share with it.
  std::vector<double> control;
  double held_out_log_prob = 0;  // weighted mean over rows of log P_m, each by the member that held it out
  bool whole = true;             // false if draws were left out: then the control's mean is not known
};

// log_prob, log_weight: (n), of the average and of its ratio to the mixture. FAILED_PRECONDITION if the members vanish
// where the others do not.
absl::StatusOr<MemberAverage> FitAverage(const AverageInput& input, std::vector<double>& log_prob,
                                         std::vector<double>& log_weight);

}  // namespace creamery

#endif  // CREAMERY_MODELS_STATISTICS_JOINT_AVERAGE_H_
