// TrainingRun::Finish: what a training says of itself, and the artifact.
#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "models/check_description.h"
#include "models/families.h"
#include "models/statistics/held_out.h"
#include "models/statistics/misfit.h"
#include "models/training/device_log_prob.h"
#include "models/training/member_rows.h"
#include "models/training/parallel.h"
#include "models/training/training_run.h"
#include "models/training_warnings.h"
#include "proto/support/rows.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

// Weighted mean of -log_q over the rows `use`, natural log.
double MeanLoss(const PreparedData& data, absl::Span<const double> log_q, const std::vector<int64_t>& use) {
  double sum = 0;
  double total = 0;
  for (const int64_t row : use) {
    sum -= data.weight[row] * log_q[row];
    total += data.weight[row];
  }
  return sum / total;
}

// Of the analytic priors; empty if a parameter has none.
std::vector<double> LogPriorOfRows(const PreparedData& data) {
  for (const v1::Parameter& parameter : data.parameters) {
    if (parameter.prior().density_case() == v1::Prior::DENSITY_NOT_SET) return {};
  }
  std::vector<double> log_prior(data.n(), 0);
  for (size_t k = 0; k < data.theta.size(); ++k) {
    log_prior[k / data.d()] += LogPrior(data.parameters[k % data.d()].prior(), data.theta[k]);
  }
  return log_prior;
}

bool HasKernels(const DensityTree& tree) {
  return tree.kind == DensityTree::Kind::kKernels ||
         std::any_of(tree.children.begin(), tree.children.end(), &HasKernels);
}

int64_t NumWeights(const Plan& plan) {
  int64_t sum = 0;
  for (const AutoregressiveLayer& layer : plan.layers) {
    for (const Linear& linear : layer.network) sum += (linear.in + 1) * linear.out;
  }
  return sum;
}

}  // namespace

bool TrainingRun::UsedGpu(const DensityTree& tree) const {
  if (tree.kind == DensityTree::Kind::kFlow) {
    return UsesGpu(hooks_->device, NumWeights(tree.flow), spec_.training().batch_size());
  }
  return std::any_of(tree.children.begin(), tree.children.end(),
                     [this](const DensityTree& child) { return UsedGpu(child); });
}

absl::Status TrainingRun::LogProbOfMember(int64_t member, absl::Span<double> log_q) const {
  const DensityTree& tree = trees_[member];
  if (tree.kind == DensityTree::Kind::kFlow && UsedGpu(tree)) {
    return DeviceLogProb(tree.flow, hooks_->device.gpu, data_.theta, log_q, hooks_->stop);
  }
  return MakeDensity(tree)->LogProb(data_.theta, log_q, hooks_->stop);
}

void TrainingRun::Describe(v1::ModelVersion& description) const {
  const v1::Dataset& dataset = input_->dataset;
  *description.mutable_spec() = spec_;
  v1::Signature& signature = *description.mutable_signature();
  for (const v1::Parameter& parameter : data_.parameters) *signature.add_parameters() = parameter;
  for (const v1::Parameter& parameter : dataset.parameters()) {
    const bool kept = std::any_of(data_.parameters.begin(), data_.parameters.end(),
                                  [&](const v1::Parameter& other) { return other.name() == parameter.name(); });
    if (!kept && !parameter.derived()) signature.add_marginalised(parameter.name());
  }
  signature.mutable_marginalised()->MergeFrom(dataset.marginalised());
  signature.set_prior_model(input_->job.training().prior_model());
  signature.add_abilities(v1::DENSITY);
  v1::TrainingSummary& training = *description.mutable_training();
  training.set_job(input_->job.name());
  training.set_dataset(dataset.name());
  training.set_dataset_revision(dataset.revision());
  training.set_dataset_digest(dataset.digest());
  training.set_row_kind(dataset.row_kind());
  training.set_num_rows(data_.num_rows);
  training.set_num_rows_dropped(data_.num_dropped);
  training.set_num_rows_outside(data_.num_outside);
  training.set_num_distinct_rows(data_.num_distinct);
  training.set_build(TrainingBuild());
  const bool used_gpu = std::any_of(trees_.begin(), trees_.end(), [this](const auto& tree) { return UsedGpu(tree); });
  training.set_device(used_gpu ? hooks_->device.name : TrainingDevice().name);
  if (comparison_ != nullptr) {
    for (v1::Candidate& candidate : comparison_->Describe(contenders_)) *training.add_compared() = std::move(candidate);
  }
  if (dataset.has_log_evidence()) *description.mutable_log_evidence() = dataset.log_evidence();
}

