#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cpp/cli/cli.h"
#include "client/cpp/spec_options.h"
#include "proto/support/status_macros.h"

namespace creamery::cli {
namespace {

struct TrainArguments {
  std::string model, dataset, family = "maf", prior;
  std::vector<std::string> parameters, settings;
  bool watch = false;
};

absl::Status Train(const Context& context, const TrainArguments& arguments) {
  if (!arguments.prior.empty()) {
    return Usage(absl::UnimplementedError(
        absl::StrCat("a version does not store a prior model yet; ask against it with 'creamery kl ", arguments.model,
                     " --prior=", arguments.prior, "'")));
  }
  absl::StatusOr<v1::EstimatorSpec> spec = ParseSpec(arguments.family, arguments.settings);
  if (!spec.ok()) return Usage(spec.status());
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const Job job,
                        client.Train({arguments.model, arguments.dataset, *std::move(spec), arguments.parameters}));
  if (arguments.watch) {
    std::fprintf(stderr, "job %s; it goes on if this command ends\n", TypedName(job.name()).c_str());
    return Follow(job, context);
  }
  ABSL_ASSIGN_OR_RETURN(const v1::Job created, job.Get());
  context.json ? void(std::printf("%s\n", ToJson(created).c_str())) : PrintJob(created);
  return absl::OkStatus();
}

std::string Footer() {
  std::string text;
  for (const std::string& family : FamilyNames()) {
    absl::StrAppend(&text, "\n--set for --family=", family, ":\n  ", absl::StrJoin(SpecOptionNames(family), "\n  "),
                    "\n");
  }
  return text;
}

}  // namespace

void AddTrain(CLI::App& app, Context& context) {
  const auto arguments = std::make_shared<TrainArguments>();
  CLI::App* train = AddCommand(app, context, "train", "Train the next version of a model",
                               [&context, arguments] { return Train(context, *arguments); });
  train->add_option("MODEL", arguments->model, "PROJECT/MODEL that receives the version")->required();
  train->add_option("--dataset", arguments->dataset, "PROJECT/NAME of the samples")->required();
  train->add_option("--family", arguments->family, "Family of the density")
      ->check(CLI::IsMember(FamilyNames()))
      ->capture_default_str();
  train->add_option("--parameters", arguments->parameters, "Parameters to keep, in order; default: all")
      ->delimiter(',');
  train->add_option("--prior", arguments->prior, "Not stored yet: see 'creamery kl --prior'");
  train->add_option("--set", arguments->settings, "Options of the family and of the training, name=value; see below");
  train->add_flag("--watch", arguments->watch, "Follow the job to its end; the exit code tells how it ended");
  train->footer(Footer());
}

}  // namespace creamery::cli
