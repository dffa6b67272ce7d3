#include <algorithm>
#include <cstdio>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cpp/cli/cli.h"
#include "client/cpp/readers/table.h"
#include "proto/support/status_macros.h"

namespace creamery::cli {
namespace {

struct AskArguments {
  std::string model, file, out;
  std::vector<std::string> points;  // each "0.3,0.8"
  std::vector<std::string> columns;
  int64_t num_samples = 0;
  std::optional<uint64_t> seed;
  bool log_prob = false;
  LogProbOptions log_prob_options;
  LogLikelihoodOptions log_likelihood_options;
};

// Points of the command line, each of the same length.
absl::StatusOr<Points> TypedPoints(const AskArguments& arguments) {
  Points points;
  points.columns = arguments.columns;
  for (const std::string& text : arguments.points) {
    const std::vector<std::string> cells = absl::StrSplit(text, ',');
    if (points.num_columns == 0) points.num_columns = static_cast<int64_t>(cells.size());
    if (static_cast<int64_t>(cells.size()) != points.num_columns) {
      return Usage(absl::InvalidArgumentError(
          absl::StrCat("point '", text, "' has ", cells.size(), " numbers, the first one has ", points.num_columns)));
    }
    for (const std::string& cell : cells) {
      double value;
      if (!absl::SimpleAtod(cell, &value)) {
        return Usage(absl::InvalidArgumentError(absl::StrCat("'", cell, "' in point '", text, "' is not a number")));
      }
      points.theta.push_back(value);
    }
  }
  return points;
}

// Points of a file or of the command line. A file with names may hold more columns than the model has parameters.
absl::StatusOr<Points> ReadPoints(const AskArguments& arguments, const std::vector<std::string>& parameters) {
  if (arguments.file.empty() == arguments.points.empty()) {
    return Usage(absl::InvalidArgumentError("give points in a file, or with --theta=… (--u=…), and not both"));
  }
  Points points;
  if (!arguments.points.empty()) {
    ABSL_ASSIGN_OR_RETURN(points, TypedPoints(arguments));
  } else {
    ABSL_ASSIGN_OR_RETURN(const Table table, ReadTable(arguments.file));
    PrintNotes(table.notes);
    std::vector<std::string> wanted = arguments.columns;
    if (wanted.empty() && table.named) wanted = parameters;
    ABSL_ASSIGN_OR_RETURN(points, SelectPoints(table, wanted));
  }
  const size_t expected = points.columns.empty() ? parameters.size() : points.columns.size();
  if (points.num_columns != static_cast<int64_t>(expected)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the points have ", points.num_columns, " columns, expected ", expected, ": ",
                     absl::StrJoin(points.columns.empty() ? parameters : points.columns, ", ")));
  }
  return points;
}

nlohmann::json RowsToJson(const std::vector<double>& values, size_t d) {
  nlohmann::json rows = nlohmann::json::array();
  for (size_t begin = 0; begin < values.size(); begin += d) {
    nlohmann::json row = nlohmann::json::array();
    for (size_t column = 0; column < d; ++column) row.push_back(NumberToJson(values[begin + column]));
    rows.push_back(std::move(row));
  }
  return rows;
}

nlohmann::json NumbersToJson(const std::vector<double>& values) {
  nlohmann::json list = nlohmann::json::array();
  for (double value : values) list.push_back(NumberToJson(value));
  return list;
}

nlohmann::json WarningsToJson(const std::vector<v1::Warning>& warnings) {
  nlohmann::json list = nlohmann::json::array();
  for (v1::Warning warning : warnings) list.push_back(v1::Warning_Name(warning));
  return list;
}

// One number per line, or as JSON under `key`.
absl::Status PrintNumbers(const Context& context, const AskArguments& arguments, const std::string& key,
                          const Answer& answer) {
  PrintWarnings(answer.warnings);
  if (!arguments.out.empty()) ABSL_RETURN_IF_ERROR(WriteColumns(arguments.out, {key}, answer.values));
  if (context.json) {
    nlohmann::json json = {{"model_version", answer.model_version}, {"warnings", WarningsToJson(answer.warnings)}};
    if (arguments.out.empty()) json[key] = NumbersToJson(answer.values);
    if (!answer.gradient.empty()) json["gradient"] = NumbersToJson(answer.gradient);
    if (!answer.spread.empty()) json["spread"] = NumbersToJson(answer.spread);
    if (key == "log_likelihood") json["log_evidence_error"] = NumberToJson(answer.log_evidence_error);
    std::printf("%s\n", json.dump().c_str());
  } else if (arguments.out.empty()) {
    for (double value : answer.values) std::printf("%s\n", NumberToText(value).c_str());
  }
  return absl::OkStatus();
}

