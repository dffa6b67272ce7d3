// Trains the flows that a family's density is made of: one call from rows to finished plans. What a checkpoint holds is
// not trained again, and a resumed training gives the same weights bit for bit on any number of threads.
#ifndef CREAMERY_MODELS_TRAINING_FLOW_TRAINING_H_
#define CREAMERY_MODELS_TRAINING_FLOW_TRAINING_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "creamery/v1/estimator_spec.pb.h"
#include "models/data_preparation.h"
#include "models/plan/plan.h"
#include "models/training/network_states.h"

namespace creamery {

// One flow to train.
struct FlowTask {
  std::string part;                    // of its member, the same on every attempt: "piece1"; empty for the only network
  v1::EstimatorSpec spec;              // complete, `maf` or `nsf`
  const PreparedData* data = nullptr;  // its columns are the flow's parameters
  std::vector<int64_t> train;          // rows of `data`
  std::vector<int64_t> held_out;       // rows that decide when to stop
};

// The trainings of one member. Not thread-safe.
class FlowTraining {
 public:
  // `states` must outlive this.
  FlowTraining(NetworkStates& states, FitTurn turn) : states_(states), turn_(std::move(turn)) {}

  // The flows of `tasks`, in order, trained side by side where the turn has several threads. FAILED_PRECONDITION if a
  // loss diverges or the columns cannot be mapped.
  absl::StatusOr<std::vector<Plan>> Train(absl::Span<const FlowTask> tasks);

  const StopToken& stop() const { return states_.hooks().stop; }
  const FitTurn& turn() const { return turn_; }

 private:
  absl::StatusOr<Plan> TrainOne(const FlowTask& task, double share);

  NetworkStates& states_;
  const FitTurn turn_;
};

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_FLOW_TRAINING_H_
