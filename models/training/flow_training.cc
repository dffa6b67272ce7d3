#include "models/training/flow_training.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "models/random.h"
#include "models/training/box_spline.h"
#include "models/training/column_choice.h"
#include "models/training/flow.h"
#include "models/training/flow_network.h"
#include "models/training/layer_space.h"
#include "models/training/member_rows.h"
#include "models/training/parallel.h"
#include "models/training/training_loop.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

// Pieces start from weights of their own. FNV-1a of the name, http://www.isthe.com/chongo/tech/comp/fnv.
uint64_t SeedOf(uint64_t seed, const std::string& part) {
  if (part.empty()) return seed;
  uint64_t hash = 14695981039346656037u;
  for (const char c : part) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return RandomStream(seed, RandomPurpose::kInitialWeights).Bits(hash, ~uint32_t{0});
}

LoopOptions OptionsOf(const v1::TrainingOptions& training, int64_t member, const std::string& part) {
  LoopOptions options;
  options.member = member;
  options.seed = SeedOf(training.seed(), part);
  options.learning_rate = training.learning_rate();
  options.batch_size = training.batch_size();
  options.max_epochs = training.max_epochs();
  options.patience = training.patience();
  options.clip_norm = training.clip_norm();
  return options;
}

}  // namespace

absl::StatusOr<std::vector<Plan>> FlowTraining::Train(absl::Span<const FlowTask> tasks) {
  const auto n = static_cast<int64_t>(tasks.size());
  std::vector<Plan> plans(n);
  ABSL_RETURN_IF_ERROR(ForEach(n, turn_.threads, [&](int64_t i) -> absl::Status {
    ABSL_ASSIGN_OR_RETURN(plans[i], TrainOne(tasks[i], 1.0 / static_cast<double>(n)));
    return absl::OkStatus();
  }));
  return plans;
}

absl::StatusOr<Plan> FlowTraining::TrainOne(const FlowTask& task, double share) {
  ABSL_RETURN_IF_ERROR(stop().Check());
  const std::string path = task.part.empty() ? turn_.path : absl::StrCat(turn_.path, "/", task.part);
  const FlowShape shape = ShapeOf(task.spec, task.data->d());
  LoopOptions options = OptionsOf(task.spec.training(), turn_.member, task.part);

  // Columns are a function of the rows alone, so a resumed training finds the same ones.
  const double effective_rows = EffectiveRowsOf(*task.data, task.train);
  const auto fit = [&](absl::Span<const double> u, absl::Span<const double> weight) {
    return FitBoxSpline(u, weight, effective_rows, stop());
  };
  ABSL_ASSIGN_OR_RETURN(Plan plan, ChooseColumns(*task.data, task.train, task.spec, shape.kind, fit));
  const FlowNetwork network(shape, options.seed, turn_.member, stop());
  ABSL_RETURN_IF_ERROR(stop().Check());
  const TrainingDevice& device = states_.hooks().device;
  if (UsesGpu(device, network.num_weights(), options.batch_size)) options.autograd_device = device.gpu;
  ABSL_ASSIGN_OR_RETURN(MemberState state, states_.Get(path, StartMember(network, options)));
  if (!state.finished) {
    ABSL_ASSIGN_OR_RETURN(const LoopRows train, ToLayerSpace(plan, *task.data, task.train));
    ABSL_ASSIGN_OR_RETURN(const LoopRows held_out, ToLayerSpace(plan, *task.data, task.held_out));
    const absl::Time began = absl::Now();
    const int64_t first_step = state.steps;
    const auto after_epoch = [&] {
      const double seconds = absl::ToDoubleSeconds(absl::Now() - began);
      return states_.AfterEpoch(turn_, path, share, options.max_epochs,
                                static_cast<double>(state.steps - first_step) / seconds, state);
    };
    const absl::Status trained = TrainMember(network, train, held_out, options, stop(), after_epoch, state);
    if (absl::IsFailedPrecondition(trained) && states_.status().ok()) {
      states_.SetFailure(path, std::string(trained.message()));
    }
    ABSL_RETURN_IF_ERROR(trained);
  }
  plan.layers = network.ToLayers(state.best_weights);
  ABSL_RETURN_IF_ERROR(CheckPlan(plan));
  return plan;
}

}  // namespace creamery