// log_prob, then its spread and its gradient where they were asked for: a table with named columns.
absl::Status PrintLogProbTable(const AskArguments& arguments, const Model& model, const Points& points,
                               const Answer& answer) {
  PrintWarnings(answer.warnings);
  std::vector<std::string> names = {"log_prob"};
  if (!answer.spread.empty()) names.push_back("spread");
  const std::vector<std::string> columns = points.columns.empty() ? model.parameters() : points.columns;
  if (arguments.log_prob_options.gradient) {
    for (const std::string& column : columns) names.push_back(absl::StrCat("d_", column));
  }
  std::vector<double> values;
  for (size_t row = 0; row < answer.values.size(); ++row) {
    values.push_back(answer.values[row]);
    if (!answer.spread.empty()) values.push_back(answer.spread[row]);
    const auto begin = answer.gradient.begin() + static_cast<int64_t>(row * columns.size());
    if (!answer.gradient.empty()) values.insert(values.end(), begin, begin + static_cast<int64_t>(columns.size()));
  }
  return WriteColumns(arguments.out, names, values);
}

absl::Status LogProb(const Context& context, const AskArguments& arguments) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const Model model, client.GetModel(arguments.model));
  ABSL_ASSIGN_OR_RETURN(const Points points, ReadPoints(arguments, model.parameters()));
  ABSL_ASSIGN_OR_RETURN(const Answer answer, model.LogProb(points.theta, points.columns, arguments.log_prob_options));
  if (!context.json && (arguments.log_prob_options.gradient || arguments.log_prob_options.spread)) {
    return PrintLogProbTable(arguments, model, points, answer);
  }
  return PrintNumbers(context, arguments, "log_prob", answer);
}

absl::Status LogLikelihood(const Context& context, const AskArguments& arguments) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const Model model, client.GetModel(arguments.model));
  std::vector<std::string> parameters = model.parameters();
  for (const std::string& name : arguments.log_likelihood_options.more_models) {
    ABSL_ASSIGN_OR_RETURN(const Model other, client.GetModel(name));
    for (const std::string& parameter : other.parameters()) {
      if (std::find(parameters.begin(), parameters.end(), parameter) == parameters.end()) {
        parameters.push_back(parameter);
      }
    }
  }
  ABSL_ASSIGN_OR_RETURN(Points points, ReadPoints(arguments, parameters));
  if (points.columns.empty()) points.columns = parameters;
  ABSL_ASSIGN_OR_RETURN(const Answer answer,
                        model.LogLikelihood(points.theta, points.columns, arguments.log_likelihood_options));
  return PrintNumbers(context, arguments, "log_likelihood", answer);
}

// Rows of d numbers in the model's order, as CSV, as a file or as JSON under `key`.
absl::Status PrintRows(const Context& context, const AskArguments& arguments, const Model& model, const char* key,
                       const Answer& answer) {
  PrintWarnings(answer.warnings);
  if (!context.json) return WriteColumns(arguments.out, model.parameters(), answer.values);
  if (!arguments.out.empty()) ABSL_RETURN_IF_ERROR(WriteColumns(arguments.out, model.parameters(), answer.values));
  nlohmann::json json = {{"columns", model.parameters()},
                         {"model_version", answer.model_version},
                         {"warnings", WarningsToJson(answer.warnings)}};
  if (arguments.out.empty()) json[key] = RowsToJson(answer.values, model.parameters().size());
  std::printf("%s\n", json.dump().c_str());
  return absl::OkStatus();
}

absl::Status InversePriorTransform(const Context& context, const AskArguments& arguments) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const Model model, client.GetModel(arguments.model));
  ABSL_ASSIGN_OR_RETURN(const Points points, ReadPoints(arguments, model.parameters()));
  ABSL_ASSIGN_OR_RETURN(const Answer answer, model.InversePriorTransform(points.theta, points.columns));
  return PrintRows(context, arguments, model, "u", answer);
}

absl::Status PriorTransform(const Context& context, const AskArguments& arguments) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const Model model, client.GetModel(arguments.model));
  ABSL_ASSIGN_OR_RETURN(const Points points, ReadPoints(arguments, model.parameters()));
  // Coordinates of the hypercube belong to the parameters in the model's order.
  if (!points.columns.empty() && points.columns != model.parameters()) {
    return Usage(absl::InvalidArgumentError(
        absl::StrCat("the coordinates of u come in the model's order: ", absl::StrJoin(model.parameters(), ", "))));
  }
  ABSL_ASSIGN_OR_RETURN(const Answer answer,
                        model.PriorTransform(points.theta, arguments.log_prob_options.prior_fraction));
  return PrintRows(context, arguments, model, "theta", answer);
}

