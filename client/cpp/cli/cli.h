// The `creamery` command: what its nouns share. One file per noun adds its subcommands to the parser.
#ifndef CREAMERY_CLIENT_CPP_CLI_CLI_H_
#define CREAMERY_CLIENT_CPP_CLI_CLI_H_

#include <google/protobuf/message.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "client/cpp/cli/options.h"
#include "client/cpp/cli/settings.h"
#include "client/cpp/cli/text.h"
#include "client/cpp/client.h"

namespace creamery::cli {

// What every command is given. Not thread-safe.
struct Context {
  explicit Context(CLI::App& app) : settings(app) {}

  Settings settings;
  CandidatesOf candidates;
  bool json = false;
  std::function<absl::Status()> command;  // the one that was chosen, set while parsing

  absl::StatusOr<Client> Connect() const { return settings.Connect(); }
};

inline constexpr char kVersion[] = "creamery 0.1.0";

// The same status, marked as a mistake in the command line: the program then exits with 2.
absl::Status Usage(const absl::Status& status);
bool IsUsage(const absl::Status& status);

// A subcommand with --json; `run` is called after parsing if it was chosen. Options live in what `run` captures.
CLI::App* AddCommand(CLI::App& parent, Context& context, const std::string& name, const std::string& description,
                     std::function<absl::Status()> run);

void AddDatasets(CLI::App& app, Context& context);
void AddTrain(CLI::App& app, Context& context);
void AddJobs(CLI::App& app, Context& context);
void AddModels(CLI::App& app, Context& context);
void AddAsk(CLI::App& app, Context& context);
void AddStatistics(CLI::App& app, Context& context);
void AddJoint(CLI::App& app, Context& context);
void AddRounds(CLI::App& app, Context& context);
void AddProjects(CLI::App& app, Context& context);
void AddPlot(CLI::App& app, Context& context);
void AddConfig(CLI::App& app, Context& context);
void AddCompletion(CLI::App& app, Context& context);
void AddManual(CLI::App& app, Context& context);

// The words that may come last in `line`, a command line that is being typed; none where files are wanted.
std::vector<std::string> Complete(const CLI::App& app, Context& context, const std::string& line);
// The manual page, for man(1).
std::string Manual(const CLI::App& app);

// A prior as typed: nothing, one model, or 'a~uniform(0,1)' for every parameter.
absl::StatusOr<PriorAgainst> ParsePriorAgainst(const std::vector<std::string>& priors);

template <typename Response, typename = void>
struct HasRemarks : std::false_type {};
template <typename Response>
struct HasRemarks<Response, std::void_t<decltype(std::declval<Response>().remarks())>> : std::true_type {};

// Protobuf JSON with the names of the .proto files, on one line.
std::string ToJson(const google::protobuf::Message& message);
// {"key": [message, …]}
template <typename Messages>
nlohmann::json ListToJson(const std::string& key, const Messages& messages) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& message : messages) list.push_back(nlohmann::json::parse(ToJson(message)));
  nlohmann::json object;
  object[key] = std::move(list);
  return object;
}
// A number as JSON; "Infinity", "-Infinity" and "NaN" as protobuf JSON spells them.
nlohmann::json NumberToJson(double value);
// Short and exact: the shortest text that reads back as the same double.
std::string NumberToText(double value);
// One line of JSON on standard output.
void PrintJson(const nlohmann::json& json);
void PrintJson(const google::protobuf::Message& message);
// "warning: …" on standard error, one line each.
void PrintWarnings(const std::vector<v1::Warning>& warnings);
// What the training of a version says against itself, with its numbers, in the same way.
void PrintTrainingWarnings(const v1::ModelVersion& version);
void PrintNotes(const std::vector<std::string>& notes);
// What an answer says of itself, on standard error: its warnings, then its remarks if it has some, one line each.
template <typename Response>
void PrintCare(const Response& response) {
  std::vector<v1::Warning> warnings;
  for (const int warning : response.warnings()) warnings.push_back(static_cast<v1::Warning>(warning));
  PrintWarnings(warnings);
  if constexpr (HasRemarks<Response>::value) {
    for (const std::string& remark : response.remarks()) Err("remark: %s\n", remark);
  }
}

inline constexpr char kListedProject[] = "Project, - for all; default: the project that is set, else all";
// What a list command lists: the project given, the one that is set, or `-` for all.
std::string ListedProject(const Context& context, const std::string& given);
// `projects/p/models/m/versions/3` as people type it, `p/m@3`; so for datasets and jobs.
std::string TypedName(const std::string& name);

// A line that follows a job: a bar that redraws itself on a terminal, else a plain line now and then. On standard
// error.
class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine();
  void Show(const v1::Job& job);

 private:
  const bool terminal_;
  bool open_ = false;       // a line without its newline is on the terminal
  std::string last_plain_;  // state and member of the last plain line
  double last_fraction_ = -1;
};
// Follows a job to its end, prints it (as JSON if asked) and returns the error it ended with.
absl::Status Follow(const Job& job, const Context& context);
void PrintJob(const v1::Job& job);

// Columns of numbers in a file by its ending: .npy (float64, C order), .csv (with names) or .safetensors; CSV on
// standard output for an empty path.
absl::Status WriteColumns(const std::string& path, const std::vector<std::string>& names,
                          absl::Span<const double> values);
// Samples with their schema, as .safetensors that `datasets upload` reads back whole, .csv, or theta alone as .npy.
absl::Status WriteSamples(const std::string& path, const Samples& samples);
// The bytes, under a temporary name first: a file is there whole or not at all.
absl::Status WriteFile(const std::string& path, const std::string& bytes);

}  // namespace creamery::cli

#endif  // CREAMERY_CLIENT_CPP_CLI_CLI_H_
