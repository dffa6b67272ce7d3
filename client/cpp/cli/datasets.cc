#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cpp/cli/cli.h"
#include "client/cpp/prior_text.h"
#include "client/cpp/readers/table.h"
#include "proto/support/status_macros.h"

namespace creamery::cli {
namespace {

struct FileArguments {
  std::string name;
  std::string file;
  std::vector<std::string> columns;
  std::string weights, chain, log_likelihood, log_likelihood_birth;
  std::string kind;
  std::vector<std::string> priors;
  std::string log_evidence;
  int64_t expected_rows = -1;
  int64_t revision = 0;
};

absl::StatusOr<Samples> ReadSamples(const FileArguments& arguments) {
  Selection selection;
  selection.columns = arguments.columns;
  selection.weight = arguments.weights;
  selection.chain = arguments.chain;
  selection.log_likelihood = arguments.log_likelihood;
  selection.log_likelihood_birth = arguments.log_likelihood_birth;
  if (arguments.kind == "independent") selection.row_kind = v1::INDEPENDENT;
  if (arguments.kind == "mcmc") selection.row_kind = v1::MCMC;
  if (arguments.kind == "nested") selection.row_kind = v1::NESTED_SAMPLING;
  auto priors = ParsePriors(arguments.priors);
  if (!priors.ok()) return Usage(priors.status());
  selection.priors = *std::move(priors);
  if (!arguments.log_evidence.empty()) {
    auto evidence = ParseLogEvidence(arguments.log_evidence);
    if (!evidence.ok()) return Usage(evidence.status());
    selection.log_evidence = *evidence;
  }
  ABSL_ASSIGN_OR_RETURN(Table table, ReadTable(arguments.file));
  PrintNotes(table.notes);
  return SelectSamples(std::move(table), selection);
}

void PrintDataset(const v1::Dataset& dataset) {
  std::printf("%s  %lld rows  %d parameters  revision %lld  %s\n", TypedName(dataset.name()).c_str(),
              static_cast<long long>(dataset.num_rows()), dataset.parameters_size(),
              static_cast<long long>(dataset.revision()), v1::RowKind_Name(dataset.row_kind()).c_str());
}

void PrintSchema(const v1::Dataset& dataset) {
  PrintDataset(dataset);
  for (const v1::Parameter& parameter : dataset.parameters()) {
    std::printf("  %s", parameter.name().c_str());
    if (parameter.has_prior()) std::printf(" ~ %s", PriorToText(parameter.prior()).c_str());
    if (!parameter.unit().empty()) std::printf(" [%s]", parameter.unit().c_str());
    if (parameter.derived()) std::printf(" (derived)");
    std::printf("\n");
  }
  std::string fields;
  if (dataset.has_weight()) fields += " weight";
  if (dataset.has_chain()) fields += " chain";
  if (dataset.has_log_likelihood()) fields += " log_likelihood";
  if (dataset.has_log_likelihood_birth()) fields += " log_likelihood_birth";
  if (!fields.empty()) std::printf("fields:%s\n", fields.c_str());
  if (dataset.has_log_evidence()) {
    std::printf("log Z = %g +- %g\n", dataset.log_evidence().value(), dataset.log_evidence().error());
  }
  if (dataset.marginalised_size() > 0) {
    std::printf("marginalised over %s\n", absl::StrJoin(dataset.marginalised(), ", ").c_str());
  }
  std::printf("digest: %s\n", dataset.digest().c_str());
}

void Print(const Context& context, const v1::Dataset& dataset) {
  context.json ? void(std::printf("%s\n", ToJson(dataset).c_str())) : PrintDataset(dataset);
}

absl::Status Upload(const Context& context, const FileArguments& arguments) {
  ABSL_ASSIGN_OR_RETURN(const Samples samples, ReadSamples(arguments));
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const v1::Dataset dataset, client.UploadDataset(arguments.name, samples));
  Print(context, dataset);
  return absl::OkStatus();
}

absl::Status Append(const Context& context, FileArguments arguments) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const v1::Dataset schema, client.GetDataset(arguments.name));
  if (arguments.columns.empty()) {
    // A file may hold more than the dataset: its parameters are what is wanted. Without names they come in its order.
    ABSL_ASSIGN_OR_RETURN(const Table table, ReadTable(arguments.file));
    if (table.named || table.columns.size() == static_cast<size_t>(schema.parameters_size())) {
      for (const v1::Parameter& parameter : schema.parameters()) arguments.columns.push_back(parameter.name());
    }
  }
  ABSL_ASSIGN_OR_RETURN(const Samples samples, ReadSamples(arguments));
  ABSL_ASSIGN_OR_RETURN(const v1::Dataset dataset, client.AppendRows(arguments.name, samples, arguments.expected_rows));
  Print(context, dataset);
  return absl::OkStatus();
}

