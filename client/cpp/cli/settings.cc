#include "client/cpp/cli/settings.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/cpp/cli/cli.h"
#include "client/cpp/cli/config_file.h"
#include "client/cpp/cli/text.h"
#include "proto/support/status_macros.h"

namespace creamery::cli {
namespace {

constexpr char kOfFile[] = "config file";
constexpr char kDefault[] = "default";

std::string OptionOf(const Setting& setting) {
  return absl::StrCat("--", absl::StrReplaceAll(setting.key, {{"_", "-"}}));
}
std::string VariableOf(const Setting& setting) { return absl::StrCat("CREAMERY_", absl::AsciiStrToUpper(setting.key)); }

// `~/` is the home folder: a file of settings is not read by a shell.
std::string WithHome(const std::string& path) {
  const char* home = std::getenv("HOME");
  return home != nullptr && absl::StartsWith(path, "~/") ? absl::StrCat(home, path.substr(1)) : path;
}

void WarnOfReadableToken(const std::string& path) {
  struct stat status;
  if (path.empty() || stat(path.c_str(), &status) != 0 || (status.st_mode & (S_IRWXG | S_IRWXO)) == 0) return;
  Err("warning: others can read the token file '%s': chmod 600 it\n", path);
}

absl::Status ShowConfig(const Context& context) {
  const Settings& settings = context.settings;
  const bool there = !settings.path().empty() && std::filesystem::exists(settings.path());
  ABSL_RETURN_IF_ERROR(settings.status());
  PrintNotes(settings.notes());
  if (context.json) {
    nlohmann::json list = nlohmann::json::array();
    for (const Setting& setting : settings.all()) {
      list.push_back({{"key", setting.key}, {"value", setting.value}, {"origin", setting.Origin()}});
    }
    PrintJson({{"config_file", settings.path()}, {"exists", there}, {"settings", list}});
    return absl::OkStatus();
  }
  Out("config file: %s%s\n", settings.path(), there ? "" : " (there is none)");
  for (const Setting& setting : settings.all()) {
    Out("%-10s  %s  (%s)\n", setting.key, setting.value.empty() ? "-" : setting.value, setting.Origin());
  }
  return absl::OkStatus();
}

}  // namespace

std::string Setting::Origin() const { return option != nullptr && option->count() > 0 ? OptionOf(*this) : origin; }

Settings::Settings(CLI::App& app)
    : settings_{{{"server", "Address of the server, host:port or unix:PATH", false},
                 {"token_file", "File with the bearer token", true},
                 {"tls_ca", "PEM file of the authority of the server's certificate; needs TLS", true},
                 {"project", "Project of names without a slash", false}}},
      path_(ConfigPath()) {
  std::vector<std::string> keys;
  for (const Setting& setting : settings_) keys.emplace_back(setting.key);
  const auto file = ReadConfig(path_, keys);
  status_ = file.status();
  if (file.ok()) notes_ = file->notes;
  if (file.ok() && file->values.count("server") > 0) server_of_file_ = file->values.at("server");
  settings_[kServer].value = "localhost:50051";
  for (Setting& setting : settings_) {
    setting.origin = setting.value.empty() ? "not set" : kDefault;
    if (file.ok() && file->values.count(setting.key) > 0) {
      const std::string& value = file->values.at(setting.key);
      setting.value = setting.is_path ? WithHome(value) : value;
      setting.origin = kOfFile;
    }
    const std::string variable = VariableOf(setting);
    if (const char* value = std::getenv(variable.c_str()); value != nullptr && *value != '\0') {
      setting.value = value;
      setting.origin = variable;
    }
    setting.option =
        app.add_option(OptionOf(setting), setting.value, absl::StrCat(setting.description, " (or ", variable, ")"));
  }
  app.add_flag("--tls", tls_, "TLS with the system's authorities");
  app.add_flag("--insecure", insecure_, "Send the token in the clear to another machine");
}

ClientOptions Settings::Options() const {
  ClientOptions options;
  options.token_file = ForServer(settings_[kTokenFile]);
  options.tls_ca = ForServer(settings_[kTlsCa]);
  options.tls = tls_;
  options.insecure = insecure_;
  return options;
}

std::string Settings::ForServer(const Setting& setting) const {
  if (!setting.is_path || setting.Origin() != kOfFile) return setting.value;
  const Setting& server = settings_[kServer];
  const bool of_file = server.Origin() == kDefault || server.value == server_of_file_;
  return of_file ? setting.value : "";
}

absl::StatusOr<Client> Settings::Connect() const {
  ABSL_RETURN_IF_ERROR(status_);
  PrintNotes(notes_);
  const ClientOptions options = Options();
  WarnOfReadableToken(options.token_file);
  return Client::Connect(settings_[kServer].value, options);
}

absl::StatusOr<Client> Settings::ConnectFor(absl::Duration timeout) const {
  ABSL_RETURN_IF_ERROR(status_);
  ClientOptions options = Options();
  options.timeout = timeout;
  return Client::Connect(settings_[kServer].value, options);
}

void AddConfig(CLI::App& app, Context& context) {
  CLI::App* noun = app.add_subcommand("config", "Server, token and project of this machine's commands");
  noun->require_subcommand(1);
  AddCommand(*noun, context, "show", "Show the settings and where each comes from",
             [&context] { return ShowConfig(context); });
}

}  // namespace creamery::cli
