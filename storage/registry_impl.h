// Registry over SQLite and a directory of blobs; the methods of each resource are in registry_{resource}.cc.
// One writer behind a mutex; readers have a connection of their own and never wait for a writer's fsync.
#ifndef CREAMERY_STORAGE_REGISTRY_IMPL_H_
#define CREAMERY_STORAGE_REGISTRY_IMPL_H_

#include <google/protobuf/empty.pb.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "proto/support/mutex.h"
#include "proto/support/status_macros.h"
#include "storage/database.h"
#include "storage/file_blob_store.h"
#include "storage/file_system.h"
#include "storage/page_token.h"
#include "storage/records.h"
#include "storage/registry.h"

namespace creamery {

class RegistryImpl final : public Registry {
 public:
  RegistryImpl(std::string directory, const Options& options, File lock, std::unique_ptr<FileBlobStore> blobs,
               std::unique_ptr<Database> writer, std::unique_ptr<Database> reader)
      : directory_(std::move(directory)),
        options_(options),
        lock_(std::move(lock)),
        blobs_(std::move(blobs)),
        writer_(std::move(writer)),
        reader_(std::move(reader)) {}

  BlobStore& blobs() override { return *blobs_; }

  absl::StatusOr<v1::Project> CreateProject(const Caller& caller, const ProjectName& name,
                                            const std::string& description) override;
  absl::StatusOr<v1::Project> GetProject(const ProjectName& name) override;
  absl::StatusOr<Page<v1::Project>> ListProjects(const PageRequest& page) override;

  absl::StatusOr<v1::Dataset> CreateDataset(const Caller& caller, const DatasetName& name,
                                            const v1::Dataset& schema) override;
  absl::StatusOr<v1::Dataset> AppendPart(const Caller& caller, const DatasetName& name, const DatasetPart& part,
                                         int64_t expected_num_rows) override;
  absl::StatusOr<v1::Dataset> GetDataset(const DatasetName& name) override;
  absl::StatusOr<v1::Dataset> GetDatasetRevision(const DatasetName& name, int64_t revision,
                                                 std::vector<DatasetPart>* parts) override;
  absl::StatusOr<Page<v1::Dataset>> ListDatasets(const ProjectName& parent, const std::string& parameter,
                                                 const PageRequest& page) override;
  absl::Status DeleteDataset(const Caller& caller, const DatasetName& name) override;

  absl::StatusOr<v1::Job> CreateJob(const Caller& caller, const ProjectName& parent, const NewJob& job) override;
  absl::StatusOr<v1::JobArray> CreateJobArray(const Caller& caller, const ProjectName& parent,
                                              absl::Span<const NewJob> jobs, std::vector<v1::Job>* created) override;
  absl::StatusOr<v1::Job> GetJob(const JobName& name) override;
  absl::StatusOr<Page<v1::Job>> ListJobs(const ProjectName& parent, const PageRequest& page) override;
  absl::StatusOr<Page<v1::Job>> ListJobArray(const ProjectName& parent, const std::string& array,
                                             const PageRequest& page) override;
  absl::StatusOr<std::vector<v1::Job>> JobsInState(v1::JobState state) override;
  absl::StatusOr<v1::Job> RequestCancel(const Caller& caller, const JobName& name) override;
  absl::StatusOr<std::vector<v1::Job>> RequestCancelArray(const Caller& caller, const ProjectName& parent,
                                                          const std::string& array) override;
  absl::StatusOr<v1::Job> StartAttempt(const JobName& name, const std::string& token, const std::string& worker,
                                       absl::Time now) override;
  absl::Status CheckLease(const LeaseKey& lease) override;
  absl::Status SaveProgress(const LeaseKey& lease, const v1::Progress& progress) override;
  absl::Status AddCheckpoint(const LeaseKey& lease, const std::string& digest) override;
  absl::StatusOr<std::vector<std::string>> Checkpoints(const JobName& name) override;
  absl::StatusOr<v1::Job> Requeue(const LeaseKey& lease, bool counts, int max_counted, const std::string& reason,
                                  absl::Time now) override;
  absl::StatusOr<v1::ModelVersion> Complete(const LeaseKey& lease, const v1::ModelVersion& version,
                                            const std::string& artifact_digest, absl::Time now) override;
  absl::StatusOr<v1::Job> CompleteStatistics(const LeaseKey& lease, const v1::StatisticsResult& result,
                                             const std::string& samples_digest, absl::Time now) override;
  absl::StatusOr<std::string> SamplesOf(const JobName& name) override;
  absl::StatusOr<v1::Job> Fail(const LeaseKey& lease, const v1::JobError& error, absl::Time now) override;

