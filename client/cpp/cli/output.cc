#include <google/protobuf/util/json_util.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "client/cpp/cli/cli.h"
#include "proto/support/status_macros.h"

namespace creamery::cli {
namespace {

constexpr char kUsage[] = "creamery/usage";

}  // namespace

absl::Status Usage(const absl::Status& status) {
  absl::Status marked = status;
  if (!marked.ok()) marked.SetPayload(kUsage, absl::Cord("1"));
  return marked;
}

bool IsUsage(const absl::Status& status) { return status.GetPayload(kUsage).has_value(); }

CLI::App* AddCommand(CLI::App& parent, Context& context, const std::string& name, const std::string& description,
                     std::function<absl::Status()> run) {
  CLI::App* command = parent.add_subcommand(name, description);
  parent.fallthrough();  // --server is understood after the command too
  command->fallthrough();
  command->add_flag("--json", context.json, "Print JSON");
  command->final_callback([&context, run = std::move(run)] { context.command = run; });
  return command;
}

std::string ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string text;
  (void)google::protobuf::util::MessageToJsonString(message, &text, options);
  return text;
}

nlohmann::json NumberToJson(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

std::string NumberToText(double value) {
  std::array<char, 40> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value);
  return std::string(text.data(), end.ptr);
}

void PrintWarnings(const std::vector<v1::Warning>& warnings) {
  for (v1::Warning warning : warnings) std::fprintf(stderr, "warning: %s\n", WarningText(warning).c_str());
}

void PrintTrainingWarnings(const v1::ModelVersion& version) {
  const v1::TrainingSummary& training = version.training();
  for (const int number : training.warnings()) {
    const auto warning = static_cast<v1::Warning>(number);
    std::string numbers;
    if (warning == v1::ROWS_LEFT_OUT) {
      numbers = absl::StrCat(" (", training.num_rows_outside(), " rows left out, ", training.num_rows(), " used)");
    } else if (warning == v1::FEW_DISTINCT_ROWS) {
      numbers = absl::StrCat(" (", training.num_distinct_rows(), " of ", training.num_rows(), " rows differ)");
    } else if (warning == v1::LARGE_MISFIT) {
      numbers =
          absl::StrFormat(" (%.2f +- %.2f nats)", training.held_out().misfit(), training.held_out().misfit_error());
    }
    std::fprintf(stderr, "warning: %s%s\n", WarningText(warning).c_str(), numbers.c_str());
  }
}

void PrintNotes(const std::vector<std::string>& notes) {
  for (const std::string& note : notes) std::fprintf(stderr, "%s\n", note.c_str());
}

absl::StatusOr<std::vector<std::string>> ProjectsOrAll(const Client& client, const std::string& project) {
  if (!project.empty()) {
    const absl::string_view id =
        absl::StartsWith(project, "projects/") ? absl::string_view(project).substr(9) : project;
    return std::vector<std::string>{std::string(id)};
  }
  ABSL_ASSIGN_OR_RETURN(const std::vector<v1::Project> projects, client.ListProjects());
  std::vector<std::string> ids;
  ids.reserve(projects.size());
  for (const v1::Project& listed : projects) ids.push_back(listed.name().substr(std::string("projects/").size()));
  return ids;
}

std::string TypedName(const std::string& name) {
  std::string typed =
      absl::StrReplaceAll(name, {{"/models/", "/"}, {"/datasets/", "/"}, {"/jobs/", "/"}, {"/versions/", "@"}});
  if (absl::StartsWith(typed, "projects/")) typed.erase(0, 9);
  return typed;
}

}  // namespace creamery::cli