// theta with log_prob as one more column, where it was asked for.
std::vector<double> WithLogProb(const Draws& draws) {
  if (draws.log_prob.empty()) return draws.theta;
  const size_t d = draws.columns.size();
  std::vector<double> values;
  for (size_t row = 0; row < draws.log_prob.size(); ++row) {
    values.insert(values.end(), draws.theta.begin() + row * d, draws.theta.begin() + (row + 1) * d);
    values.push_back(draws.log_prob[row]);
  }
  return values;
}

absl::Status Sample(const Context& context, const AskArguments& arguments) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const Model model, client.GetModel(arguments.model));
  ABSL_ASSIGN_OR_RETURN(const Draws draws, model.Sample(arguments.num_samples, arguments.seed, arguments.log_prob));
  PrintWarnings(draws.warnings);
  std::vector<std::string> names = draws.columns;
  if (arguments.log_prob) names.push_back("log_prob");
  if (!context.json || !arguments.out.empty()) {
    ABSL_RETURN_IF_ERROR(WriteColumns(arguments.out, names, WithLogProb(draws)));
  }
  if (!context.json) {
    std::fprintf(stderr, "%s, seed %llu\n", TypedName(draws.model_version).c_str(),
                 static_cast<unsigned long long>(draws.seed));
    return absl::OkStatus();
  }
  nlohmann::json json = {{"columns", draws.columns},
                         {"seed", draws.seed},
                         {"model_version", draws.model_version},
                         {"warnings", WarningsToJson(draws.warnings)}};
  if (arguments.out.empty()) {
    json["theta"] = RowsToJson(draws.theta, draws.columns.size());
    if (arguments.log_prob) json["log_prob"] = NumbersToJson(draws.log_prob);
  }
  std::printf("%s\n", json.dump().c_str());
  return absl::OkStatus();
}

}  // namespace

void AddAsk(CLI::App& app, Context& context) {
  const auto arguments = std::make_shared<AskArguments>();
  const auto add = [&](const char* verb, const char* description,
                       absl::Status (*run)(const Context&, const AskArguments&)) {
    CLI::App* command =
        AddCommand(app, context, verb, description, [&context, arguments, run] { return run(context, *arguments); });
    command->add_option("MODEL", arguments->model, "PROJECT/MODEL[@VERSION]")->required();
    command->add_option("--out", arguments->out, "Write to FILE.npy or FILE.csv");
    return command;
  };
  const auto add_points = [&](CLI::App* command, const char* option, const char* description) {
    command->add_option("FILE", arguments->file, "Points, in any format that 'datasets upload' reads");
    command->add_option(option, arguments->points, description)->take_all();
    command->add_option("--columns", arguments->columns, "Names of the columns, in any order")->delimiter(',');
  };
  const auto add_prior_fraction = [&](CLI::App* command) {
    command
        ->add_option("--prior-fraction", arguments->log_prob_options.prior_fraction,
                     "Share of the declared prior mixed into the density: a proposal that covers the prior")
        ->check(CLI::Range(0., 1.));
  };
  const char* a_point = "A point, '0.3,0.8'; may be repeated";
  CLI::App* log_prob = add("log-prob", "Natural log-density at points, one per line", LogProb);
  add_points(log_prob, "--theta", a_point);
  log_prob->add_flag("--gradient", arguments->log_prob_options.gradient, "Also its gradient in the parameters");
  log_prob->add_flag("--spread", arguments->log_prob_options.spread, "Also its spread over the trained members");
  add_prior_fraction(log_prob);
  CLI::App* log_likelihood = add("log-likelihood", "Nuisance-free natural log-likelihood at points", LogLikelihood);
  add_points(log_likelihood, "--theta", a_point);
  log_likelihood->add_option("--with", arguments->log_likelihood_options.more_models,
                             "Further models of independent data or objects, whose log-likelihoods are added");
  log_likelihood->add_flag("--without-evidence", arguments->log_likelihood_options.without_evidence,
                           "log P - log prior: up to a constant");
  CLI::App* prior_transform = add("prior-transform", "Map points of the unit hypercube to parameters", PriorTransform);
  add_points(prior_transform, "--u", "A point, '0.1,0.5'; may be repeated");
  add_prior_fraction(prior_transform);
  add_points(add("inverse-prior-transform", "Map parameters to points of the unit hypercube", InversePriorTransform),
             "--theta", a_point);
  CLI::App* sample = add("sample", "Draw from the density", Sample);
  sample->add_option("-n,--num-samples", arguments->num_samples, "Number of draws")
      ->required()
      ->check(CLI::PositiveNumber);
  sample->add_option("--seed", arguments->seed, "Seed; without it the server picks one and says which");
  sample->add_flag("--log-prob", arguments->log_prob, "Also the log-density of each draw, as last column");
}

}  // namespace creamery::cli
