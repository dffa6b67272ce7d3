// New jobs: one, or an array of them, all or none.
#include "absl/strings/str_format.h"
#include "proto/support/digest.h"
#include "proto/support/timestamps.h"
#include "storage/registry_impl.h"

namespace creamery {
namespace {

constexpr int64_t kTrainingKind = 1;
constexpr int64_t kStatisticsKind = 2;

// Sorts by time and says it: 20261121-045612.123456-a1b2c3.
std::string NewJobId(absl::Time now) {
  return absl::StrCat(absl::FormatTime("%Y%m%d-%H%M%E6S", now, absl::UTCTimeZone()), "-", RandomHex(3));
}

// Sorts within its array as it was asked for.
std::string IdInArray(const std::string& array, size_t index) { return absl::StrFormat("%s-%05d", array, index); }

absl::Status CheckModel(const ProjectName& parent, const v1::TrainingJob& training) {
  ABSL_ASSIGN_OR_RETURN(const ModelName model, ModelName::Parse(training.model()));
  if (model.project == parent.project) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the job's model is '", model.ToString(), "', expected one of '", parent.ToString(), "'"));
}

// A training's dataset as it is now. FAILED_PRECONDITION without rows.
absl::StatusOr<DatasetRow> LoadTrainingData(Database& db, const v1::TrainingJob& training) {
  ABSL_ASSIGN_OR_RETURN(const DatasetName name, DatasetName::Parse(training.dataset()));
  ABSL_ASSIGN_OR_RETURN(DatasetRow dataset, LoadDataset(db, name));
  if (dataset.dataset.num_rows() > 0) return dataset;
  return absl::FailedPreconditionError(absl::StrCat("dataset '", name.ToString(), "' has no rows: append some first"));
}

absl::Status PinVersion(Database& db, int64_t job_id, const VersionName& version) {
  ABSL_RETURN_IF_ERROR(LoadVersion(db, version.model_name(), version.number).status());
  ABSL_ASSIGN_OR_RETURN(const ModelRow model, LoadModel(db, version.model_name()));
  return db.Run("INSERT INTO job_versions (job_id, model_id, number) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", job_id,
                model.id, version.number);
}

// `array` may be empty. The project is there.
absl::StatusOr<v1::Job> InsertJob(Database& db, const Caller& caller, const JobName& name, const std::string& array,
                                  const NewJob& job) {
  v1::Job record;
  if (job.job.has_training()) {
    *record.mutable_training() = job.job.training();
    ABSL_ASSIGN_OR_RETURN(const DatasetRow dataset, LoadTrainingData(db, job.job.training()));
    record.mutable_training()->set_dataset_revision(dataset.dataset.revision());
    ABSL_RETURN_IF_ERROR(
        db.Run("INSERT INTO jobs (project, job, kind, array, state, dataset_id, record) VALUES (?, ?, ?, ?, ?, ?, x'')",
               name.project, name.job, kTrainingKind, array, static_cast<int64_t>(v1::QUEUED), dataset.id));
  } else {
    *record.mutable_statistics() = job.job.statistics();
    ABSL_RETURN_IF_ERROR(
        db.Run("INSERT INTO jobs (project, job, kind, array, state, record) VALUES (?, ?, ?, ?, ?, x'')", name.project,
               name.job, kStatisticsKind, array, static_cast<int64_t>(v1::QUEUED)));
  }
  *record.mutable_create_time() = ToTimestamp(caller.time);
  record.set_creator(caller.principal);
  ABSL_RETURN_IF_ERROR(db.Run("UPDATE jobs SET record = ? WHERE project = ? AND job = ?",
                              Bytes{record.SerializeAsString()}, name.project, name.job));
  ABSL_ASSIGN_OR_RETURN(JobRow row, LoadJob(db, name));
  for (const VersionName& version : job.versions) ABSL_RETURN_IF_ERROR(PinVersion(db, row.id, version));
  return std::move(row.job);
}

absl::Status CheckWork(const ProjectName& parent, const v1::Job& job) {
  if (job.has_training()) return CheckModel(parent, job.training());
  if (job.has_statistics()) return absl::OkStatus();
  return absl::InvalidArgumentError("the job has no work, expected training or statistics");
}

}  // namespace

absl::StatusOr<v1::Job> RegistryImpl::CreateJob(const Caller& caller, const ProjectName& parent, const NewJob& job) {
  ABSL_RETURN_IF_ERROR(CheckWork(parent, job.job));
  return WriteOnce<v1::Job>(caller, Space::kKeepReserve, [&](Database& db) -> absl::StatusOr<v1::Job> {
    ABSL_RETURN_IF_ERROR(RequireProject(db, parent.project));
    return InsertJob(db, caller, {parent.project, NewJobId(caller.time)}, "", job);
  });
}

absl::StatusOr<v1::JobArray> RegistryImpl::CreateJobArray(const Caller& caller, const ProjectName& parent,
                                                          absl::Span<const NewJob> jobs,
                                                          std::vector<v1::Job>* created) {
  created->clear();
  for (const NewJob& job : jobs) ABSL_RETURN_IF_ERROR(CheckWork(parent, job.job));
  return WriteOnce<v1::JobArray>(caller, Space::kKeepReserve, [&](Database& db) -> absl::StatusOr<v1::JobArray> {
    ABSL_RETURN_IF_ERROR(RequireProject(db, parent.project));
    v1::JobArray array;
    array.set_array(NewJobId(caller.time));
    for (size_t i = 0; i < jobs.size(); ++i) {
      const JobName name{parent.project, IdInArray(array.array(), i)};
      absl::StatusOr<v1::Job> job = InsertJob(db, caller, name, array.array(), jobs[i]);
      if (!job.ok()) return absl::Status(job.status().code(), absl::StrCat("jobs[", i, "]: ", job.status().message()));
      v1::Job& told = *array.add_jobs();
      told.set_name(job->name());
      told.set_state(job->state());
      told.set_array(job->array());
      created->push_back(*std::move(job));
    }
    return array;
  });
}

}  // namespace creamery
