#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "creamery/v1/project_service.grpc.pb.h"
#include "proto/support/status_macros.h"
#include "proto/support/text_check.h"
#include "server/rpc/gated_service.h"
#include "server/rpc/unary.h"
#include "server/services/limits.h"
#include "server/services/services.h"

namespace creamery {
namespace {

constexpr size_t kMaxDescription = 4096;

class ProjectServiceImpl final : public GatedService<v1::ProjectService> {
 public:
  ProjectServiceImpl(const RpcRuntime& rpc, Registry& registry)
      : GatedService(rpc, Role::kClient), rpc_(rpc), registry_(registry) {
    GateMethods(&ProjectServiceImpl::CreateProject, &ProjectServiceImpl::GetProject, &ProjectServiceImpl::ListProjects);
  }

  grpc::ServerUnaryReactor* CreateProject(grpc::CallbackServerContext* context, const v1::CreateProjectRequest* request,
                                          v1::Project* response) override;
  grpc::ServerUnaryReactor* GetProject(grpc::CallbackServerContext* context, const v1::GetProjectRequest* request,
                                       v1::Project* response) override;
  grpc::ServerUnaryReactor* ListProjects(grpc::CallbackServerContext* context, const v1::ListProjectsRequest* request,
                                         v1::ListProjectsResponse* response) override;

 private:
  const RpcRuntime rpc_;
  Registry& registry_;
};

grpc::ServerUnaryReactor* ProjectServiceImpl::CreateProject(grpc::CallbackServerContext* context,
                                                            const v1::CreateProjectRequest* request,
                                                            v1::Project* response) {
  return HandleUnary(rpc_, context, *request, Role::kClient, Work::Disk(), [=](const Call& call) -> absl::Status {
    ABSL_RETURN_IF_ERROR(CheckId("project_id", request->project_id()));
    const std::string& description = request->project().description();
    if (description.size() > kMaxDescription) {
      return absl::InvalidArgumentError(
          absl::StrCat("description has ", description.size(), " bytes, expected at most ", kMaxDescription));
    }
    ABSL_RETURN_IF_ERROR(CheckText("the description", description, TextKind::kParagraphs));
    ABSL_ASSIGN_OR_RETURN(const Caller caller, MakeCaller(call, "CreateProject", request->request_id(), *request));
    ABSL_ASSIGN_OR_RETURN(*response, registry_.CreateProject(caller, {request->project_id()}, description));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ProjectServiceImpl::GetProject(grpc::CallbackServerContext* context,
                                                         const v1::GetProjectRequest* request, v1::Project* response) {
  return HandleUnary(rpc_, context, *request, Role::kClient, Work::Disk(), [=](const Call&) -> absl::Status {
    ABSL_ASSIGN_OR_RETURN(const ProjectName name, ProjectName::Parse(request->name()));
    ABSL_ASSIGN_OR_RETURN(*response, registry_.GetProject(name));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ProjectServiceImpl::ListProjects(grpc::CallbackServerContext* context,
                                                           const v1::ListProjectsRequest* request,
                                                           v1::ListProjectsResponse* response) {
  return HandleUnary(rpc_, context, *request, Role::kClient, Work::Disk(), [=](const Call&) -> absl::Status {
    ABSL_ASSIGN_OR_RETURN(const PageRequest page, MakePageRequest(request->page_size(), request->page_token()));
    ABSL_ASSIGN_OR_RETURN(Page<v1::Project> projects, registry_.ListProjects(page));
    for (v1::Project& project : projects.items) *response->add_projects() = std::move(project);
    response->set_next_page_token(projects.next_token);
    return absl::OkStatus();
  });
}

}  // namespace

std::unique_ptr<grpc::Service> MakeProjectService(const RpcRuntime& rpc, Registry& registry) {
  return std::make_unique<ProjectServiceImpl>(rpc, registry);
}

}  // namespace creamery
