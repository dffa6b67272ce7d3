#include "proto/support/timestamps.h"
#include "storage/page_token.h"
#include "storage/registry_impl.h"

namespace creamery {

absl::StatusOr<v1::Project> RegistryImpl::CreateProject(const Caller& caller, const ProjectName& name,
                                                        const std::string& description) {
  ABSL_RETURN_IF_ERROR(CheckId("project id", name.project));
  return WriteOnce<v1::Project>(caller, Space::kKeepReserve, [&](Database& db) -> absl::StatusOr<v1::Project> {
    if (RequireProject(db, name.project).ok()) {
      return absl::AlreadyExistsError(absl::StrCat("project '", name.ToString(), "' exists already"));
    }
    v1::Project project;
    project.set_name(name.ToString());
    project.set_description(description);
    *project.mutable_create_time() = ToTimestamp(caller.time);
    project.set_creator(caller.principal);
    ABSL_RETURN_IF_ERROR(db.Run("INSERT INTO projects (project, record) VALUES (?, ?)", name.project,
                                Bytes{project.SerializeAsString()}));
    return project;
  });
}

absl::StatusOr<v1::Project> RegistryImpl::GetProject(const ProjectName& name) {
  return Read([&](Database& db) -> absl::StatusOr<v1::Project> {
    Statement query(db, "SELECT record FROM projects WHERE project = ?", name.project);
    ABSL_ASSIGN_OR_RETURN(const bool found, query.Step());
    if (!found) return absl::NotFoundError(absl::StrCat("project '", name.ToString(), "' does not exist"));
    return ParseRecord<v1::Project>(name.ToString(), query.Text(0));
  });
}

absl::StatusOr<Page<v1::Project>> RegistryImpl::ListProjects(const PageRequest& request) {
  ABSL_ASSIGN_OR_RETURN(const std::string last, ParsePageToken("projects", request.token));
  return Read([&](Database& db) -> absl::StatusOr<Page<v1::Project>> {
    Statement query(db, "SELECT project, record FROM projects WHERE project > ? ORDER BY project LIMIT ?", last,
                    PageSize(request) + 1);
    return FillPage<v1::Project>(query, "projects", request, [&](const std::string& key) {
      return ParseRecord<v1::Project>("project " + key, query.Text(1));
    });
  });
}

}  // namespace creamery
