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
  bool keep_likelihood = false;
  std::string kind;
  std::string parameter;  // searched for
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
  selection.keep_likelihood = arguments.keep_likelihood;
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
  std::vector<std::string> notes;
  ABSL_ASSIGN_OR_RETURN(Samples samples, SelectSamples(std::move(table), selection));
  for (const v1::Parameter& parameter : samples.schema.parameters()) {
    for (const char* field : {"weight", "weights", "chain", "log_likelihood", "log_likelihood_birth"}) {
      if (parameter.name() != field) continue;
      notes.push_back(absl::StrCat("column '", field, "' is read as a parameter unless an option says what it is"));
    }
  }
  PrintNotes(notes);
  return samples;
}

void PrintDataset(const v1::Dataset& dataset) {
  Out("%s  %d rows  %d parameters  revision %d  %s\n", TypedName(dataset.name()), dataset.num_rows(),
      dataset.parameters_size(), dataset.revision(), v1::RowKind_Name(dataset.row_kind()));
}

void PrintSchema(const v1::Dataset& dataset) {
  PrintDataset(dataset);
  for (const v1::Parameter& parameter : dataset.parameters()) {
    Out("  %s", parameter.name());
    if (parameter.has_prior()) Out(" ~ %s", PriorToText(parameter.prior()));
    if (!parameter.unit().empty()) Out(" [%s]", parameter.unit());
    if (parameter.derived()) Out(" (derived)");
    Out("\n");
  }
  std::string fields;
  if (dataset.has_weight()) fields += " weight";
  if (dataset.has_chain()) fields += " chain";
  if (dataset.has_log_likelihood()) fields += " log_likelihood";
  if (dataset.has_log_likelihood_birth()) fields += " log_likelihood_birth";
  if (!fields.empty()) Out("fields:%s\n", fields);
  if (dataset.num_rows_outside() > 0) {
    Out("%d rows on or outside a bound, which no training uses\n", dataset.num_rows_outside());
  }
  if (dataset.marginalised_size() > 0) {
    Out("marginalised over %s\n", absl::StrJoin(dataset.marginalised(), ", "));
  }
  if (dataset.has_log_evidence()) {
    Out("log Z = %g +- %g\n", dataset.log_evidence().value(), dataset.log_evidence().error());
  }
  Out("digest: %s\n", dataset.digest());
}

void Print(const Context& context, const v1::Dataset& dataset) {
  context.json ? PrintJson(dataset) : PrintDataset(dataset);
}

// Rows that no training will use, on standard error; `before` the upload and `rows` in it.
void WarnOfRowsOutside(const v1::Dataset& dataset, int64_t before, int64_t rows) {
  const int64_t outside = dataset.num_rows_outside() - before;
  if (outside <= 0) return;
  Err("warning: %d of %d rows lie on or outside the declared bounds of a parameter: trainings leave them out\n",
      outside, rows);
}

absl::Status Upload(const Context& context, const FileArguments& arguments) {
  ABSL_ASSIGN_OR_RETURN(const Samples samples, ReadSamples(arguments));
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const v1::Dataset dataset, client.UploadDataset(arguments.name, samples));
  WarnOfRowsOutside(dataset, 0, samples.rows.num_rows);
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
  WarnOfRowsOutside(dataset, schema.num_rows_outside(), samples.rows.num_rows);
  Print(context, dataset);
  return absl::OkStatus();
}

absl::Status List(const Context& context, const FileArguments& arguments) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const std::vector<v1::Dataset> all,
                        client.ListDatasets(ListedProject(context, arguments.name), arguments.parameter));
  if (context.json) {
    PrintJson(ListToJson("datasets", all));
  } else {
    for (const v1::Dataset& dataset : all) PrintDataset(dataset);
  }
  return absl::OkStatus();
}

absl::Status Show(const Context& context, const std::string& name) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const v1::Dataset dataset, client.GetDataset(name));
  context.json ? PrintJson(dataset) : PrintSchema(dataset);
  return absl::OkStatus();
}

