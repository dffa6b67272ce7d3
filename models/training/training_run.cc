#include "models/training/training_run.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/families.h"
#include "models/training/candidate_spec.h"
#include "models/training/flow_training.h"
#include "models/training/member_rows.h"
#include "models/training/parallel.h"
#include "models/training/trainers.h"
#include "proto/support/digest.h"
#include "proto/support/family_name.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

// Tells trainings apart: the data and the spec decide the weights, nothing else does. `spec` complete.
std::string Identity(const v1::Dataset& dataset, const v1::EstimatorSpec& spec, absl::Span<const std::string> names) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);  // maps in the order of their keys
    spec.SerializeToCodedStream(&coded);
  }
  return Sha256Hex(absl::StrCat(dataset.digest(), "|", dataset.num_rows(), "|", absl::StrJoin(names, ","), "|", bytes));
}

}  // namespace

absl::StatusOr<TrainingRun> TrainingRun::Start(const TrainingInput& input, const TrainingHooks& hooks) {
  TrainingRun run(input, hooks);
  if (!input.job.has_training()) return absl::InvalidArgumentError("the job has no training");
  const v1::TrainingJob& job = input.job.training();
  v1::Dataset dataset = input.dataset;
  dataset.set_num_rows(input.rows.num_rows);
  const std::vector<std::string> names(job.parameters().begin(), job.parameters().end());
  ABSL_ASSIGN_OR_RETURN(run.spec_, CompleteSpec(job.spec(), dataset, names));
  ABSL_RETURN_IF_ERROR(FindTrainer(run.spec_).status());
  run.states_ = std::make_unique<NetworkStates>(hooks, Identity(dataset, run.spec_, names));
  ABSL_ASSIGN_OR_RETURN(run.data_, PrepareData(dataset, input.rows, names, run.members(), run.spec_.training().seed()));
  ABSL_RETURN_IF_ERROR(run.states_->Resume());
  return run;
}

absl::Status TrainingRun::TrainMembers() {
  ABSL_RETURN_IF_ERROR(hooks_->stop.Check());
  ABSL_ASSIGN_OR_RETURN(const Trainer* trainer, FindTrainer(spec_));
  std::vector<v1::EstimatorSpec> candidates;
  if (trainer->candidates != nullptr) {
    ABSL_ASSIGN_OR_RETURN(candidates, trainer->candidates(RowsOfMember(data_, 0), spec_, hooks_->stop));
  }
  if (!candidates.empty()) return Race(candidates);
  states_->SetTurns(members());
  return FitMembers(0, spec_, "");
}

absl::StatusOr<DensityTree> TrainingRun::FitMember(int64_t member, const v1::EstimatorSpec& spec,
                                                   const std::string& path, const std::string& stage, int64_t threads) {
  ABSL_RETURN_IF_ERROR(hooks_->stop.Check());
  ABSL_ASSIGN_OR_RETURN(const Trainer* trainer, FindTrainer(spec));
  FlowTraining flows(*states_, {absl::StrCat(path, "member", member), stage, member, members(), threads});
  ABSL_ASSIGN_OR_RETURN(DensityTree tree, trainer->fit(RowsOfMember(data_, member), spec, flows));
  ABSL_RETURN_IF_ERROR(CheckDensityTree(tree));
  states_->FinishTurn(flows.turn());
  return tree;
}

absl::Status TrainingRun::FitMembers(int64_t first, const v1::EstimatorSpec& spec, const std::string& path) {
  path_ = path;
  trees_.resize(members());
  const int64_t side_by_side = std::max<int64_t>(1, std::min<int64_t>(hooks_->threads, members() - first));
  return ForEach(members() - first, side_by_side, [&](int64_t i) -> absl::Status {
    ABSL_ASSIGN_OR_RETURN(trees_[first + i], FitMember(first + i, spec, path, "", hooks_->threads / side_by_side));
    return absl::OkStatus();
  });
}

