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
  if (!candidates.empty()) return Compare(candidates);
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

absl::Status TrainingRun::FitContenders(size_t begin, size_t end) {
  const MemberRows rows = RowsOfMember(data_, 0);
  const auto count = static_cast<int64_t>(end - begin);
  const int64_t side_by_side = std::max<int64_t>(1, std::min<int64_t>(hooks_->threads, count));
  return ForEach(count, side_by_side, [&](int64_t i) -> absl::Status {
    Contender& contender = contenders_[begin + i];
    const std::string stage =
        absl::StrCat("candidate ", FamilyOf(contender.spec), " (", begin + i + 1, " of ", contenders_.size(), ")");
    auto tree = FitMember(0, contender.spec, contender.path, stage, hooks_->threads / side_by_side);
    if (IsFailure(tree.status())) {
      contender.failure = std::string(tree.status().message());
      return absl::OkStatus();
    }
    ABSL_RETURN_IF_ERROR(tree.status());
    contender.first = *std::move(tree);
    return Evaluate(rows, hooks_->stop, contender);
  });
}

absl::Status TrainingRun::Compare(const std::vector<v1::EstimatorSpec>& candidates) {
  const auto trials = static_cast<size_t>(spec_.auto_().trials());
  states_->SetTurns(static_cast<int64_t>(candidates.size() + trials) + members() - 1);
  for (const v1::EstimatorSpec& candidate : candidates) {
    Contender& contender = contenders_.emplace_back();
    contender.spec = candidate;
    contender.path = absl::StrCat("candidate", contenders_.size() - 1, "/");
  }
  ABSL_RETURN_IF_ERROR(FitContenders(0, contenders_.size()));
  SortByHeldOut(contenders_);
  if (trials > 0 && contenders_.front().failure.empty()) {
    AddTrials();
    ABSL_RETURN_IF_ERROR(FitContenders(candidates.size(), contenders_.size()));
    SortByHeldOut(contenders_);
  }
  return FitBest();
}

void TrainingRun::AddTrials() {
  const v1::EstimatorSpec best = contenders_.front().spec;
  const auto trainer = FindTrainer(best);  // it has just been trained
  for (int64_t index = 0; index < spec_.auto_().trials(); ++index) {
    Contender& contender = contenders_.emplace_back();
    contender.spec = best;
    (*trainer)->vary(Trial(spec_.training().seed(), index), contender.spec);
    contender.path = absl::StrCat("trial", index, "/");
  }
}

absl::Status TrainingRun::FitBest() {
  while (contenders_.front().failure.empty()) {
    Contender& best = contenders_.front();
    const absl::Status fitted = FitMembers(1, best.spec, best.path);
    if (fitted.ok()) {
      trees_[0] = std::move(best.first);
      return absl::OkStatus();
    }
    if (!IsFailure(fitted)) return fitted;
    best.failure = std::string(fitted.message());
    SortByHeldOut(contenders_);
  }
  std::vector<std::string> failures;
  for (const Contender& contender : contenders_) {
    failures.push_back(absl::StrCat(FamilyOf(contender.spec), ": ", contender.failure));
  }
  return absl::FailedPreconditionError(absl::StrCat("no candidate could be trained: ", absl::StrJoin(failures, "; ")));
}

}  // namespace creamery
