// One training from rows to an artifact: the members one after another, then their comparison.
#ifndef CREAMERY_MODELS_TRAINING_TRAINING_RUN_H_
#define CREAMERY_MODELS_TRAINING_TRAINING_RUN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "creamery/v1/estimator_spec.pb.h"
#include "models/plan/plan.h"
#include "models/data_preparation.h"
#include "models/training/flow_network.h"
#include "models/training/member_state.h"
#include "models/training/trainer.h"
#include "models/training/training_loop.h"

namespace creamery {

// `input` and `hooks` must outlive this. May throw what LibTorch throws: call within GuardTorch.
class TrainingRun {
 public:
  // Checks the spec, prepares the data and reads the checkpoint, if any.
  static absl::StatusOr<TrainingRun> Start(const TrainingInput& input, const TrainingHooks& hooks);

  // Trains the members that are not finished.
  absl::Status TrainMembers();
  // Evaluates every member on all rows, chooses the one that answers and writes the artifact.
  absl::StatusOr<std::string> Finish();

 private:
  TrainingRun(const TrainingInput& input, const TrainingHooks& hooks) : input_(&input), hooks_(&hooks) {}

  absl::Status TrainOne(int64_t member);
  absl::Status AfterEpoch(int64_t member, const MemberState& state, int64_t first_step, absl::Time began);
  absl::StatusOr<Plan> MemberColumns(int64_t member) const;
  std::vector<int64_t> RowsOf(int64_t member, bool held_out) const;
  FlowNetwork Network(int64_t member) const { return FlowNetwork(shape_, spec_.training().seed(), member); }
  v1::Progress MakeProgress(int64_t member, const MemberState& state, double steps_per_second) const;
  void Describe(v1::ModelVersion& description) const;
  double Seconds() const { return state_.seconds + absl::ToDoubleSeconds(absl::Now() - began_); }

  const TrainingInput* input_;
  const TrainingHooks* hooks_;
  v1::EstimatorSpec spec_;  // complete
  std::string identity_;    // what a checkpoint must belong to
  FlowShape shape_;
  PreparedData data_;
  TrainingState state_;
  absl::Time began_;
  std::vector<Plan> plans_;  // of the members so far, layers included once a member is finished
};

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_TRAINING_RUN_H_
