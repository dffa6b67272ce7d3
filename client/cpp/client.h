// A connection to a Creamery server, in plain verbs. START HERE to use Creamery from C++.
//
//   ABSL_ASSIGN_OR_RETURN(Client client, Client::Connect("localhost:50051"));
//   client.UploadDataset("planck/chain", samples);
//   ABSL_ASSIGN_OR_RETURN(Job job, client.Train({"planck/cosmo", "planck/chain", spec, {"omegam", "sigma8"}}));
//   ABSL_ASSIGN_OR_RETURN(Model model, job.Result());
//   model.Kl();
//
// Names are as people type them, `project/name`, `project/model@3`, `project/model@production`, or full resource names.
// Errors are the server's, code and message. Calls that are safe to repeat repeat themselves, with
// growing pauses, while the server is UNAVAILABLE (ClientOptions::patience): it may restart at any time. Uploads carry
// a request id, so a repeat is never applied twice; streams of samples go on at the row where they broke. Client, Job
// and Model are handles: cheap to copy, thread-safe, alive on their own.
#ifndef CREAMERY_CLIENT_CPP_CLIENT_H_
#define CREAMERY_CLIENT_CPP_CLIENT_H_

#include <functional>
#include <iosfwd>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cpp/analyses.h"
#include "client/cpp/job.h"
#include "client/cpp/model.h"
#include "client/cpp/samples.h"
#include "creamery/v1/dataset.pb.h"
#include "creamery/v1/estimator_spec.pb.h"
#include "creamery/v1/job.pb.h"
#include "creamery/v1/model.pb.h"
#include "creamery/v1/project_service.pb.h"

namespace creamery {

class Connection;

struct ClientOptions {
  std::string token;       // bearer token, or
  std::string token_file;  // file whose first word (comments apart) is the token
  std::string tls_ca;      // PEM file of the authorities that may vouch for the server; switches TLS on
  bool tls = false;        // TLS with the system's authorities
  // A token is sent in the clear only to this machine, unless this says that the network is trusted.
  bool insecure = false;
  // Longest time of one unary call, uploads of a chunk and streams excepted.
  absl::Duration timeout = absl::Minutes(10);
  // How long a call is repeated while a server that answered before is away. One that never answered is given five
  // seconds at most.
  absl::Duration patience = absl::Minutes(1);
};

struct TrainOptions {
  std::string model;    // project/model that receives the version
  std::string dataset;  // project/dataset
  v1::EstimatorSpec spec;
  std::vector<std::string> parameters = {};  // kept, in order; empty: all
  std::string request_id = "";               // empty: a random one
  std::string prior_model = "";  // what statistics of the version take as its prior; empty: the declared one
};

// Which models to list; what is empty does not count. Parameter and family are those of the latest version.
struct ModelFilter {
  std::string parameter;
  std::string family;                         // "maf"
  std::map<std::string, std::string> labels;  // all of them
};

// Trainings created together: all or none.
struct JobArrayHandle {
  std::string array;  // its id, unique in the project
  std::vector<Job> jobs;
};

class Client {
 public:
  // Does not wait for the server: the first call does. `address`: host:port or unix:PATH.
  // INVALID_ARGUMENT or NOT_FOUND for a bad token or CA file; FAILED_PRECONDITION for a token over plain text to
  // another machine.
  static absl::StatusOr<Client> Connect(const std::string& address, const ClientOptions& options = {});

  // Projects are made on demand by uploads, trainings and imports.
  absl::Status EnsureProject(const std::string& project) const;
  absl::StatusOr<std::vector<v1::Project>> ListProjects() const;
  // ALREADY_EXISTS if its id is taken.
  absl::StatusOr<v1::Project> CreateProject(const std::string& project, const std::string& description = "") const;
  absl::StatusOr<v1::Project> GetProject(const std::string& project) const;