absl::Status List(const Context& context, const std::string& project) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const std::vector<std::string> projects, ProjectsOrAll(client, project));
  std::vector<v1::Dataset> all;
  for (const std::string& id : projects) {
    ABSL_ASSIGN_OR_RETURN(const std::vector<v1::Dataset> listed, client.ListDatasets(id));
    all.insert(all.end(), listed.begin(), listed.end());
  }
  if (context.json) {
    std::printf("%s\n", ListToJson("datasets", all).c_str());
  } else {
    for (const v1::Dataset& dataset : all) PrintDataset(dataset);
  }
  return absl::OkStatus();
}

absl::Status Show(const Context& context, const std::string& name) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const v1::Dataset dataset, client.GetDataset(name));
  context.json ? void(std::printf("%s\n", ToJson(dataset).c_str())) : PrintSchema(dataset);
  return absl::OkStatus();
}

absl::Status Download(const Context& context, const FileArguments& arguments) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const Samples samples, client.DownloadDataset(arguments.name, arguments.revision));
  ABSL_RETURN_IF_ERROR(WriteSamples(arguments.file, samples));
  if (arguments.file.empty()) return absl::OkStatus();
  context.json ? void(std::printf("%s\n", ToJson(samples.schema).c_str()))
               : void(std::printf("%lld rows of %s in %s\n", static_cast<long long>(samples.rows.num_rows),
                                  arguments.name.c_str(), arguments.file.c_str()));
  return absl::OkStatus();
}

absl::Status Delete(const Context& context, const std::string& name) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_RETURN_IF_ERROR(client.DeleteDataset(name));
  context.json ? void(std::printf("{}\n")) : void(std::printf("%s is deleted\n", name.c_str()));
  return absl::OkStatus();
}

void AddFileOptions(CLI::App& command, FileArguments& arguments) {
  command.add_option("NAME", arguments.name, "PROJECT/NAME")->required();
  command
      .add_option("FILE", arguments.file,
                  ".npy, .csv, .safetensors, a GetDist chain or its root, PolyChord's *_dead-birth.txt")
      ->required();
  command.add_option("--columns", arguments.columns, "Parameters, in order; names the columns of a file without names")
      ->delimiter(',');
  command.add_option("--weights", arguments.weights, "Column of weights");
  command.add_option("--chain", arguments.chain, "Column with the id of the Markov chain");
  command.add_option("--log-likelihood", arguments.log_likelihood, "Column of the natural log-likelihood");
  command.add_option("--log-likelihood-birth", arguments.log_likelihood_birth,
                     "Column of the natural log-likelihood at birth (nested sampling)");
}

}  // namespace

void AddDatasets(CLI::App& app, Context& context) {
  CLI::App* noun = app.add_subcommand("datasets", "Weighted samples on the server");
  noun->require_subcommand(1);
  const auto arguments = std::make_shared<FileArguments>();

  CLI::App* upload =
      AddCommand(*noun, context, "upload", "Upload a file as a new dataset; its project is made if needed",
                 [&context, arguments] { return Upload(context, *arguments); });
  AddFileOptions(*upload, *arguments);
  upload->add_option("--prior", arguments->priors,
                     "Analytic priors: 'a~uniform(0,1)', 'b~normal(0,1)', 'c~loguniform(.1,10)'");
  upload->add_option("--log-evidence", arguments->log_evidence, "Z,ERR: natural log-evidence and its standard error");
  upload->add_option("--kind", arguments->kind, "What the rows are; default: what the format says")
      ->check(CLI::IsMember({"independent", "mcmc", "nested"}));

  CLI::App* append = AddCommand(*noun, context, "append", "Append a file as one part, all or nothing",
                                [&context, arguments] { return Append(context, *arguments); });
  AddFileOptions(*append, *arguments);
  append->add_option("--expected-rows", arguments->expected_rows,
                     "Refuse unless the dataset has that many rows before");

  AddCommand(*noun, context, "list", "List datasets", [&context, arguments] {
    return List(context, arguments->name);
  })->add_option("PROJECT", arguments->name, "Project; default: all");
  AddCommand(*noun, context, "show", "Show the schema of a dataset",
             [&context, arguments] { return Show(context, arguments->name); })
      ->add_option("NAME", arguments->name, "PROJECT/NAME")
      ->required();
  CLI::App* download = AddCommand(*noun, context, "download", "Download all rows",
                                  [&context, arguments] { return Download(context, *arguments); });
  download->add_option("NAME", arguments->name, "PROJECT/NAME")->required();
  download->add_option("FILE,--out", arguments->file,
                       ".safetensors (with the schema), .csv or .npy; default: CSV on standard output");
  download->add_option("--revision", arguments->revision, "Revision to read; default: the newest");
  AddCommand(*noun, context, "delete", "Delete a dataset",
             [&context, arguments] { return Delete(context, arguments->name); })
      ->add_option("NAME", arguments->name, "PROJECT/NAME")
      ->required();
}

}  // namespace creamery::cli