bool TrainingRun::IsFailure(const absl::Status& status) const {
  return absl::IsFailedPrecondition(status) && states_->status().ok();
}

absl::Status TrainingRun::FitContenders(const std::vector<int64_t>& running) {
  const auto count = static_cast<int64_t>(running.size());
  const int64_t side_by_side = std::max<int64_t>(1, std::min<int64_t>(hooks_->threads, count));
  return ForEach(count, side_by_side, [&](int64_t i) -> absl::Status {
    Contender& contender = contenders_[running[i]];
    const std::string stage =
        absl::StrCat("candidate ", FamilyName(contender.spec), " (", i + 1, " of ", running.size(), ")");
    const auto member = static_cast<int64_t>(contender.members.size());
    auto tree = FitMember(member, contender.spec, contender.path, stage, hooks_->threads / side_by_side);
    if (IsFailure(tree.status())) {
      contender.failure = std::string(tree.status().message());
      return absl::OkStatus();
    }
    ABSL_RETURN_IF_ERROR(tree.status());
    return comparison_->Add(*std::move(tree), hooks_->stop, contender);
  });
}

absl::Status TrainingRun::Race(const std::vector<v1::EstimatorSpec>& candidates) {
  comparison_ = std::make_unique<Comparison>(data_, input_->dataset.row_kind(), members());
  std::vector<int64_t> running;
  for (const v1::EstimatorSpec& candidate : candidates) {
    running.push_back(static_cast<int64_t>(contenders_.size()));
    Contender& contender = contenders_.emplace_back();
    contender.spec = candidate;
    contender.path = absl::StrCat("candidate", running.back(), "/");
  }
  int64_t turns = static_cast<int64_t>(candidates.size()) + spec_.auto_().trials();
  states_->SetTurns(turns + members() - 1);
  ABSL_RETURN_IF_ERROR(FitContenders(running));
  ABSL_RETURN_IF_ERROR(AddTrials());
  for (int64_t member = 1; member < members(); ++member) {
    running = comparison_->StillRunning(contenders_);
    if (running.size() < 2) break;
    turns += static_cast<int64_t>(running.size());
    states_->SetTurns(turns + members() - 1 - member);
    ABSL_RETURN_IF_ERROR(FitContenders(running));
  }
  return FitBest();
}

absl::Status TrainingRun::AddTrials() {
  const int64_t best = comparison_->Best(contenders_);
  if (best < 0) return absl::OkStatus();
  const v1::EstimatorSpec spec = contenders_[best].spec;
  ABSL_ASSIGN_OR_RETURN(const Trainer* trainer, FindTrainer(spec));
  std::vector<int64_t> running;
  for (int64_t index = 0; index < spec_.auto_().trials(); ++index) {
    running.push_back(static_cast<int64_t>(contenders_.size()));
    Contender& contender = contenders_.emplace_back();
    contender.spec = spec;
    trainer->vary(Trial(spec_.training().seed(), index), contender.spec);
    contender.path = absl::StrCat("trial", index, "/");
  }
  return FitContenders(running);
}

absl::Status TrainingRun::FitBest() {
  for (int64_t best = comparison_->Best(contenders_); best >= 0; best = comparison_->Best(contenders_)) {
    Contender& contender = contenders_[best];
    absl::Status fitted = FitMembers(static_cast<int64_t>(contender.members.size()), contender.spec, contender.path);
    if (fitted.ok()) {
      std::move(contender.members.begin(), contender.members.end(), trees_.begin());
      return absl::OkStatus();
    }
    if (!IsFailure(fitted)) return fitted;
    contender.failure = std::string(fitted.message());
  }
  std::vector<std::string> failures;
  for (const Contender& contender : contenders_) {
    failures.push_back(absl::StrCat(FamilyName(contender.spec), ": ", contender.failure));
  }
  return absl::FailedPreconditionError(absl::StrCat("no candidate could be trained: ", absl::StrJoin(failures, "; ")));
}

}  // namespace creamery
