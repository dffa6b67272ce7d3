#include "server/statistics/statistics_jobs.h"

#include <utility>

#include "proto/support/array.h"
#include "proto/support/status_macros.h"
#include "server/statistics/evidence_question.h"
#include "server/statistics/evidence_ratio_question.h"
#include "server/statistics/finite_answer.h"
#include "server/statistics/joint_question.h"
#include "server/statistics/marginal_question.h"

namespace creamery {
namespace {

// Points of one round in a job: they are kept as a blob, so no message limits them.
constexpr int64_t kMostPointBytes = int64_t{256} << 20;

template <typename Request>
absl::Status PinMarginal(const StatisticsSource& source, Request* request, std::vector<VersionName>* versions) {
  ABSL_ASSIGN_OR_RETURN(const MarginalQuestion question, OpenMarginal(source.models, *request, StopToken()));
  PinModel(question.model, question.prior, question.seed, request);
  ABSL_ASSIGN_OR_RETURN(*versions, VersionsOf({&question.model, &question.prior.model}));
  return absl::OkStatus();
}

absl::Status PinJoint(const StatisticsSource& source, v1::JointPosteriorRequest* request,
                      std::vector<VersionName>* versions) {
  ABSL_ASSIGN_OR_RETURN(const JointQuestion question, OpenJoint(source.models, *request, StopToken()));
  std::vector<const ServedModel*> models{&question.prior_model};
  request->clear_models();
  for (const ServedModel& model : question.models) {
    request->add_models(model.version);
    models.push_back(&model);
  }
  if (request->prior().prior_case() == v1::PriorChoice::kModel) {
    request->mutable_prior()->set_model(question.prior_model.version);
  }
  request->set_seed(question.seed);
  ABSL_ASSIGN_OR_RETURN(*versions, VersionsOf(models));
  return absl::OkStatus();
}

absl::Status PinEvidence(const StatisticsSource& source, v1::EvidenceRequest* request,
                         std::vector<VersionName>* versions) {
  ABSL_ASSIGN_OR_RETURN(const EvidenceQuestion question, OpenEvidence(source, *request, StopToken()));
  PinModel(question.model, question.prior, question.seed, request);
  ABSL_ASSIGN_OR_RETURN(*versions, VersionsOf({&question.model, &question.prior.model}));
  return absl::OkStatus();
}

absl::Status PinRatio(const StatisticsSource& source, v1::EvidenceRatioRequest* request,
                      std::vector<VersionName>* versions) {
  ABSL_ASSIGN_OR_RETURN(const EvidenceRatioQuestion question, OpenEvidenceRatio(source, *request, StopToken()));
  request->set_numerator(question.numerator.model.version);
  request->set_denominator(question.denominator.model.version);
  request->set_seed(question.seed);
  ABSL_ASSIGN_OR_RETURN(*versions, VersionsOf({&question.numerator.model, &question.numerator.prior_model,
                                               &question.denominator.model, &question.denominator.prior_model}));
  return absl::OkStatus();
}

absl::StatusOr<StatisticsAnswer> AnswerEvidenceJob(const StatisticsSource& source, const v1::EvidenceRequest& request,
                                                   const StopToken& stop) {
  ABSL_ASSIGN_OR_RETURN(const EvidenceQuestion question, OpenEvidence(source, request, stop));
  StatisticsAnswer answer;
  v1::EvidenceResponse& response = *answer.result.mutable_evidence();
  ABSL_ASSIGN_OR_RETURN(response, AnswerEvidence(source, question, kMostPointBytes, stop));
  if (response.has_next_theta()) {
    const int64_t d = response.columns_size();
    ABSL_ASSIGN_OR_RETURN(answer.samples.theta, ToDoubles("next_theta", response.next_theta(), {-1, d}));
    answer.samples.columns = {response.columns().begin(), response.columns().end()};
    response.clear_next_theta();
  }
  return answer;
}

}  // namespace

absl::Status PinStatistics(const StatisticsSource& source, v1::StatisticsJob* job, std::vector<VersionName>* versions) {
  switch (job->request_case()) {
    case v1::StatisticsJob::kMarginalKl:
      return PinMarginal(source, job->mutable_marginal_kl(), versions);
    case v1::StatisticsJob::kModelDimensionality:
      return PinMarginal(source, job->mutable_model_dimensionality(), versions);
    case v1::StatisticsJob::kJointPosterior:
      return PinJoint(source, job->mutable_joint_posterior(), versions);
    case v1::StatisticsJob::kEvidence:
      return PinEvidence(source, job->mutable_evidence(), versions);
    case v1::StatisticsJob::kEvidenceRatio:
      return PinRatio(source, job->mutable_evidence_ratio(), versions);
    case v1::StatisticsJob::REQUEST_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("statistics has no request that this server knows");
}

namespace {

absl::StatusOr<StatisticsAnswer> AnswerAny(const StatisticsSource& source, const v1::StatisticsJob& job,
                                           const StatisticsProgress& progress, const StopToken& stop) {
  StatisticsAnswer answer;
  if (job.has_marginal_kl()) {
    ABSL_ASSIGN_OR_RETURN(const auto question, OpenMarginal(source.models, job.marginal_kl(), stop));
    ABSL_ASSIGN_OR_RETURN(*answer.result.mutable_marginal_kl(), AnswerMarginalKL(source, question, stop));
    return answer;
  }
  if (job.has_model_dimensionality()) {
    ABSL_ASSIGN_OR_RETURN(const auto question, OpenMarginal(source.models, job.model_dimensionality(), stop));
    ABSL_ASSIGN_OR_RETURN(*answer.result.mutable_model_dimensionality(),
                          AnswerModelDimensionality(source, question, stop));
    return answer;
  }
  if (job.has_joint_posterior()) {
    ABSL_ASSIGN_OR_RETURN(const auto question, OpenJoint(source.models, job.joint_posterior(), stop));
    ABSL_ASSIGN_OR_RETURN(JointAnswer joint, AnswerJoint(question, progress, stop));
    *answer.result.mutable_joint_posterior() = std::move(joint.head);
    answer.samples = std::move(joint.samples);
    return answer;
  }
  if (job.has_evidence()) return AnswerEvidenceJob(source, job.evidence(), stop);
  if (job.has_evidence_ratio()) {
    ABSL_ASSIGN_OR_RETURN(const auto question, OpenEvidenceRatio(source, job.evidence_ratio(), stop));
    ABSL_ASSIGN_OR_RETURN(*answer.result.mutable_evidence_ratio(), AnswerEvidenceRatio(source, question, stop));
    return answer;
  }
  return absl::InvalidArgumentError("statistics has no request that this server knows");
}

}  // namespace

absl::StatusOr<StatisticsAnswer> AnswerStatistics(const StatisticsSource& source, const v1::StatisticsJob& job,
                                                  const StatisticsProgress& progress, const StopToken& stop) {
  ABSL_ASSIGN_OR_RETURN(StatisticsAnswer answer, AnswerAny(source, job, progress, stop));
  ABSL_RETURN_IF_ERROR(CheckFiniteAnswer(answer.result));
  return answer;
}

}  // namespace creamery
