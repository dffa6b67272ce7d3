#include <map>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "client/cpp/cli/cli.h"
#include "client/cpp/cli/model_details.h"
#include "client/cpp/readers/text_numbers.h"
#include "client/cpp/spec_options.h"
#include "proto/support/family_name.h"
#include "proto/support/resource_names.h"
#include "proto/support/status_macros.h"

namespace creamery::cli {
namespace {

struct ModelArguments {
  std::string name, file, alias;
  int64_t version = 0;
  bool remove = false;
  ModelFilter filter;
  std::vector<std::string> labels;  // each "key=value"
};

// Labels as typed, "survey=desi"; a value may be empty.
absl::StatusOr<std::map<std::string, std::string>> ParseLabels(const std::vector<std::string>& texts) {
  std::map<std::string, std::string> labels;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Usage(absl::InvalidArgumentError(absl::StrCat("label '", text, "' is not of the form key=value")));
    }
    labels[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return labels;
}

void PrintModel(const v1::Model& model) {
  Out("%s  latest %d", TypedName(model.name()), model.latest_version());
  for (const auto& [alias, version] : model.aliases()) {
    Out("  %s=%d", alias, version);
  }
  const std::map<std::string, std::string> labels(model.labels().begin(), model.labels().end());  // in order
  for (const auto& [key, value] : labels) Out("  %s:%s", key, value);
  Out("\n");
}

void PrintVersion(const v1::ModelVersion& version) {
  Out("%s  %s  %d parameters  %d bytes  out-of-fold mean log q %.4f\n", TypedName(version.name()),
      FamilyName(version.spec()), version.signature().parameters_size(), version.artifact_bytes(),
      version.training().held_out().out_of_fold_log_prob());
}

void Print(const Context& context, const v1::Model& model) { context.json ? PrintJson(model) : PrintModel(model); }

absl::Status List(const Context& context, const ModelArguments& arguments) {
  ModelFilter filter = arguments.filter;
  ABSL_ASSIGN_OR_RETURN(filter.labels, ParseLabels(arguments.labels));
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const std::vector<v1::Model> all,
                        client.ListModels(ListedProject(context, arguments.name), filter));
  if (context.json) {
    PrintJson(ListToJson("models", all));
  } else {
    for (const v1::Model& model : all) PrintModel(model);
  }
  return absl::OkStatus();
}

absl::Status Show(const Context& context, const ModelArguments& arguments) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const v1::Model model, client.DescribeModel(arguments.name));
  ABSL_ASSIGN_OR_RETURN(const Model version, client.GetModel(arguments.name));
  if (context.json) {
    const nlohmann::json both = {{"model", nlohmann::json::parse(ToJson(model))},
                                 {"version", nlohmann::json::parse(ToJson(version.version()))}};
    PrintJson(both);
    return absl::OkStatus();
  }
  PrintModel(model);
  PrintVersion(version.version());
  PrintDetails(version.version());
  PrintTrainingWarnings(version.version());
  return absl::OkStatus();
}

absl::Status Versions(const Context& context, const ModelArguments& arguments) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const std::vector<v1::ModelVersion> versions, client.ListVersions(arguments.name));
  if (context.json) {
    PrintJson(ListToJson("versions", versions));
  } else {
    for (const v1::ModelVersion& version : versions) PrintVersion(version);
  }
  return absl::OkStatus();
}

absl::Status Alias(const Context& context, const ModelArguments& arguments) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  int64_t version = arguments.version;
  if (version == 0 && !arguments.remove) {
    // As named: by number, by another alias, or the latest.
    ABSL_ASSIGN_OR_RETURN(const Model named, client.GetModel(arguments.name));
    ABSL_ASSIGN_OR_RETURN(const VersionName resolved, VersionName::Parse(named.version().name()));
    version = resolved.number;
  }
  ABSL_ASSIGN_OR_RETURN(const v1::Model model,
                        client.SetAlias(arguments.name, arguments.alias, arguments.remove ? 0 : version));
  Print(context, model);
  return absl::OkStatus();
}

