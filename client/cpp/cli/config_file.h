// The config file of the clients, ~/.config/creamery/config.toml: lines `key = "value"` and comments, nothing else of
// TOML. Python reads the same.
#ifndef CREAMERY_CLIENT_CPP_CLI_CONFIG_FILE_H_
#define CREAMERY_CLIENT_CPP_CLI_CONFIG_FILE_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace creamery::cli {

// $XDG_CONFIG_HOME/creamery/config.toml, else ~/.config/creamery/config.toml; empty without a home.
std::string ConfigPath();

struct ConfigFile {
  std::map<std::string, std::string> values;  // by key; none if there is no such file
  std::vector<std::string> notes;             // on keys that are not known, which are ignored
};

// INVALID_ARGUMENT naming file and line for anything but keys with one string each; FAILED_PRECONDITION if the file is
// there and cannot be read.
absl::StatusOr<ConfigFile> ReadConfig(const std::string& path, const std::vector<std::string>& keys);

}  // namespace creamery::cli

#endif  // CREAMERY_CLIENT_CPP_CLI_CONFIG_FILE_H_