  absl::StatusOr<v1::Model> GetModel(const ModelName& name) override;
  absl::StatusOr<Page<v1::Model>> ListModels(const ProjectName& parent, const ModelQuery& wanted,
                                             const PageRequest& page) override;
  absl::StatusOr<v1::ModelVersion> GetVersion(const ModelName& name, int64_t number) override;
  absl::StatusOr<Page<v1::ModelVersion>> ListVersions(const ModelName& name, const PageRequest& page) override;
  absl::StatusOr<std::vector<ModelHead>> ModelHeads() override;
  absl::StatusOr<v1::Model> SetAlias(const Caller& caller, const ModelName& name, const std::string& alias,
                                     int64_t version, int64_t expected_version) override;
  absl::StatusOr<v1::Model> UpdateLabels(const Caller& caller, const ModelName& name,
                                         const std::map<std::string, std::string>& labels) override;
  absl::Status DeleteVersion(const Caller& caller, const ModelName& name, int64_t number) override;
  absl::StatusOr<v1::ModelVersion> ImportVersion(const Caller& caller, const ModelName& name,
                                                 const v1::ModelVersion& version,
                                                 const std::string& artifact_digest) override;

  absl::StatusOr<int> CollectGarbage() override;
  absl::StatusOr<std::vector<std::string>> SetAside() override;
  absl::StatusOr<std::vector<std::string>> Verify() override;

 private:
  // What only frees space or ends things may use the space kept free; what adds may not.
  enum class Space { kKeepReserve, kUseReserve };

  // Runs `body(Database&)`, which returns a Status or StatusOr, as one transaction of the writer.
  template <typename Body>
  auto Write(Space space, const Body& body) -> decltype(body(std::declval<Database&>())) {
    MutexLock lock(&writer_mu_);
    if (space == Space::kKeepReserve) ABSL_RETURN_IF_ERROR(CheckFreeSpace(directory_, 0, options_.min_free_bytes));
    Database& db = *writer_;
    return Transact(db, TransactionKind::kWrite, [&] { return body(db); });
  }

  // The same, once for each request id of a principal: a repeat gets the first answer, a message of type T.
  template <typename T, typename Body>
  absl::StatusOr<T> WriteOnce(const Caller& caller, Space space, const Body& body) {
    return Write(space, [&](Database& db) -> absl::StatusOr<T> {
      if (caller.request_id.empty()) return body(db);
      std::string first_answer;
      ABSL_ASSIGN_OR_RETURN(const bool repeated, FindAnswer(db, caller, &first_answer));
      if (repeated) return ParseRecord<T>(absl::StrCat("request '", caller.request_id, "'"), first_answer);
      absl::StatusOr<T> answer = body(db);
      if (answer.ok()) ABSL_RETURN_IF_ERROR(SaveAnswer(db, caller, answer->SerializeAsString()));
      return answer;
    });
  }
  // True with the first answer if this request was answered before. ALREADY_EXISTS if its id was used for another.
  static absl::StatusOr<bool> FindAnswer(Database& db, const Caller& caller, std::string* first_answer);
  static absl::Status SaveAnswer(Database& db, const Caller& caller, const std::string& answer);

  // Deletes the rows of blobs that nothing names and no guard protects, of all or of those that rows let go since the
  // start. For CollectGarbage.
  struct Garbage {
    std::string digest;
    bool released;  // this process saw a row let it go
  };
  absl::StatusOr<std::vector<Garbage>> DropUnreferenced(Database& db, bool all)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_mu_);
  // Files that no row names and that are older than keep_unnamed_blobs.
  absl::StatusOr<std::vector<std::string>> OldOrphans(Database& db, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_mu_);
  // Unlinks what was set aside before keep_set_aside, or takes it back if a row names it now.
  absl::Status EndQuarantine(Database& db, absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_mu_);

