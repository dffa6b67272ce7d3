#include <cstdio>

#include "client/cpp/cli/cli.h"
#include "proto/support/status_macros.h"

namespace creamery::cli {
namespace {

absl::Status List(const Context& context, const std::string& project, const std::string& array) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  std::vector<std::string> projects = {ListedProject(context, project)};
  if (projects[0] == "-") {
    ABSL_ASSIGN_OR_RETURN(const std::vector<v1::Project> listed, client.ListProjects());
    projects.clear();
    for (const v1::Project& one : listed) projects.push_back(TypedName(one.name()));
  }
  std::vector<v1::Job> all;
  for (const std::string& id : projects) {
    ABSL_ASSIGN_OR_RETURN(const std::vector<v1::Job> listed, client.ListJobs(id, array));
    all.insert(all.end(), listed.begin(), listed.end());
  }
  if (context.json) {
    PrintJson(ListToJson("jobs", all));
  } else {
    for (const v1::Job& job : all) PrintJob(job);
  }
  return absl::OkStatus();
}

void Print(const Context& context, const v1::Job& job) { context.json ? PrintJson(job) : PrintJob(job); }

absl::Status Show(const Context& context, const std::string& name) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const Job job, client.GetJob(name));
  ABSL_ASSIGN_OR_RETURN(const v1::Job now, job.Get());
  Print(context, now);
  return absl::OkStatus();
}

absl::Status Watch(const Context& context, const std::string& name) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const Job job, client.GetJob(name));
  return Follow(job, context);
}

absl::Status Cancel(const Context& context, const std::string& name) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const Job job, client.GetJob(name));
  ABSL_ASSIGN_OR_RETURN(const v1::Job now, job.Cancel());
  Print(context, now);
  return absl::OkStatus();
}

absl::Status CancelArray(const Context& context, const std::string& project, const std::string& array) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const std::vector<v1::Job> jobs, client.CancelArray(project, array));
  if (context.json) {
    PrintJson(ListToJson("jobs", jobs));
  } else {
    for (const v1::Job& job : jobs) PrintJob(job);
  }
  return absl::OkStatus();
}

}  // namespace

void AddJobs(CLI::App& app, Context& context) {
  CLI::App* noun = app.add_subcommand("jobs", "Trainings and long statistics");
  noun->require_subcommand(1);
  const auto name = std::make_shared<std::string>();
  const auto array = std::make_shared<std::string>();
  CLI::App* list = AddCommand(*noun, context, "list", "List jobs, newest first",
                              [&context, name, array] { return List(context, *name, *array); });
  ProjectToList(list->add_option("PROJECT", *name, kListedProject), context);
  list->add_option("--array", *array, "Only the jobs of this array, oldest first");
  CLI::App* cancel_array = AddCommand(*noun, context, "cancel-array", "Ask every job of an array to stop",
                                      [&context, name, array] { return CancelArray(context, *name, *array); });
  ProjectToList(cancel_array->add_option("PROJECT", *name, "Project")->required(), context);
  cancel_array->add_option("ARRAY", *array, "Id of the array")->required();
  const auto add = [&](const char* verb, const char* description,
                       absl::Status (*run)(const Context&, const std::string&)) {
    CLI::App* command =
        AddCommand(*noun, context, verb, description, [&context, name, run] { return run(context, *name); });
    NameOf(Named::kJob, command->add_option("JOB", *name, "PROJECT/ID")->required(), context);
  };
  add("show", "Show a job", Show);
  add("watch", "Follow a job to its end; the exit code tells how it ended", Watch);
  add("cancel", "Ask a job to stop", Cancel);
}

}  // namespace creamery::cli
