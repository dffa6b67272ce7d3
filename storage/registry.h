// START HERE for storage/: everything Creamery must not lose, in one directory: `registry.sqlite` (WAL) and `blobs/`.
// Projects, datasets, jobs, models, versions, aliases. Each method is one transaction: when it returns OK, the change
// survives `kill -9` and power loss; otherwise nothing has changed. Thread-safe.
//
// Codes: NOT_FOUND the named thing is not there; ALREADY_EXISTS its id is taken, or a request_id was used with other
// content; ABORTED a stale lease or a failed expectation; FAILED_PRECONDITION wrong state; DATA_LOSS stored bytes are
// bad; RESOURCE_EXHAUSTED the disk is full; INTERNAL a bug.
#ifndef CREAMERY_STORAGE_REGISTRY_H_
#define CREAMERY_STORAGE_REGISTRY_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "creamery/v1/dataset.pb.h"
#include "creamery/v1/job.pb.h"
#include "creamery/v1/job_service.pb.h"
#include "creamery/v1/model.pb.h"
#include "creamery/v1/project_service.pb.h"
#include "proto/support/resource_names.h"
#include "storage/blob_store.h"

namespace creamery {

// Who changes something. With a request_id, a repeat by the same principal of the same content (equal `request_digest`)
// returns the first answer; other content is ALREADY_EXISTS.
struct Caller {
  std::string principal;
  std::string request_id;
  std::string request_digest;  // SHA-256 of method and content; required with a request_id
  absl::Time time;
};

// Page by page: `token` is the last page's `next_token`, empty at first; opaque; INVALID_ARGUMENT if it is not one of
// ours.
struct PageRequest {
  int size = 50;
  std::string token;
};
template <typename T>
struct Page {
  std::vector<T> items;
  std::string next_token;  // empty at the end
};

// The parent of lists over all projects.
inline constexpr char kAllProjects[] = "-";

// Which models a list holds; what is empty does not count. Parameter and family are those of the latest version.
struct ModelQuery {
  std::string parameter;
  std::string family;                         // as FamilyName says it
  std::map<std::string, std::string> labels;  // all of them
};

// The right to act on a job, as LeaseId in worker_service.proto.
struct LeaseKey {
  std::string job;  // full resource name
  int64_t attempt = 0;
  std::string token;
};

// One part of a dataset.
struct DatasetPart {
  std::string digest;
  int64_t num_rows = 0;
  int64_t num_rows_outside = 0;  // of a part to append: rows on or outside the bounds, which the dataset counts
};

// A job as the server has checked it, and the versions it has pinned: numbers, which cannot be deleted until it has
// ended.
struct NewJob {
  v1::Job job;
  std::vector<VersionName> versions;
};

// What an alias or "latest" of a model points at; the server keeps these in memory so that look-ups never touch SQLite.
struct ModelHead {
  std::string model;  // full resource name
  int64_t latest_version = 0;
  std::map<std::string, int64_t> aliases;
};

class Registry {
 public:
  struct Options {
    // Bytes that must stay free on the disk: below, writes are refused with RESOURCE_EXHAUSTED naming the limit.
    int64_t min_free_bytes = 64 << 20;
    // A stored blob that no row ever named is kept this long: the upload's owner may still name it after a restart.
    absl::Duration keep_unnamed_blobs = absl::Hours(1);
    // What was set aside is unlinked after this.
    absl::Duration keep_set_aside = absl::Hours(7 * 24);
    // A registry that knows no project may begin although there are blobs: they are set aside.
    bool begin_anew = false;
    // Make a registry where there is none; otherwise that is NOT_FOUND.
    bool create = true;
    // Look at the structure of every page of SQLite's file before anything is written.
    bool quick_check = true;
  };
  // Creates the directory and the file if needed, migrates older schemas, removes temporary files of a crash, takes
  // back blobs that were set aside and that the registry names. FAILED_PRECONDITION if another process has it open, or
  // if a newer program wrote it (the message says which version of the schema it has, which this program knows, and to
  // start the newer program), or if the registry is missing or empty beside blobs; DATA_LOSS if it is damaged. Nothing
  // is changed then, and the message says what to do.
  static absl::StatusOr<std::unique_ptr<Registry>> Open(const std::string& directory, const Options& options);
  virtual ~Registry() = default;

  virtual BlobStore& blobs() = 0;

  // --- Projects
  virtual absl::StatusOr<v1::Project> CreateProject(const Caller& caller, const ProjectName& name,
                                                    const std::string& description) = 0;
  virtual absl::StatusOr<v1::Project> GetProject(const ProjectName& name) = 0;
  virtual absl::StatusOr<Page<v1::Project>> ListProjects(const PageRequest& page) = 0;

