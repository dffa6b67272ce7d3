// From what somebody asks for to what is stored: a job checked, with every default written out and everything it
// depends on pinned, so that it means the same however long it waits.
#ifndef CREAMERY_SERVER_JOBS_JOB_INTAKE_H_
#define CREAMERY_SERVER_JOBS_JOB_INTAKE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "creamery/v1/dataset.pb.h"
#include "creamery/v1/job.pb.h"
#include "creamery/v1/model.pb.h"
#include "proto/support/resource_names.h"
#include "storage/registry.h"

namespace creamery {

// What only a server with models knows. Thread-safe functions; without one, jobs that need it are UNIMPLEMENTED.
struct IntakeHooks {
  // The version that a model's name means now.
  std::function<absl::StatusOr<v1::ModelVersion>(const std::string& name)> find_version;
  // Checks the question as its method would, names the versions it means and its seed in it, and lists those versions.
  std::function<absl::Status(v1::StatisticsJob* job, std::vector<VersionName>* versions)> pin_statistics;
  // Memory that a training may take, with so many networks side by side; 0: no limit.
  int64_t max_training_bytes = 0;
  int64_t training_threads = 1;
};

// For one request, which may bring many jobs: reads each dataset once. Not thread-safe.
class JobIntake {
 public:
  // Both must outlive this.
  JobIntake(Registry& registry, const IntakeHooks& hooks) : registry_(registry), hooks_(hooks) {}

  // INVALID_ARGUMENT for a job without work, a bad spec, an unknown family or parameter (the message lists the right
  // ones), a model of another project, or a prior model of other parameters than those kept; NOT_FOUND for a dataset or
  // prior model that is not there; RESOURCE_EXHAUSTED for a training that would take more memory than it may; else what
  // the statistic's method would say.
  absl::StatusOr<NewJob> Take(const ProjectName& parent, const v1::Job& job);

 private:
  absl::StatusOr<NewJob> TakeTraining(const ProjectName& parent, const v1::TrainingJob& training);
  absl::StatusOr<NewJob> TakeStatistics(const v1::StatisticsJob& statistics);
  // NOT_FOUND, or its parameters are not `kept`. `prior_model` becomes the version's name.
  absl::StatusOr<VersionName> PinPrior(const std::vector<std::string>& kept, std::string* prior_model);

  Registry& registry_;
  const IntakeHooks& hooks_;
  std::map<std::string, v1::Dataset> datasets_;
};

}  // namespace creamery

#endif  // CREAMERY_SERVER_JOBS_JOB_INTAKE_H_
