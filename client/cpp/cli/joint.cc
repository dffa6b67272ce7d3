// Several models at once: `joint`, `tension` and `evidence-ratio`.
#include <cmath>
#include <cstdio>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cpp/cli/cli.h"
#include "client/cpp/prior_text.h"
#include "proto/support/resource_names.h"
#include "proto/support/status_macros.h"

namespace creamery::cli {
namespace {

struct JointArguments {
  std::vector<std::string> models;
  std::vector<std::string> priors;
  std::string out;
  int64_t num_samples = 0;
  int64_t max_evaluations = 0;
  std::optional<uint64_t> seed;
  bool job = false;
  bool without_samples = false;
};

struct RatioArguments {
  std::string numerator, denominator;
  std::vector<std::string> numerator_evidences, denominator_evidences;  // each 'method=Z,ERR'
};

void PrintEstimate(const char* what, const v1::Estimate& estimate, const char* unit) {
  Out("%-22s %10.4f +- %.4f%s\n", what, estimate.value(), estimate.error(), unit);
}

void PrintJoint(const v1::JointPosteriorResponse& summary) {
  std::vector<std::string> names;
  for (const std::string& version : summary.model_versions()) names.push_back(TypedName(version));
  Out("joint of %s, seed %d; shared: %s\n", absl::StrJoin(names, ", "), summary.seed(),
      absl::StrJoin(summary.shared(), ", "));
  const v1::JointStatistics& statistics = summary.statistics();
  if (statistics.has_log_r()) PrintEstimate("log R", statistics.log_r(), "");
  if (statistics.has_log_z()) PrintEstimate("log Z", statistics.log_z(), "");
  if (statistics.has_information()) PrintEstimate("information I", statistics.information(), " nats");
  if (statistics.has_log_suspiciousness()) PrintEstimate("log S", statistics.log_suspiciousness(), "");
  if (statistics.has_dimensionality()) PrintEstimate("shared dimensionality d", statistics.dimensionality(), "");
  if (statistics.has_joint_kl()) PrintEstimate("joint D_KL", statistics.joint_kl(), " nats");
  if (statistics.has_sigma()) {
    Out("tension                %10.2f sigma (%.2f to %.2f), p = %.3g\n", statistics.sigma(), statistics.sigma_low(),
        statistics.sigma_high(), statistics.p_value());
  }
  Out("effective size %.0f, k-hat %.2f, %d evaluations\n", summary.effective_size(), summary.k_hat(),
      summary.evaluations());
}

absl::Status Report(const Context& context, const JointArguments& arguments, const JointAnswer& answer) {
  PrintCare(answer.summary);
  if (!arguments.out.empty()) {
    std::vector<std::string> names(answer.summary.columns().begin(), answer.summary.columns().end());
    const size_t d = names.size();
    names.push_back("weight");
    std::vector<double> values;
    for (size_t row = 0; row < answer.weight.size(); ++row) {
      values.insert(values.end(), answer.theta.begin() + row * d, answer.theta.begin() + (row + 1) * d);
      values.push_back(answer.weight[row]);
    }
    ABSL_RETURN_IF_ERROR(WriteColumns(arguments.out, names, values));
  }
  context.json ? PrintJson(answer.summary) : PrintJoint(answer.summary);
  return absl::OkStatus();
}

absl::Status Joint(const Context& context, const JointArguments& arguments) {
  JointOptions options;
  ABSL_ASSIGN_OR_RETURN(options.prior, ParsePriorAgainst(arguments.priors));
  options.num_samples = arguments.num_samples;
  options.max_evaluations = arguments.max_evaluations;
  options.seed = arguments.seed;
  options.without_samples = arguments.without_samples || (arguments.out.empty() && !arguments.job);
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  if (!arguments.job) {
    ABSL_ASSIGN_OR_RETURN(const JointAnswer answer, client.Joint(arguments.models, options));
    return Report(context, arguments, answer);
  }
  v1::StatisticsJob statistics;
  ABSL_ASSIGN_OR_RETURN(*statistics.mutable_joint_posterior(), Client::JointRequest(arguments.models, options));
  ABSL_ASSIGN_OR_RETURN(const VersionName first, ParseTypedVersion(arguments.models[0]));
  ABSL_ASSIGN_OR_RETURN(const Job job, client.Submit(first.project, statistics));
  Err("job %s; it goes on if this command ends\n", TypedName(job.name()));
  absl::StatusOr<JointAnswer> answer;
  {
    ProgressLine line;
    answer = job.JointResult([&](const v1::Job& now) { line.Show(now); });
  }
  ABSL_RETURN_IF_ERROR(answer.status());
  return Report(context, arguments, *answer);
}

// 'method=Z,ERR', of one side.
absl::Status AddEvidences(const std::vector<std::string>& texts,
                          google::protobuf::RepeatedPtrField<v1::NamedEvidence>* evidences) {
  for (const std::string& text : texts) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
    const auto evidence = ParseLogEvidence(parts.second);
    if (text.find('=') == std::string::npos || !evidence.ok()) {
      return Usage(absl::InvalidArgumentError(
          absl::StrCat("'", text, "' is not of the form 'method=Z,ERR', such as 'nested sampling=-12.3,0.1'")));
    }
    v1::NamedEvidence& named = *evidences->Add();
    named.set_method(parts.first);
    *named.mutable_log_evidence() = *evidence;
  }
  return absl::OkStatus();
}

absl::Status EvidenceRatio(const Context& context, const RatioArguments& arguments) {
  v1::EvidenceRatioRequest request;
  request.set_numerator(arguments.numerator);
  request.set_denominator(arguments.denominator);
  ABSL_RETURN_IF_ERROR(AddEvidences(arguments.numerator_evidences, request.mutable_numerator_evidences()));
  ABSL_RETURN_IF_ERROR(AddEvidences(arguments.denominator_evidences, request.mutable_denominator_evidences()));
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const v1::EvidenceRatioResponse response, client.EvidenceRatio(std::move(request)));
  PrintCare(response);
  if (context.json) {
    PrintJson(response);
    return absl::OkStatus();
  }
  for (const v1::EvidenceRatioEstimate& estimate : response.estimates()) {
    Out("log ratio = %9.4f +- %.4f  (%s / %s)\n", estimate.log_ratio().value(), estimate.log_ratio().error(),
        estimate.numerator_method(), estimate.denominator_method());
  }
  if (response.estimates_size() > 1) {
    Out("largest disagreement of two methods: %.1f combined errors\n", response.largest_disagreement());
  }
  return absl::OkStatus();
}

}  // namespace

