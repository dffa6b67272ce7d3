#include <optional>

#include "proto/support/digest.h"
#include "proto/support/timestamps.h"
#include "storage/page_token.h"
#include "storage/registry_impl.h"

namespace creamery {
namespace {

// Two: the newest may be what a worker could not read back.
constexpr int kCheckpointsKept = 2;

bool HasEnded(const v1::Job& job) { return job.state() >= v1::SUCCEEDED; }

bool IsSameAttempt(const JobRow& row, const LeaseKey& lease) {
  return row.job.attempt() == lease.attempt && !row.token.empty() && SecretsEqual(row.token, lease.token);
}

absl::Status CheckHeld(const JobRow& row, const LeaseKey& lease) {
  if (row.job.attempt() != lease.attempt) {
    return absl::AbortedError(absl::StrCat("the lease of attempt ", lease.attempt, " of ", lease.job,
                                           " is over: the job is at attempt ", row.job.attempt()));
  }
  if (!IsSameAttempt(row, lease)) {
    return absl::AbortedError(absl::StrCat("the token is not the one of attempt ", lease.attempt, " of ", lease.job));
  }
  if (row.job.state() != v1::RUNNING) {
    return absl::AbortedError(absl::StrCat("the lease of attempt ", lease.attempt, " of ", lease.job,
                                           " is over: the job is ", v1::JobState_Name(row.job.state())));
  }
  return absl::OkStatus();
}

absl::StatusOr<JobRow> LoadLeased(Database& db, const LeaseKey& lease) {
  ABSL_ASSIGN_OR_RETURN(const JobName name, JobName::Parse(lease.job));
  absl::StatusOr<JobRow> row = LoadJob(db, name);
  if (absl::IsNotFound(row.status())) return absl::AbortedError(row.status().message());
  return row;
}

absl::StatusOr<JobRow> LoadHeld(Database& db, const LeaseKey& lease) {
  ABSL_ASSIGN_OR_RETURN(JobRow row, LoadLeased(db, lease));
  ABSL_RETURN_IF_ERROR(CheckHeld(row, lease));
  return row;
}

// To an end state: checkpoints and pinned versions are let go, the lease's token stays so that a repeat is known.
absl::Status End(Database& db, JobRow& row, v1::JobState state, absl::Time now) {
  row.job.set_state(state);
  row.job.clear_worker();
  *row.job.mutable_end_time() = ToTimestamp(now);
  ABSL_RETURN_IF_ERROR(db.Run("DELETE FROM checkpoints WHERE job_id = ?", row.id));
  ABSL_RETURN_IF_ERROR(db.Run("DELETE FROM job_versions WHERE job_id = ?", row.id));
  return SaveJob(db, row);
}

// Queued jobs end, running ones are told; ended ones stay as they are.
absl::Status Cancel(Database& db, JobRow& row, absl::Time now) {
  if (HasEnded(row.job)) return absl::OkStatus();
  row.job.set_cancel_requested(true);
  return row.job.state() == v1::QUEUED ? End(db, row, v1::CANCELLED, now) : SaveJob(db, row);
}

absl::Status NoSuchArray(const ProjectName& parent, const std::string& array) {
  return absl::NotFoundError(absl::StrCat("there is no array of jobs '", array, "' in '", parent.ToString(), "'"));
}

}  // namespace

absl::StatusOr<v1::Job> RegistryImpl::GetJob(const JobName& name) {
  return Read([&](Database& db) -> absl::StatusOr<v1::Job> {
    ABSL_ASSIGN_OR_RETURN(JobRow row, LoadJob(db, name));
    return std::move(row.job);
  });
}

absl::StatusOr<Page<v1::Job>> RegistryImpl::ListJobs(const ProjectName& parent, const PageRequest& request) {
  const std::string listing = parent.ToString() + "/jobs";
  ABSL_ASSIGN_OR_RETURN(const std::string last, ParsePageToken(listing, request.token));
  return Read([&](Database& db) -> absl::StatusOr<Page<v1::Job>> {
    ABSL_RETURN_IF_ERROR(RequireProject(db, parent.project));
    Statement query(db, "SELECT job FROM jobs WHERE project = ?1 AND (?2 = '' OR job < ?2) ORDER BY job DESC LIMIT ?3",
                    parent.project, last, PageSize(request) + 1);
    return FillPage<v1::Job>(query, listing, request, [&](const std::string& key) -> absl::StatusOr<v1::Job> {
      ABSL_ASSIGN_OR_RETURN(JobRow row, LoadJob(db, {parent.project, key}));
      return std::move(row.job);
    });
  });
}

absl::StatusOr<Page<v1::Job>> RegistryImpl::ListJobArray(const ProjectName& parent, const std::string& array,
                                                         const PageRequest& request) {
  const std::string listing = absl::StrCat(parent.ToString(), "/jobs of ", array);
  ABSL_ASSIGN_OR_RETURN(const std::string last, ParsePageToken(listing, request.token));
  return Read([&](Database& db) -> absl::StatusOr<Page<v1::Job>> {
    // Ids of an array's jobs sort as the jobs were created.
    Statement query(db,
                    "SELECT job FROM jobs WHERE project = ?1 AND array = ?2 AND array <> '' AND job > ?3 "
                    "ORDER BY job LIMIT ?4",
                    parent.project, array, last, PageSize(request) + 1);
    const auto load = [&](const std::string& key) -> absl::StatusOr<v1::Job> {
      ABSL_ASSIGN_OR_RETURN(JobRow row, LoadJob(db, {parent.project, key}));
      return std::move(row.job);
    };
    ABSL_ASSIGN_OR_RETURN(Page<v1::Job> page, FillPage<v1::Job>(query, listing, request, load));
    if (page.items.empty() && last.empty()) return NoSuchArray(parent, array);
    return page;
  });
}

absl::StatusOr<std::vector<v1::Job>> RegistryImpl::JobsInState(v1::JobState state) {
  return Read([&](Database& db) -> absl::StatusOr<std::vector<v1::Job>> {
    Statement query(db, "SELECT project, job FROM jobs WHERE state = ? ORDER BY id", static_cast<int64_t>(state));
    std::vector<v1::Job> jobs;
    while (true) {
      ABSL_ASSIGN_OR_RETURN(const bool more, query.Step());
      if (!more) return jobs;
      ABSL_ASSIGN_OR_RETURN(JobRow row, LoadJob(db, {query.Text(0), query.Text(1)}));
      jobs.push_back(std::move(row.job));
    }
  });
}

absl::StatusOr<v1::Job> RegistryImpl::RequestCancel(const Caller& caller, const JobName& name) {
  return WriteOnce<v1::Job>(caller, Space::kUseReserve, [&](Database& db) -> absl::StatusOr<v1::Job> {
    ABSL_ASSIGN_OR_RETURN(JobRow row, LoadJob(db, name));
    ABSL_RETURN_IF_ERROR(Cancel(db, row, caller.time));
    return std::move(row.job);
  });
}

absl::StatusOr<std::vector<v1::Job>> RegistryImpl::RequestCancelArray(const Caller& caller, const ProjectName& parent,
                                                                      const std::string& array) {
  return Write(Space::kUseReserve, [&](Database& db) -> absl::StatusOr<std::vector<v1::Job>> {
    std::vector<std::string> ids;
    Statement query(db, "SELECT job FROM jobs WHERE project = ? AND array = ? AND array <> '' ORDER BY id",
                    parent.project, array);
    while (true) {
      ABSL_ASSIGN_OR_RETURN(const bool more, query.Step());
      if (!more) break;
      ids.push_back(query.Text(0));
    }
    if (ids.empty()) return NoSuchArray(parent, array);
    std::vector<v1::Job> jobs;
    for (const std::string& id : ids) {
      ABSL_ASSIGN_OR_RETURN(JobRow row, LoadJob(db, {parent.project, id}));
      ABSL_RETURN_IF_ERROR(Cancel(db, row, caller.time));
      jobs.push_back(std::move(row.job));
    }
    return jobs;
  });
}

absl::StatusOr<v1::Job> RegistryImpl::StartAttempt(const JobName& name, const std::string& token,
                                                   const std::string& worker, absl::Time now) {
  if (token.empty()) return absl::InternalError("an attempt needs a token");
  return Write(Space::kKeepReserve, [&](Database& db) -> absl::StatusOr<v1::Job> {
    ABSL_ASSIGN_OR_RETURN(JobRow row, LoadJob(db, name));
    if (row.job.state() != v1::QUEUED) {
      return absl::FailedPreconditionError(
          absl::StrCat("job '", name.ToString(), "' is ", v1::JobState_Name(row.job.state()), ", expected QUEUED"));
    }
    row.job.set_state(v1::RUNNING);
    row.job.set_attempt(row.job.attempt() + 1);
    row.job.set_worker(worker);
    if (!row.job.has_start_time()) *row.job.mutable_start_time() = ToTimestamp(now);
    row.token = token;
    row.attempt_sequence = row.checkpoint_sequence;
    ABSL_RETURN_IF_ERROR(SaveJob(db, row));
    return std::move(row.job);
  });
}

absl::Status RegistryImpl::CheckLease(const LeaseKey& lease) {
  return Read([&](Database& db) { return LoadHeld(db, lease).status(); });
}

absl::Status RegistryImpl::SaveProgress(const LeaseKey& lease, const v1::Progress& progress) {
  return Write(Space::kKeepReserve, [&](Database& db) -> absl::Status {
    ABSL_ASSIGN_OR_RETURN(JobRow row, LoadHeld(db, lease));
    *row.job.mutable_progress() = progress;
    return SaveJob(db, row);
  });
}

absl::Status RegistryImpl::AddCheckpoint(const LeaseKey& lease, const std::string& digest) {
  return Write(Space::kKeepReserve, [&](Database& db) -> absl::Status {
    ABSL_ASSIGN_OR_RETURN(JobRow row, LoadHeld(db, lease));
    Statement newest(db, "SELECT digest FROM checkpoints WHERE job_id = ? AND sequence = ?", row.id,
                     row.checkpoint_sequence);
    ABSL_ASSIGN_OR_RETURN(const bool has_newest, newest.Step());
    // The same again is a repeat, and no progress.
    if (has_newest && newest.Text(0) == digest) return absl::OkStatus();
    ABSL_RETURN_IF_ERROR(NameBlob(db, *blobs_, digest).status());
    ++row.checkpoint_sequence;
    ABSL_RETURN_IF_ERROR(db.Run("INSERT INTO checkpoints (job_id, sequence, digest) VALUES (?, ?, ?)", row.id,
                                row.checkpoint_sequence, digest));
    ABSL_RETURN_IF_ERROR(db.Run("DELETE FROM checkpoints WHERE job_id = ? AND sequence <= ?", row.id,
                                row.checkpoint_sequence - kCheckpointsKept));
    return SaveJob(db, row);
  });
}

absl::StatusOr<std::vector<std::string>> RegistryImpl::Checkpoints(const JobName& name) {
  return Read([&](Database& db) -> absl::StatusOr<std::vector<std::string>> {
    ABSL_ASSIGN_OR_RETURN(const JobRow row, LoadJob(db, name));
    Statement query(db, "SELECT digest FROM checkpoints WHERE job_id = ? ORDER BY sequence DESC", row.id);
    std::vector<std::string> digests;
    while (true) {
      ABSL_ASSIGN_OR_RETURN(const bool more, query.Step());
      if (!more) return digests;
      digests.push_back(query.Text(0));
    }
  });
}

absl::StatusOr<v1::Job> RegistryImpl::Requeue(const LeaseKey& lease, bool counts, int max_counted,
                                              const std::string& reason, absl::Time now) {
  return Write(Space::kUseReserve, [&](Database& db) -> absl::StatusOr<v1::Job> {
    ABSL_ASSIGN_OR_RETURN(JobRow row, LoadLeased(db, lease));
    LeaseKey key = lease;
    if (key.token.empty()) key.token = row.token;  // the server itself, which after a restart knows no worker's token
    ABSL_RETURN_IF_ERROR(CheckHeld(row, key));
    // An attempt that brought a checkpoint was not in vain: it does not count.
    if (counts && row.checkpoint_sequence == row.attempt_sequence) {
      row.job.set_counted_attempts(row.job.counted_attempts() + 1);
    }
    if (row.job.cancel_requested()) {
      ABSL_RETURN_IF_ERROR(End(db, row, v1::CANCELLED, now));
    } else if (counts && row.job.counted_attempts() >= max_counted) {
      row.job.mutable_error()->set_code(static_cast<int32_t>(absl::StatusCode::kInternal));
      row.job.mutable_error()->set_message(reason);
      ABSL_RETURN_IF_ERROR(End(db, row, v1::FAILED, now));
    } else {
      row.job.set_state(v1::QUEUED);
      row.job.clear_worker();
      ABSL_RETURN_IF_ERROR(SaveJob(db, row));
    }
    return std::move(row.job);
  });
}

absl::StatusOr<v1::ModelVersion> RegistryImpl::Complete(const LeaseKey& lease, const v1::ModelVersion& version,
                                                        const std::string& artifact_digest, absl::Time now) {
  return Write(Space::kKeepReserve, [&](Database& db) -> absl::StatusOr<v1::ModelVersion> {
    ABSL_ASSIGN_OR_RETURN(JobRow row, LoadLeased(db, lease));
    if (row.job.state() == v1::SUCCEEDED && IsSameAttempt(row, lease)) {
      ABSL_ASSIGN_OR_RETURN(const VersionName published, VersionName::Parse(row.job.model_version()));
      return LoadVersion(db, published.model_name(), published.number);
    }
    ABSL_RETURN_IF_ERROR(CheckHeld(row, lease));
    ABSL_ASSIGN_OR_RETURN(const ModelName model, ModelName::Parse(row.job.training().model()));
    v1::ModelVersion record = version;
    *record.mutable_create_time() = ToTimestamp(now);
    record.set_creator(row.job.creator());
    ABSL_ASSIGN_OR_RETURN(v1::ModelVersion published,
                          PublishVersion(db, *blobs_, model, std::move(record), artifact_digest));
    row.job.set_model_version(published.name());
    row.job.mutable_progress()->set_fraction(1);
    ABSL_RETURN_IF_ERROR(End(db, row, v1::SUCCEEDED, now));
    return published;
  });
}

absl::StatusOr<v1::Job> RegistryImpl::CompleteStatistics(const LeaseKey& lease, const v1::StatisticsResult& result,
                                                         const std::string& samples_digest, absl::Time now) {
  return Write(Space::kKeepReserve, [&](Database& db) -> absl::StatusOr<v1::Job> {
    ABSL_ASSIGN_OR_RETURN(JobRow row, LoadLeased(db, lease));
    if (row.job.state() == v1::SUCCEEDED && IsSameAttempt(row, lease)) return std::move(row.job);
    ABSL_RETURN_IF_ERROR(CheckHeld(row, lease));
    if (!row.job.has_statistics()) return absl::InternalError(absl::StrCat(lease.job, " is no statistics job"));
    if (!samples_digest.empty()) ABSL_RETURN_IF_ERROR(NameBlob(db, *blobs_, samples_digest).status());
    *row.job.mutable_statistics_result() = result;
    row.samples = samples_digest;
    row.job.mutable_progress()->set_fraction(1);
    ABSL_RETURN_IF_ERROR(End(db, row, v1::SUCCEEDED, now));
    return std::move(row.job);
  });
}

absl::StatusOr<std::string> RegistryImpl::SamplesOf(const JobName& name) {
  return Read([&](Database& db) -> absl::StatusOr<std::string> {
    ABSL_ASSIGN_OR_RETURN(const JobRow row, LoadJob(db, name));
    if (!row.samples.empty()) return row.samples;
    if (row.job.state() == v1::SUCCEEDED) {
      return absl::FailedPreconditionError(absl::StrCat(
          "job '", name.ToString(),
          "' has no samples: ", row.job.has_statistics() ? "they were not asked for" : "it trained a model"));
    }
    return absl::FailedPreconditionError(absl::StrCat("job '", name.ToString(), "' is ",
                                                      v1::JobState_Name(row.job.state()),
                                                      ": it has samples once it has SUCCEEDED"));
  });
}

absl::StatusOr<v1::Job> RegistryImpl::Fail(const LeaseKey& lease, const v1::JobError& error, absl::Time now) {
  return Write(Space::kUseReserve, [&](Database& db) -> absl::StatusOr<v1::Job> {
    ABSL_ASSIGN_OR_RETURN(JobRow row, LoadLeased(db, lease));
    const bool ended_so = row.job.state() == v1::FAILED || row.job.state() == v1::CANCELLED;
    if (ended_so && IsSameAttempt(row, lease)) return std::move(row.job);
    ABSL_RETURN_IF_ERROR(CheckHeld(row, lease));
    if (row.job.cancel_requested()) {
      ABSL_RETURN_IF_ERROR(End(db, row, v1::CANCELLED, now));
    } else {
      *row.job.mutable_error() = error;
      ABSL_RETURN_IF_ERROR(End(db, row, v1::FAILED, now));
    }
    return std::move(row.job);
  });
}

}  // namespace creamery
