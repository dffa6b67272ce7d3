#include <google/protobuf/util/json_util.h>

#include <array>
#include <charconv>
#include <cmath>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "client/cpp/cli/cli.h"

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
  for (v1::Warning warning : warnings) Err("warning: %s\n", WarningText(warning));
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
    Err("warning: %s%s\n", WarningText(warning), numbers);
  }
}

void PrintNotes(const std::vector<std::string>& notes) {
  for (const std::string& note : notes) Err("%s\n", note);
}

void PrintJson(const nlohmann::json& json) {
  Out("%s\n", json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

void PrintJson(const google::protobuf::Message& message) { Out("%s\n", ToJson(message)); }

std::string ListedProject(const Context& context, const std::string& given) {
  const std::string& project = given.empty() ? context.settings.project() : given;
  return project.empty() ? "-" : std::string(absl::StripPrefix(project, "projects/"));
}

std::string TypedName(const std::string& name) {
  std::string typed =
      absl::StrReplaceAll(name, {{"/models/", "/"}, {"/datasets/", "/"}, {"/jobs/", "/"}, {"/versions/", "@"}});
  if (absl::StartsWith(typed, "projects/")) typed.erase(0, 9);
  return typed;
}

}  // namespace creamery::cli
