#include "client/cpp/cli/cli.h"
#include "proto/support/status_macros.h"

namespace creamery::cli {
namespace {

struct ProjectArguments {
  std::string project, description;
};

void PrintProject(const v1::Project& project) {
  Out("%s%s%s\n", TypedName(project.name()), project.description().empty() ? "" : "  ", project.description());
}

void Print(const Context& context, const v1::Project& project) {
  context.json ? PrintJson(project) : PrintProject(project);
}

absl::Status List(const Context& context, const ProjectArguments& /*arguments*/) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const std::vector<v1::Project> projects, client.ListProjects());
  if (context.json) {
    PrintJson(ListToJson("projects", projects));
  } else {
    for (const v1::Project& project : projects) PrintProject(project);
  }
  return absl::OkStatus();
}

absl::Status Create(const Context& context, const ProjectArguments& arguments) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const v1::Project project, client.CreateProject(arguments.project, arguments.description));
  Print(context, project);
  return absl::OkStatus();
}

absl::Status Show(const Context& context, const ProjectArguments& arguments) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const v1::Project project, client.GetProject(arguments.project));
  ABSL_ASSIGN_OR_RETURN(const std::vector<v1::Dataset> datasets, client.ListDatasets(arguments.project));
  ABSL_ASSIGN_OR_RETURN(const std::vector<v1::Model> models, client.ListModels(arguments.project));
  if (context.json) {
    nlohmann::json all = ListToJson("datasets", datasets);
    all["models"] = ListToJson("models", models)["models"];
    all["project"] = nlohmann::json::parse(ToJson(project));
    PrintJson(all);
    return absl::OkStatus();
  }
  PrintProject(project);
  if (!project.creator().empty()) Out("created by %s\n", project.creator());
  for (const v1::Dataset& dataset : datasets) Out("  dataset %s\n", TypedName(dataset.name()));
  for (const v1::Model& model : models) Out("  model %s\n", TypedName(model.name()));
  return absl::OkStatus();
}

}  // namespace

void AddProjects(CLI::App& app, Context& context) {
  CLI::App* noun = app.add_subcommand("projects", "The folders of datasets, models and jobs");
  noun->require_subcommand(1);
  const auto arguments = std::make_shared<ProjectArguments>();
  const auto add = [&](const char* verb, const char* description,
                       absl::Status (*run)(const Context&, const ProjectArguments&)) {
    return AddCommand(*noun, context, verb, description,
                      [&context, arguments, run] { return run(context, *arguments); });
  };
  add("list", "List projects", List);
  CLI::App* create = add("create", "Make a project; uploads and trainings also make theirs", Create);
  create->add_option("PROJECT", arguments->project, "Id: letters, digits and . _ -")->required();
  create->add_option("--description", arguments->description, "Free text for people");
  CLI::App* show = add("show", "Show a project and what is in it", Show);
  ProjectToList(show->add_option("PROJECT", arguments->project, "Project")->required(), context);
}

}  // namespace creamery::cli