  // Makes the dataset and uploads all rows as its first part, or nothing. INVALID_ARGUMENT names the row that is wrong;
  // ALREADY_EXISTS if there is one with rows. An empty one left behind by an upload that was cut off is filled.
  absl::StatusOr<v1::Dataset> UploadDataset(const std::string& name, const Samples& samples,
                                            const std::string& request_id = "") const;
  // Adds one part, atomically; columns are matched by name. `expected_num_rows` >= 0: ABORTED unless the dataset has
  // that many before.
  absl::StatusOr<v1::Dataset> AppendRows(const std::string& name, const Samples& samples,
                                         int64_t expected_num_rows = -1, const std::string& request_id = "") const;
  absl::StatusOr<v1::Dataset> GetDataset(const std::string& name) const;
  // Of a project, or of all for `-`; only those with a parameter of this name unless it is empty.
  absl::StatusOr<std::vector<v1::Dataset>> ListDatasets(const std::string& project,
                                                        const std::string& parameter = "") const;
  absl::StatusOr<Samples> DownloadDataset(const std::string& name, int64_t revision = 0) const;
  absl::Status DeleteDataset(const std::string& name) const;

  // Queues a training.
  absl::StatusOr<Job> Train(const TrainOptions& options) const;
  // A handle to a job by name, `project/id`; NOT_FOUND if there is none.
  absl::StatusOr<Job> GetJob(const std::string& name) const;
  // Newest first; or the jobs of one array, in the order they were created.
  absl::StatusOr<std::vector<v1::Job>> ListJobs(const std::string& project, const std::string& array = "") const;
  // Queues many trainings of one project at once, all or none; one request_id for all.
  absl::StatusOr<JobArrayHandle> TrainArray(const std::vector<TrainOptions>& options,
                                            const std::string& request_id = "") const;
  // Asks every job of an array to stop; returns at once.
  absl::StatusOr<std::vector<v1::Job>> CancelArray(const std::string& project, const std::string& array) const;
  // Queues a statistic that takes longer than a request should. Models as full names (JointRequest makes them).
  absl::StatusOr<Job> Submit(const std::string& project, const v1::StatisticsJob& statistics,
                             const std::string& request_id = "") const;

  // A handle to one version, resolved now: it stays with it whatever is trained later.
  absl::StatusOr<Model> GetModel(const std::string& name) const;
  absl::StatusOr<v1::Model> DescribeModel(const std::string& name) const;
  // Of a project, or of all for `-`.
  absl::StatusOr<std::vector<v1::Model>> ListModels(const std::string& project, const ModelFilter& filter = {}) const;
  absl::StatusOr<std::vector<v1::ModelVersion>> ListVersions(const std::string& model) const;
  // Points `alias` at a version; version 0 removes it.
  absl::StatusOr<v1::Model> SetAlias(const std::string& model, const std::string& alias, int64_t version) const;
  absl::StatusOr<v1::Model> UpdateLabels(const std::string& model,
                                         const std::map<std::string, std::string>& labels) const;
  absl::Status DeleteVersion(const std::string& version) const;
  // Writes the artifact, a safetensors file; says which version it is.
  absl::StatusOr<v1::ModelVersion> ExportVersion(const std::string& version, std::ostream& out) const;
  // Weighted samples of the joint posterior of two or more models, and whether they agree.
  absl::StatusOr<JointAnswer> Joint(const std::vector<std::string>& models, const JointOptions& options = {}) const;
  static absl::StatusOr<v1::JointPosteriorRequest> JointRequest(const std::vector<std::string>& models,
                                                                const JointOptions& options);
  // Every estimate of one evidence ratio; the models may be named as people type them.
  absl::StatusOr<v1::EvidenceRatioResponse> EvidenceRatio(v1::EvidenceRatioRequest request) const;

  // Stores an artifact as the next version of a model.
  absl::StatusOr<v1::ModelVersion> ImportVersion(const std::string& model, const std::string& artifact) const;

 private:
  explicit Client(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
  std::shared_ptr<Connection> connection_;
};

}  // namespace creamery

#endif  // CREAMERY_CLIENT_CPP_CLIENT_H_
