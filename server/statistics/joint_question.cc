#include "server/statistics/joint_question.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "models/statistics/joint.h"
#include "models/statistics/joint_problem.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr int kMostModels = 10000;
constexpr int64_t kMostEvaluations = int64_t{1} << 50;

// The prior model that all versions were trained with; empty if one was trained without, or with another.
std::string CommonPriorModel(const std::vector<ServedModel>& models) {
  const std::string& first = models.front().estimator->description().signature().prior_model();
  for (const ServedModel& model : models) {
    if (model.estimator->description().signature().prior_model() != first) return "";
  }
  return first;
}

std::vector<const Estimator*> EstimatorsOf(const JointQuestion& question) {
  std::vector<const Estimator*> estimators;
  estimators.reserve(question.models.size());
  for (const ServedModel& model : question.models) estimators.push_back(model.estimator.get());
  return estimators;
}

JointInput InputOf(const JointQuestion& question, const std::vector<const Estimator*>& estimators) {
  JointInput input;
  input.models = estimators;
  input.prior = question.prior;
  input.prior_model = question.prior_model.estimator.get();
  input.num_samples = question.num_samples;
  input.seed = question.seed;
  input.max_evaluations = question.max_evaluations;
  return input;
}

}  // namespace

absl::StatusOr<JointQuestion> OpenJoint(ServedModels& models, const v1::JointPosteriorRequest& request,
                                        const StopToken& stop) {
  JointQuestion question;
  if (request.models_size() < 2 || request.models_size() > kMostModels) {
    return absl::InvalidArgumentError(
        absl::StrCat("models has ", request.models_size(), " entries, expected 2 to ", kMostModels));
  }
  ABSL_ASSIGN_OR_RETURN(question.num_samples, CheckCount("num_samples", request.num_samples(), 10000, 100, 1000000));
  ABSL_ASSIGN_OR_RETURN(question.max_evaluations,
                        CheckCount("max_evaluations", request.max_evaluations(), 10000000, 1, kMostEvaluations));
  ABSL_ASSIGN_OR_RETURN(question.models, AcquireAll(models, {request.models().begin(), request.models().end()}, stop));
  question.prior = request.prior();
  if (question.prior.prior_case() == v1::PriorChoice::kModel) {
    ABSL_ASSIGN_OR_RETURN(question.prior_model, models.Acquire(question.prior.model(), stop));
  } else if (question.prior.prior_case() == v1::PriorChoice::PRIOR_NOT_SET &&
             !CommonPriorModel(question.models).empty()) {
    ABSL_ASSIGN_OR_RETURN(question.prior_model, OpenPriorModelOf(models, question.models.front(), stop));
  }
  question.without_samples = request.without_samples();
  question.seed = SeedOf(request);
  ABSL_RETURN_IF_ERROR(MakeJointProblem(InputOf(question, EstimatorsOf(question))).status());
  return question;
}

absl::StatusOr<JointAnswer> AnswerJoint(const JointQuestion& question, const StatisticsProgress& progress,
                                        const StopToken& stop) {
  const std::vector<const Estimator*> estimators = EstimatorsOf(question);
  JointProgress listener;
  if (progress) listener = [&progress](double done) { progress(done, "sampling the joint posterior"); };
  ABSL_ASSIGN_OR_RETURN(JointResult result, ComputeJoint(InputOf(question, estimators), listener, stop));
  JointAnswer answer;
  answer.head = std::move(result.head);
  answer.head.set_seed(question.seed);
  for (const ServedModel& model : question.models) answer.head.add_model_versions(model.version);
  answer.head.set_prior_model_version(question.prior_model.version);
  if (question.without_samples) return answer;
  answer.samples.columns = {answer.head.columns().begin(), answer.head.columns().end()};
  answer.samples.theta = std::move(result.theta);
  answer.samples.weight = std::move(result.weight);
  answer.samples.log_density = std::move(result.log_density);
  return answer;
}

}  // namespace creamery
