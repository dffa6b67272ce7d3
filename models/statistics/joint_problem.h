// What a joint analysis is of: which column of the union each model's parameters are, what prior is divided out how
// often. Everything that can be wrong with a request is found here, before any work.
#ifndef CREAMERY_MODELS_STATISTICS_JOINT_PROBLEM_H_
#define CREAMERY_MODELS_STATISTICS_JOINT_PROBLEM_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "creamery/v1/model.pb.h"
#include "creamery/v1/warning.pb.h"
#include "models/estimator.h"
#include "models/statistics/joint.h"

namespace creamery {

// One of the analyses.
struct JointModel {
  const Estimator* estimator;
  std::string name;                     // for messages
  std::vector<const Density*> members;  // all of them, or the answering density alone
  std::vector<int> columns;             // of the union, by the model's parameters

  const Density& density() const { return *estimator->density(); }
  const v1::HeldOutStatistics& held_out() const { return estimator->description().training().held_out(); }
  int64_t d() const { return static_cast<int64_t>(columns.size()); }
};

// One parameter of the union.
struct JointParameter {
  v1::Parameter parameter;  // with the prior that is used; none where the prior is a model's or, if private, missing
  int64_t models = 0;       // that have it

  bool has_prior() const { return parameter.prior().density_case() != v1::Prior::DENSITY_NOT_SET; }
};

struct JointProblem {
  std::vector<JointModel> models;
  std::vector<JointParameter> parameters;  // the union, those of the first model first
  std::vector<std::string> shared;
  const Density* prior = nullptr;       // of the shared parameters, if it is a model's; each has all of them
  std::vector<int> prior_columns;       // of the union, by the prior model's parameters
  std::vector<std::string> prior_less;  // private parameters without a prior
  std::vector<std::string> remarks;
  std::vector<v1::Warning> warnings;  // SHARED_NUISANCE, PRIOR_IS_ESTIMATED, SINGLE_CHAIN, FEW_...

  int64_t d() const { return static_cast<int64_t>(parameters.size()); }
};

// Errors as ComputeJoint's. A model listed twice is refused: its data would count twice. Two models of one dataset are
// let through with a remark.
absl::StatusOr<JointProblem> MakeJointProblem(const JointInput& input);

// `uniform(0, 1)`, `normal(0, 2)`, `log_uniform(0.1, 10)`, `no prior`.
std::string PriorToString(const v1::Prior& prior);

}  // namespace creamery

#endif  // CREAMERY_MODELS_STATISTICS_JOINT_PROBLEM_H_
