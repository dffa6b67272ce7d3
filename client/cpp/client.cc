#include "client/cpp/client.h"

#include "client/cpp/connection.h"
#include "client/cpp/pages.h"
#include "proto/support/resource_names.h"
#include "proto/support/status_macros.h"

namespace creamery {

absl::StatusOr<Client> Client::Connect(const std::string& address, const ClientOptions& options) {
  ABSL_ASSIGN_OR_RETURN(std::shared_ptr<Connection> connection, Connection::Open(address, options));
  return Client(std::move(connection));
}

absl::Status Client::EnsureProject(const std::string& project) const {
  v1::CreateProjectRequest request;
  request.set_project_id(project);
  const auto created = connection_->Call(*connection_->projects, &v1::ProjectService::Stub::CreateProject, request);
  if (created.ok() || absl::IsAlreadyExists(created.status())) return absl::OkStatus();
  return created.status();
}

absl::StatusOr<std::vector<v1::Project>> Client::ListProjects() const {
  return AllPages<v1::Project>(*connection_, *connection_->projects, &v1::ProjectService::Stub::ListProjects,
                               v1::ListProjectsRequest(), &v1::ListProjectsResponse::projects);
}

absl::StatusOr<v1::Project> Client::CreateProject(const std::string& project, const std::string& description) const {
  v1::CreateProjectRequest request;
  request.set_project_id(project);
  request.mutable_project()->set_description(description);
  return connection_->Call(*connection_->projects, &v1::ProjectService::Stub::CreateProject, request);
}

absl::StatusOr<v1::Project> Client::GetProject(const std::string& project) const {
  v1::GetProjectRequest request;
  request.set_name(ProjectName{project}.ToString());
  return connection_->Call(*connection_->projects, &v1::ProjectService::Stub::GetProject, request);
}

absl::StatusOr<std::vector<v1::Dataset>> Client::ListDatasets(const std::string& project,
                                                              const std::string& parameter) const {
  v1::ListDatasetsRequest request;
  request.set_parameter(parameter);
  request.set_parent(ProjectName{project}.ToString());
  return AllPages<v1::Dataset>(*connection_, *connection_->datasets, &v1::DatasetService::Stub::ListDatasets, request,
                               &v1::ListDatasetsResponse::datasets);
}

absl::StatusOr<std::vector<v1::Job>> Client::ListJobs(const std::string& project, const std::string& array) const {
  v1::ListJobsRequest request;
  request.set_array(array);
  request.set_parent(ProjectName{project}.ToString());
  return AllPages<v1::Job>(*connection_, *connection_->jobs, &v1::JobService::Stub::ListJobs, request,
                           &v1::ListJobsResponse::jobs);
}

absl::StatusOr<std::vector<v1::Model>> Client::ListModels(const std::string& project, const ModelFilter& filter) const {
  v1::ListModelsRequest request;
  request.set_parameter(filter.parameter);
  request.set_family(filter.family);
  request.mutable_labels()->insert(filter.labels.begin(), filter.labels.end());
  request.set_parent(ProjectName{project}.ToString());
  return AllPages<v1::Model>(*connection_, *connection_->models, &v1::ModelService::Stub::ListModels, request,
                             &v1::ListModelsResponse::models);
}

absl::StatusOr<std::vector<v1::ModelVersion>> Client::ListVersions(const std::string& model) const {
  ABSL_ASSIGN_OR_RETURN(const VersionName name, ParseTypedVersion(model));
  v1::ListVersionsRequest request;
  request.set_parent(name.model_name().ToString());
  return AllPages<v1::ModelVersion>(*connection_, *connection_->models, &v1::ModelService::Stub::ListVersions, request,
                                    &v1::ListVersionsResponse::versions);
}

}  // namespace creamery