void AddJoint(CLI::App& app, Context& context) {
  const auto arguments = std::make_shared<JointArguments>();
  const auto add = [&](const char* verb, const char* description) {
    CLI::App* command =
        AddCommand(app, context, verb, description, [&context, arguments] { return Joint(context, *arguments); });
    NameOf(Named::kModel,
           command->add_option("MODELS", arguments->models, "Two or more PROJECT/MODEL[@VERSION]")
               ->required()
               ->expected(2, -1),
           context);
    NameOf(Named::kModel,
           command->add_option(
               "--prior", arguments->priors,
               "A model of the shared parameters' prior, or 'a~uniform(0,1)' for every parameter; default: "
               "the datasets'"),
           context);
    command->add_option("--max-evaluations", arguments->max_evaluations, "Budget; default: the server's")
        ->check(CLI::PositiveNumber);
    command->add_option("--seed", arguments->seed, "Seed; without it the server picks one and says which");
    command->add_flag("--job", arguments->job, "As a job of the server, which goes on if this command ends");
    return command;
  };
  CLI::App* joint = add("joint", "Joint posterior of independent experiments, or of the objects of a population");
  joint->add_option("-n,--num-samples", arguments->num_samples, "Weighted samples; default: the server's")
      ->check(CLI::PositiveNumber);
  joint->add_option("--out", arguments->out, "Write weighted samples to FILE.npy or FILE.csv, the weight last");
  add("tension", "Do these experiments agree? log R, suspiciousness, and the tension in sigma");

  const auto ratio = std::make_shared<RatioArguments>();
  CLI::App* command = AddCommand(app, context, "evidence-ratio", "Every estimate of log(Z1/Z2), side by side",
                                 [&context, ratio] { return EvidenceRatio(context, *ratio); });
  NameOf(Named::kModel, command->add_option("NUMERATOR", ratio->numerator, "PROJECT/MODEL[@VERSION]")->required(),
         context);
  NameOf(Named::kModel,
         command->add_option("DENOMINATOR", ratio->denominator, "PROJECT/MODEL[@VERSION] of the same data")->required(),
         context);
  command->add_option("--evidence1", ratio->numerator_evidences, "A further estimate of log Z1: 'method=Z,ERR'");
  command->add_option("--evidence2", ratio->denominator_evidences, "A further estimate of log Z2: 'method=Z,ERR'");
}

}  // namespace creamery::cli