  // Runs `body(Database&)` over one snapshot.
  template <typename Body>
  auto Read(const Body& body) -> decltype(body(std::declval<Database&>())) {
    MutexLock lock(&reader_mu_);
    Database& db = *reader_;
    return Transact(db, TransactionKind::kRead, [&] { return body(db); });
  }

  const std::string directory_;
  const Options options_;
  const File lock_;
  const std::unique_ptr<FileBlobStore> blobs_;

  Mutex writer_mu_;
  const std::unique_ptr<Database> writer_ ABSL_PT_GUARDED_BY(writer_mu_);
  absl::Time last_sweep_ ABSL_GUARDED_BY(writer_mu_) = absl::InfinitePast();  // of all blobs, for garbage
  Mutex reader_mu_;
  const std::unique_ptr<Database> reader_ ABSL_PT_GUARDED_BY(reader_mu_);
};

// Entries of a page and whether more follow: SQL asks for one more than this.
int PageSize(const PageRequest& page);

// A page ends before it has more bytes than this: a message that clients of every language take.
inline constexpr size_t kPageBytes = 2 << 20;

// One page out of `query`, which was bound to look for one row more than the page holds and whose first column is the
// key that a token remembers. `load(key)` gives the item, of type absl::StatusOr<T>.
template <typename T, typename Load>
absl::StatusOr<Page<T>> FillPage(Statement& query, const std::string& listing, const PageRequest& request,
                                 const Load& load) {
  Page<T> page;
  std::string key;
  size_t bytes = 0;
  while (true) {
    ABSL_ASSIGN_OR_RETURN(const bool more, query.Step());
    if (!more) return page;
    if (static_cast<int>(page.items.size()) == PageSize(request) || bytes > kPageBytes) {
      page.next_token = MakePageToken(listing, key);
      return page;
    }
    key = query.Text(0);
    ABSL_ASSIGN_OR_RETURN(T item, load(key));
    bytes += item.ByteSizeLong();
    page.items.push_back(std::move(item));
  }
}

// True if one of them has this name.
inline bool HasParameter(const google::protobuf::RepeatedPtrField<v1::Parameter>& parameters, absl::string_view name) {
  return std::any_of(parameters.begin(), parameters.end(), [&](const auto& one) { return one.name() == name; });
}

// A search looks at this many entries a page at most: one that finds little does not keep other readers waiting.
inline constexpr int kMostLookedAt = 1000;

// One page of a list of one project or of all: (project, id), in this order.
struct ListPosition {
  ListPosition(const ProjectName& parent, const std::string& last_key);
  bool all;                 // of all projects
  std::string project, id;  // the entry before
};
// `query` gives project and id of every entry after `ListPosition`; `load(project, id)` gives the item, of type
// absl::StatusOr<std::optional<T>>, or nothing if it is not wanted.
template <typename T, typename Load>
absl::StatusOr<Page<T>> FillSearchPage(Statement& query, const std::string& listing, const PageRequest& request,
                                       const Load& load) {
  Page<T> page;
  std::string key;
  size_t bytes = 0;
  for (int looked_at = 0;; ++looked_at) {
    ABSL_ASSIGN_OR_RETURN(const bool more, query.Step());
    if (!more) return page;
    if (static_cast<int>(page.items.size()) == PageSize(request) || bytes > kPageBytes || looked_at == kMostLookedAt) {
      page.next_token = MakePageToken(listing, key);
      return page;
    }
    key = absl::StrCat(query.Text(0), "/", query.Text(1));
    ABSL_ASSIGN_OR_RETURN(std::optional<T> item, load(query.Text(0), query.Text(1)));
    if (!item.has_value()) continue;
    bytes += item->ByteSizeLong();
    page.items.push_back(*std::move(item));
  }
}

}  // namespace creamery

#endif  // CREAMERY_STORAGE_REGISTRY_IMPL_H_
