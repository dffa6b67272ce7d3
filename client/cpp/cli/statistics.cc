#include <optional>

#include "client/cpp/cli/cli.h"
#include "client/cpp/prior_text.h"
#include "proto/support/status_macros.h"

namespace creamery::cli {
namespace {

struct StatisticArguments {
  std::string model;
  std::vector<std::string> priors;  // 'a~uniform(0,1)' …, or one model
  int64_t num_samples = 0;
  std::optional<uint64_t> seed;
};

absl::StatusOr<StatisticOptions> ParseOptions(const StatisticArguments& arguments) {
  StatisticOptions options;
  options.num_samples = arguments.num_samples;
  options.seed = arguments.seed;
  ABSL_ASSIGN_OR_RETURN(options.prior, ParsePriorAgainst(arguments.priors));
  return options;
}

template <typename Response>
void Print(const Context& context, const char* symbol, const char* unit, const v1::Estimate& estimate,
           const Response& response) {
  PrintCare(response);
  if (context.json) {
    PrintJson(response);
    return;
  }
  Out("%s = %.4f +- %.4f%s  (%s, seed %d)\n", symbol, estimate.value(), estimate.error(), unit,
      TypedName(response.model_version()), response.seed());
  Out("  error: Monte Carlo %.4f, chain %.4f, approximation %.4f, members %.4f; effective size %.0f\n",
      estimate.monte_carlo_error(), estimate.chain_error(), estimate.approximation_error(), estimate.member_error(),
      estimate.effective_size());
  if (!response.prior_model_version().empty()) {
    Out("  prior: %s\n", TypedName(response.prior_model_version()));
  }
}

absl::Status Kl(const Context& context, const StatisticArguments& arguments) {
  ABSL_ASSIGN_OR_RETURN(const StatisticOptions options, ParseOptions(arguments));
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const Model model, client.GetModel(arguments.model));
  ABSL_ASSIGN_OR_RETURN(const v1::MarginalKLResponse response, model.Kl(options));
  Print(context, "D_KL", " nats", response.kl(), response);
  return absl::OkStatus();
}

absl::Status Dimensionality(const Context& context, const StatisticArguments& arguments) {
  ABSL_ASSIGN_OR_RETURN(const StatisticOptions options, ParseOptions(arguments));
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const Model model, client.GetModel(arguments.model));
  ABSL_ASSIGN_OR_RETURN(const v1::ModelDimensionalityResponse response, model.Dimensionality(options));
  Print(context, "d_G", "", response.dimensionality(), response);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PriorAgainst> ParsePriorAgainst(const std::vector<std::string>& priors) {
  PriorAgainst against;
  if (priors.size() == 1 && priors[0].find('~') == std::string::npos) {
    against.model = priors[0];
    return against;
  }
  auto analytic = ParsePriors(priors);
  if (!analytic.ok()) return Usage(analytic.status());
  against.analytic = *std::move(analytic);
  return against;
}

void AddStatistics(CLI::App& app, Context& context) {
  const auto arguments = std::make_shared<StatisticArguments>();
  const auto add = [&](const char* verb, const char* description,
                       absl::Status (*run)(const Context&, const StatisticArguments&)) {
    CLI::App* command =
        AddCommand(app, context, verb, description, [&context, arguments, run] { return run(context, *arguments); });
    NameOf(Named::kModel, command->add_option("MODEL", arguments->model, "PROJECT/MODEL[@VERSION]")->required(),
           context);
    NameOf(Named::kModel,
           command->add_option("--prior", arguments->priors,
                               "A model of the prior, or 'a~uniform(0,1)' for every parameter; default: the dataset's"),
           context);
    command->add_option("--samples", arguments->num_samples, "Draws from the density; default: the server's")
        ->check(CLI::PositiveNumber);
    command->add_option("--seed", arguments->seed, "Seed; without it the server picks one and says which");
  };
  add("kl", "Kullback-Leibler divergence of the posterior from the prior, nats", Kl);
  add("dimensionality", "Bayesian model dimensionality", Dimensionality);
}

}  // namespace creamery::cli
