// Statistics that need likelihood values: `evidence` and `reweight`. A round is one run of the command: it reads all
// values so far and writes the points whose values it wants next.
#include <cstdio>
#include <filesystem>
#include <optional>

#include "absl/strings/str_cat.h"
#include "client/cpp/cli/cli.h"
#include "client/cpp/prior_choice.h"
#include "client/cpp/readers/table.h"
#include "proto/support/array.h"
#include "proto/support/status_macros.h"

namespace creamery::cli {
namespace {

struct RoundArguments {
  std::string model, values, next, out;
  std::vector<std::string> priors;
  double target = 0;
  double temperature = 0;
  int64_t max_points = 0;
  int64_t round_size = 0;
  std::optional<uint64_t> seed;
};

// The values of earlier rounds: every number of the file, row by row; none if there is no such file yet.
absl::StatusOr<v1::Array> ReadValues(const std::string& path) {
  std::vector<double> values;
  if (!path.empty() && std::filesystem::exists(path)) {
    ABSL_ASSIGN_OR_RETURN(const Table table, ReadTable(path));
    ABSL_ASSIGN_OR_RETURN(Points points, SelectPoints(table, {}));
    if (points.num_columns != 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", path, "' has ", points.num_columns, " columns, expected one, of log-likelihoods"));
    }
    values = std::move(points.theta);
  }
  return FromDoubles(values, {static_cast<int64_t>(values.size())});
}

// Writes the points of the next round and says what to do with them.
template <typename Response>
absl::Status WriteNext(const RoundArguments& arguments, const Response& response) {
  if (response.done()) return absl::OkStatus();
  const std::vector<std::string> names(response.columns().begin(), response.columns().end());
  ABSL_ASSIGN_OR_RETURN(const std::vector<double> theta,
                        ToDoubles("next_theta", response.next_theta(), {-1, static_cast<int64_t>(names.size())}));
  ABSL_RETURN_IF_ERROR(WriteColumns(arguments.next, names, theta));
  Err("append the log-likelihoods of the %d points in %s to %s, one per line under a header, and run again with "
      "%s --seed=%d\n",
      theta.size() / names.size(), arguments.next, arguments.values, TypedName(response.model_version()),
      response.seed());
  return absl::OkStatus();
}

absl::Status NeedNext(const RoundArguments& arguments) {
  if (!arguments.next.empty() && !arguments.values.empty()) return absl::OkStatus();
  return Usage(absl::InvalidArgumentError(
      "rounds need both --values=FILE, with the log-likelihoods so far, and --next=FILE, for the points wanted next"));
}

absl::Status Evidence(const Context& context, const RoundArguments& arguments) {
  v1::EvidenceRequest request;
  ABSL_ASSIGN_OR_RETURN(const PriorAgainst prior, ParsePriorAgainst(arguments.priors));
  ABSL_RETURN_IF_ERROR(SetPrior(prior, request));
  if (arguments.seed.has_value()) request.set_seed(*arguments.seed);
  const bool rounds = !arguments.values.empty() || !arguments.next.empty();
  if (rounds) {
    ABSL_RETURN_IF_ERROR(NeedNext(arguments));
    v1::ImportanceSampling& method = *request.mutable_importance_sampling();
    ABSL_ASSIGN_OR_RETURN(*method.mutable_log_likelihood(), ReadValues(arguments.values));
    method.set_target_effective_size(arguments.target);
    method.set_max_points(arguments.max_points);
    method.set_round_size(arguments.round_size);
  } else {
    v1::HarmonicMean& method = *request.mutable_harmonic_mean();
    if (arguments.temperature > 0) method.set_temperature(arguments.temperature);
  }
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const Model model, client.GetModel(arguments.model));
  ABSL_ASSIGN_OR_RETURN(v1::EvidenceResponse response, model.Evidence(std::move(request)));
  PrintCare(response);
  if (rounds) ABSL_RETURN_IF_ERROR(WriteNext(arguments, response));
  response.clear_next_theta();
  if (context.json) {
    PrintJson(response);
  } else if (response.has_log_z()) {
    Out("log Z = %.4f +- %.4f  (%s, %s)\n  effective size %.0f, efficiency %.3f, k-hat %.2f\n",
        response.log_z().value(), response.log_z().error(), TypedName(response.model_version()),
        rounds ? "importance sampling" : "learnt harmonic mean", response.effective_size(), response.efficiency(),
        response.k_hat());
  }
  return absl::OkStatus();
}

absl::Status Reweight(const Context& context, const RoundArguments& arguments) {
  v1::ReweightRequest request;
  ABSL_RETURN_IF_ERROR(NeedNext(arguments));
  ABSL_ASSIGN_OR_RETURN(const PriorAgainst prior, ParsePriorAgainst(arguments.priors));
  ABSL_RETURN_IF_ERROR(SetPrior(prior, request));
  if (arguments.seed.has_value()) request.set_seed(*arguments.seed);
  ABSL_ASSIGN_OR_RETURN(*request.mutable_log_likelihood(), ReadValues(arguments.values));
  request.set_target_effective_size(arguments.target);
  request.set_max_points(arguments.max_points);
  request.set_round_size(arguments.round_size);
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const Model model, client.GetModel(arguments.model));
  ABSL_ASSIGN_OR_RETURN(v1::ReweightResponse response, model.Reweight(std::move(request)));
  PrintCare(response);
  ABSL_RETURN_IF_ERROR(WriteNext(arguments, response));
  ABSL_ASSIGN_OR_RETURN(const std::vector<double> log_weight, ToDoubles("log_weight", response.log_weight(), {-1}));
  if (!arguments.out.empty()) ABSL_RETURN_IF_ERROR(WriteColumns(arguments.out, {"log_weight"}, log_weight));
  response.clear_next_theta();
  response.clear_log_weight();
  if (context.json) {
    PrintJson(response);
  } else {
    Out("%d points, effective size %.0f, k-hat %.2f  (%s)\n", log_weight.size(), response.effective_size(),
        response.k_hat(), TypedName(response.model_version()));
    if (response.has_log_evidence_ratio()) {
      Out("log(Z_new / Z) = %.4f +- %.4f\n", response.log_evidence_ratio().value(),
          response.log_evidence_ratio().error());
    }
  }
  return absl::OkStatus();
}

}  // namespace