absl::Status Download(const Context& context, const FileArguments& arguments) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const Samples samples, client.DownloadDataset(arguments.name, arguments.revision));
  ABSL_RETURN_IF_ERROR(WriteSamples(arguments.file, samples));
  if (arguments.file.empty()) return absl::OkStatus();
  context.json ? PrintJson(samples.schema)
               : Out("%d rows of %s in %s\n", samples.rows.num_rows, arguments.name, arguments.file);
  return absl::OkStatus();
}

absl::Status Delete(const Context& context, const std::string& name) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_RETURN_IF_ERROR(client.DeleteDataset(name));
  context.json ? Out("{}\n") : Out("%s is deleted\n", name);
  return absl::OkStatus();
}

void AddFileOptions(CLI::App& command, Context& context, FileArguments& arguments) {
  NameOf(Named::kDataset, command.add_option("NAME", arguments.name, "PROJECT/NAME")->required(), context);
  command
      .add_option("FILE", arguments.file,
                  ".npy, .csv, .dat, .safetensors; or the root, a file or the folder of a run of GetDist, CosmoMC, "
                  "Cobaya, MontePython, PolyChord or MultiNest")
      ->required();
  command.add_option("--columns", arguments.columns, "Parameters, in order; names the columns of a file without names")
      ->delimiter(',');
  command.add_option("--weights", arguments.weights, "Column of weights");
  command.add_option("--chain", arguments.chain, "Column with the id of the Markov chain");
  command.add_option("--log-likelihood", arguments.log_likelihood, "Column of the natural log-likelihood");
  command.add_flag("--keep-likelihood", arguments.keep_likelihood,
                   "GetDist's second column is -log L, not -log posterior: take it along");
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
  AddFileOptions(*upload, context, *arguments);
  upload->add_option("--prior", arguments->priors,
                     "Analytic priors: 'a~uniform(0,1)', 'b~normal(0,1)', 'c~loguniform(.1,10)'");
  upload->add_option("--log-evidence", arguments->log_evidence,
                     "Z,ERR: natural log-evidence and its standard error; default: what a nested-sampling run states");
  OneOf({"independent", "mcmc", "nested"},
        upload->add_option("--kind", arguments->kind, "What the rows are; default: what the format says"), context);

  CLI::App* append = AddCommand(*noun, context, "append", "Append a file as one part, all or nothing",
                                [&context, arguments] { return Append(context, *arguments); });
  AddFileOptions(*append, context, *arguments);
  append->add_option("--expected-rows", arguments->expected_rows,
                     "Refuse unless the dataset has that many rows before");

  CLI::App* list = AddCommand(*noun, context, "list", "List datasets, or search them",
                              [&context, arguments] { return List(context, *arguments); });
  ProjectToList(list->add_option("PROJECT", arguments->name, kListedProject), context);
  list->add_option("--parameter", arguments->parameter, "Only those with a parameter of this name");
  const auto add_name = [&context, arguments](CLI::App* command) {
    NameOf(Named::kDataset, command->add_option("NAME", arguments->name, "PROJECT/NAME")->required(), context);
  };
  add_name(AddCommand(*noun, context, "show", "Show the schema of a dataset",
                      [&context, arguments] { return Show(context, arguments->name); }));
  CLI::App* download = AddCommand(*noun, context, "download", "Download all rows",
                                  [&context, arguments] { return Download(context, *arguments); });
  add_name(download);
  download->add_option("FILE,--out", arguments->file,
                       ".safetensors (with the schema), .csv or .npy; default: CSV on standard output");
  download->add_option("--revision", arguments->revision, "Revision to read; default: the newest");
  add_name(AddCommand(*noun, context, "delete", "Delete a dataset",
                      [&context, arguments] { return Delete(context, arguments->name); }));
}

}  // namespace creamery::cli
