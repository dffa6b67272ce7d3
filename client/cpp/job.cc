#include "client/cpp/job.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cpp/client.h"
#include "client/cpp/connection.h"
#include "proto/support/digest.h"
#include "proto/support/resource_names.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

// One stream says nothing of a server whose machine vanished; a fresh one does.
constexpr absl::Duration kWatchPeriod = absl::Seconds(60);

absl::StatusOr<std::string> ParseTypedJob(const std::string& typed) {
  if (absl::StartsWith(typed, "projects/")) {
    ABSL_ASSIGN_OR_RETURN(const JobName name, JobName::Parse(typed));
    return name.ToString();
  }
  const size_t slash = typed.find('/');
  if (slash == std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat("job '", typed, "' is not of the form project/id"));
  }
  const JobName name{typed.substr(0, slash), typed.substr(slash + 1)};
  ABSL_RETURN_IF_ERROR(CheckId("project id", name.project));
  ABSL_RETURN_IF_ERROR(CheckId("job id", name.job));
  return name.ToString();
}

// The job of a training, and its project.
absl::StatusOr<std::string> FillTraining(const TrainOptions& options, v1::TrainingJob& training) {
  ABSL_ASSIGN_OR_RETURN(const VersionName model, ParseTypedVersion(options.model));
  if (model.number != 0 || !model.alias.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a training makes the next version: give the model without one, not '", options.model, "'"));
  }
  ABSL_ASSIGN_OR_RETURN(const DatasetName dataset, ParseTypedDataset(options.dataset));
  training.set_model(model.model_name().ToString());
  training.set_dataset(dataset.ToString());
  *training.mutable_spec() = options.spec;
  for (const std::string& parameter : options.parameters) training.add_parameters(parameter);
  if (!options.prior_model.empty()) {
    ABSL_ASSIGN_OR_RETURN(const VersionName prior, ParseTypedVersion(options.prior_model));
    training.set_prior_model(prior.ToString());
  }
  return model.project;
}

}  // namespace

bool HasEnded(v1::JobState state) { return state == v1::SUCCEEDED || state == v1::FAILED || state == v1::CANCELLED; }

absl::Status JobStatus(const v1::Job& job) {
  switch (job.state()) {
    case v1::SUCCEEDED:
      return absl::OkStatus();
    case v1::CANCELLED:
      return absl::CancelledError(absl::StrCat("job ", job.name(), " was cancelled"));
    case v1::FAILED:
      return absl::Status(
          job.error().code() == 0 ? absl::StatusCode::kUnknown : static_cast<absl::StatusCode>(job.error().code()),
          absl::StrCat("job ", job.name(), " failed: ", job.error().message()));
    default:
      return absl::FailedPreconditionError(absl::StrCat("job ", job.name(), " has not ended"));
  }
}

absl::StatusOr<v1::Job> Job::Get() const {
  v1::GetJobRequest request;
  request.set_name(name_);
  return connection_->Call(*connection_->jobs, &v1::JobService::Stub::GetJob, request);
}

absl::StatusOr<v1::Job> Job::Cancel() const {
  v1::CancelJobRequest request;
  request.set_name(name_);
  return connection_->Call(*connection_->jobs, &v1::JobService::Stub::CancelJob, request);
}

absl::StatusOr<v1::Job> Job::Wait(const std::function<void(const v1::Job&)>& progress, absl::Duration patience) const {
  v1::WatchJobRequest request;
  request.set_name(name_);
  absl::Time last_word = absl::Now();
  for (int attempt = 0;;) {
    const std::unique_ptr<grpc::ClientContext> context = connection_->NewContext(kWatchPeriod);
    const auto reader = connection_->jobs->WatchJob(context.get(), request);
    v1::Job job;
    while (reader->Read(&job)) {
      last_word = absl::Now();
      attempt = 0;
      if (progress) progress(job);
      if (HasEnded(job.state())) {
        context->TryCancel();
        return job;
      }
    }
    const absl::Status status = connection_->ToStatus(reader->Finish());
    if (absl::IsDeadlineExceeded(status)) continue;
    // A server that drains ends the stream without an error, or cancels it: nobody here did.
    if (!status.ok() && !absl::IsUnavailable(status) && !absl::IsCancelled(status)) return status;
    if (absl::Now() - last_word > patience) {
      return status.ok() ? absl::UnavailableError(absl::StrCat("the server stopped telling of job ", name_)) : status;
    }
    BackOff(attempt++);
  }
}

