#include "models/training/training_run.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/densities/density_tree.h"
#include "models/families.h"
#include "models/plan/interpreter.h"
#include "models/statistics/held_out.h"
#include "models/training/box_spline.h"
#include "models/training/column_choice.h"
#include "models/training/layer_space.h"
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
  run.began_ = absl::Now();
  if (!input.job.has_training()) return absl::InvalidArgumentError("the job has no training");
  const v1::TrainingJob& job = input.job.training();
  v1::Dataset dataset = input.dataset;
  dataset.set_num_rows(input.rows.num_rows);
  const std::vector<std::string> names(job.parameters().begin(), job.parameters().end());
  ABSL_ASSIGN_OR_RETURN(run.spec_, CompleteSpec(job.spec(), dataset, names));
  const v1::TrainingOptions& options = run.spec_.training();
  ABSL_ASSIGN_OR_RETURN(run.data_, PrepareData(dataset, input.rows, names, options.members(), options.seed()));
  ABSL_ASSIGN_OR_RETURN(const Trainer* trainer, FindTrainer(run.spec_));
  run.shape_ = trainer->shape(run.spec_, run.data_.d());
  run.identity_ = Identity(dataset, run.spec_, names);
  if (!hooks.resume_from.empty()) {
    ABSL_ASSIGN_OR_RETURN(
        run.state_, ReadCheckpoint(hooks.resume_from, run.identity_, run.Network(0).num_weights(), options.members()));
  }
  return run;
}

std::vector<int64_t> TrainingRun::RowsOf(int64_t member, bool held_out) const {
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < data_.n(); ++i) {
    if ((data_.fold[i] == member) == held_out) rows.push_back(i);
  }
  return rows;
}

absl::StatusOr<Plan> TrainingRun::MemberColumns(int64_t member) const {
  const double share = 1 - 1.0 / spec_.training().members();
  const auto fit = [&](absl::Span<const double> u, absl::Span<const double> weight) {
    return FitBoxSpline(u, weight, share * data_.effective_rows, hooks_->stop);
  };
  return ChooseColumns(data_, RowsOf(member, false), spec_, shape_.kind, fit);
}

absl::Status TrainingRun::TrainMembers() {
  for (int64_t member = 0; member < spec_.training().members(); ++member) {
    ABSL_RETURN_IF_ERROR(TrainOne(member));
  }
  return absl::OkStatus();
}

absl::Status TrainingRun::TrainOne(int64_t member) {
  ABSL_RETURN_IF_ERROR(hooks_->stop.Check());
  const v1::TrainingOptions& training = spec_.training();
  LoopOptions options;
  options.member = member;
  options.seed = training.seed();
  options.learning_rate = training.learning_rate();
  options.batch_size = training.batch_size();
  options.max_epochs = training.max_epochs();
  options.patience = training.patience();
  options.clip_norm = training.clip_norm();

  // Columns are a function of the rows alone, so a resumed training finds the same ones.
  ABSL_ASSIGN_OR_RETURN(Plan plan, MemberColumns(member));
  const FlowNetwork network = Network(member);
  if (static_cast<int64_t>(state_.members.size()) == member) state_.members.push_back(StartMember(network, options));
  MemberState& state = state_.members[member];
  if (!state.finished) {
    ABSL_ASSIGN_OR_RETURN(const LoopRows train, ToLayerSpace(plan, data_, RowsOf(member, false)));
    ABSL_ASSIGN_OR_RETURN(const LoopRows held_out, ToLayerSpace(plan, data_, RowsOf(member, true)));
    const absl::Time began = absl::Now();
    const int64_t first_step = state.steps;
    ABSL_RETURN_IF_ERROR(TrainMember(
        network, train, held_out, options, hooks_->stop, [&] { return AfterEpoch(member, state, first_step, began); },
        state));
  }
  plan.layers = network.ToLayers(state.best_weights);
  ABSL_RETURN_IF_ERROR(CheckPlan(plan));
  plans_.push_back(std::move(plan));
  return absl::OkStatus();
}

absl::Status TrainingRun::AfterEpoch(int64_t member, const MemberState& state, int64_t first_step, absl::Time began) {
  if (hooks_->progress) {
    const double seconds = absl::ToDoubleSeconds(absl::Now() - began);
    hooks_->progress(MakeProgress(member, state, static_cast<double>(state.steps - first_step) / seconds));
  }
  if (!hooks_->checkpoint || !hooks_->checkpoint_due || !hooks_->checkpoint_due()) return absl::OkStatus();
  const double before = std::exchange(state_.seconds, Seconds());
  std::string bytes = WriteCheckpoint(state_, identity_);
  state_.seconds = before;
  return hooks_->checkpoint(std::move(bytes));
}

