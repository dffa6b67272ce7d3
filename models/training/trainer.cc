#include "models/training/trainer.h"

#include <ATen/Parallel.h>
#include <torch/version.h>

#include "absl/strings/str_cat.h"
#include "models/training/guard_torch.h"
#include "models/training/training_run.h"
#include "proto/support/status_macros.h"

namespace creamery {

absl::StatusOr<std::string> Train(const TrainingInput& input, const TrainingHooks& hooks) {
  return GuardTorch([&]() -> absl::StatusOr<std::string> {
    at::set_num_threads(1);  // networks are small: threads go to whole ones (ForEach)
    ABSL_ASSIGN_OR_RETURN(TrainingRun run, TrainingRun::Start(input, hooks));
    ABSL_RETURN_IF_ERROR(run.TrainMembers());
    return run.Finish();
  });
}

std::string TrainingBuild() { return absl::StrCat("creamery 0.1.0, LibTorch ", TORCH_VERSION); }

}  // namespace creamery
