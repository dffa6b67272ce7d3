// JointPosterior, opened and answered.
#ifndef CREAMERY_SERVER_STATISTICS_JOINT_QUESTION_H_
#define CREAMERY_SERVER_STATISTICS_JOINT_QUESTION_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "creamery/v1/statistics_service.pb.h"
#include "server/jobs/samples_blob.h"
#include "server/jobs/statistics_runner.h"
#include "server/statistics/source.h"

namespace creamery {

struct JointQuestion {
  std::vector<ServedModel> models;
  ServedModel prior_model;  // no estimator: analytic priors
  v1::PriorChoice prior;
  int64_t num_samples = 0;
  int64_t max_evaluations = 0;
  bool without_samples = false;
  uint64_t seed = 0;
};

// The first message, and the samples unless they are not wanted.
struct JointAnswer {
  v1::JointPosteriorResponse head;
  SampleTable samples;
};

// INVALID_ARGUMENT for numbers out of range, fewer than two or more than 10000 models; the errors of
// ServedModels::Acquire and MakeJointProblem.
absl::StatusOr<JointQuestion> OpenJoint(ServedModels& models, const v1::JointPosteriorRequest& request,
                                        const StopToken& stop);
absl::StatusOr<JointAnswer> AnswerJoint(const JointQuestion& question, const StatisticsProgress& progress,
                                        const StopToken& stop);

}  // namespace creamery

#endif  // CREAMERY_SERVER_STATISTICS_JOINT_QUESTION_H_