v1::Progress TrainingRun::MakeProgress(int64_t member, const MemberState& state, double steps_per_second) const {
  const v1::TrainingOptions& training = spec_.training();
  v1::Progress progress;
  progress.set_member(static_cast<int32_t>(member));
  progress.set_members(training.members());
  progress.set_epoch(static_cast<int32_t>(state.epoch));
  progress.set_max_epochs(training.max_epochs());
  progress.set_train_loss(state.train_loss);
  progress.set_held_out_loss(state.held_out_loss);
  progress.set_best_held_out_loss(state.best_held_out_loss);
  progress.set_best_epoch(static_cast<int32_t>(state.best_epoch));
  progress.set_learning_rate(state.learning_rate);
  progress.set_steps_per_second(steps_per_second);
  const double steps_per_epoch = static_cast<double>(state.steps) / static_cast<double>(state.epoch);
  const double done = state.finished ? 1 : static_cast<double>(state.epoch) / training.max_epochs();
  const double members_left = training.members() - static_cast<double>(member) - done;
  progress.set_seconds_left(members_left * training.max_epochs() * steps_per_epoch / steps_per_second);
  progress.set_fraction(1 - members_left / training.members());
  return progress;
}

void TrainingRun::Describe(v1::ModelVersion& description) const {
  const v1::Dataset& dataset = input_->dataset;
  *description.mutable_spec() = spec_;
  v1::Signature& signature = *description.mutable_signature();
  for (const v1::Parameter& parameter : data_.parameters) *signature.add_parameters() = parameter;
  signature.add_abilities(v1::DENSITY);
  v1::TrainingSummary& training = *description.mutable_training();
  training.set_job(input_->job.name());
  training.set_dataset(dataset.name());
  training.set_dataset_revision(dataset.revision());
  training.set_dataset_digest(dataset.digest());
  training.set_row_kind(dataset.row_kind());
  training.set_num_rows(data_.n());
  training.set_num_rows_dropped(data_.num_dropped);
  training.set_build(TrainingBuild());
  if (dataset.has_log_evidence()) *description.mutable_log_evidence() = dataset.log_evidence();
}

absl::StatusOr<std::string> TrainingRun::Finish() {
  const int64_t members = spec_.training().members();
  const int64_t n = data_.n();
  v1::ModelVersion description;
  Describe(description);
  v1::TrainingSummary& training = *description.mutable_training();
  std::vector<double> log_q(members * n);
  Safetensors artifact;
  for (int64_t k = 0; k < members; ++k) {
    const absl::Span<double> row = absl::MakeSpan(log_q).subspan(k * n, n);
    ABSL_RETURN_IF_ERROR(PlanLogProb(plans_[k], data_.theta, row, hooks_->stop));
    WritePlan(plans_[k], MemberPrefix(k), artifact);
    const MemberState& state = state_.members[k];
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += data_.weight[i] * row[i];
    v1::MemberSummary& summary = *training.add_members();
    summary.set_epochs(static_cast<int32_t>(state.epoch));
    summary.set_best_epoch(static_cast<int32_t>(state.best_epoch));
    summary.set_train_loss(state.train_loss_at_best);
    summary.set_held_out_loss(state.best_held_out_loss);
    summary.set_mean_log_prob(sum / static_cast<double>(n));
    if (state.best_held_out_loss < state_.members[training.answering_member()].best_held_out_loss) {
      training.set_answering_member(static_cast<int32_t>(k));
    }
  }
  HeldOutInput held_out;
  held_out.kind = input_->dataset.row_kind();
  held_out.members = members;
  held_out.log_q = log_q;
  held_out.fold = data_.fold;
  held_out.weight = data_.weight;
  held_out.chain = data_.chain;
  held_out.log_likelihood = input_->rows.log_likelihood;
  held_out.log_likelihood_birth = input_->rows.log_likelihood_birth;
  held_out.dataset_row = data_.dataset_row;
  held_out.seed = spec_.training().seed();
  ABSL_ASSIGN_OR_RETURN(*training.mutable_held_out(), ComputeHeldOut(held_out));
  training.set_seconds(Seconds());
  WriteDescription(description, artifact);
  return artifact.Serialize();
}

}  // namespace creamery