// Adds labels to those of the model; an empty value removes one.
absl::Status Label(const Context& context, const ModelArguments& arguments) {
  ABSL_ASSIGN_OR_RETURN(const auto changes, ParseLabels(arguments.labels));
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(v1::Model model, client.DescribeModel(arguments.name));
  std::map<std::string, std::string> labels(model.labels().begin(), model.labels().end());
  for (const auto& [key, value] : changes) {
    if (value.empty()) {
      labels.erase(key);
    } else {
      labels[key] = value;
    }
  }
  ABSL_ASSIGN_OR_RETURN(model, client.UpdateLabels(arguments.name, labels));
  Print(context, model);
  return absl::OkStatus();
}

absl::Status Export(const Context& context, const ModelArguments& arguments) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  std::ostringstream bytes;
  ABSL_ASSIGN_OR_RETURN(const v1::ModelVersion version, client.ExportVersion(arguments.name, bytes));
  ABSL_RETURN_IF_ERROR(WriteFile(arguments.file, bytes.str()));
  context.json ? PrintJson(version) : Out("%s in %s\n", TypedName(version.name()), arguments.file);
  return absl::OkStatus();
}

absl::Status Import(const Context& context, const ModelArguments& arguments) {
  ABSL_ASSIGN_OR_RETURN(const std::string artifact, ReadFile(arguments.file));
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const v1::ModelVersion version, client.ImportVersion(arguments.name, artifact));
  context.json ? PrintJson(version) : PrintVersion(version);
  return absl::OkStatus();
}

absl::Status Delete(const Context& context, const ModelArguments& arguments) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_RETURN_IF_ERROR(client.DeleteVersion(arguments.name));
  context.json ? Out("{}\n") : Out("%s is deleted\n", arguments.name);
  return absl::OkStatus();
}

}  // namespace

void AddModels(CLI::App& app, Context& context) {
  CLI::App* noun = app.add_subcommand("models", "Trained densities and their versions");
  noun->require_subcommand(1);
  const auto arguments = std::make_shared<ModelArguments>();
  CLI::App* list = AddCommand(*noun, context, "list", "List models, or search them",
                              [&context, arguments] { return List(context, *arguments); });
  ProjectToList(list->add_option("PROJECT", arguments->name, kListedProject), context);
  list->add_option("--parameter", arguments->filter.parameter,
                   "Only those whose latest version has a parameter of this name");
  OneOf(FamilyNames(),
        list->add_option("--family", arguments->filter.family, "Only those whose latest version is of this family"),
        context);
  list->add_option("--label", arguments->labels, "Only those with this label, key=value; may be repeated");
  const auto add = [&](const char* verb, const char* description, const char* names,
                       absl::Status (*run)(const Context&, const ModelArguments&)) {
    CLI::App* command =
        AddCommand(*noun, context, verb, description, [&context, arguments, run] { return run(context, *arguments); });
    NameOf(Named::kModel, command->add_option("MODEL", arguments->name, names)->required(), context);
    return command;
  };
  add("show", "Show a model and one version", "PROJECT/MODEL[@VERSION]", Show);
  add("versions", "List the versions of a model, newest first", "PROJECT/MODEL", Versions);
  CLI::App* alias = add("alias", "Point an alias at a version", "PROJECT/MODEL[@VERSION]; default: the latest", Alias);
  alias->add_option("ALIAS", arguments->alias, "Starts with a letter")->required();
  alias->add_option("VERSION", arguments->version, "Number, where MODEL does not say it")->check(CLI::PositiveNumber);
  alias->add_flag("--remove", arguments->remove, "Remove the alias");
  add("label", "Set labels of a model", "PROJECT/MODEL", Label)
      ->add_option("LABELS", arguments->labels, "key=value; an empty value removes the label")
      ->required();
  add("export", "Write the artifact of a version, a safetensors file", "PROJECT/MODEL[@VERSION]", Export)
      ->add_option("FILE,--out", arguments->file, "File to write")
      ->required();
  add("import", "Store an artifact as the next version of a model", "PROJECT/MODEL", Import)
      ->add_option("FILE", arguments->file, "File to read")
      ->required();
  add("delete", "Delete one version, by number", "PROJECT/MODEL@NUMBER", Delete);
}

}  // namespace creamery::cli
