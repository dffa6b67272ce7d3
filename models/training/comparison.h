// Candidates compared by the log-likelihood of the same held-out rows: a race in which those that are clearly behind
// drop out and the others go on to the next member, whose fold of rows makes the comparison sharper (Maron & Moore
// 1994, "Hoeffding races").
#ifndef CREAMERY_MODELS_TRAINING_COMPARISON_H_
#define CREAMERY_MODELS_TRAINING_COMPARISON_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "creamery/v1/model.pb.h"
#include "models/data_preparation.h"
#include "models/densities/density_tree.h"
#include "proto/support/stop_token.h"

namespace creamery {

// One candidate: its spec, the members trained so far, and what each says of the rows it holds out.
struct Contender {
  v1::EstimatorSpec spec;  // complete
  std::string path;        // of its networks in the training: "candidate2/"
  std::vector<DensityTree> members;
  std::vector<double> log_q;  // fold 0, fold 1, ... as far as there are members; natural log
  std::string failure;        // why it is out, or empty
};

// Not thread-safe, but for the const methods.
class Comparison {
 public:
  // `data` must outlive this.
  Comparison(const PreparedData& data, v1::RowKind kind, int64_t members);

  // Adds a member and what it says of its fold; a density that is 0 at a held-out row is a failure.
  absl::Status Add(DensityTree member, const StopToken& stop, Contender& contender) const;

  // Weighted mean of a's log q minus b's over the folds that both have seen, and its standard error by the kind of the
  // rows: Kish's size, or the autocorrelation within chains.
  struct Difference {
    double mean = 0;
    double error = 0;
  };
  Difference Compare(const Contender& a, const Contender& b) const;

  // The contender of the most members, then of the highest mean log q, that did not fail; -1 if all failed.
  int64_t Best(const std::vector<Contender>& contenders) const;
  // Those of as many members as the best that are not two errors behind it.
  std::vector<int64_t> StillRunning(const std::vector<Contender>& contenders) const;

  // As the summary tells them: the best first, which was chosen, then by their difference from it over the folds both
  // have seen, those that failed last.
  std::vector<v1::Candidate> Describe(const std::vector<Contender>& contenders) const;

 private:
  double Mean(const Contender& contender) const;

  const PreparedData& data_;
  const v1::RowKind kind_;
  std::vector<int64_t> row_;         // of `data`, fold by fold
  std::vector<int64_t> fold_begin_;  // where each fold begins in row_, and the end
  std::vector<double> weight_;       // of row_
  std::vector<int64_t> chain_;
};

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_COMPARISON_H_