absl::StatusOr<Model> Job::Result(const std::function<void(const v1::Job&)>& progress) const {
  ABSL_ASSIGN_OR_RETURN(const v1::Job job, Wait(progress));
  ABSL_RETURN_IF_ERROR(JobStatus(job));
  v1::GetModelVersionRequest request;
  request.set_name(job.model_version());
  ABSL_ASSIGN_OR_RETURN(v1::ModelVersion version,
                        connection_->Call(*connection_->models, &v1::ModelService::Stub::GetModelVersion, request));
  return Model(connection_, std::move(version));
}

absl::StatusOr<Job> Client::Train(const TrainOptions& options) const {
  v1::CreateJobRequest request;
  ABSL_ASSIGN_OR_RETURN(const std::string project, FillTraining(options, *request.mutable_job()->mutable_training()));
  ABSL_RETURN_IF_ERROR(EnsureProject(project));
  request.set_parent(ProjectName{project}.ToString());
  request.set_request_id(options.request_id.empty() ? RandomHex(16) : options.request_id);
  ABSL_ASSIGN_OR_RETURN(const v1::Job job,
                        connection_->Call(*connection_->jobs, &v1::JobService::Stub::CreateJob, request));
  return Job(connection_, job.name());
}

absl::StatusOr<JobArrayHandle> Client::TrainArray(const std::vector<TrainOptions>& options,
                                                  const std::string& request_id) const {
  v1::CreateJobArrayRequest request;
  request.set_request_id(request_id.empty() ? RandomHex(16) : request_id);
  std::string project;
  for (const TrainOptions& training : options) {
    ABSL_ASSIGN_OR_RETURN(const std::string its, FillTraining(training, *request.add_jobs()->mutable_training()));
    if (!project.empty() && its != project) {
      return absl::InvalidArgumentError(
          absl::StrCat("the models of an array belong to one project, not to ", project, " and ", its));
    }
    project = its;
  }
  if (options.empty()) return absl::InvalidArgumentError("an array needs at least one training");
  ABSL_RETURN_IF_ERROR(EnsureProject(project));
  request.set_parent(ProjectName{project}.ToString());
  ABSL_ASSIGN_OR_RETURN(const v1::JobArray made,
                        connection_->Call(*connection_->jobs, &v1::JobService::Stub::CreateJobArray, request));
  JobArrayHandle handle{made.array(), {}};
  for (const v1::Job& job : made.jobs()) handle.jobs.emplace_back(connection_, job.name());
  return handle;
}

absl::StatusOr<std::vector<v1::Job>> Client::CancelArray(const std::string& project, const std::string& array) const {
  v1::CancelJobArrayRequest request;
  request.set_parent(ProjectName{project}.ToString());
  request.set_array(array);
  ABSL_ASSIGN_OR_RETURN(const v1::JobArray cancelled,
                        connection_->Call(*connection_->jobs, &v1::JobService::Stub::CancelJobArray, request));
  return std::vector<v1::Job>(cancelled.jobs().begin(), cancelled.jobs().end());
}

absl::StatusOr<Job> Client::GetJob(const std::string& name) const {
  ABSL_ASSIGN_OR_RETURN(std::string full_name, ParseTypedJob(name));
  Job job(connection_, std::move(full_name));
  ABSL_RETURN_IF_ERROR(job.Get().status());
  return job;
}

}  // namespace creamery
