#include <cstdio>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cpp/cli/cli.h"
#include "client/cpp/prior_text.h"
#include "client/cpp/readers/text_numbers.h"
#include "proto/support/family_name.h"
#include "proto/support/resource_names.h"
#include "proto/support/status_macros.h"

namespace creamery::cli {
namespace {

struct ModelArguments {
  std::string name, file, alias;
  int64_t version = 0;
  bool remove = false;
};

void PrintModel(const v1::Model& model) {
  std::printf("%s  latest %lld", TypedName(model.name()).c_str(), static_cast<long long>(model.latest_version()));
  for (const auto& [alias, version] : model.aliases()) {
    std::printf("  %s=%lld", alias.c_str(), static_cast<long long>(version));
  }
  for (const auto& [key, value] : model.labels()) std::printf("  %s:%s", key.c_str(), value.c_str());
  std::printf("\n");
}

void PrintVersion(const v1::ModelVersion& version) {
  std::printf("%s  %s  %d parameters  %lld bytes  out-of-fold mean log q %.4f\n", TypedName(version.name()).c_str(),
              FamilyName(version.spec()).c_str(), version.signature().parameters_size(),
              static_cast<long long>(version.artifact_bytes()), version.training().held_out().out_of_fold_log_prob());
}

void PrintDetails(const v1::ModelVersion& version) {
  PrintVersion(version);
  for (const v1::Parameter& parameter : version.signature().parameters()) {
    const std::string prior = PriorToText(parameter.prior());
    std::printf("  %s%s%s\n", parameter.name().c_str(), prior.empty() ? "" : " ~ ", prior.c_str());
  }
  const v1::TrainingSummary& training = version.training();
  std::printf(
      "trained on %s at revision %lld: %lld rows (%lld left out), effective size %.0f, %.0f s on %s, %d members\n",
      TypedName(training.dataset()).c_str(), static_cast<long long>(training.dataset_revision()),
      static_cast<long long>(training.num_rows()), static_cast<long long>(training.num_rows_dropped()),
      training.held_out().effective_size(), training.seconds(),
      training.device().empty() ? "cpu" : training.device().c_str(), training.members_size());
  for (const v1::Candidate& candidate : training.compared()) {
    std::printf("  %s %s: held-out log q %.4f (+- %.4f from the best)%s%s\n", candidate.chosen() ? "*" : " ",
                candidate.spec().ShortDebugString().c_str(), candidate.held_out_log_prob(),
                candidate.difference_error(), candidate.failure().empty() ? "" : "  ", candidate.failure().c_str());
  }
  if (version.signature().marginalised_size() > 0) {
    std::printf("marginalised over %s\n", absl::StrJoin(version.signature().marginalised(), ", ").c_str());
  }
  if (!version.signature().prior_model().empty()) {
    std::printf("prior: %s\n", TypedName(version.signature().prior_model()).c_str());
  }
  if (version.has_log_evidence()) {
    std::printf("log Z = %g +- %g\n", version.log_evidence().value(), version.log_evidence().error());
  }
  std::printf("digest: %s\n", version.artifact_digest().c_str());
}

void Print(const Context& context, const v1::Model& model) {
  context.json ? void(std::printf("%s\n", ToJson(model).c_str())) : PrintModel(model);
}

absl::Status List(const Context& context, const ModelArguments& arguments) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const std::vector<std::string> projects, ProjectsOrAll(client, arguments.name));
  std::vector<v1::Model> all;
  for (const std::string& id : projects) {
    ABSL_ASSIGN_OR_RETURN(const std::vector<v1::Model> listed, client.ListModels(id));
    all.insert(all.end(), listed.begin(), listed.end());
  }
  if (context.json) {
    std::printf("%s\n", ListToJson("models", all).c_str());
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
    std::printf("%s\n", both.dump().c_str());
    return absl::OkStatus();
  }
  PrintModel(model);
  PrintDetails(version.version());
  PrintTrainingWarnings(version.version());
  return absl::OkStatus();
}

absl::Status Versions(const Context& context, const ModelArguments& arguments) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const std::vector<v1::ModelVersion> versions, client.ListVersions(arguments.name));
  if (context.json) {
    std::printf("%s\n", ListToJson("versions", versions).c_str());
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

absl::Status Export(const Context& context, const ModelArguments& arguments) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  std::ostringstream bytes;
  ABSL_ASSIGN_OR_RETURN(const v1::ModelVersion version, client.ExportVersion(arguments.name, bytes));
  ABSL_RETURN_IF_ERROR(WriteFile(arguments.file, bytes.str()));
  context.json ? void(std::printf("%s\n", ToJson(version).c_str()))
               : void(std::printf("%s in %s\n", TypedName(version.name()).c_str(), arguments.file.c_str()));
  return absl::OkStatus();
}

absl::Status Import(const Context& context, const ModelArguments& arguments) {
  ABSL_ASSIGN_OR_RETURN(const std::string artifact, ReadFile(arguments.file));
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const v1::ModelVersion version, client.ImportVersion(arguments.name, artifact));
  context.json ? void(std::printf("%s\n", ToJson(version).c_str())) : PrintVersion(version);
  return absl::OkStatus();
}

absl::Status Delete(const Context& context, const ModelArguments& arguments) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_RETURN_IF_ERROR(client.DeleteVersion(arguments.name));
  context.json ? void(std::printf("{}\n")) : void(std::printf("%s is deleted\n", arguments.name.c_str()));
  return absl::OkStatus();
}

}  // namespace

void AddModels(CLI::App& app, Context& context) {
  CLI::App* noun = app.add_subcommand("models", "Trained densities and their versions");
  noun->require_subcommand(1);
  const auto arguments = std::make_shared<ModelArguments>();
  AddCommand(*noun, context, "list", "List models", [&context, arguments] {
    return List(context, *arguments);
  })->add_option("PROJECT", arguments->name, "Project; default: all");
  const auto add = [&](const char* verb, const char* description, const char* names,
                       absl::Status (*run)(const Context&, const ModelArguments&)) {
    CLI::App* command =
        AddCommand(*noun, context, verb, description, [&context, arguments, run] { return run(context, *arguments); });
    command->add_option("MODEL", arguments->name, names)->required();
    return command;
  };
  add("show", "Show a model and one version", "PROJECT/MODEL[@VERSION]", Show);
  add("versions", "List the versions of a model, newest first", "PROJECT/MODEL", Versions);
  CLI::App* alias = add("alias", "Point an alias at a version", "PROJECT/MODEL[@VERSION]; default: the latest", Alias);
  alias->add_option("ALIAS", arguments->alias, "Starts with a letter")->required();
  alias->add_option("VERSION", arguments->version, "Number, where MODEL does not say it")->check(CLI::PositiveNumber);
  alias->add_flag("--remove", arguments->remove, "Remove the alias");
  add("export", "Write the artifact of a version, a safetensors file", "PROJECT/MODEL[@VERSION]", Export)
      ->add_option("FILE,--out", arguments->file, "File to write")
      ->required();
  add("import", "Store an artifact as the next version of a model", "PROJECT/MODEL", Import)
      ->add_option("FILE", arguments->file, "File to read")
      ->required();
  add("delete", "Delete one version, by number", "PROJECT/MODEL@NUMBER", Delete);
}

}  // namespace creamery::cli