  // --- Datasets
  // `schema` as CheckSchema accepts it; its output-only fields are ignored. A dataset of the same schema that has no
  // rows, which an upload that was killed leaves behind, is returned as it is; any other is ALREADY_EXISTS.
  virtual absl::StatusOr<v1::Dataset> CreateDataset(const Caller& caller, const DatasetName& name,
                                                    const v1::Dataset& schema) = 0;
  // Adds a part whose blob is already in blobs(). ABORTED if `expected_num_rows` >= 0 is not the number of rows before.
  virtual absl::StatusOr<v1::Dataset> AppendPart(const Caller& caller, const DatasetName& name, const DatasetPart& part,
                                                 int64_t expected_num_rows) = 0;
  virtual absl::StatusOr<v1::Dataset> GetDataset(const DatasetName& name) = 0;
  // The dataset as it was at a revision (0: now) and its parts, in order. NOT_FOUND for a revision it never had.
  virtual absl::StatusOr<v1::Dataset> GetDatasetRevision(const DatasetName& name, int64_t revision,
                                                         std::vector<DatasetPart>* parts) = 0;
  // Of a project or of kAllProjects, by name; only those with a parameter of this name unless it is empty. A page of a
  // search ends after a bounded number of datasets looked at: it may be short, even empty, and yet have a token. So for
  // models.
  virtual absl::StatusOr<Page<v1::Dataset>> ListDatasets(const ProjectName& parent, const std::string& parameter,
                                                         const PageRequest& page) = 0;
  absl::StatusOr<Page<v1::Dataset>> ListDatasets(const ProjectName& parent, const PageRequest& page) {
    return ListDatasets(parent, "", page);
  }
  // FAILED_PRECONDITION while a job that has not ended needs it (the job is named).
  virtual absl::Status DeleteDataset(const Caller& caller, const DatasetName& name) = 0;

  // --- Jobs
  // Stores a job as QUEUED with an id of its own (sortable by time); a training pins its dataset's revision.
  // NOT_FOUND without the dataset or a pinned version, FAILED_PRECONDITION if the dataset has no rows.
  virtual absl::StatusOr<v1::Job> CreateJob(const Caller& caller, const ProjectName& parent, const NewJob& job) = 0;
  // The same for many, all or none, under an id of their own. The array holds names and states; `created` the jobs
  // whole, nothing if the request is a repeat.
  virtual absl::StatusOr<v1::JobArray> CreateJobArray(const Caller& caller, const ProjectName& parent,
                                                      absl::Span<const NewJob> jobs, std::vector<v1::Job>* created) = 0;
  virtual absl::StatusOr<v1::Job> GetJob(const JobName& name) = 0;
  virtual absl::StatusOr<Page<v1::Job>> ListJobs(const ProjectName& parent, const PageRequest& page) = 0;
  // The jobs of an array, in the order they were created. NOT_FOUND if there is none.
  virtual absl::StatusOr<Page<v1::Job>> ListJobArray(const ProjectName& parent, const std::string& array,
                                                     const PageRequest& page) = 0;
  // All jobs in a state over all projects, oldest first: the queue, and what runs after a restart.
  virtual absl::StatusOr<std::vector<v1::Job>> JobsInState(v1::JobState state) = 0;
  // QUEUED jobs end at once as CANCELLED; RUNNING jobs get cancel_requested; ended jobs are returned as they are.
  virtual absl::StatusOr<v1::Job> RequestCancel(const Caller& caller, const JobName& name) = 0;
  // The same for every job of an array, in one transaction; all of them, in order.
  virtual absl::StatusOr<std::vector<v1::Job>> RequestCancelArray(const Caller& caller, const ProjectName& parent,
                                                                  const std::string& array) = 0;
  // QUEUED -> RUNNING with the next attempt number and this token. FAILED_PRECONDITION if it is not QUEUED.
  virtual absl::StatusOr<v1::Job> StartAttempt(const JobName& name, const std::string& token, const std::string& worker,
                                               absl::Time now) = 0;
  // OK if the lease is the job's current one and the job is RUNNING, else ABORTED saying why. No write.
  virtual absl::Status CheckLease(const LeaseKey& lease) = 0;
  virtual absl::Status SaveProgress(const LeaseKey& lease, const v1::Progress& progress) = 0;
  // Makes a stored blob the newest checkpoint; the two newest are kept.
  virtual absl::Status AddCheckpoint(const LeaseKey& lease, const std::string& digest) = 0;
  virtual absl::StatusOr<std::vector<std::string>> Checkpoints(const JobName& name) = 0;  // newest first
  // RUNNING -> QUEUED. `counts`: this attempt counts if no checkpoint was accepted since the last counted one;
  // when `max_counted` attempts have counted, the job ends as FAILED with `reason` instead. A job with
  // cancel_requested ends as CANCELLED.
  // An empty token is the server itself, which after a restart does not know the worker's: only job and attempt are
  // compared.
  virtual absl::StatusOr<v1::Job> Requeue(const LeaseKey& lease, bool counts, int max_counted,
                                          const std::string& reason, absl::Time now) = 0;
  // RUNNING -> SUCCEEDED: the artifact becomes the next version of the job's model, made if needed, and the checkpoints
  // are let go, in one transaction. `version` brings spec, signature, training, log_evidence; name, digest, size, time
  // and creator are set here. The same call again by the same lease returns the same version.
  virtual absl::StatusOr<v1::ModelVersion> Complete(const LeaseKey& lease, const v1::ModelVersion& version,
                                                    const std::string& artifact_digest, absl::Time now) = 0;
  // RUNNING -> SUCCEEDED with the answer of a statistics job and the stored blob of its samples ("" if it has none).
  // Again by the same lease: the same job.
  virtual absl::StatusOr<v1::Job> CompleteStatistics(const LeaseKey& lease, const v1::StatisticsResult& result,
                                                     const std::string& samples_digest, absl::Time now) = 0;
  // The blob of a job's samples. FAILED_PRECONDITION if it has not succeeded, or has none.
  virtual absl::StatusOr<std::string> SamplesOf(const JobName& name) = 0;
  // RUNNING -> FAILED with the error, or CANCELLED if that was asked for. Again by the same lease: the same job.
  virtual absl::StatusOr<v1::Job> Fail(const LeaseKey& lease, const v1::JobError& error, absl::Time now) = 0;