absl::Status TrainingRun::DescribeMembers(absl::Span<const double> log_q, v1::TrainingSummary& training) const {
  const int64_t n = data_.n();
  std::vector<int64_t> all(n);
  for (int64_t i = 0; i < n; ++i) all[i] = i;
  for (int64_t k = 0; k < members(); ++k) {
    const absl::Span<const double> row = log_q.subspan(k * n, n);
    const MemberRows rows = RowsOfMember(data_, k);
    const NetworkStates::Epochs epochs = states_->EpochsOf(absl::StrCat(path_, "member", k));
    v1::MemberSummary& summary = *training.add_members();
    summary.set_epochs(static_cast<int32_t>(epochs.epoch));
    summary.set_best_epoch(static_cast<int32_t>(epochs.best_epoch));
    summary.set_train_loss(MeanLoss(data_, row, rows.train));
    summary.set_held_out_loss(MeanLoss(data_, row, rows.held_out));
    summary.set_mean_log_prob(-MeanLoss(data_, row, all));
    if (summary.held_out_loss() < training.members(training.answering_member()).held_out_loss()) {
      training.set_answering_member(static_cast<int32_t>(k));
    }
  }
  HeldOutInput held_out;
  held_out.kind = input_->dataset.row_kind();
  held_out.members = members();
  held_out.log_q = log_q;
  held_out.fold = data_.fold;
  held_out.weight = data_.weight;
  held_out.chain = data_.chain;
  held_out.log_likelihood = input_->rows.log_likelihood;
  held_out.log_likelihood_birth = input_->rows.log_likelihood_birth;
  held_out.dataset_row = data_.dataset_row;
  held_out.seed = spec_.training().seed();
  ABSL_ASSIGN_OR_RETURN(*training.mutable_held_out(), ComputeHeldOut(held_out, hooks_->stop));
  ABSL_RETURN_IF_ERROR(AddMisfit(*training.mutable_held_out()));
  const std::vector<double> log_prior = LogPriorOfRows(data_);
  if (log_prior.empty()) return absl::OkStatus();
  held_out.log_prior = log_prior;
  v1::HeldOutStatistics& log_ratio = *training.mutable_held_out_log_ratio();
  ABSL_ASSIGN_OR_RETURN(log_ratio, ComputeHeldOut(held_out, hooks_->stop));
  log_ratio.set_misfit(training.held_out().misfit());
  log_ratio.set_misfit_error(training.held_out().misfit_error());
  return absl::OkStatus();
}

absl::Status TrainingRun::AddMisfit(v1::HeldOutStatistics& held_out) const {
  // A draw from kernels solves for a root per dimension over all of them: a millisecond in ten dimensions.
  if (std::any_of(trees_.begin(), trees_.end(), &HasKernels)) return absl::OkStatus();
  std::vector<std::unique_ptr<Density>> densities;
  std::vector<const Density*> members;
  for (const DensityTree& tree : trees_) {
    densities.push_back(MakeDensity(tree));
    members.push_back(densities.back().get());
  }
  MisfitInput input;
  input.kind = input_->dataset.row_kind();
  input.members = members;
  input.parameters = data_.parameters;
  input.theta = data_.theta;
  input.fold = data_.fold;
  input.weight = data_.weight;
  input.effective_rows = data_.effective_rows;
  input.seed = spec_.training().seed();
  ABSL_ASSIGN_OR_RETURN(const Misfit misfit, ComputeMisfit(input, hooks_->stop));
  held_out.set_misfit(misfit.kl);
  held_out.set_misfit_error(misfit.error);
  return absl::OkStatus();
}

absl::StatusOr<std::string> TrainingRun::Finish() {
  const int64_t n = data_.n();
  v1::ModelVersion description;
  Describe(description);
  v1::TrainingSummary& training = *description.mutable_training();
  std::vector<double> log_q(members() * n);
  ABSL_RETURN_IF_ERROR(ForEach(members(), hooks_->threads,
                               [&](int64_t k) { return LogProbOfMember(k, absl::MakeSpan(log_q).subspan(k * n, n)); }));
  ABSL_RETURN_IF_ERROR(DescribeMembers(log_q, training));
  for (const v1::Warning warning : TrainingWarnings(training, data_.d())) training.add_warnings(warning);
  Safetensors artifact;
  for (int64_t k = 0; k < members(); ++k) WriteDensityTree(trees_[k], MemberPrefix(k), artifact);
  training.set_seconds(states_->Seconds());
  if (const absl::Status status = CheckDescription(description, TextOrigin::kStored); !status.ok()) {
    // Nothing but numbers can be wrong in what was just written: log densities beyond all sense.
    return absl::FailedPreconditionError(absl::StrCat("these rows leave no usable version: ", status.message()));
  }
  WriteDescription(description, artifact);
  return artifact.Serialize();
}

}  // namespace creamery
