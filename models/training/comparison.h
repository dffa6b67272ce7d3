// Candidates compared by the log-likelihood of the same held-out rows: those of fold 0.
#ifndef CREAMERY_MODELS_TRAINING_COMPARISON_H_
#define CREAMERY_MODELS_TRAINING_COMPARISON_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "creamery/v1/model.pb.h"
#include "models/densities/density_tree.h"
#include "models/training/member_rows.h"
#include "proto/support/stop_token.h"

namespace creamery {

// One candidate: its spec, and of member 0 the density and what it says of the held-out rows.
struct Contender {
  v1::EstimatorSpec spec;  // complete
  std::string path;        // of its networks in the training: "candidate2/"
  DensityTree first;
  std::vector<double> log_q;  // natural log
  double mean = 0;            // weighted, of log_q
  std::string failure;        // why it is out, or empty
};

// Fills log_q and mean from `first`; a density that is 0 at a held-out row is a failure.
absl::Status Evaluate(const MemberRows& rows, const StopToken& stop, Contender& contender);

// The best first, those that failed last.
void SortByHeldOut(std::vector<Contender>& contenders);

// Sorted contenders as the summary tells them; the first that did not fail was chosen. Errors of the differences are by
// the kind of the rows: Kish's size, or the autocorrelation within chains.
std::vector<v1::Candidate> Describe(const std::vector<Contender>& contenders, const MemberRows& rows, v1::RowKind kind);

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_COMPARISON_H_