  // --- Models
  virtual absl::StatusOr<v1::Model> GetModel(const ModelName& name) = 0;
  virtual absl::StatusOr<Page<v1::Model>> ListModels(const ProjectName& parent, const ModelQuery& wanted,
                                                     const PageRequest& page) = 0;
  absl::StatusOr<Page<v1::Model>> ListModels(const ProjectName& parent, const PageRequest& page) {
    return ListModels(parent, {}, page);
  }
  virtual absl::StatusOr<v1::ModelVersion> GetVersion(const ModelName& name, int64_t number) = 0;
  virtual absl::StatusOr<Page<v1::ModelVersion>> ListVersions(const ModelName& name, const PageRequest& page) = 0;
  // Every model's head, for the server's snapshot at start.
  virtual absl::StatusOr<std::vector<ModelHead>> ModelHeads() = 0;
  // `version` 0 removes the alias; `expected_version` < 0 expects nothing, 0 expects no alias.
  virtual absl::StatusOr<v1::Model> SetAlias(const Caller& caller, const ModelName& name, const std::string& alias,
                                             int64_t version, int64_t expected_version) = 0;
  virtual absl::StatusOr<v1::Model> UpdateLabels(const Caller& caller, const ModelName& name,
                                                 const std::map<std::string, std::string>& labels) = 0;
  // FAILED_PRECONDITION while an alias points at it or a job that has not ended needs it (which is named). The number
  // is never used again.
  virtual absl::Status DeleteVersion(const Caller& caller, const ModelName& name, int64_t number) = 0;
  // As Complete, for an artifact that came from outside.
  virtual absl::StatusOr<v1::ModelVersion> ImportVersion(const Caller& caller, const ModelName& name,
                                                         const v1::ModelVersion& version,
                                                         const std::string& artifact_digest) = 0;

  // --- Upkeep
  // Unlinks blobs that rows let go since the start, unless a guard protects them; under the writer's lock. That costs
  // the same however many blobs there are. The first call, and then one in every keep_unnamed_blobs, also looks at all
  // blobs: those that no row names and that are older than keep_unnamed_blobs are set aside, and those set aside before
  // keep_set_aside are unlinked (the first call unlinks none). Returns how many blobs left their place.
  virtual absl::StatusOr<int> CollectGarbage() = 0;
  // One line for each blob that was set aside, oldest first: digest, size, since when and until when.
  virtual absl::StatusOr<std::vector<std::string>> SetAside() = 0;
  // Checks SQLite's integrity, foreign keys, every blob's digest and every row's references; one line per problem.
  virtual absl::StatusOr<std::vector<std::string>> Verify() = 0;
};

}  // namespace creamery

#endif  // CREAMERY_STORAGE_REGISTRY_H_
