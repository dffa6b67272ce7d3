// One training from rows to an artifact: candidates compared where there is a choice, then the members.
#ifndef CREAMERY_MODELS_TRAINING_TRAINING_RUN_H_
#define CREAMERY_MODELS_TRAINING_TRAINING_RUN_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "creamery/v1/model.pb.h"
#include "models/data_preparation.h"
#include "models/densities/density_tree.h"
#include "models/training/comparison.h"
#include "models/training/network_states.h"
#include "models/training/trainer.h"

namespace creamery {

// `input` and `hooks` must outlive this. May throw what LibTorch throws: call within GuardTorch.
class TrainingRun {
 public:
  // Checks the spec, prepares the data and reads the checkpoint, if any.
  static absl::StatusOr<TrainingRun> Start(const TrainingInput& input, const TrainingHooks& hooks);

  // Compares, then trains every member of the best.
  absl::Status TrainMembers();
  // Evaluates every member on all rows, chooses the one that answers and writes the artifact.
  absl::StatusOr<std::string> Finish();

 private:
  TrainingRun(const TrainingInput& input, const TrainingHooks& hooks) : input_(&input), hooks_(&hooks) {}

  absl::StatusOr<DensityTree> FitMember(int64_t member, const v1::EstimatorSpec& spec, const std::string& path,
                                        const std::string& stage, int64_t threads);
  // Members `first` and later into trees_.
  absl::Status FitMembers(int64_t first, const v1::EstimatorSpec& spec, const std::string& path);
  // Fits `candidates` to a member, and another, until one is left, then all members of that one.
  absl::Status Race(const std::vector<v1::EstimatorSpec>& candidates);
  // The next member of some contenders, or their failures.
  absl::Status FitContenders(const std::vector<int64_t>& running);
  // Settings around those of the best contender, with their first member.
  absl::Status AddTrials();
  absl::Status FitBest();
  // Whether `status` is of a candidate's own making and not the end of the training.
  bool IsFailure(const absl::Status& status) const;

  int64_t members() const { return spec_.training().members(); }
  // Whether a network of the tree was trained on the GPU.
  bool UsedGpu(const DensityTree& tree) const;
  absl::Status LogProbOfMember(int64_t member, absl::Span<double> log_q) const;
  void Describe(v1::ModelVersion& description) const;
  absl::Status DescribeMembers(absl::Span<const double> log_q, v1::TrainingSummary& training) const;
  absl::Status AddMisfit(v1::HeldOutStatistics& held_out) const;

  const TrainingInput* input_;
  const TrainingHooks* hooks_;
  v1::EstimatorSpec spec_;  // complete
  PreparedData data_;
  std::unique_ptr<NetworkStates> states_;
  std::unique_ptr<Comparison> comparison_;  // null if there was no choice
  std::vector<Contender> contenders_;
  std::string path_;                // of the networks of `trees_`
  std::vector<DensityTree> trees_;  // of the members
};

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_TRAINING_RUN_H_
