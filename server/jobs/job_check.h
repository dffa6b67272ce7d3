// What a job may ask for, and whether an artifact is what a job asked for.
#ifndef CREAMERY_SERVER_JOBS_JOB_CHECK_H_
#define CREAMERY_SERVER_JOBS_JOB_CHECK_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "creamery/v1/dataset.pb.h"
#include "creamery/v1/job.pb.h"
#include "creamery/v1/model.pb.h"
#include "proto/support/resource_names.h"

namespace creamery {

// The names of the parameters a training keeps, in order.
std::vector<std::string> ParametersOf(const v1::TrainingJob& training, const v1::Dataset& dataset);

// A training reduced to what its creator may say, its spec with every default written out, so that a worker of a later
// version trains what was asked for. INVALID_ARGUMENT for an unknown or repeated parameter (the message lists the right
// ones), a bad spec, or a model that is not in `parent`.
absl::StatusOr<v1::TrainingJob> CheckTraining(const ProjectName& parent, const v1::TrainingJob& training,
                                              const v1::Dataset& dataset);

// "maf", "auto": the name of the case in EstimatorSpec; empty if there is none, as of statistics.
std::string FamilyOf(const v1::Job& job);

// Loads the artifact and returns its description. FAILED_PRECONDITION naming what is not as the job asked: job,
// dataset, revision, digest, parameters, prior, spec. What the creator left open in the spec is the trainer's: the
// batch size, maps of parameters, the number of pieces, the blocks, what `auto` chose. `dataset` is the job's, at its
// pinned revision. DATA_LOSS for bad bytes.
absl::StatusOr<v1::ModelVersion> CheckArtifact(const v1::Job& job, const v1::Dataset& dataset,
                                               absl::string_view artifact_bytes);

}  // namespace creamery

#endif  // CREAMERY_SERVER_JOBS_JOB_CHECK_H_
