#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/cli/cli.h"
#include "client/cpp/cli/spec_help.h"
#include "client/cpp/spec_options.h"
#include "proto/support/status_macros.h"

namespace creamery::cli {
namespace {

struct TrainArguments {
  std::string model, dataset, family = "maf", prior;
  std::vector<std::string> parameters, settings;
  bool watch = false;
};

struct ArrayArguments {
  std::string project, prefix, family = "maf", prior;
  std::vector<std::string> datasets, parameters, settings;
  bool watch = false;
};

absl::Status Train(const Context& context, const TrainArguments& arguments) {
  absl::StatusOr<v1::EstimatorSpec> spec = ParseSpec(arguments.family, arguments.settings);
  if (!spec.ok()) return Usage(spec.status());
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  TrainOptions options = {arguments.model, arguments.dataset, *std::move(spec), arguments.parameters};
  options.prior_model = arguments.prior;
  ABSL_ASSIGN_OR_RETURN(const Job job, client.Train(options));
  if (arguments.watch) {
    Err("job %s; it goes on if this command ends\n", TypedName(job.name()));
    return Follow(job, context);
  }
  ABSL_ASSIGN_OR_RETURN(const v1::Job created, job.Get());
  context.json ? PrintJson(created) : PrintJob(created);
  return absl::OkStatus();
}

// One model for each dataset, called after it.
absl::Status TrainArray(const Context& context, const ArrayArguments& arguments) {
  absl::StatusOr<v1::EstimatorSpec> spec = ParseSpec(arguments.family, arguments.settings);
  if (!spec.ok()) return Usage(spec.status());
  std::vector<TrainOptions> trainings;
  for (const std::string& dataset : arguments.datasets) {
    const std::string id = dataset.substr(dataset.rfind('/') + 1);
    TrainOptions options = {absl::StrCat(arguments.project, "/", arguments.prefix, id), dataset, *spec,
                            arguments.parameters};
    options.prior_model = arguments.prior;
    trainings.push_back(std::move(options));
  }
  ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
  ABSL_ASSIGN_OR_RETURN(const JobArrayHandle made, client.TrainArray(trainings));
  Err("array %s of %d jobs\n", made.array, made.jobs.size());
  if (arguments.watch) {
    for (const Job& job : made.jobs) ABSL_RETURN_IF_ERROR(job.Wait().status());
  }
  ABSL_ASSIGN_OR_RETURN(const std::vector<v1::Job> jobs, client.ListJobs(arguments.project, made.array));
  if (context.json) {
    PrintJson(ListToJson("jobs", jobs));
  } else {
    for (const v1::Job& job : jobs) PrintJob(job);
  }
  if (!arguments.watch) return absl::OkStatus();
  for (const v1::Job& job : jobs) ABSL_RETURN_IF_ERROR(JobStatus(job));
  return absl::OkStatus();
}

// "transforms=", …: of every family, for completion.
std::vector<std::string> SettingWords() {
  std::vector<std::string> words;
  const auto add = [&words](const std::vector<SpecOption>& options) {
    for (const SpecOption& option : options) {
      const std::string word = absl::StrCat(option.name.substr(0, option.name.find("PARAMETER")),
                                            absl::StrContains(option.name, "PARAMETER") ? "" : "=");
      if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(word);
    }
  };
  for (const std::string& family : FamilyNames()) add(FamilyOptions(family));
  add(CommonOptions());
  return words;
}

}  // namespace

void AddTrain(CLI::App& app, Context& context) {
  const auto arguments = std::make_shared<TrainArguments>();
  CLI::App* train = AddCommand(app, context, "train", "Train the next version of a model",
                               [&context, arguments] { return Train(context, *arguments); });
  NameOf(Named::kModel,
         train->add_option("MODEL", arguments->model, "PROJECT/MODEL that receives the version")->required(), context);
  NameOf(Named::kDataset, train->add_option("--dataset", arguments->dataset, "PROJECT/NAME of the samples")->required(),
         context);
  CLI::Option* family = train->add_option("--family", arguments->family, "Family of the density: one of those below");
  OneOf(FamilyNames(), family, context)->capture_default_str();
  train->add_option("--parameters", arguments->parameters, "Parameters to keep, in order; default: all")
      ->delimiter(',');
  NameOf(Named::kModel,
         train->add_option("--prior", arguments->prior,
                           "Model of the prior that statistics of the version take; default: the dataset's priors"),
         context);
  CLI::Option* set = train->add_option("--set", arguments->settings,
                                       "Options of the family and of the training, "
                                       "name=value; see below");
  context.candidates[set].words = SettingWords();
  train->add_flag("--watch", arguments->watch, "Follow the job to its end; the exit code tells how it ended");
  train->footer([arguments, family] { return "\n" + SpecHelp(family->count() > 0 ? arguments->family : ""); });

  const auto array = std::make_shared<ArrayArguments>();
  CLI::App* many =
      AddCommand(app, context, "train-array", "Train a collection, one model for each dataset, as one array",
                 [&context, array] { return TrainArray(context, *array); });
  ProjectToList(many->add_option("PROJECT", array->project, "Project of the models, which are called as their datasets")
                    ->required(),
                context);
  NameOf(Named::kDataset,
         many->add_option("--datasets", array->datasets, "PROJECT/NAME of each object's samples")->required(), context);
  many->add_option("--prefix", array->prefix, "Put before the datasets' names to make the models'");
  CLI::Option* families = many->add_option("--family", array->family, "Family of the densities, as of 'train'");
  OneOf(FamilyNames(), families, context)->capture_default_str();
  many->add_option("--parameters", array->parameters, "Parameters to keep, in order; default: all")->delimiter(',');
  NameOf(Named::kModel, many->add_option("--prior", array->prior, "Model of the prior; default: the datasets' priors"),
         context);
  many->add_option("--set", array->settings, "Options of the family and of the training, as of 'train'");
  many->add_flag("--watch", array->watch, "Wait for all of them; the exit code tells whether all succeeded");
}

}  // namespace creamery::cli
