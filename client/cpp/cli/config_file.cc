#include "client/cpp/cli/config_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "client/cpp/cli/mistakes.h"
#include "proto/support/status_macros.h"

namespace creamery::cli {
namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// The string that `text` begins with, "basic" or 'literal', and no more than a comment behind it.
absl::StatusOr<std::string> ParseString(absl::string_view text) {
  const absl::Status bad = absl::InvalidArgumentError("expected one string in quotes");
  if (text.empty() || (text[0] != '"' && text[0] != '\'')) return bad;
  const char quote = text[0];
  std::string value;
  size_t i = 1;
  for (; i < text.size() && text[i] != quote; ++i) {
    if (quote == '"' && text[i] == '\\') {
      if (++i == text.size() || (text[i] != '\\' && text[i] != '"')) {
        return absl::InvalidArgumentError("expected a backslash only before a backslash or a quote");
      }
    }
    value += text[i];
  }
  if (i >= text.size()) return bad;
  const absl::string_view rest = absl::StripLeadingAsciiWhitespace(text.substr(i + 1));
  if (!rest.empty() && rest[0] != '#') return bad;
  return value;
}

}  // namespace

std::string ConfigPath() {
  std::string folder = Variable("XDG_CONFIG_HOME");
  if (!absl::StartsWith(folder, "/")) folder.clear();  // as the XDG specification has it
  if (folder.empty() && !Variable("HOME").empty()) folder = absl::StrCat(Variable("HOME"), "/.config");
  return folder.empty() ? "" : absl::StrCat(folder, "/creamery/config.toml");
}

absl::StatusOr<ConfigFile> ReadConfig(const std::string& path, const std::vector<std::string>& keys) {
  ConfigFile config;
  errno = 0;
  std::ifstream file(path);
  if (path.empty() || (!file && (errno == ENOENT || errno == ENOTDIR))) return config;
  int number = 0;
  std::string line;
  const auto wrong = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("config file '", path, "', line ", number, ": ", what));
  };
  while (std::getline(file, line)) {
    ++number;
    const absl::string_view text = absl::StripAsciiWhitespace(line);
    if (text.empty() || text[0] == '#') continue;
    const size_t equals = text.find('=');
    if (equals == absl::string_view::npos) return wrong(absl::StrCat("'", text, "', expected key = \"value\""));
    const std::string key(absl::StripAsciiWhitespace(text.substr(0, equals)));
    if (config.values.count(key) > 0) return wrong(absl::StrCat("'", key, "' is given twice"));
    const absl::string_view given = absl::StripLeadingAsciiWhitespace(text.substr(equals + 1));
    const absl::StatusOr<std::string> value = ParseString(given);
    if (!value.ok()) return wrong(absl::StrCat(key, " = ", given, ": ", value.status().message()));
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
      config.notes.push_back(absl::StrCat("config file '", path, "', line ", number, ": there is no key '", key,
                                          "', it is ignored", OrNear(key, keys, "keys")));
      continue;
    }
    config.values[key] = *value;
  }
  if (!file.eof()) {
    return absl::FailedPreconditionError(
        absl::StrCat("config file '", path, "' cannot be read: ", std::strerror(errno == 0 ? EIO : errno)));
  }
  return config;
}

}  // namespace creamery::cli