void AddRounds(CLI::App& app, Context& context) {
  const auto arguments = std::make_shared<RoundArguments>();
  const auto add = [&](const char* verb, const char* description,
                       absl::Status (*run)(const Context&, const RoundArguments&)) {
    CLI::App* command =
        AddCommand(app, context, verb, description, [&context, arguments, run] { return run(context, *arguments); });
    NameOf(
        Named::kModel,
        command->add_option("MODEL", arguments->model, "PROJECT/MODEL[@VERSION] of all sampled parameters")->required(),
        context);
    NameOf(Named::kModel,
           command->add_option("--prior", arguments->priors,
                               "A model of the prior, or 'a~uniform(0,1)' for every parameter; default: the dataset's"),
           context);
    command->add_option("--values", arguments->values, "Log-likelihoods of all points so far; need not exist at first");
    command->add_option("--next", arguments->next, "Write the points of the next round to FILE.npy or FILE.csv");
    command->add_option("--target", arguments->target, "Effective size to reach; default: the server's")
        ->check(CLI::PositiveNumber);
    command->add_option("--max-points", arguments->max_points, "Budget; default: the server's")
        ->check(CLI::PositiveNumber);
    command->add_option("--round", arguments->round_size, "Points of the next round; default: the server's")
        ->check(CLI::PositiveNumber);
    command->add_option("--seed", arguments->seed, "Seed; the same in all rounds");
    return command;
  };
  CLI::App* evidence = add(
      "evidence", "Log-evidence: from the chain alone, or with --values and --next by importance sampling", Evidence);
  evidence->add_option("--temperature", arguments->temperature, "Of the harmonic mean; default: the server's")
      ->check(CLI::Range(0., 1.));
  CLI::App* reweight = add("reweight", "From the posterior of one likelihood to that of another", Reweight);
  reweight->add_option("--out", arguments->out, "Write the log-weights of all points to FILE.npy or FILE.csv");
}

}  // namespace creamery::cli
