#include "client/cpp/cli/ask.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/status_macros.h"

namespace creamery::cli {
namespace {

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
  ABSL_ASSIGN_OR_RETURN(Points points, ReadPoints(arguments.points, parameters));
  if (points.columns.empty()) points.columns = parameters;
  LogLikelihoodOptions options = arguments.log_likelihood_options;
  options.precision = arguments.precision;
  ABSL_ASSIGN_OR_RETURN(const Answer answer, model.LogLikelihood(points.theta, points.columns, options));
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
  PrintJson(json);
  return absl::OkStatus();
}

absl::Status InversePriorTransform(const Context& context, const AskArguments& arguments) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const Model model, client.GetModel(arguments.model));
  ABSL_ASSIGN_OR_RETURN(const Points points, ReadPoints(arguments.points, model.parameters()));
  ABSL_ASSIGN_OR_RETURN(const Answer answer,
                        model.InversePriorTransform(points.theta, points.columns, arguments.precision));
  return PrintRows(context, arguments, model, "u", answer);
}

absl::Status PriorTransform(const Context& context, const AskArguments& arguments) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const Model model, client.GetModel(arguments.model));
  ABSL_ASSIGN_OR_RETURN(const Points points, ReadPoints(arguments.points, model.parameters()));
  // Coordinates of the hypercube belong to the parameters in the model's order.
  if (!points.columns.empty() && points.columns != model.parameters()) {
    return Usage(absl::InvalidArgumentError(
        absl::StrCat("the coordinates of u come in the model's order: ", absl::StrJoin(model.parameters(), ", "))));
  }
  ABSL_ASSIGN_OR_RETURN(
      const Answer answer,
      model.PriorTransform(points.theta, arguments.log_prob_options.prior_fraction, arguments.precision));
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
  ABSL_ASSIGN_OR_RETURN(const Draws draws,
                        model.Sample(arguments.num_samples, arguments.seed, arguments.log_prob, arguments.precision));
  PrintWarnings(draws.warnings);
  std::vector<std::string> names = draws.columns;
  if (arguments.log_prob) names.push_back("log_prob");
  if (!context.json || !arguments.out.empty()) {
    ABSL_RETURN_IF_ERROR(WriteColumns(arguments.out, names, WithLogProb(draws)));
  }
  if (!context.json) {
    Err("%s, seed %d\n", TypedName(draws.model_version), draws.seed);
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
  PrintJson(json);
  return absl::OkStatus();
}

}  // namespace

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
    PrintJson(json);
  } else if (arguments.out.empty()) {
    for (double value : answer.values) Out("%s\n", NumberToText(value));
  }
  return absl::OkStatus();
}

void AddAsk(CLI::App& app, Context& context) {
  const auto arguments = std::make_shared<AskArguments>();
  const auto add = [&](const char* verb, const char* description,
                       absl::Status (*run)(const Context&, const AskArguments&)) {
    CLI::App* command =
        AddCommand(app, context, verb, description, [&context, arguments, run] { return run(context, *arguments); });
    NameOf(Named::kModel, command->add_option("MODEL", arguments->model, "PROJECT/MODEL[@VERSION]")->required(),
           context);
    command->add_option("--out", arguments->out, "Write to FILE.npy or FILE.csv");
    command->add_option("--precision", arguments->precision, "Arithmetic of the networks: single or double")
        ->transform(CLI::CheckedTransformer(
            std::map<std::string, v1::Precision>{{"single", v1::SINGLE_PRECISION}, {"double", v1::DOUBLE_PRECISION}}));
    return command;
  };
  const auto add_points = [&](CLI::App* command, const char* option, const char* description) {
    AddPointOptions(command, option, description, &arguments->points);
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
  NameOf(Named::kModel,
         log_likelihood->add_option("--with", arguments->log_likelihood_options.more_models,
                                    "Further models of independent data or objects, whose log-likelihoods are added"),
         context);
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
